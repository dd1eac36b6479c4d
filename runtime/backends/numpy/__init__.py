"""The NumPy backend: a step as a straight line of NumPy calls.

Nothing here is compiled. The NumPy calls that a kernel makes are found by `tracing`, in the folder
above; here they are written, tile by tile, in the form in which NumPy makes them fastest.
"""
