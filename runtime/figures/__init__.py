"""Figures of plain data, as SVG: they know nothing of training, profiles or commands.

Who has numbers to show gives them as columns, curves or bars. Pictures of graphs are drawn in
`graph/pictures`.
"""
