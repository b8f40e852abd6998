"""From instructions to a run: machine code and its cache, BLAS, the driver, threads, and the leaves of a call."""
