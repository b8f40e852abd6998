"""batched: a function of one example, applied to many at the same time."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.dynamic.assembly import assembled
from chainrule.dynamic.kinds import Kinds
from chainrule.dynamic.recording import recorded
from chainrule.dynamic.records import Record
from chainrule.dynamic.schedule import Schedule, Wiring, explained
from chainrule.engines import engine_named
from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.graph.spec import FLOAT64, Spec, spec_of
from chainrule.graph.tensor import TRACING, Tensor

#: How many examples' records are kept.
RECORDS_KEPT = 1 << 16


class Batched:
    """A function of one example that takes many; made by `chainrule.batched`."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        then: Callable[..., Any] | None = None,
        engine: str = "native",
        threads: int | None = None,
    ) -> None:
        self.function, self.then, self.threads = function, then, threads
        self.engine = engine_named(engine)
        self.__doc__ = function.__doc__
        self._kinds = Kinds()
        self._records: dict[bytes, Record] = {}
        self._programs: dict[Wiring, _Program] = {}
        self._last: _Program | None = None

    def __call__(self, examples: Sequence[Any]) -> Any:
        """The results of all examples, stacked on a first axis; or, with `then`, what that gives of them.

        Raises:
            ConfigurationError: for no examples, in a compiled function, or results that differ in what they consist of.
        """
        schedule = self.schedule(examples)
        program = self._programs.get(schedule.wiring)
        if program is None:
            program = self._programs[schedule.wiring] = _Program(self, schedule)
        self._last = program
        return program(schedule)

    def schedule(self, examples: Sequence[Any]) -> Schedule:
        """The schedule of a batch: which operations are computed together."""
        if TRACING.get():
            raise ConfigurationError(
                "batched: it cannot be called in a compiled function, as the graph is another one for other examples; "
                "give it what follows as then="
            )
        records = [self._recorded(example) for example in examples]
        if not records:
            raise ConfigurationError("batched: expected at least one example, got none")
        results = {record.result for record in records}
        if len(results) > 1:
            texts = " and ".join(sorted({str(self._kinds.structures[x]) for x in results}))
            raise ConfigurationError(
                f"batched: expected the same kind of result of all examples, got {len(results)} kinds, such as "
                f"{texts}, or of other shapes"
            )
        return Schedule(self._kinds, records)

    def _recorded(self, example: Any) -> Record:
        """What the function does with an example; found out once for equal ones that consist of numbers and text."""
        try:
            key = marshal.dumps(example, 2)
        except ValueError:
            return recorded(self._kinds, self.function, example)
        found = self._records.get(key)
        if found is None:
            found = recorded(self._kinds, self.function, example)
            if len(self._records) >= RECORDS_KEPT:
                self._records.clear()
            self._records[key] = found
        return found

    def explain(self, examples: Sequence[Any]) -> str:
        """The schedule of a batch, as text: of each kind how many operations there are, and what is computed together.

        Raises:
            ConfigurationError: see `__call__`.
        """
        return explained(self.schedule(examples))

    def stats(self) -> dict[str, float]:
        """Figures of the last call's program and of this process; see `Compiled.stats`.

        Raises:
            ChainruleError: before the first call, and for the eager engine.
        """
        stats = getattr(self._last.run, "stats", None) if self._last is not None else None
        if stats is None:
            raise ChainruleError("stats: nothing was compiled; call the function first, with the native engine")
        found: dict[str, float] = stats()
        return found

    def results_of(self, leaves: Sequence[Tensor], result: int) -> Any:
        """The results as the function gave them."""
        kind = self._kinds.all[result]
        count = sum(map(len, kind.edges))
        rest = {
            "edge": iter(leaves[:count]),
            "whole": iter(leaves[count : count + kind.whole]),
            "data": iter(leaves[count + kind.whole :]),
        }

        def filled(structure: Any) -> Any:
            if isinstance(structure, str):
                return next(rest[structure])
            if isinstance(structure, dict):
                return {name: filled(x) for name, x in structure.items()}
            return type(structure)([filled(x) for x in structure])

        return filled(self._kinds.structures[result])

    def __repr__(self) -> str:
        return f"batched({shortened(self.function)})"


class _Program:
    """The program of one wiring."""

    def __init__(self, batched: Batched, schedule: Schedule) -> None:
        self.batched, self.names = batched, list(schedule.arrays)
        self.result = schedule.wiring.result
        graph = assembled(schedule.wiring, batched._kinds, self.names)  # noqa: SLF001  (it is a part of it)
        self.structure: Any = None

        def function(*arrays: Tensor) -> list[Tensor]:
            results = batched.results_of(graph(*arrays), self.result)
            if batched.then is not None:
                results = batched.then(*results) if isinstance(results, tuple) else batched.then(results)
            leaves: list[Tensor] = []
            self.structure = _apart(results, leaves)
            return leaves

        expected = _expected(schedule) if batched.engine.name == "native" else []
        self.run = batched.engine.compile(function, ragged=True, threads=batched.threads, expected=expected)

    def __call__(self, schedule: Schedule) -> Any:
        """What comes of a batch."""
        arrays = [schedule.arrays[name] for name in self.names]
        leaves = iter(self.run(*[Tensor(spec_of(x), x) if x.dtype == FLOAT64 else x for x in arrays]))
        return _together(self.structure, leaves)


def _apart(x: Any, leaves: list[Tensor]) -> Any:
    """What results consist of, with None in place of tensors, which go into the list."""
    if isinstance(x, Tensor):
        leaves.append(x)
        return None
    if isinstance(x, list | tuple):
        return type(x)([_apart(each, leaves) for each in x])
    if isinstance(x, dict):
        return {name: _apart(each, leaves) for name, each in x.items()}
    raise ConfigurationError(
        f"batched: then gave {shortened(x)}; expected tensors, or lists or dictionaries of tensors"
    )


def _together(structure: Any, leaves: Any) -> Any:
    if structure is None:
        return next(leaves)
    if isinstance(structure, dict):
        return {name: _together(x, leaves) for name, x in structure.items()}
    return type(structure)([_together(x, leaves) for x in structure])


def _expected(schedule: Schedule) -> list[list[Spec]]:
    """Specs to prepare for, so that no later batch is traced: of few operations, of many, and some in between."""
    names = list(dict.fromkeys(size for size, _ in schedule.sizes.values()))
    now = {size: schedule.arrays[name].shape[0] - more for name, (size, more) in schedule.sizes.items()}
    results = "rows", schedule.wiring.result  # what follows may know how many examples there are
    fixed = {size: x for size, x in now.items() if x < 2 or size == results}
    most = max(now.values())

    def specs(sizes: dict[Any, int]) -> list[Spec]:
        found = []
        for name, array in schedule.arrays.items():
            size, more = schedule.sizes[name]
            found.append(Spec((sizes[size] + more, *array.shape[1:]), array.dtype))
        return found

    # The sizes are all different, so that it shows which of them each size in the program follows from.
    return [
        specs({size: factor + (number * step) % 97 for number, size in enumerate(names)} | fixed)
        for factor, step in ((2, 1), (2 * most + 128, 7), (most // 2 + 64, 13))
    ]


def batched(
    function: Callable[[Any], Any],
    *,
    then: Callable[..., Any] | None = None,
    engine: str = "native",
    threads: int | None = None,
) -> Batched:
    """A function of one example as one of many, whose operations of one kind are computed together.

    The function is plain Python, with recursion over a tree for example, and its graph may be another one for each
    example. It is called once for each example and computes nothing then: calls of layers and of functions marked by
    `chainrule.cell`, and blocks outside of these, are taken down as operations. Those of one kind, that do the same
    with inputs of the same shapes, are computed together for all examples.

    Args:
        function: takes one example, such as a tree of tuples, and returns tensors and numbers: one, or several in
            tuples, lists or dictionaries, of the same shapes for all examples. What it does must follow from the
            example alone. Parameters are what all examples share; all other data is each example's own.
        then: is given the results of all examples, stacked on a first axis, as a part of the same program: a loss, its
            gradients, and an optimizer's step.
        engine: "native", or "eager", whose results have a graph: each value is there to look at, and `grad` takes them.
        threads: how many may work on a call; None for one on each processor core.

    Returns:
        a function of a sequence of examples.

    Example:
        >>> import numpy as np
        >>> import chainrule
        >>> from chainrule.nn import Embedding, Linear
        >>> generator = np.random.default_rng(0)
        >>> words, join = Embedding(10, 4, generator=generator), Linear(8, 4, generator=generator)
        >>> def vector(tree):
        ...     if isinstance(tree, int):
        ...         return words(tree)
        ...     left, right = tree
        ...     return chainrule.tanh(join(chainrule.concatenate([vector(left), vector(right)])))
        >>> chainrule.batched(vector)([(1, 2), ((3, 1), 4), 5]).shape
        (3, 4)

    Source: Neubig, Goldberg and Dyer, On-the-fly Operation Batching in Dynamic Computation Graphs (2017).
    """
    return Batched(function, then=then, engine=engine, threads=threads)
