import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.nn import Embedding, Linear, TreeLSTM, cross_entropy
from tests.dynamic.graphs import Network, batched_with_gradients, check, draw


@pytest.mark.parametrize(("engine", "seed", "count"), [("native", 0, 40), ("eager", 1, 20), ("eager", 2, 1)])
def test_random_graphs(engine, seed, count):
    network, generator = Network(seed), np.random.default_rng(seed)
    check(network, [draw(generator) for _ in range(count)], batched_with_gradients(network, engine))
