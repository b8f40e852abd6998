"""The examples of papers in PyTorch, with the same weights, data and draws: how it would be written there."""
