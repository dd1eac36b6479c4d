"""ONNX files as graphs: the file, its tensors, the walk over its nodes, and a rule for each op.

`model` reads the file and says what is missing, `tensors` the data, `definitions` puts functions in
the place of what calls them. `reader` walks over the nodes and folds what is known without feeds,
`sources` declares inputs, parameters and state, `loss` what is trained. `rules/` says what an op of
ONNX is in ours; nothing else knows one. What a rule gets and gives is in `call` and `values`.
"""
