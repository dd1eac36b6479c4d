"""In which order nodes run, what shares a kernel call, and what is computed a second time.

The last passes of a pipeline: they write a schedule on a graph, for any batch size. Where results
lie, which depends on the size, is planned in `runtime/planning`.
"""
