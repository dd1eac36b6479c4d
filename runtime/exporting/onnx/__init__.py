"""Programs as ONNX: files of ordinary ops that any runtime of the format reads.

`rules` is the one table of what each op of ours is in ONNX. What has no counterpart is composed, in
`formulas`, `normal`, `places` and `masks`; what is several nodes here and one there is found by
`patterns`. `builder` takes the nodes that rules ask for, and `protos` makes messages of them.
`model` says which values a file has and what they are called, `columns` how rows of a table become
inputs, `training` what the format asks of a step; `files` chooses the graph of a program, checks
and writes. Nothing here computes; what reads ONNX is `importing/onnx`.
"""
