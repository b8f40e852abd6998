"""Engines: ways to run a function over tensors; what is trained or predicted does not depend on which.

A third one joins by its entry in `ENGINES`: trainer, tasks and learners call `compile` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.settings import suggestion

if TYPE_CHECKING:
    from chainrule.data.examples import Examples

Function = Callable[..., Tensor | Sequence[Tensor]]
#: What the first axis of an argument counts: a name, and how many more there are of it.
Size = tuple[str, int]
#: The numbers that products are made of: all digits of float32; its first 10 bits, where a device has such products; or
#: bfloat16. Sums, parameters and updates are float32 in each.
SINGLE, TENSOR, MIXED = "float32", "tensorfloat32", "bfloat16"
PRECISIONS = (SINGLE, TENSOR, MIXED)
#: The oldest version of JAX that serves.
JAX = (0, 8)


class Engine(Protocol):
    """A way to run functions over tensors.

    Attributes:
        name: on the command line.
        later: whether a device computes results after the call, and whoever reads one waits for it.
    """

    name: str
    later: bool

    def compile(
        self,
        function: Function,
        *,
        ragged: bool = False,
        threads: int | None = None,
        expected: Sequence[Sequence[Spec]] = (),
        sizes: Sequence[Size | None] = (),
        precision: str = SINGLE,
    ) -> Function:
        """The function as this engine runs it, with the same results up to rounding.

        Args:
            function: over tensors; it may update parameters by an optimizer's step.
            ragged: whether sizes differ in nearly every call; see `chainrule.compile`.
            threads: how many may work on a call; None for one on each processor core.
            expected: specs of arguments to prepare for: the smallest, the largest and some in between.
            sizes: for each argument what its first axis counts, and how many more it has of it, such as ("texts", 1)
                for offsets; an empty name, or None, for an axis whose size is taken as it is. An engine that compiles
                anew for each size rounds the others up.
            precision: one of `PRECISIONS`.

        Raises:
            ConfigurationError: for a precision that the engine does not have.
        """

    def source(self, rows: Examples) -> Any:
        """Rows where a step reads them, told their numbers; None where the host has them, or a device no room.

        What this gives tells by `chosen(batch)` which rows a mini-batch has, and a function that this engine compiled
        takes that as `chosen`.
        """

    def transfer(self) -> dict[str, int]:
        """Bytes "sent" to a device and "fetched" from it by this process; empty for an engine without a device."""


class Eager:
    """Block by block on NumPy: every value is there to look at."""

    name = "eager"
    later = False

    def compile(
        self,
        function: Function,
        *,
        ragged: bool = False,  # noqa: ARG002
        threads: int | None = None,  # noqa: ARG002
        expected: Sequence[Sequence[Spec]] = (),  # noqa: ARG002
        sizes: Sequence[Size | None] = (),  # noqa: ARG002
        precision: str = SINGLE,
    ) -> Function:
        """The function itself, which gets its arguments as tensors."""
        _require_single(self.name, precision)
        return lambda *arguments: function(*as_tensors(arguments))

    def source(self, rows: Examples) -> None:
        """None: it works in the memory of the host."""

    def transfer(self) -> dict[str, int]:
        """Nothing: it works in the memory of the host."""
        return {}


class Native:
    """Compiled to native code; see `chainrule.compile`."""

    name = "native"
    later = False

    def compile(
        self,
        function: Function,
        *,
        ragged: bool = False,
        threads: int | None = None,
        expected: Sequence[Sequence[Spec]] = (),
        sizes: Sequence[Size | None] = (),  # noqa: ARG002  (it resizes without compiling)
        precision: str = SINGLE,
    ) -> Function:
        """A native program, traced for what is expected."""
        _require_single(self.name, precision)
        from chainrule.native.compile import compile  # loads LLVM: only where something is compiled

        compiled = compile(function, ragged=ragged, threads=threads)
        for specs in expected:
            compiled.trace_for(*specs)
        return compiled

    def source(self, rows: Examples) -> None:
        """None: it works in the memory of the host."""

    def transfer(self) -> dict[str, int]:
        """Nothing: it works in the memory of the host."""
        return {}


class Xla:
    """Compiled by XLA, for a CPU, a GPU or a TPU; needs the extra `chainrule[xla]`."""

    name = "xla"
    later = True

    def compile(
        self,
        function: Function,
        *,
        ragged: bool = False,  # noqa: ARG002  (it is told the sizes)
        threads: int | None = None,  # noqa: ARG002  (XLA has its own)
        expected: Sequence[Sequence[Spec]] = (),
        sizes: Sequence[Size | None] = (),
        precision: str = SINGLE,
    ) -> Function:
        """A jitted function, whose parameters stay on the device."""
        require_jax()
        from chainrule.xla.compile import compile  # loads JAX: only where this engine is chosen

        return compile(function, sizes, precision=precision, expected=expected[0] if expected else None)

    def source(self, rows: Examples) -> Any:
        """Rows on the device, which are sent once; see `chainrule.xla.source`."""
        require_jax()
        from chainrule.xla.source import source_of

        return source_of(rows)

    def transfer(self) -> dict[str, int]:
        """Bytes sent to the device and fetched from it, of the arguments and results of all that ran here."""
        require_jax()
        from chainrule.xla.device import TRANSFER

        return {"sent": TRANSFER.sent, "fetched": TRANSFER.fetched}


def _require_single(name: str, precision: str) -> None:
    if precision != SINGLE:
        raise ConfigurationError(
            f"precision: {shortened(precision)} is for --engine xla, which knows {', '.join(PRECISIONS)}; the engine "
            f"{name} computes in the numbers of the parameters"
        )


def require_jax() -> None:
    """Refuse to go on where JAX is missing or too old.

    Raises:
        ConfigurationError: saying what to install.
    """
    from importlib.metadata import PackageNotFoundError, version  # which loads what reads e-mail

    wanted = ".".join(map(str, JAX))
    try:
        found = version("jax")
    except PackageNotFoundError:
        raise ConfigurationError(
            f"engine xla: needs JAX {wanted} or newer, which is not installed: pip install 'chainrule[xla]'"
        ) from None
    if tuple(int(x) for x in re.findall(r"\d+", found)[:2]) < JAX:
        raise ConfigurationError(
            f"engine xla: needs JAX {wanted} or newer, got {found}: pip install --upgrade 'chainrule[xla]'"
        )


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Native(), Eager(), Xla())}


def engine_named(name: str) -> Engine:
    """The engine of this name.

    Raises:
        ConfigurationError: when there is none.
    """
    if not isinstance(name, str) or name not in ENGINES:
        near = suggestion(name, ENGINES) or f"; expected {' or '.join(ENGINES)}"
        raise ConfigurationError(f"there is no engine {shortened(name)}{near}")
    return ENGINES[name]
