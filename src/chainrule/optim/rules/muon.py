"""Muon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from chainrule.blocks import maximum, sqrt, swapaxes, zeros
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor
from chainrule.optim.optimizer import OPTIMIZERS
from chainrule.optim.rules.adamw import AdamW
from chainrule.settings import SettingError, setting

#: Coefficients of the iteration, chosen by Jordan for a steep slope at 0: singular values come near 1, to 0.7 to 1.2.
A, B, C = 3.4445, -4.775, 2.0315
#: The smallest norm that a matrix is divided by.
SMALLEST = 1e-7


@OPTIMIZERS.register
@dataclass(frozen=True)
class Muon(AdamW):
    """Momentum made orthogonal: in a matrix, every direction is moved equally far. Vectors are updated by AdamW.

        b ← μ b + (1 - μ) g,    G = (1 - μ) g + μ b        (plain: G = b)
        X = G / ‖G‖,  then n times:  X ← a X + (b' X Xᵀ + c' (X Xᵀ)²) X        (about U Vᵀ of G = U S Vᵀ)
        θ ← (1 - η λ) θ - η s X,    s = 0.2 √(max(rows, columns)), or √(max(1, columns / rows))

    Parameters with any other number of axes than two are updated by AdamW, with the same η and λ. The step of a matrix
    depends on all its rows, so each step changes every row of an embedding table, in time that its size squared takes:
    give tables another rule (`chainrule.optim.Groups`).

    Attributes:
        learning_rate: η.
        beta1: β₁ of AdamW.
        beta2: β₂ of AdamW.
        epsilon: ε of AdamW.
        weight_decay: λ, at least 0; η λ is below 1.
        momentum: μ, at least 0 and below 1.
        plain: take b as it is, without looking ahead.
        iterations: n, at least 1.
        length: s: "rms" is the first, with which a step is as long as one of AdamW, so that one η suits both; "shape"
            the second.
        lazy: must be False.

    Raises:
        ConfigurationError: for hyper-parameters outside these ranges.

    Example (along both axes alike, though one gradient is a hundred times the other):
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([[0.0, 0.0], [0.0, 0.0]])
        >>> rule = Muon(0.1, length="shape")
        >>> rule.step([weight], [chainrule.tensor([[1.0, 0.0], [0.0, 0.01]])], rule.start([weight]))
        >>> weight.value.round(2)
        array([[-0.07,  0.  ],
               [ 0.  , -0.07]], dtype=float32)

    Source: Jordan et al., Muon: An Optimizer for Hidden Layers in Neural Networks (2024); the first s: Liu et al., Muon
    is Scalable for LLM Training (2025). PyTorch computes X in bfloat16; here it is in the dtype of the parameter.
    """

    name: ClassVar[str] = "muon"

    weight_decay: float = setting(0.1, "share of a weight that decays in a step, times the learning rate", least=0)
    momentum: float = setting(0.95, "share of the last step that is taken again", least=0, below=1)
    plain: bool = setting(False, "take the momentum of a matrix as it is, without looking ahead")
    iterations: int = setting(5, "iterations that make a matrix orthogonal", least=1)
    length: str = setting("rms", "length of the step of a matrix", choices=("rms", "shape"))

    rowwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lazy:
            raise SettingError(self.name, "lazy", "must be False: the step of a matrix depends on all its rows")

    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """b ("momentum") of a matrix, at 0; else what AdamW remembers."""
        if parameter.spec.rank != 2:
            return super().init(parameter)
        return {"momentum": zeros(parameter.shape, dtype=parameter.dtype)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above."""
        if parameter.spec.rank != 2:
            return super().update(parameter, gradient, state, scalars)
        momentum = self.momentum * state["momentum"] + (1 - self.momentum) * gradient
        ahead = momentum if self.plain else (1 - self.momentum) * gradient + self.momentum * momentum
        rows, columns = parameter.shape
        size = 0.2 * math.sqrt(max(rows, columns)) if self.length == "rms" else math.sqrt(max(1, columns / rows))
        change = scalars["learning_rate"] * (size * self.orthogonal(ahead))
        return parameter * scalars["keep"] - change, {"momentum": momentum}

    def orthogonal(self, matrix: Tensor) -> Tensor:
        """The matrix with singular values near 1, by the iteration above."""
        flat = matrix.shape[0] <= matrix.shape[1]
        x = matrix if flat else swapaxes(matrix, 0, 1)
        x = x / maximum(sqrt((x * x).sum()), SMALLEST)
        for _ in range(self.iterations):
            gram = x @ swapaxes(x, 0, 1)
            x = A * x + (B * gram + C * (gram @ gram)) @ x
        return x if flat else swapaxes(x, 0, 1)
