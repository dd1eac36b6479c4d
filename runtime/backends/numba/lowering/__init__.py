"""From the NumPy calls of a step to what stands on the tape: loops, products, fixed kernels.

The writer of the backend (`../writer.py`) goes through the NumPy calls that the kernels of a step
make, as `tracing` has recorded them. Each call becomes one of three things:

- a *statement* (`statements.py`), such as `out = a + b`: something that a loop can compute row by
  row. Statements over the same rows gather in a *nest* (`nests.py`), one loop over rows with
  shorter loops over columns in it. Nests wait for more statements (`nest_fusion.py`) until
  something else is due; then each becomes the text of one kernel (`kernel_text.py`);
- a matrix product (`products.py`), which the BLAS makes, in parts for several threads;
- or neither: it stays a NumPy call, which Python makes between two runs of the tape.

Some ops are better written by hand than call by call: `ops.py` lists them, the one place of this
backend that knows an op by name, and `fixed_kernels.py` holds their kernels (dropout masks, places
of labels, the norm for clipping) with some that no op asks for (the check for finite numbers).
"""
