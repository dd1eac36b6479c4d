"""Data sets: the digits that ship with the package, and files that a user names."""
