"""Who runs a step: the registry of backends, and what each of them gives.

A backend is a folder and a row in `registry.py`. It writes a planned graph as the text of a step
(`StepWriter`) and can time NumPy calls as its steps make them. What all of them need stands beside
their folders: the calls that a kernel makes (`tracing`), the tiles of a group, names.
When a step runs, and on which feeds, is `runtime/execution`'s.
"""
