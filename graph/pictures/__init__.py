"""Graphs as pictures: layout in columns, DOT and SVG.

Here stands what a picture of a graph looks like, and the call of the engine that draws it. Figures
of numbers (curves, bars) are drawn by `runtime/figures`, which knows no graph.
"""
