"""Programs written as files that run where verigrad is not: C, one NumPy file, ONNX.

`graphs` says what is written, the same for all: inference, and where asked for the training step.
A folder for each kind of file turns their ops into its own, by one table; what the ops compute is
decided in `ops/`, and in which order by `passes/scheduling`.
"""
