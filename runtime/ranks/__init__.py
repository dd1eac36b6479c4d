"""Several ranks that train one program: what carries their sums, and how they agree.

A rank is a process that computes some of the shards of every batch. `communicator` is what all
kinds of ranks have in common.
"""
