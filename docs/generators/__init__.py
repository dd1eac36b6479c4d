"""Pages made of what stands elsewhere: docstrings, golden files, tables and measured results.

Each file has `write(folder)`, which writes its pages into the folder of the documentation.
"""
