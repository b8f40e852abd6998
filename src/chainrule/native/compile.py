"""compile: a Python function over tensors as a native program."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload
from weakref import WeakKeyDictionary, WeakSet

from chainrule.errors import ChainruleError, ConfigurationError, IndexRangeError
from chainrule.forks import renewed_in_child
from chainrule.graph.array import as_array
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.spec import Spec, spec_of
from chainrule.graph.tensor import TRACING, Tensor, TensorLike
from chainrule.graph.trace import Graph, argument_names, trace
from chainrule.native.build import build, built_of
from chainrule.native.family import PREDICTIONS_KEPT, Family, common_pattern
from chainrule.native.finite import require_finite
from chainrule.native.frozen import Frozen
from chainrule.native.garbage import search_put_off
from chainrule.native.loops.cost import Cost, cost_of
from chainrule.native.plan import live_bytes
from chainrule.native.program import Fit, Program
from chainrule.native.running.kernels import KERNELS
from chainrule.native.threads import thread_count
from chainrule.random import Key

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result", bound=Tensor | Sequence[Tensor])

#: How many programs are kept for arguments of other sizes; the oldest is dropped first.
PROGRAMS_KEPT = 32


class Compiled(Generic[Result]):
    """A function that runs natively; made by `chainrule.compile`.

    It is traced anew for arguments of new shapes or dtypes. Kernels are compiled once for each structure, whatever the
    sizes, so tracing anew for another batch size compiles nothing.
    """

    def __init__(
        self,
        function: Callable[..., Result],
        *,
        ragged: bool = False,
        threads: int | None = None,
        finite: bool = False,
    ) -> None:
        self.function = function
        self.ragged = ragged
        self.finite = finite
        self.threads = thread_count(threads)
        self._settings: dict[str, Any] = {"ragged": ragged, "threads": threads, "finite": finite}
        self.__doc__ = function.__doc__
        self._methods: WeakKeyDictionary[object, Compiled[Result]] = WeakKeyDictionary()
        self._with_sites: dict[object, Compiled[Result]] = {}
        self._programs: dict[tuple[Spec, ...], Program] = {}
        self._families: dict[object, list[Family]] = {}
        self._predictions: dict[tuple[Spec, ...], tuple[Program, Fit]] = {}
        self._traced_beforehand: list[tuple[Spec, ...]] = []
        self._frozen = Frozen()
        self._last: Program | None = None
        self._result: type = list
        self._lock = threading.RLock()  # calls from several threads take turns, as a program has one memory
        _ALIVE.add(self)

    def __call__(self, *arguments: Any, **named: Any) -> Result:
        """The function's result for tensors, arrays, numbers and keys; as tensors that are leaves.

        Raises:
            ConfigurationError: for arguments by name.
            ShapeError: where shapes do not fit, when the function is traced.
            IndexRangeError: for an index that is not a row; no parameter has changed then.
        """
        if named:
            raise ConfigurationError(
                f"compile: a compiled function takes its arguments by position, got {', '.join(named)} by name"
            )
        if TRACING.get():
            # Inside another compiled function it is a part of that.
            return self.function(*[x if isinstance(x, Key) else as_tensors([x])[0] for x in arguments])
        if Key in map(type, arguments):
            return self._with_keys(arguments)
        if self.finite:
            return self._inspected(arguments)
        if self._frozen:
            self._frozen.warn_of_changes(getattr(self.function, "__name__", "compile"))
        self._lock.acquire()  # as `with` does, in half the time
        try:
            program, fit = self._last, None
            if (
                program is None
                or not (program.always_valid or program.graph.revalidate())
                or not program.bindings.take(arguments)
            ):
                arrays = [x.numpy() if isinstance(x, Tensor) else as_array(x) for x in arguments]
                key = tuple([Spec(x.shape, x.dtype) for x in arrays])
                found = self._predictions.get(key)
                program, fit = found if found is not None and found[0].always_valid else self._find_valid(key)
                self._last = program
                program.bindings.take_converted(arrays, None if fit is None else fit.arguments)
            try:
                outputs = program.run(fit)
            except IndexRangeError:
                if fit is None:
                    raise
                program = self._build(key)
                program.bindings.take_converted(arrays)
                outputs = program.run()  # raises the same error, with the range for these sizes
            if self._result is Tensor:
                return outputs[0]  # type: ignore[return-value]
            return tuple(outputs) if self._result is tuple else outputs  # type: ignore[return-value]
        finally:
            self._lock.release()

    def __get__(self, instance: object, owner: type | None = None) -> Compiled[Result]:
        """The function of one object, where it was declared as a method."""
        if instance is None:
            return self
        if instance not in self._methods:
            method, holder = self.function, weakref.ref(instance)  # so that this keeps no object alive

            @functools.wraps(method)
            def bound(*arguments: Tensor) -> Result:
                return method(holder(), *arguments)

            self._methods[instance] = Compiled(bound, **self._settings)
        return self._methods[instance]

    def _inspected(self, arguments: Sequence[TensorLike]) -> Result:
        """As a call, node by node in NumPy, where every number has to be finite."""
        arrays = [x.numpy() if isinstance(x, Tensor) else as_array(x) for x in arguments]
        with self._lock:
            values = self._graph(tuple(map(spec_of, arrays)))(*arrays, inspect=require_finite)
            outputs = [tensor(value, value.dtype) for value in values]
            return outputs[0] if self._result is Tensor else self._result(outputs)  # type: ignore[return-value]

    def _with_keys(self, arguments: Sequence[TensorLike | Key]) -> Result:
        """As a call, where some arguments are keys: their words are arguments, and their sites part of the program."""
        sites = tuple((place, x.site) for place, x in enumerate(arguments) if isinstance(x, Key))
        if sites not in self._with_sites:

            def function(*leaves: Tensor) -> Result:
                given: list[Any] = list(leaves)
                for place, site in sites:
                    given[place] = Key(given[place], site)
                return self.function(*given)

            self._with_sites[sites] = Compiled(function, **self._settings)
        chosen = self._with_sites[sites]
        result = chosen(*[x.words if isinstance(x, Key) else x for x in arguments])
        self._last = chosen._last  # noqa: SLF001  (one of its own kind)
        return result

    def _find_valid(self, key: tuple[Spec, ...]) -> tuple[Program, Fit | None]:
        """As `_find`, but the function is traced anew where the graph is no longer valid."""
        program, fit = self._find(key)
        if not program.graph.revalidate():
            self._forget_programs()
            for specs in self._traced_beforehand:
                self._find(specs)
            program, fit = self._find(key)
            program.graph.revalidate()  # must be called right before each run, as it may prepare it
        return program, fit

    def _forget_programs(self) -> None:
        """Drop all programs; they are traced anew when they are needed."""
        self._programs.clear()
        self._families.clear()
        self._predictions.clear()
        self._last = None

    def begin_anew(self) -> None:
        """Begin anew in the child of a fork if a call was under way in another thread, which the child does not have.

        That thread held the lock, and what it worked on may be half done, such as memory that it would have cleared.
        """
        if self._lock.acquire(blocking=False):
            self._lock.release()
            return
        self._lock = threading.RLock()
        self._forget_programs()

    def use_threads(self, threads: int | None) -> None:
        """Have so many threads work on the calls that come, with the same results; see `chainrule.compile`.

        Raises:
            ConfigurationError: for threads that are not a whole number from 1.
        """
        with self._lock:
            self.threads = thread_count(threads)
            self._settings["threads"] = threads
            bases = [family.base for families in self._families.values() for family in families]
            for program in {*self._programs.values(), *(base for base in bases if base is not None)}:
                program.use_threads(self.threads)
            for other in (*self._with_sites.values(), *self._methods.values()):
                other.use_threads(threads)

    def trace_for(self, *arguments: Spec) -> None:
        """Trace the function for arguments of these specs, and compile what they need, without running it.

        With `ragged=True`, three calls of this save most later traces: one with the smallest sizes that will come, one
        with the largest, and one with sizes in between.

        Raises:
            ShapeError: where shapes do not fit.
        """
        with self._lock:
            self._traced_beforehand.append(arguments)
            self._find(arguments)

    def _find(self, key: tuple[Spec, ...]) -> tuple[Program, Fit | None]:
        """The program for arguments of these specs, and the fit to run it with where the sizes are not its own."""
        if key in self._predictions:
            return self._predictions[key]
        families = self._families.setdefault(common_pattern(key), []) if self.ragged else []
        for family in families:
            if family.base is not None:
                sizes = family.predict(key)
                if sizes is not None:
                    if len(self._predictions) >= PREDICTIONS_KEPT:
                        self._predictions.clear()
                    self._predictions[key] = family.base, family.base.fit(sizes, [spec.shape for spec in key])
                    return self._predictions[key]
        program = self._programs.get(key)
        if program is None:
            program = self._build(key)
            self._predictions.clear()  # families learn more
            if self.ragged and program.resizable and not any(family.learn(key, program) for family in families):
                families.append(Family())  # this program differs from the others in which sizes inside it are 0 or 1
                families[-1].learn(key, program)
            if len(self._programs) >= PROGRAMS_KEPT:
                del self._programs[next(iter(self._programs))]
            self._programs[key] = program
        return program, None

    def _build(self, key: tuple[Spec, ...]) -> Program:
        """A new program for arguments of these specs."""
        with search_put_off():
            graph = self._graph(key, deferred=True)
            self._frozen.add(graph.nodes())
            return build(graph, self.threads)

    def _graph(self, key: tuple[Spec, ...], deferred: bool = False) -> Graph:
        return trace(self._traced, *key, names=argument_names(self.function)[: len(key)], deferred=deferred)

    def _traced(self, *leaves: Tensor) -> Sequence[Tensor]:
        """The function as it is traced: it returns a sequence, and remembers what kind of result the caller gets."""
        result = self.function(*leaves)
        self._result = Tensor if isinstance(result, Tensor) else type(result)
        return [result] if isinstance(result, Tensor) else result

    def listing(self) -> str:
        """The program of the last call, as loop nests.

        Raises:
            ChainruleError: before the first call.
        """
        if self._last is None:
            raise ChainruleError("listing: the function has not been called yet, so nothing was compiled")
        return self._last.listing()

    def cost(self, *arguments: Spec) -> Cost:
        """What a call with arguments of these specs computes and moves, all steps together.

        Raises:
            ShapeError: where shapes do not fit.
        """
        with self._lock:
            return sum(map(cost_of, built_of(self._graph(arguments, deferred=True)).steps), Cost())

    def explain(self, stage: str) -> str:
        """What a stage on the way to machine code made of the program of the last call, as text.

        Args:
            stage: "graph" for the graph after the passes; "loops" for the loop nests, as `listing` shows them; "llvm"
                for the code in LLVM's language as chainrule writes it, before LLVM's own passes; "assembly" for the
                instructions of this processor. In the last two, a function is named after the first step that runs it;
                blocks that run in NumPy have none.

        Raises:
            ConfigurationError: for another stage.
            ChainruleError: before the first call.

        Example:
            >>> import chainrule
            >>> double = chainrule.compile(lambda x: x * 2)
            >>> double([1.0, 2.0]).value
            array([2., 4.], dtype=float32)
            >>> print(double.explain("graph"))
            %0: float32(2,) = input x
            %1: float32() = constant 2
            %2: float32(2,) = multiply %0 %1
            return %2
        """
        from chainrule.native.explain import explain, require_stage  # with all that writes machine code

        require_stage(stage)
        if self._last is None:
            raise ChainruleError("explain: the function has not been called yet, so nothing was compiled")
        return explain(self._last, stage)

    def stats(self) -> dict[str, float]:
        """Figures of the last call's program and of this process.

        Of the program: how many steps it has; the bytes of its arena, and the most of them that are needed at one time;
        and how many threads work on it, which is 1 while one thread has been measured to be faster. Of the process: how
        many kernels it has loaded so far, how many of these were found on disk and how many had to be compiled, and the
        seconds that both took.

        Raises:
            ChainruleError: before the first call.
        """
        if self._last is None:
            raise ChainruleError("stats: the function has not been called yet, so nothing was compiled")
        return {
            "programs": len(self._programs) + sum(len(x._programs) for x in self._with_sites.values()),  # noqa: SLF001
            "steps": len(self._last.steps),
            "arena_bytes": self._last.arena_bytes,
            "live_bytes": live_bytes(self._last.steps, self._last.graph.outputs),
            "threads": self._last.threads_now(),
            "kernels": KERNELS.loaded,
            "kernels_from_disk": KERNELS.loaded - KERNELS.compiled,
            "kernels_compiled": KERNELS.compiled,
            "seconds_loading": round(KERNELS.seconds, 3),
        }


def _begin_anew() -> None:
    for compiled in list(_ALIVE):
        compiled.begin_anew()


#: The compiled functions of this process.
_ALIVE: WeakSet[Compiled[Any]] = WeakSet()
renewed_in_child(_begin_anew)


@overload
def compile(
    function: Callable[..., Result], *, ragged: bool = False, threads: int | None = None, finite: bool = False
) -> Compiled[Result]: ...


@overload
def compile(
    *, ragged: bool = False, threads: int | None = None, finite: bool = False
) -> Callable[[Callable[..., Result]], Compiled[Result]]: ...


def compile(
    function: Callable[..., Result] | None = None,
    *,
    ragged: bool = False,
    threads: int | None = None,
    finite: bool = False,
) -> Compiled[Result] | Callable[[Callable[..., Result]], Compiled[Result]]:
    """A function over tensors as one that runs natively, with the same results.

    The function is traced: it runs once on tensors without values, for each combination of argument shapes. What it
    computes must follow from its arguments and from parameters; parameters keep their values between calls, and
    `optimizer.step` and `chainrule.assign` inside it change them natively. Other data that it uses, such as an array or
    a number of the code around it, is kept as it was in the trace; of an array that changes it warns. Python that
    depends on values does not work in a trace.

    Args:
        function: takes tensors, arrays, numbers and keys for random draws; returns a tensor or several. Without it the
            result is a decorator: `@compile(ragged=True)`. A method is compiled for each object by itself.
        ragged: trace only some sizes and predict those in between. It is for arguments that have other sizes in nearly
            every call, such as batches of tokens. With it you promise that every size in the function is constant, or
            a size of an argument plus or times a constant; Python that treats sizes in another way (`if n % 2`,
            `n // 2`) may then give wrong results. Without it every combination of sizes is traced once.
        threads: how many may work on one call at the same time; None for one on each processor core that this process
            may use. Results are the same, bit for bit, at any number. Calls that run at once, from threads of yours,
            share these threads.
        finite: look for the first number that is not finite: run the function node by node in NumPy, slowly, and raise
            a NonFiniteError with the operation, the ranges of its inputs and the place, before anything is updated.

    Raises:
        ConfigurationError: for threads that are not a whole number from 1.

    Example:
        >>> import numpy as np
        >>> import chainrule
        >>> squares = chainrule.compile(lambda x: (x * x).sum())
        >>> squares([1.0, 2.0, 3.0]).item()
        14.0
    """
    if function is None:
        return functools.partial(compile, ragged=ragged, threads=threads, finite=finite)
    return Compiled(function, ragged=ragged, threads=threads, finite=finite)
