"""Data sets: the digits that ship with the package, and files that a user names.

A reader gives arrays, names of columns and of classes, and says what is wrong in which line of a
file; which reader reads is decided by content. A table (`table`) is columns by name, from a CSV
file or from a Parquet or Arrow one (`csv_file`, `arrow_file`); of a CSV file, `csv_lines` finds the
records, and says which quote does not close, `cells` tells what stands in a cell, and `csv_ranges`
reads each row of a large one from its own bytes. `target` says what
a table is to teach, `categories` how each column is read, `encoding` what becomes of it, `prepared`
puts them together, and `schema` is what a model keeps of all that. `rows` are read from a file
where they are asked for. `sets` is `vg.data`, what users call. `pickled` reads the pickles of
CIFAR-10 and calls nothing that they name (how our own objects are pickled is in
`graph/pickling.py`). Nothing here knows a program.
"""
