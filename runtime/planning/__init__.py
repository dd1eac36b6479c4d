"""Where every result of a scheduled graph lies, for one batch size, before anything runs.

`plan` finds lifetimes and offsets; `str(plan)`, which `verigrad plan` prints, and `as_dict` are
written there, and `picture` draws it. (A picture of the plan's graph shows each place in its
tooltips: see `graph/pictures/labels.py`.) `limit` keeps to a memory limit: it tries the schedule as
it is, then other orders, and then `recomputation`, which chooses what is computed again. `tiling`
cuts elementwise groups into tiles, `phases` divides a step, and `buffers` makes the arena itself.
Order and groups, which hold for every size, are decided in `passes/scheduling`.
"""
