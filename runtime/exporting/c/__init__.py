"""The C of a program: one .c file and its header, that need no more than math.h.

`source` puts both files together, of `header` and of `storage`, which holds all values; `functions`
writes a function of a planned graph, and `body` its kernels, one by one. What an op is in C stands
in `elements`, element by element, and in `sums`, `products`, `labels` and `moves`, of which
`kernels` is the table; these write with `loops`. `helpers` are the functions of C that they call,
`names` the words that C takes, and comments; `numbers` writes values. `device_check` is what a
device can compare its own numbers with. Where results lie is decided
in `runtime/planning/typed_arrays.py`.
"""
