"""Numbers modulo a prime: what ops mean exactly, beside what their kernels round.

Here are arithmetic on arrays and the arrays themselves, `Residues`, of which an op's `exact` is
written. What is compared by them is none of this folder's business: see `runtime/certificate`.
"""
