"""Certificates: that a compiled graph computes what its user declared.

What checks compiled programs by another way than they were made is here; what runs them is in
`execution`, and what a user asks for by hand, such as a gradient check, in `checking`.
"""
