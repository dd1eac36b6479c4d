"""Training a program on a data set: batches, epochs, validation, checkpoints and history.

All of it calls a program's public methods, as a loop of a user's own would. Data is a `source`:
rows of arrays that a sampler names (`batches`), or a `stream` of batches that somebody else makes.
What a checkpoint holds is listed in `Checkpoint.save`: a program as `runtime/files` writes it
(graph, options, parameters, optimizer state), and where the run is; a bundle holds a step that
failed, in the same format. The command line, which is above, adds files, progress and options.
"""
