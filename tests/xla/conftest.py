"""XLA compiles most of the time here: without its optimizations, which are its own matter, it takes half as long.

`make xla` compares engines with all of them.
"""

import os

import pytest


@pytest.fixture(autouse=True, scope="package")
def compiling_fast():
    """Also in processes that tests start."""
    jax = pytest.importorskip("jax")
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    yield
    del os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"]
    jax.config.update("jax_disable_most_optimizations", before)
