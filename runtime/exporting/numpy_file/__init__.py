"""A program as one file of Python that needs NumPy alone.

`source` writes it, a line for each node; what an op is in NumPy stands in `expressions`, which may
call the functions of `helpers`. Values are part of the file, in base64: a second file beside it
could be lost, or be another net's.
"""
