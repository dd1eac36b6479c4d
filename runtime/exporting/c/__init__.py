"""The C of a program: one .c file and its header, that need no more than math.h.

`source` puts both files together, `functions` writes the body of a function from a planned graph,
kernel call by kernel call. What an op is in C stands in `elements` (element by element) and in
`loops`, `sums`, `products`, `labels` and `moves` (all others); `kernels` is the table of them.
`helpers` holds the functions of C that they call, `names` makes safe identifiers and comments, and
`numbers` writes values. Where results lie is decided in `runtime/planning/typed_arrays.py`.
"""
