"""The test that every block passes, whoever wrote it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import numpy as np

from chainrule.errors import ChainruleError, GradientError, ShapeError
from chainrule.graph.autodiff import grad
from chainrule.graph.block import Block, Reduction, Sample, Samples
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT32, FLOAT64, Array, Spec, spec_of
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import trace
from chainrule.native.compile import compile
from chainrule.testing.extremes import check_extremes
from chainrule.testing.gradients import check_gradient
from chainrule.testing.limits import check_limits
from chainrule.testing.scalars import run_loop

#: The size of a long axis.
LONG = 1_000_003


def all_blocks(base: type[Block] = Block, package: str = "chainrule.blocks") -> list[type[Block]]:
    """Every block declared in a package, or in one module, in order of name; all modules of it are loaded.

    Example:
        >>> import chainrule
        >>> [block.name for block in all_blocks()][:3]
        ['absolute', 'add', 'argmax']
    """
    for module in pkgutil.walk_packages(getattr(importlib.import_module(package), "__path__", ()), f"{package}."):
        importlib.import_module(module.name)
    here = [block for block in _below(base) if block.__module__.startswith(package) and not block.abstract]
    return sorted(here, key=lambda block: block.name)


def _below(base: type[Block]) -> set[type[Block]]:
    """A class and all that derive from it."""
    return {base}.union(*map(_below, base.__subclasses__()))


def check_block(block: type[Block]) -> None:
    """Run the shared test on every sample of a block, and on the extremes of an elementwise one.

    Elementwise blocks are also run on integers and booleans at the limits of their dtypes, where compiled and eager
    have to agree; see `check_limits`. Reductions are also run along axes of `LONG` elements, of positive numbers in
    float32: no more digits may be lost than by adding pair by pair, which takes log₂ n roundings.

    Raises:
        ChainruleError: when the block has no samples.
        GradientError: when a gradient differs from central differences, or loses more digits than the block says.
        AssertionError: when the value, the shape rule, the loop body or the compiled block is wrong, or digits are lost
            along a long axis.

    Example:
        >>> from chainrule.blocks.activation import Relu
        >>> check_block(Relu)
    """
    samples = block.samples()
    if not samples:
        raise ChainruleError(f"block {block.__name__} has no samples: return some from its classmethod samples()")
    for sample in samples:
        check_sample(sample)
    for sample in with_distinct_settings(samples):
        check_extremes(sample)
        check_limits(sample)
        check_long(sample)


def with_distinct_settings(samples: Samples) -> list[Sample]:
    """The first sample with floating-point inputs for each setting of a block: those that `check_extremes` looks at."""
    floating = [x for x in samples if any(array.dtype.kind == "f" for array in x.inputs)]
    return list({repr(x.block): x for x in reversed(floating)}.values())[::-1]


def check_sample(sample: Sample) -> None:
    """Run the shared test on one sample; see `check_block`.

    - The spec from the shape rule is that of the value, in float32 and float64, and traced equals eager.
    - The loop body, run on scalars, gives the value of `forward`.
    - Compiled, the block and its gradient give what they give eagerly, for arrays in either order of memory; a block
      without a loop body runs its `forward` there too, which a `PerformanceWarning` says.
    - `forward` leaves its inputs alone.
    - Inputs of other sizes are either refused by the shape rule, with a message that names the block and the shape, or
      give a value of the spec that the rule says.
    - Gradients of first and second order equal central differences in float64; a block that says it is not
      differentiable passes no gradient.
    """
    for arrays in in_both_precisions(sample):
        _check_value(sample.block, arrays)
        _check_compiled(sample.block, arrays)
        _check_other_shapes(sample.block, arrays)
    floats = [x for x in sample.inputs if x.dtype.kind == "f"]
    if sample.block.differentiable and floats:
        check_gradient(_in_float64(sample.block), *sample.inputs)
    elif floats:
        _check_no_gradient(sample.block, sample.inputs)


def check_compiled(sample: Sample) -> None:
    """The part of `check_sample` that is about compiled code, in float32: it gives what eager computation gives."""
    _check_compiled(sample.block, in_both_precisions(sample)[-1])


def in_both_precisions(sample: Sample) -> list[tuple[Array, ...]]:
    """The inputs of a sample in float64 and in float32; once, as they are, where none is a floating-point number."""
    dtypes = (FLOAT64, FLOAT32) if any(x.dtype.kind == "f" for x in sample.inputs) else (FLOAT32,)
    return [tuple([x.astype(dtype) if x.dtype.kind == "f" else x for x in sample.inputs]) for dtype in dtypes]


def check_long(sample: Sample) -> None:
    """Check a reduction, eager and compiled, along an axis of `LONG` elements; see `check_block`. Other blocks pass."""
    block = sample.block
    if not isinstance(block, Reduction) or not block.keeps_digits or sample.inputs[0].dtype.kind != "f":
        return
    for long in block.axis:
        sizes = [LONG if axis == long else max(size, 1) for axis, size in enumerate(sample.inputs[0].shape)]
        x = np.random.default_rng(0).uniform(0.5, 1.5, sizes)  # those of `real` lie so evenly that roundings cancel
        exact = np.asarray(block(tensor(x, dtype=FLOAT64)).numpy())
        tolerance = float(np.log2(LONG) * np.finfo(FLOAT32).eps / 2)
        for engine, run in (("eager", block), ("compiled", compile(lambda x: block(x)))):
            found = run(tensor(x.astype(FLOAT32))).numpy()
            text = f"{block!r}: along axis {long} of shape {x.shape}, {engine}, digits are lost"
            np.testing.assert_allclose(found, exact, rtol=tolerance, err_msg=text)


def _check_value(block: Block, arrays: tuple[Array, ...]) -> None:
    inputs = [tensor(x, dtype=x.dtype) for x in arrays]
    before = [x.copy() for x in arrays]
    output = block(*inputs)
    value = output.numpy()
    assert spec_of(value) == output.spec, f"{block!r}: the shape rule says {output.spec}, forward gave {spec_of(value)}"
    for x, kept in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x.numpy(), kept, err_msg=f"{block!r}: forward changed its input")
    graph = trace(lambda *tensors: block(*tensors), *[Spec(x.shape, x.dtype) for x in arrays])
    assert graph.outputs[0].spec == output.spec, f"{block!r}: traced {graph.outputs[0].spec}, eager {output.spec}"
    np.testing.assert_array_equal(graph(*inputs)[0], value, err_msg=f"{block!r}: traced and eager differ")
    looped = run_loop(block, arrays, output.shape, output.dtype)
    if looped is not None:
        tolerance = 8 * float(np.finfo(output.dtype).eps) if output.spec.floating else 0.0
        _assert_close(looped, value, tolerance, f"{block!r}: loop body and forward differ")


def _check_compiled(block: Block, arrays: tuple[Array, ...]) -> None:
    inputs = [tensor(x, dtype=x.dtype) for x in arrays]
    wanted = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"] if block.differentiable else []
    output = block(*inputs)
    vector = np.cos(np.arange(output.spec.size) * 1.7 + 0.4).reshape(output.shape).astype(output.dtype)

    def both(*tensors: Tensor) -> list[Tensor]:
        value = block(*tensors)
        return [value, *(grad(value, [tensors[i] for i in wanted], vector) if wanted else [])]

    compiled = compile(both)
    expected = both(*inputs)
    for order in ("C", "F"):
        ordered = [Tensor(x.spec, np.array(x.numpy(), order=order)) for x in inputs]
        for position, (found, exact) in enumerate(zip(compiled(*ordered), expected, strict=True)):
            what = "value" if position == 0 else f"gradient with respect to input {wanted[position - 1]}"
            text = f"{block!r}: {what}: compiled and eager differ, for arrays in {order} order"
            assert found.spec == exact.spec, f"{text}: {found.spec} and {exact.spec}"
            # Sums over all elements may be added up in another order.
            terms = max((x.size for x in arrays), default=1)
            tolerance = {8: 1e-12, 4: 4e-7 * max(terms, 1)}[exact.dtype.itemsize] if exact.spec.floating else 0.0
            _assert_close(found.numpy(), exact.numpy(), tolerance, text)


def _assert_close(found: Array, exact: Array, tolerance: float, text: str) -> None:
    """Equal up to a tolerance relative to each number, or to the largest of them, as sums may cancel."""
    finite = np.abs(exact[np.isfinite(exact)]) if tolerance else np.zeros(0)
    largest = float(finite.max(initial=0.0))
    np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance * largest, err_msg=text)


def _check_other_shapes(block: Block, arrays: tuple[Array, ...]) -> None:
    """Change the size of one axis of one input at a time."""
    for position, array in enumerate(arrays):
        for axis in range(array.ndim):
            size = array.shape[axis] + 7
            changed = np.zeros((*array.shape[:axis], size, *array.shape[axis + 1 :]), array.dtype)
            inputs = [tensor(changed if i == position else x, dtype=x.dtype) for i, x in enumerate(arrays)]
            try:
                output = block(*inputs)
            except ShapeError as error:
                for expected in (block.name, str(size)):
                    assert expected in str(error), f"{block!r}: the message does not say {expected!r}: {error}"
            else:
                assert spec_of(output.numpy()) == output.spec, (
                    f"{block!r}: for shape {changed.shape} of input {position} the shape rule says {output.spec}, "
                    f"forward gave {spec_of(output.numpy())}"
                )


def _in_float64(block: Block) -> Block:
    """The block; a cast to float32 becomes one to float64, as central differences need the digits."""
    settings = {f.name: getattr(block, f.name) for f in dataclasses.fields(block)}
    if settings.get("dtype") == FLOAT32:
        return type(block)(**{**settings, "dtype": FLOAT64})
    return block


def _check_no_gradient(block: Block, inputs: tuple[Array, ...]) -> None:
    leaves = [tensor(x, dtype=x.dtype) for x in inputs]
    output = block(*leaves)
    for leaf in leaves:
        try:
            grad(_total(output), leaf)
        except GradientError:
            continue
        raise AssertionError(f"{block!r} says it is not differentiable, but passes a gradient to {leaf.label}")


def _total(output: Tensor) -> Tensor:
    return output.sum() if output.spec.floating else output.astype(FLOAT32).sum()
