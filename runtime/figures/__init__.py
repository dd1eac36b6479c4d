"""Figures of plain data, as SVG: they know nothing of training, profiles or commands."""
