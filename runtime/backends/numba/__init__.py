"""The jitted backend: what lies between matrix products, compiled into loops by Numba."""
