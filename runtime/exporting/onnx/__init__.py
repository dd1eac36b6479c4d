"""Programs as ONNX: files of ordinary ops that any runtime of the format reads.

`rules` is the one table of what each op of ours is in ONNX; what has no counterpart is composed, in
the files beside it by family. `builder` writes the nodes that rules ask for, `model` chooses what
of a program is written, `training` what the format asks of a step, `files` checks and writes.
Nothing here computes; what reads ONNX is `importing/onnx`.
"""
