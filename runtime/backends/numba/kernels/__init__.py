"""Kernels: text that Numba compiles, what it may call, and where compiled code is kept.

`compiled` gives a kernel its address, `cache` keeps it on disk, `kernel_math`, `intrinsics` and
`c_calls` are what its text may call. Which text a step needs is decided in `lowering`.
"""
