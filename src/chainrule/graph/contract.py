"""The contract of blocks, as messages: which block broke it, where, and what is allowed instead."""

from __future__ import annotations

from typing import Any

from chainrule.errors import BlockError, ChainruleError

#: The functions that `forward` of an elementwise block, and every loop body, may call on `xp`.
SCALAR_FUNCTIONS = (
    "absolute", "astype", "cos", "exp", "expm1", "floor", "log", "log10", "log1p", "log2",
    "maximum", "minimum", "power", "rint", "sin", "sqrt", "tanh", "where",
)  # fmt: skip
#: What the scalars of a loop body have.
ALLOWED = "the operators + - * / // % ** & | ^ ~ << >> and comparisons, abs(x), x.dtype, and of xp " + ", ".join(
    SCALAR_FUNCTIONS
)
#: What each method of a block is made of, for messages.
ADVICE = {
    "infer": "infer(self, *specs) gives Spec(shape, dtype) of the output; each spec has shape, dtype and rank",
    "forward": "forward(self, xp, *inputs) gives the value, and may use " + ALLOWED,
    "backward": (
        "backward(self, gradient, output, *inputs) is written with functions over tensors, such as gradient * "
        "chainrule.exp(x); they have no numbers yet, so it reads no values and has no if"
    ),
    "element": "element(self, xp, index, shape, *inputs) gives one element, and may use " + ALLOWED,
    "target": "target(self, index, *inputs) gives a tuple with the index of one element of the output",
    "combine": "combine(self, xp, accumulated, element) gives one number, and may use " + ALLOWED,
    "start": "start(self, dtype) gives the number that the combination of no elements is, such as 0",
    "loops": "loops(self, nest, output, *inputs) calls methods of nest, and may use " + ALLOWED,
}
#: Errors that are no fault of a block's, or that say what is wrong themselves.
PASSED_ON = (ChainruleError, MemoryError, RecursionError, Warning)
#: In a loop body, functions over tensors are out of place: their errors are about what they were given.
PASSED_ON_IN_LOOPS = (BlockError, MemoryError, RecursionError, Warning)
#: What NumPy says of an if on an array.
AMBIGUOUS = "truth value of an array"
BRANCH = "a loop body cannot branch on a value: use xp.where instead of if, and, or, not, min, max"


def is_own(kind: type) -> bool:
    """Whether a block is a user's own, and none of the toolkit's."""
    return not kind.__module__.startswith("chainrule.")


class Contract:
    """Runs a method of a block in a `with` statement: an error of it names the block and says what is allowed.

    Errors of chainrule's own, which name what they are about, stay as they are, and so does what is no fault of the
    block, such as a lack of memory.

    Raises:
        BlockError: for all others.
    """

    __slots__ = ("block", "method", "passed_on")

    def __init__(self, block: Any, method: str, passed_on: tuple[type[Exception], ...] = PASSED_ON) -> None:
        self.block, self.method, self.passed_on = block, method, passed_on

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            blame(self.block, self.method, error, self.passed_on)


def blame(block: Any, method: str, error: Exception, passed_on: tuple[type[Exception], ...] = PASSED_ON) -> None:
    """What `Contract` does about an error, for `except` clauses: they cost nothing as long as there is none.

    Raises:
        BlockError: unless the error is passed on as it is.
    """
    if isinstance(error, passed_on):
        return
    what = BRANCH if AMBIGUOUS in str(error) else str(error)
    shown = what if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {what}"
    raise BlockError(f"block {block.name}: {method} failed: {shown}. {ADVICE[method]}") from error


def require_declared(kind: type, methods: tuple[str, ...]) -> None:
    """Refuse a class of blocks that lacks what its kind declares.

    Raises:
        BlockError: naming the method.
    """
    differentiable = vars(kind).get("differentiable", getattr(kind, "differentiable", True))
    for method in methods:
        if not hasattr(kind, method) and (method != "backward" or differentiable):
            listed = ", ".join(methods)
            raise BlockError(
                f"block {kind.__name__} declares no {method}: a block of its kind defines {listed} (backward not, "
                f"where differentiable = False). {ADVICE[method]}"
            )
