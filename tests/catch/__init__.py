"""The catch matrix: faults planted in copies of the package, and which check catches each.

`python -m catch`, in the folder above, runs it and writes README.md here; `python -m catch.mutants`
plants the faults that nobody thought of.
"""
