"""ONNX files as graphs: the file, its tensors, the walk over its nodes, and a rule for each op.

`rules/` says what an op of ONNX is in ours; nothing else knows one. What a rule gets and gives is
in `values` and `call`; `reader` resolves names and folds what is known without feeds.
"""
