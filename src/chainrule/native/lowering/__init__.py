"""From a graph to the steps of a program: what becomes a loop nest, and what that nest does."""
