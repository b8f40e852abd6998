"""JAX: the jitted step, its state donated, alone or fifty at a time in one scan; Adam written out.

A variant is "step" or "scan"; with "lazy" before it, only the rows of the table that were read are updated. Rows are
made distinct by `jnp.unique`: adding up gradients in a second table instead took three times as long.
"""

import jax
import jax.numpy as jnp

from peers.tasks import BETA1, BETA2, EPSILON, LEARNING_RATE

SCANNED = 50


def make(task, variant):
    def logits_of(weights, x, key):
        for layer in range(0, len(weights), 2):
            if layer:
                x = jax.nn.relu(x)
                if task.rate:
                    kept = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - task.rate, x.shape)
                    x = jnp.where(kept, x / (1 - task.rate), 0)
            x = x @ weights[layer] + weights[layer + 1]
        return x

    def loss_of(weights, x, classes, key):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits_of(weights, x, key)), classes[:, None], 1).mean()

    def loss_from_ids(weights, ids, classes, key):
        return loss_of(weights[1:], weights[0][ids].mean(1), classes, key)

    def adam(weight, gradient, mean, square, number):
        mean = BETA1 * mean + (1 - BETA1) * gradient
        square = BETA2 * square + (1 - BETA2) * gradient * gradient
        deviation = jnp.sqrt(square / (1 - BETA2**number)) + EPSILON
        return weight - LEARNING_RATE * mean / (1 - BETA1**number) / deviation, mean, square

    def lazy_adam(leaves, ids, gradient, number):
        """Adam on the rows that a batch read; `gradient` is that of the mean of each text."""
        rows, places = jnp.unique(ids.reshape(-1), return_inverse=True, size=ids.size, fill_value=task.vocabulary)
        per_token = jnp.repeat(gradient / task.tokens, task.tokens, 0)
        summed = jax.ops.segment_sum(per_token, places.reshape(-1), ids.size)
        weight, mean, square = (leaf.at[rows].get(mode="clip") for leaf in leaves)
        new = adam(weight, summed, mean, square, number)
        return [x.at[rows].set(y, mode="drop", unique_indices=True) for x, y in zip(leaves, new, strict=True)]

    def step(state, batch):
        leaves, number = state
        inputs, classes = batch
        number += 1
        key = jax.random.fold_in(jax.random.key(0), number)
        weights = [weight for weight, _, _ in leaves]
        if variant.startswith("lazy"):
            vectors = weights[0][inputs].mean(1)
            loss, (gradients, back) = jax.value_and_grad(loss_of, (0, 1))(weights[1:], vectors, classes, key)
            new, leaves = [lazy_adam(leaves[0], inputs, back, number)], leaves[1:]
        else:
            function = loss_from_ids if task.vocabulary else loss_of
            loss, gradients = jax.value_and_grad(function)(weights, inputs, classes, key)
            new = []
        new += [adam(w, g, mean, square, number) for (w, mean, square), g in zip(leaves, gradients, strict=True)]
        return ([tuple(leaf) for leaf in new], number), loss

    state = [(jnp.array(x), jnp.zeros_like(x), jnp.zeros_like(x)) for x in task.weights()], jnp.int32(0)
    inputs, classes = (jnp.array(x) for x in task.data())  # whole numbers become int32
    position = 0

    if variant.endswith("step"):
        batches = list(zip(inputs, classes, strict=True))
        compiled = jax.jit(step, donate_argnums=0)

        def run(count):
            nonlocal state, position
            for _ in range(count):
                state, loss = compiled(state, batches[position])
                position = (position + 1) % len(batches)
            return float(jax.block_until_ready((loss, state))[0])
    else:
        scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)
        parts = {}

        def run(count):
            """Counts above SCANNED are multiples of it."""
            nonlocal state, position
            length = min(count, SCANNED)
            for _ in range(count // length):
                where = position, position + length
                if where not in parts:
                    parts[where] = inputs[slice(*where)], classes[slice(*where)]
                state, losses = scan(state, parts[where])
                position = (position + length) % len(inputs)
            return float(jax.block_until_ready((losses[-1], state))[0])

    return run
