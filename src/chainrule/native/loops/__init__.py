"""The loop language between a graph and native code: expressions, statements, kernels, steps and their cost."""
