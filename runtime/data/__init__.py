"""Data sets: the digits that ship with the package, and files that a user names.

A reader gives arrays, names of columns and of classes, and says what is wrong in which line of a
file; which reader reads is decided by content. Nothing here knows a program.
"""
