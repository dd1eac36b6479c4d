"""Checks that a user can run: gradients, and the contract of an op.

They compile and run programs as anyone would, and compare. What a step itself looks at while it
runs (finite values, feeds that fit) is `runtime/execution`'s.
"""
