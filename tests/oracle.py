"""PyTorch, the second oracle: where it is missing its tests are left out by name, but never in CI."""

import importlib.util
import os

import pytest

if importlib.util.find_spec("torch") is None and not os.environ.get("CI"):
    pytest.skip("PyTorch is not installed: run make oracle first", allow_module_level=True)

import torch

torch.set_num_threads(1)

__all__ = ["torch"]
