"""Data sets: the digits that ship with the package, and files that a user names.

A reader gives arrays, names of columns and of classes, and says what is wrong in which line of a
file; which reader reads is decided by content. Of a CSV file, `csv_lines` finds the records, and
says which quote does not close; `csv_file` reads the cells of each, and says where there are too
few, or one is no number or no class. `pickled` reads the pickles of CIFAR-10 and calls nothing
that they name (how our own objects are pickled is in `graph/pickling.py`). Nothing here knows a
program.
"""
