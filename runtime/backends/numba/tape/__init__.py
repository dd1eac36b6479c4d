"""The tape: compiled kernels run one after another, their parts on several threads.

It knows nothing of graphs, ops or NumPy calls. `tape` lays tasks out in memory, `driver` is the
compiled loop that makes them, `threads` holds the helpers, `autotune` finds whether they help.

How many threads work is decided in three places. When a step is written, `Tape.threads` says how
many there may be: those of the BLAS (`threads()` in `ops/blas.py`), or fewer by `threads=`; and
`shared` in `tape.py` into how many parts each piece of work is cut: as many as there are threads,
but none so small that it takes less time than threads need to agree. When a step runs without
`threads=`, `autotune` says whether helpers take parts at all, or the thread that called makes all
of them itself. (How many threads the products of numpy take is
`runtime/execution/blas_threads.py`'s.)
"""
