"""Running a plan: feeds are read, a step is made, what it would write is looked at.

An `Executable` is a scheduled graph that runs at any batch size; an `Executor` is one plan of it
with its arena and its step. `feeds` checks what is fed. `headroom` proves by the interval
arithmetic of `intervals` that a step's updates stay finite; where a step is not, `diagnosis`
computes its nodes again, one after another, and says which first was not, and on which line of the
user's program it was made (a node notes that line when it is made: `graph/location.py`). `executor`
adds to an error of a kernel which node it ran for. What a step consists of is the backends', what
users call `program`'s.
"""
