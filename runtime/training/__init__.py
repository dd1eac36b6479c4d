"""Training a program on a data set: batches, epochs, validation, checkpoints and history.

All of it calls a program's public methods, as a loop of a user's own would. The command line, which
is above, adds files, progress and options.
"""
