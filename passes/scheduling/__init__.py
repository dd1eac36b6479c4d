"""In which order nodes run, what shares a kernel call, and what is computed a second time.

The last passes of a pipeline: they write a schedule on a graph, for any batch size. `schedule` is
the pass. It puts what runs once first and writes of state last, asks `order` for an order of the
nodes that keeps few bytes alive, and `grouping` to make kernel calls of them; `grouping` may move a
call, so the order of the calls is what it returns. `recompute` copies the nodes that it is told
to; which those are is chosen in `runtime/planning/recomputation.py`, since it depends on the batch
size. So does where results lie, which `runtime/planning` decides.
"""
