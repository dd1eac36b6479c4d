"""Running a plan: feeds are read, a step is made, what it would write is looked at.

An `Executable` is a scheduled graph that runs at any batch size; an `Executor` is one plan of it
with its arena and its step. `headroom` proves that a step's updates stay finite, `diagnosis` says
which node first was not. What a step consists of is the backends', what users call `program`'s.
"""
