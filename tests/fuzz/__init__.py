"""Random programs, each valid by construction, and all that must hold of each of them; and readers
of files, tried on changed ones.

One seed is one program, bit for bit. `python -m fuzz` runs as many as there is time for; what it
found is told in README.md.
"""
