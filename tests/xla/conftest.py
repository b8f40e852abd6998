"""XLA compiles most of the time here: without its optimizations, which are its own matter, it takes a quarter as long.

`make xla` compares engines with all of them.
"""

import os

import pytest

# XLA reads this once, when JAX computes for the first time: so it is set while tests are collected.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false"


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
