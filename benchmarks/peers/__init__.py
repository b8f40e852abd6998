"""The training step of a task, written for each system as its experts would.

Each module has `make(task, variant)`. What it returns is called with a number of steps, takes them and returns the last
loss; or, where there is no loss to compare, has `seconds(count)`.
"""
