"""What users ask for by name: optimizers, learning rates, dropout, penalties, clips.

Each is a value (`vg.Adam(lr=1e-3)`) that prints as it is written and gives nodes when it is asked.
The passes that put these nodes into a graph (`attach_optimizer`, `insert_dropout`) stand above, and
nothing here rewrites a graph.
"""
