"""Finding good options: many short runs, of which those that fall behind end early.

Optuna says what to try next; here is what makes that reproducible. Runs are made in rounds of a
fixed size, and all that a round depends on, what is tried and the medians that end a run, is a
function of the seed and of the rounds before it. So it does not matter how many jobs there are,
which of them is faster, or how often the tuning was killed in between. What is trained and how is
the caller's: `tune` of Python, or the command. Runs are made by joblib, here or on a cluster, in
`jobs.py`, for every sweep: those of `verigrad compare` as well.
"""
