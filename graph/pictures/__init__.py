"""Graphs as pictures.

Here stands what a picture of a graph shows (`view.py`, made by `nodes.py`, `layers.py` and
`comparing.py`), in which row each item stands (`rows.py`), DOT made from that (`dot.py`), and the
call of the engine that draws it (`rendering.py`). Which endings a picture's file may have is in
`files.py`; what no engine lays out, such as a memory plan, is drawn of `shapes.py`. Figures of
numbers (curves, bars) are drawn by `runtime/figures`, which knows no graph.
"""
