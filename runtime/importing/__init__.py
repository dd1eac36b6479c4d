"""Nets of other libraries, read from their files as graphs that train on: one folder a format.

What makes graphs of foreign files belongs here. Files of our own programs are those of `files/`,
data sets those of `data/`.
"""
