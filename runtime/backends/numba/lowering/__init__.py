"""From the NumPy calls of a step to what stands on the tape: loops, products, fixed kernels.

A call is a statement of a loop, a matrix product, or left to NumPy. Statements over the same rows
share a nest, and nests that follow each other are fused. The ops that have a form of their own are
the table in `ops.py`: it is the one place of this backend that knows an op by name.
"""
