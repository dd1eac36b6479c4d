"""Graphs as text, and back: the printer, the parser, and how attributes are written.

What is printed is read back to an equal graph. Only the language stands here: what a graph means is
checked by `verify`, beside this folder, and how an op is called is the op's.
"""
