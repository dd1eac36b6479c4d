"""Checks that a user can run: gradients, and the contract of an op."""
