"""PyTorch as the oracle of the examples of papers: the same weights, data and draws give the same numbers.

`tests/papers` holds what would be written in PyTorch.
"""

import importlib

import pytest

from tests.oracle import torch
from tests.test_examples import RUNS, assert_same, train


@pytest.mark.parametrize(("name", "chosen"), RUNS, ids=lambda value: value if isinstance(value, str) else None)
def test_an_example_does_what_pytorch_does(name, chosen):
    assert torch.get_num_threads() == 1
    example, peer = (importlib.import_module(f"{folder}.papers.{name}") for folder in ("examples", "tests"))
    assert_same(train(example, chosen, 20), train(peer, chosen, 20))
