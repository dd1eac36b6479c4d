"""Where every result of a scheduled graph lies, for one batch size, before anything runs.

Lifetimes and offsets (`plan`), tiles and their temporaries (`tiling`), a memory limit and what is
then computed again (`limit`, `recomputation`), the phases of a step, and the arena itself
(`buffers`). Order and groups, which hold for every size, are decided in `passes/scheduling`.
"""
