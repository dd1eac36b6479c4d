"""Who runs a step: the registry of backends, and what each of them gives.

A backend is a folder and a row in `registry.py`. It writes a planned graph as the text of a step
(`StepWriter`) and can time NumPy calls as its steps make them. It starts from each op's own kernel,
`run` in `ops/`: `tracing` records the NumPy calls that this makes, and the numpy backend writes
them as they are. So a matrix product of numpy is the `np.dot` of `ops/linear.py` (or sums of pieces
with its bits, by `ops/pieces.py`, where a step takes one thread); numba calls the BLAS, in
`numba/lowering/products.py`. A dropout mask is drawn in `ops/dropout.py`, with the same bits in
`numba/lowering/fixed_kernels.py`. What all backends need stands beside their folders: `tracing`,
the tiles of a group, names. When a step runs, and on which feeds, is `runtime/execution`'s.
"""
