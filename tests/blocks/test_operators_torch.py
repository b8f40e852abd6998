"""PyTorch's own samples of its operators, run with our functions: values and gradients, eager and compiled.

Samples are of float64, int64 and bool. What a sample asks for beyond our function is named in `BEYOND`, and is found
here where the samples no longer ask for it. Compiled, the samples of a function are one program, called with arrays
that lie in memory in several ways; of many, `COMPILED` are taken, spread over all, as compiling takes most of the time.
"""

import math
import random
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import blocks
from chainrule.errors import GradientError
from tests.blocks.operators import BEYOND, ELSEWHERE, OPERATORS, POSITIONS, STRUCTURAL, Beyond
from tests.oracle import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal import common_utils
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo import core


def seeded(seed):
    """As PyTorch seeds its generators before each sample, without those of devices, for which it writes the stack."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (its samples draw from this one)


common_utils.set_rng_seed = seeded
# It looks through the source of all that is being called for a test of its own, which there is none of.
core.extract_test_fn = common_utils.extract_test_fn = lambda: None
facts = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "functions.py"))["facts"]
COUNTERPARTS = {name: facts(name)[2:] for name in blocks.__all__}
DTYPES = {"float64": torch.float64, "int64": torch.int64, "bool": torch.bool}
#: Relative and absolute difference allowed, by the dtype of the result; integers become float32 in many functions.
TOLERANCES = {"float64": (1e-9, 1e-11), "float32": (1e-6, 1e-6)}
#: Samples of a function that are compiled.
COMPILED = 12
#: How the arrays of a sample lie in memory.
LAYOUTS = {
    "rows": lambda x: np.array(x, order="C"),
    "columns": lambda x: np.array(x, order="F"),
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "backwards": lambda x: np.array(x[::-1], order="C")[::-1] if x.ndim else x,
}


def operators_of(name):
    """PyTorch's operators that stand for a function of ours, with their samples; a name may have variants."""
    theirs = COUNTERPARTS[name][0].removeprefix("torch.")
    known = {theirs, theirs.removeprefix("Tensor."), f"nn.functional.{theirs}"}
    return [operator for operator in op_db if operator.name in known]


class Place:
    """Stands for a tensor in the arguments of a sample."""

    def __init__(self, number):
        self.number = number


def mapped(change, value):
    """A nested value with each part changed that is no list, tuple or dictionary."""
    if isinstance(value, dict):
        return {key: mapped(change, x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        parts = [mapped(change, x) for x in value]
        return parts if isinstance(value, list) else tuple(parts)
    return change(value)


class Sampled:
    """A sample: its arguments with places for tensors, and what PyTorch computes of it."""

    def __init__(self, operator, sample):
        self.tensors = []
        self.arguments = mapped(self.place, [sample.input, *sample.args])
        self.settings = mapped(self.place, dict(sample.kwargs))
        results = operator.op(sample.input, *sample.args, **sample.kwargs)
        flat = [results] if isinstance(results, torch.Tensor) else list(results)
        self.expected = [x.detach().numpy() for x in flat]
        differentiable = [x for x in flat if x.requires_grad]
        self.wanted = [i for i, x in enumerate(self.tensors) if x.requires_grad] if differentiable else []
        if self.wanted:
            total = sum((x * torch.tensor(vector(x.shape))).sum() for x in differentiable)
            slopes = torch.autograd.grad(total, [self.tensors[i] for i in self.wanted], allow_unused=True)
            for i, slope in zip(self.wanted, slopes, strict=True):
                shape = self.tensors[i].shape
                self.expected.append(np.zeros(shape) if slope is None else slope.to_dense().numpy())
        self.arrays = [x.detach().numpy() for x in self.tensors]

    def place(self, value):
        """A part of the arguments as ours take it."""
        if isinstance(value, torch.Tensor):
            self.tensors.append(value)
            return Place(len(self.tensors) - 1)
        return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value

    def run(self, function, tensors):
        """Our results for tensors in these places, then the gradients; 0 where no path leads to a tensor."""

        def filled(value):
            return tensors[value.number] if isinstance(value, Place) else value

        results = function(*mapped(filled, self.arguments), **mapped(filled, self.settings))
        flat = [results] if isinstance(results, cr.Tensor) else list(results)
        total = cr.tensor(0.0, "float64")
        for x in flat if self.wanted else []:
            total = total + (x * cr.tensor(vector(x.shape), "float64")).sum() if x.spec.floating else total
        return flat + [slope(total, tensors[i]) for i in self.wanted]

    def comparable(self, name, results):
        """The results; of positions of elements that may be equal, the elements themselves."""
        if name in POSITIONS:
            number, axis, stable = POSITIONS[name](*self.arguments, **self.settings)
            if not stable:
                results = list(results)
                results[number] = np.take_along_axis(self.arrays[0], results[number], axis)
        return results

    def __repr__(self):
        def shown(value):
            return (
                f"{self.arrays[value.number].dtype}{self.arrays[value.number].shape}"
                if isinstance(value, Place)
                else value
            )

        return f"{mapped(shown, self.arguments)} {mapped(shown, self.settings)}"


def slope(total, x):
    try:
        return cr.grad(total, x)
    except GradientError:
        return cr.zeros(x.shape, "float64")


def vector(shape):
    """The vector of a vector-Jacobian product: numbers of either sign."""
    return np.cos(np.arange(int(np.prod(shape)), dtype=np.float64) * 1.7 + 0.4).reshape(tuple(shape))


def samples(name):
    """The samples of all operators of PyTorch that stand for a function."""
    for operator in operators_of(name):
        for dtype in DTYPES.values():
            if dtype in operator.dtypes:
                gradients = dtype == torch.float64 and operator.supports_autograd
                for sample in operator.sample_inputs("cpu", dtype, requires_grad=gradients):
                    yield Sampled(operator, sample)


def as_tensor(x):
    return cr.Tensor(cr.Spec(x.shape, x.dtype), x)


def as_arguments(name, sample, tensors):
    """Tensors, but arrays where a traced function has to know their numbers."""
    kind = STRUCTURAL.get(name)
    return [
        array if number and array.dtype.kind == kind else x
        for number, (x, array) in enumerate(zip(tensors, sample.arrays, strict=True))
    ]


@pytest.mark.parametrize("name", OPERATORS)
def test_samples_of_pytorch(name):
    function, beyond, kept = OPERATORS[name], set(), []
    for sample in samples(name):
        try:
            found = sample.run(function, as_arguments(name, sample, [as_tensor(x) for x in sample.arrays]))
        except Beyond as reason:
            beyond.add(str(reason))
        else:
            compare(name, sample, [x.numpy() for x in found], "eager")
            kept.append(sample)
    assert kept
    assert beyond == {reason for reason, names in BEYOND.items() if name in names.split()}
    kept = kept[:: math.ceil(len(kept) / COMPILED)]

    def everything(*tensors):
        results, rest = [], list(tensors)
        for sample in kept:
            own, rest = rest[: len(sample.arrays)], rest[len(sample.arrays) :]
            results += sample.run(function, as_arguments(name, sample, own))
        return results

    compiled = cr.compile(everything)
    for layout, lay in LAYOUTS.items():
        found = [x.numpy() for x in compiled(*[as_tensor(lay(x)) for sample in kept for x in sample.arrays])]
        for sample in kept:
            own, found = found[: len(sample.expected)], found[len(sample.expected) :]
            compare(name, sample, own, f"compiled, {layout}")


def compare(name, sample, found, how):
    pairs = zip(sample.comparable(name, found), sample.comparable(name, sample.expected), strict=True)
    for position, (ours, theirs) in enumerate(pairs):
        what = f"{name}: result {position} of {sample}, {how}"
        assert ours.shape == theirs.shape, what
        relative, absolute = TOLERANCES.get(theirs.dtype.name, (0, 0))
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute, err_msg=what)


def test_every_function_with_a_counterpart_is_run():
    assert {name for name in COUNTERPARTS if operators_of(name)} == {*OPERATORS, *ELSEWHERE}


def resolved(name):
    """What a name such as numpy.add.at stands for."""
    found = {"torch": torch, "numpy": np}[name.partition(".")[0]]
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_the_names_in_other_libraries_are_there(name):
    for other in COUNTERPARTS[name]:
        assert other == "none" or callable(resolved(other))
