"""XLA: a traced graph as one JAX function, on a CPU, a GPU or a TPU.

The way of a function: `compile.py` traces it for the sizes of its arguments (`sizes.py` rounds those of ragged batches
up to a short list), `lowering.py` makes a JAX function of the graph, and `program.py` has it jitted and keeps what it
changes on the device.

Blocks run through their own `forward` on `jax.numpy` (`namespace.py`). Those that cannot, as what they do depends on
data or writes into arrays, have a form of their own in `forms/`.

Several devices: `program.jitted` is the one place where `jax.jit` is called. It gets the order of a step's arguments
(state, constants of the host, inputs, sizes), so a mesh says there how each is laid out (`in_shardings`,
`out_shardings`); `program.Program.put` is the one place where an array of the host goes to a device.
"""
