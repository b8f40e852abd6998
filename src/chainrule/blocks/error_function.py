"""The error function, the normal distribution's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.blocks.exponential import exp
from chainrule.graph.block import Contributions, Elementwise
from chainrule.graph.spec import FLOAT32
from chainrule.graph.tensor import Tensor, operation

#: erf(x) / x in z = x² for |x| ≤ 1, highest power first: an interpolation at Chebyshev nodes (`mpmath.chebyfit`), as
#: the next. Its error is 2⁻⁵⁶.
NEAR = (
    -7.760862712251105e-10, 1.3701562962848502e-08, -1.6204274038071653e-07, 1.6446884708989808e-06,
    -1.4924694012861656e-05, 0.00012055292722564614, -0.0008548325904327918, 0.005223977605679273,
    -0.026866170643068937, 0.11283791670943993, -0.37612638903183515, 1.1283791670955126,
)  # fmt: skip
#: (1 - erf x) eˣˣ / t in t - 3/8, with t = 2 / (2 + x), for x from 1 to 31; error 2⁻⁵⁵.
FAR = (
    -0.18752299230679223, 0.13073518323846225, 0.14267018375356208, -0.18335625411860365, -0.01749892296084513,
    0.14763617164127604, -0.06120822022949496, -0.08965227223194791, 0.09155570097228174, 0.04431742101496344,
    -0.10159328886152946, -0.019534917145034386, 0.11485024162416067, 0.020398262903271465, -0.15185477630489433,
    -0.089130565267444, 0.2123459838270952, 0.4904917206359186, 0.5554590614502858, 0.43330656247972915,
)  # fmt: skip
#: The same for float32, whose digits need fewer powers, with errors 2⁻²⁹ and, for x from 1 to 4, 2⁻²⁸; the second is in
#: t itself. Beyond 4 the result is 1.
NEAR_SINGLE = (
    7.875874871388078e-05, -0.000801686430349946, 0.005189087241888046, -0.02685421146452427, 0.11283594369888306,
    -0.3761262595653534, 1.1283791065216064,
)  # fmt: skip
FAR_SINGLE = (
    0.0948963463306427, -0.3857676386833191, 0.4365275800228119, -0.0001439088664483279, 0.2976126968860626,
    0.2741515636444092, 0.2826198935508728,
)  # fmt: skip


class Erf(Elementwise):
    """y = 2/√π ∫₀ˣ e^(-t²) dt, the error function: a normal number lies within ±x √2 deviations with probability y.

    Computed as a polynomial times x for |x| < 1, and as 1 - e^(-x²) times a polynomial beyond.

    Gradient: 2/√π e^(-x²).
    PyTorch: torch.erf. NumPy: none.

    Example:
        >>> import chainrule
        >>> chainrule.erf([0.0, 1.0, -1e4]).value.round(4)
        array([ 0.    ,  0.8427, -1.    ], dtype=float32)
    """

    floating = True

    def forward(self, xp: Any, x: Any) -> Any:
        size = xp.absolute(x)
        square = size * size
        t = 2 / (size + 2)
        if x.dtype == FLOAT32:
            near, far = _polynomial(NEAR_SINGLE, square), _polynomial(FAR_SINGLE, t)
        else:
            near, far = _polynomial(NEAR, square), _polynomial(FAR, t - 0.375)
        y = xp.where(size < 1, size * near, 1 - xp.exp(-square) * t * far)
        return xp.where(x < 0, -y, xp.where(x == 0, x, y))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient * (2 / math.sqrt(math.pi) * exp(-(x * x))),)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """The polynomial by Horner's scheme, highest power first."""
    first, *rest = coefficients
    result = x * first + rest[0]
    for coefficient in rest[1:]:
        result = result * x + coefficient
    return result


erf = operation(Erf())
