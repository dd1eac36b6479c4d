"""The tape: compiled kernels run one after another, their parts on several threads.

It knows nothing of graphs, ops or NumPy calls. `tape` lays tasks out in memory, `driver` is the
compiled loop that makes them, `threads` are the helpers, `autotune` finds whether they help.
"""
