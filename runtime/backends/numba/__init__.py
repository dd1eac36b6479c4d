"""The jitted backend: what lies between matrix products, compiled into loops by Numba.

`writer` puts a planned step on a tape, in three floors: `kernels` compiles the text of a loop, once
for all nets; `tape` runs compiled kernels one after another on several threads; `lowering` makes
loops, products and fixed kernels of the calls that a step makes. What cannot be lowered stays a
NumPy call, which a writer of the NumPy backend writes.
"""
