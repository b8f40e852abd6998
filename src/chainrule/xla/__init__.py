"""XLA: a traced graph as one JAX function, on a CPU, a GPU or a TPU."""
