"""Numbers that say how good predictions are: functions of arrays, by name in `registry`.

Each takes what is true and what was predicted, (true, scores), and gives a float. They know
nothing of programs, data sets or files; losses, which are part of a graph, are ops. Definitions
are scikit-learn's, and tests hold them to it.
"""
