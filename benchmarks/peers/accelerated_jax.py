"""JAX with optax on an accelerator: the text classifier with Adam as optax writes it, a jitted step, state donated."""

import functools

import jax
import jax.numpy as jnp
import optax

from peers.accelerated import BETA1, BETA2, EPSILON, LEARNING_RATE


def make(task, case, variant):  # noqa: ARG001 - there is one
    """See `accelerated`; for `Bags` alone."""
    rule = optax.adam(LEARNING_RATE, BETA1, BETA2, EPSILON)

    def loss_of(weights, ids, classes, key):
        x = weights["table"][ids].mean(1)
        x = jax.nn.relu(x @ weights["hidden"] + weights["hidden bias"])
        if task.rate:
            x = jnp.where(jax.random.bernoulli(key, 1 - task.rate, x.shape), x / (1 - task.rate), 0)
        logits = x @ weights["classes"] + weights["classes bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, classes).mean()

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(weights, state, number, ids, classes):
        key = jax.random.fold_in(jax.random.key(0), number)
        loss, gradients = jax.value_and_grad(loss_of)(weights, ids, classes, key)
        updates, state = rule.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state, number + 1, loss

    weights = {name: jnp.array(x) for name, x in task.weights().items()}
    weights |= {"hidden bias": jnp.zeros(task.hidden), "classes bias": jnp.zeros(task.classes)}
    held = weights, rule.init(weights), jnp.int32(0)
    batches = [
        (jnp.array(batch.ids.reshape(len(batch.classes), -1)), jnp.array(batch.classes)) for batch in task.data("equal")
    ]
    position = 0

    def run(count):
        nonlocal held, position
        for _ in range(count):
            *held, loss = step(*held, *batches[position])
            position = (position + 1) % len(batches)
        return float(jax.block_until_ready((loss, held))[0])

    return run
