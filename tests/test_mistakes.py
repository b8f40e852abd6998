"""Typical mistakes in own blocks, layers and optimizers: each is refused with a message that says what to write.

Never by NumPy, Python or LLVM alone: what is raised is one of chainrule's errors, eagerly and compiled.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import Block, Elementwise, Movement, Parameter, Reduction, Scatter, Spec, grad, gradients, tensor
from chainrule.errors import (
    BlockError,
    ChainruleError,
    ConfigurationError,
    DTypeError,
    GradientError,
    IndexRangeError,
    ShapeError,
)
from chainrule.nn import Embedding, Layer, Linear, Sequential
from chainrule.optim import SGD, Optimizer
from chainrule.testing import check_block

X = np.ones((2, 3), np.float32)
GENERATOR = np.random.default_rng(0)


def eagerly(function):
    return function


BOTH = pytest.mark.parametrize("engine", [eagerly, chainrule.compile], ids=["eager", "compiled"])


def refused(kind, text, function, *arguments):
    with pytest.raises(kind, match=text) as raised:
        function(*arguments)
    assert isinstance(raised.value, ChainruleError)


def passed_on(block, gradient, output, *inputs):
    return (gradient,) * len(inputs)


def own(base=Elementwise, **methods):
    """A block from its methods."""
    return type("Own", (base,), {"backward": passed_on, **methods})


def block_of(forward):
    return own(forward=lambda self, xp, *inputs: forward(xp, *inputs))()


# Own elementwise blocks: what a loop body may be.

BRANCH = "block own: forward failed: a loop body cannot branch on a value: use xp.where instead of if, and, or, not"
#: The forward, what it is called on, and what the message says eagerly and compiled; None where it works eagerly.
FORWARDS = {
    "if": (lambda xp, x: x if x > 0 else -x, X, BRANCH, BRANCH),
    "and": (lambda xp, x: xp.where((x > 0) and (x < 1), x, 0), X, BRANCH, BRANCH),
    "min": (lambda xp, x: min(x, 1.0), X, BRANCH, BRANCH),
    "NumPy's function": (lambda xp, x: np.exp(x), X, None, "forward failed: .* ufuncs.* and of xp absolute, .* exp"),
    "Python's function": (lambda xp, x: math.exp(x), X, "forward failed: .*scalar", "must be real number.* of xp "),
    "a function over tensors": (lambda xp, x: chainrule.exp(x), X, None, "forward failed: .*dtype object.* of xp "),
    "a function that loops lack": (lambda xp, x: xp.erf(x), X, "forward failed: .*'erf'", "a loop body may call .*erf"),
    "a sum": (lambda xp, x: xp.sum(x), X, r"infer says float32\(2, 3\), but forward gave shape \(\)", "it called sum"),
    "a method of arrays": (lambda xp, x: x.sum(), X, "forward gave shape", "no attribute 'sum'. forward.self, xp"),
    "no return": (lambda xp, x: None, X, "forward gave .*None.* return the value", "None is no number of a loop"),
    "two results": (lambda xp, x: (x, x), X, "forward gave shape", "is no number of a loop"),
    "a constant": (lambda xp, x: 1.0, X, "forward gave shape", r"write it as 0 \* x \+ 1.0"),
    "an element": (lambda xp, x: x[0], X, "forward gave shape", "not subscriptable. forward.self"),
    "float": (lambda xp, x: float(x) * x, X, "forward failed: ", "forward failed: float.. argument"),
    "another dtype": (lambda xp, x: xp.astype(x, "float64"), X, "forward gave float64", "infer says float32, but it g"),
    "a misspelt dtype": (lambda xp, x: xp.astype(x, "flaot"), X, "'flaot' not understood", "'flaot' not understood"),
    "where of two": (lambda xp, x: xp.where(x > 0, x), X, "forward failed", "xp.where takes 3 operands, got 2"),
    "too many operands": (lambda xp, x: xp.exp(x, x), X, None, "xp.exp takes 1 operand, got 2"),
    "where of constants": (lambda xp, x: xp.where(x > 0, 1.0, 0.0), X, "gave float64", "at least one side"),
    "a misspelt name": (lambda xp, x: xp.exp(y), X, "NameError: name 'y'", "NameError: name 'y'"),  # noqa: F821
    "bits of floats": (lambda xp, x: x & 1, X, "forward failed: .*bitwise_and", "cannot apply & to float32"),
    "a shift of floats": (lambda xp, x: x << 1, X, "forward failed: .*left_shift", "cannot apply << to float32"),
    "integers / 2": (lambda xp, x: x / 2, [1, 2], "infer says int64.* gave float64", "cannot apply / to int64.*xp.ast"),
    "integers * 0.5": (lambda xp, x: x * 0.5, [1, 2], "gave float64", "cannot combine 0.5 with int64.*xp.astype"),
    "integers > 0.5": (lambda xp, x: xp.where(x > 0.5, x, 0), [1, 2], None, "cannot combine 0.5 with int64"),
    "integers ** -1": (lambda xp, x: x**-1, [1, 2], "negative integer powers", r"cannot apply \*\* to int64"),
    "a root of integers": (lambda xp, x: xp.sqrt(x), [4], "gave float64", "cannot apply sqrt to int64.*xp.astype"),
    "a number too large": (lambda xp, x: x + 2**40, np.ones(2, np.int32), "out of bounds for int32", "out of bounds"),
    "minus booleans": (lambda xp, x: -x, [True], "forward failed: .*negative", "cannot apply neg to bool"),
    "two inputs of one": (lambda xp, x, y: x + y, X, "missing 1 required positional argument: 'y'", "missing 1 req"),
    "a matrix product": (lambda xp, x: x @ x, X, "forward failed: matmul", "for @: .* may use the operators"),
}


@pytest.mark.parametrize(("forward", "x", "eager", "compiled"), FORWARDS.values(), ids=FORWARDS)
def test_forward(forward, x, eager, compiled):
    block = block_of(forward)
    refused((BlockError, ShapeError, DTypeError), f"^block own: .*{eager}".replace(".*block own: ", ""), block, x) if (
        eager
    ) else block(x)
    refused(BlockError, compiled, chainrule.compile(block), x)


@BOTH
def test_operators_that_work(engine):
    """Powers, |x|, +x, % and // are the same in both engines, and in the shared test."""
    x = np.array([-2.5, -1.0, 0.5, 3.0], np.float32)
    for forward in (
        lambda xp, x: x**2 + abs(x) - (+x),
        lambda xp, x: x % 3 + x // 2,
        lambda xp, x: 2**x + abs(x) ** 0.5 + x**3 + abs(x) ** x,
    ):
        np.testing.assert_allclose(engine(block_of(forward))(x).numpy(), forward(np, x), rtol=2e-6)
    whole = np.array([-3, 2, 5], np.int32)
    for forward in (lambda xp, x: x**2 + x**3, lambda xp, x: x % 3 - x // 2):
        assert engine(block_of(forward))(whole).numpy().tolist() == forward(np, whole).tolist()


def test_shared_test_knows_these_operators():
    class Powers(Elementwise):
        """y = x² + |x|³ + 2ˣ."""

        domain = (0.5, 2.0)
        extremes = (0.5, 1.0, 3.0)

        def forward(self, xp, x):
            return x**2 + abs(x) ** 3 + 2**x

        def backward(self, gradient, output, x):
            return (gradient * (2 * x + 3 * x**2 + 2**x * math.log(2)),)

    check_block(Powers)


# Own blocks: backward.

BACKWARDS = {
    "a tensor": (lambda g, y, x: g, BlockError, r"returned a value of type Tensor; expected a tuple .*return \(grad"),
    "nothing": (lambda g, y, x: None, BlockError, "backward returned None; expected a tuple"),
    "an array": (lambda g, y, x: np.ones(3), BlockError, "backward returned a value of type ndarray; expected a tuple"),
    "an array in a tuple": (
        lambda g, y, x: (np.ones(3),),
        BlockError,
        "of type ndarray for input 0; expected a tensor",
    ),
    "a number": (lambda g, y, x: (1.0,), BlockError, "returned a value of type float for input 0"),
    "one too many": (lambda g, y, x: (g, g), GradientError, "2 contributions for 1 inputs; expected one each"),
    "the value": (lambda g, y, x: (g.value * 2,), BlockError, "backward failed: .*NoneType.* have no numbers yet"),
    "numpy()": (lambda g, y, x: (g.numpy(),), ChainruleError, "has no value; run the function on data"),
    "an if": (lambda g, y, x: (g if g.sum() > 0 else -g,), ChainruleError, "chainrule.where in place of an if"),
    "xp": (lambda g, y, x: (xp.cos(x) * g,), BlockError, "NameError: name 'xp'.* functions over tensors"),  # noqa: F821
    "another shape": (lambda g, y, x: (g.sum(0)[:2],), ShapeError, r"backward gave float32\(2,\) for input 0"),
    "a scalar": (lambda g, y, x: (g.sum(),), ShapeError, r"backward gave float32\(\) for input 0"),
    "integers": (lambda g, y, x: ((x > 0).astype("int64"),), ShapeError, r"backward gave int64\(2, 3\) for input 0"),
    "a misspelt function": (lambda g, y, x: (g * x.cosine(),), BlockError, "no attribute 'cosine'.* functions over"),
}


@BOTH
@pytest.mark.parametrize(("backward", "kind", "text"), BACKWARDS.values(), ids=BACKWARDS)
def test_backward(engine, backward, kind, text):
    block = own(forward=lambda self, xp, x: x * 1.0, backward=lambda self, *given: backward(*given))()
    refused(kind, text, engine(lambda x: grad(block(x).sum(), x)), tensor(X))


# Own blocks: what a class declares.


def infer(self, x):
    return x


def forward(self, xp, x):
    return x


DECLARATIONS = {
    "no forward": (Elementwise, {}, "block Own declares no forward: .*forward.self, xp, .inputs. gives the value"),
    "no infer": (Block, {"forward": forward}, "block Own declares no infer: .*gives Spec.shape, dtype."),
    "no element": (Movement, {"infer": infer, "forward": forward}, "no element: .* infer, forward, backward, element"),
    "no target": (Scatter, {"infer": infer, "forward": forward}, "block Own declares no target: .*gives a tuple"),
    "no start": (Reduction, {"forward": forward}, "block Own declares no start: .*gives the number"),
    "no combine": (
        Reduction,
        {"forward": forward, "start": forward},
        "declares no combine: .*xp, accumulated, element",
    ),
}


@pytest.mark.parametrize(("base", "methods", "text"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_declaration(base, methods, text):
    refused(BlockError, text, lambda: own(base, **methods))


def test_no_backward():
    refused(BlockError, "declares no backward", lambda: type("Own", (Elementwise,), {"forward": forward}))
    assert type("Own", (Elementwise,), {"forward": forward, "differentiable": False})()(X).shape == (2, 3)


@BOTH
def test_use_of_a_block(engine):
    plain = own(forward=forward)
    refused(BlockError, r"block own has no settings, but got \(2.0,\).*@dataclass", plain, 2.0)
    refused(BlockError, r"block own has no settings, but got \{'rate': 2.0\}", lambda: plain(rate=2.0))
    refused(BlockError, "block own has no settings", engine(lambda x: plain(x)), tensor(X))
    refused(BlockError, "takes 2 positional arguments", own(forward=lambda self, x: x)(), X)
    refused(BlockError, r"infer gave \(2, 3\); expected Spec", engine(own(Block, infer=lambda s, x: x.shape,
            forward=forward)()), tensor(X))  # fmt: skip
    refused(BlockError, "infer failed: .*each spec has shape", engine(own(Block, infer=lambda s, x: x.size(),
            forward=forward)()), tensor(X))  # fmt: skip


@pytest.mark.filterwarnings("ignore::chainrule.errors.PerformanceWarning")
@BOTH
@pytest.mark.parametrize(
    ("spec", "kind", "text"),
    [
        (Spec((3, 2)), ShapeError, r"infer says float32\(3, 2\), but forward gave shape \(2, 3\)"),
        (Spec((2, 3), np.dtype("float64")), DTypeError, "infer says float64.*forward gave float32"),
    ],
    ids=["shape", "dtype"],
)
def test_infer_and_forward_differ(engine, spec, kind, text):
    refused(kind, text, engine(own(Block, infer=lambda self, x: spec, forward=forward)()), tensor(X))


# Own index maps.


def moved(element, forward=forward):
    return own(Movement, infer=infer, forward=forward, element=element)()


ELEMENTS = {
    "one row further": (lambda s, xp, i, shape, x: x((i[0] + 1, i[1])), IndexRangeError,
                        r"element read index 2 on axis 0 of input 0, which has shape \(2, 3\); keep it inside"),
    "one before": (lambda s, xp, i, shape, x: x((i[0], i[1] - 1)), IndexRangeError, "read index -1 on axis 1 of input"),
    "in what where leaves out": (lambda s, xp, i, shape, x: xp.where(i[1] > 0, x((i[0], i[1] - 1)), 0),
                                 IndexRangeError, "read index -1 on axis 1 .* also where xp.where then takes another"),
    "too few indices": (lambda s, xp, i, shape, x: x((i[0],)), BlockError, "element failed: it read 1 indices of inp"),
    "brackets": (lambda s, xp, i, shape, x: x[i], BlockError, "element failed: .*not subscriptable"),
    "no xp": (lambda s, i, x: x(i), BlockError, "element failed: .*element.self, xp, index, shape, .inputs."),
}  # fmt: skip


@pytest.mark.parametrize(("element", "kind", "text"), ELEMENTS.values(), ids=ELEMENTS)
def test_element(element, kind, text):
    refused(kind, f"^block own: .*{text}".replace("^block own: .*element", "^block own: element"),
            chainrule.compile(moved(element)), X)  # fmt: skip


def test_element_without_check():
    """The switch is for those who have run `check_block`; inside its input, the check changes nothing."""

    class Mirror(Movement):
        """y = x backwards."""

        differentiable = False

        def infer(self, x):
            return x

        def forward(self, xp, x):
            return x[::-1]

        def element(self, xp, index, shape, x):
            return x((shape[0] - 1 - index[0],))

        @classmethod
        def samples(cls):
            return (chainrule.Sample(cls(), (np.arange(5.0),)),)

    class Unchecked(Mirror):
        bounds_checked = False

    for kind, checks in ((Mirror, 1), (Unchecked, 0)):
        compiled = chainrule.compile(lambda x, kind=kind: kind()(x * 2))
        assert compiled([1.0, 2.0, 3.0]).numpy().tolist() == [6, 4, 2]
        assert compiled.listing().count("kernel bounds") == checks
        check_block(kind)
    assert "kernel bounds" not in listing(lambda x: chainrule.gather(x, [1, 0]), [1.0, 2.0])


def listing(function, *arguments):
    compiled = chainrule.compile(function)
    compiled(*arguments)
    return compiled.listing()


TARGETS = {
    "before the output": (
        lambda s, i, x: (i[0] - 1, i[1]),
        2,
        IndexRangeError,
        "target gave index -1 on axis 0 of the",
    ),
    "own axis longer": (lambda s, i, x: (i[0], i[1]), 1, IndexRangeError, "gave index 1 on axis 0 of the output"),
    "too few": (lambda s, i, x: (i[0],), 2, BlockError, "target gave 1 indices; expected 2"),
    "no tuple": (lambda s, i, x: i[0], 2, BlockError, "target failed: .*gives a tuple with the index"),
}


@pytest.mark.parametrize(("target", "rows", "kind", "text"), TARGETS.values(), ids=TARGETS)
def test_target(target, rows, kind, text):
    block = own(Scatter, infer=lambda s, x: Spec((rows, 3), x.dtype), forward=forward, target=target)()
    refused(kind, f"^block own: {text}" if text.startswith("target") else text, chainrule.compile(block), X)


def test_bounds_of_other_sizes():
    """The kernel is compiled once; the message has the sizes of the call."""
    compiled = chainrule.compile(lambda x: moved(lambda s, xp, i, shape, x: x((i[0] + 2, i[1])))(x))
    for rows in (5, 7):
        refused(IndexRangeError, rf"index {rows} on axis 0 of input 0, which has shape \({rows}, 3\)", compiled,
                np.ones((rows, 3), np.float32))  # fmt: skip


def reduction(**methods):
    fields = {"__annotations__": {"axis": tuple, "keepdims": bool}, "forward": lambda s, xp, x: xp.sum(x, s.axis),
              "start": lambda s, dtype: 0, "combine": lambda s, xp, a, b: a + b, **methods}  # fmt: skip
    return dataclass(frozen=True, repr=False)(own(Reduction, **fields))((0,), False)


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        ({"start": lambda s: 0}, "block own: start failed: .*start.self, dtype"),
        ({"start": lambda s, dtype: None}, "block own: start failed"),
        ({"combine": lambda s, a, b: a + b}, "block own: combine failed: .*combine.self, xp, accumulated, element"),
        ({"combine": lambda s, xp, a, b: a if a > b else b}, "block own: combine failed: .*cannot branch"),
        ({"combine": lambda s, xp, a, b: None}, "block own: combine failed"),
    ],
)
def test_reduction(methods, text):
    refused(BlockError, text, chainrule.compile(reduction(**methods)), X)


# Layers.


def layer_of(call, **fields):
    class Own(Layer):
        def __init__(self):
            vars(self).update(fields)

        def __call__(self, x):
            return call(self, x)

    return Own()


class WithoutEquation(Layer):
    """A layer that somebody has only begun."""


def write_in_place(x):
    x[0] = 1


def write_into_array(x):
    array = np.ones((2, 3), np.float32)
    array += x


LAYERS = {
    "no equation": (lambda x: WithoutEquation()(x), ConfigurationError, "layer WithoutEquation has no equation: defin"),
    "another size": (layer_of(lambda s, x: s.inner(x), inner=Linear(4, 2, generator=GENERATOR)), ShapeError,
                     "inner of Own, Linear.4 → 2.: expected size 4 on axis -1, got 3"),
    "an if on many": (layer_of(lambda s, x: x if x > 0 else -x), ShapeError, "an if needs one truth value, and it has"),
    "writing in place": (write_in_place, ConfigurationError, "not written in place.*chainrule.update_at"),
    "writing into an array": (write_into_array, DTypeError, "numpy.add: it is not defined for tensors in this form"),
    "a sum by NumPy": (lambda x: np.add.reduce(x), DTypeError, "numpy.add: it is not defined for tensors in this form"),
    "a function of NumPy's": (lambda x: np.arctan2(x, x), DTypeError, "numpy.arctan2: .*use the functions over tensor"),
    "numbers as positions": (lambda x: Embedding(4, 2, generator=GENERATOR)(x), DTypeError, "float32"),
    "no such row": (lambda x: Embedding(4, 2, generator=GENERATOR)([7]) + x.sum(), IndexRangeError, "7 .*0 to 3"),
    "a result that is None": (lambda x: grad(layer_of(lambda s, x: None)(x), x), ConfigurationError, "got None"),
    "a class in Sequential": (lambda x: Sequential(Layer)(x), ConfigurationError, "expected layers or functions, got "),
    "a list in Sequential": (lambda x: Sequential([chainrule.relu])(x), ConfigurationError, "expected layers or funct"),
    "a seed as generator": (lambda x: Linear(3, 2, generator=0)(x), ConfigurationError, "generator: .*default_rng.0.,"),
    "a size that is a text": (lambda x: Linear("3", 2, generator=GENERATOR)(x), ConfigurationError, "Linear: expected"),
    "a size that is a float": (lambda x: Embedding(3.5, 2, generator=GENERATOR), ConfigurationError, "expected sizes "),
    "an array as parameter": (lambda x: grad(x.sum(), layer_of(None, weight=np.ones(3)).parameters() or X),
                              ConfigurationError, "got ndarray"),
    "a loss that is a number": (lambda x: grad(3.0, x), ConfigurationError, "a tensor to differentiate, .* got 3.0"),
    "a loss that is a function": (lambda x: grad(len, x), ConfigurationError, "such as the loss that was computed, go"),
    "a loss of many numbers": (lambda x: grad(x * 2, x), ShapeError, "or reduce the output to a scalar"),
    "no path": (lambda x: grad(x.sum(), Parameter.of([1.0])), GradientError, "no differentiable path leads from it"),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize(("function", "kind", "text"), LAYERS.values(), ids=LAYERS)
def test_layer(engine, function, kind, text):
    refused(kind, text, engine(lambda x: function(x)), tensor(X))


COMPILED = {
    "an if": (lambda x: x if x.sum() > 0 else -x, "chainrule.where in place of an if"),
    "item": (lambda x: x * x.sum().item(), "has no value; run the function on data"),
    "float": (lambda x: x * float(x.sum()), "has no value; run the function on data"),
    "nothing": (lambda x: None, "returned NoneType; expected a tensor"),
    "an array": (lambda x: np.ones(3), "returned ndarray; expected a tensor"),
    "a dictionary": (lambda x: {"x": x}, "returned dict; expected a tensor"),
}


@pytest.mark.parametrize(("function", "text"), COMPILED.values(), ids=COMPILED)
def test_compiled_function(function, text):
    refused(ChainruleError, text, chainrule.compile(function), X)


def test_arguments_of_a_compiled_function():
    double = chainrule.compile(lambda x: x * 2)
    refused(ConfigurationError, "takes its arguments by position, got x by name", lambda: double(x=X))
    refused(DTypeError, "dtype object is not supported", double, None)
    refused(ShapeError, "expected numbers in a regular array", double, [X, X[:1]])


# Optimizers.


def rule_of(update, init=lambda self, parameter: {}, **methods):
    return dataclass(frozen=True)(type("Own", (Optimizer,), {"init": init, "update": update, **methods}))(0.1)


def step_of(rule, found=None, parameters=None, state=None, **settings):
    """A step with a rule, on a weight."""
    weight = Parameter.of([1.0, 2.0], name="w")

    def step(x):
        begun = rule.start([weight]) if state is None else state
        slopes = gradients((weight * x).sum(), [weight]) if found is None else found(x, weight)
        rule.step([weight] if parameters is None else parameters, slopes, begun, **settings)
        return x.sum()

    return step


def sgd(self, parameter, gradient, state, scalars):
    return parameter - scalars["learning_rate"] * gradient, dict(state)


RULE = "update.self, parameter, gradient, state, scalars. gives the new parameter and a dictionary"
UPDATES = {
    "a tensor alone": (lambda s, p, g, m, c: p - g, ConfigurationError, f"Own: update gave .*{RULE}"),
    "nothing": (lambda s, p, g, m, c: None, ConfigurationError, f"Own: update gave None; {RULE}"),
    "three results": (lambda s, p, g, m, c: (p, {}, {}), ConfigurationError, f"Own: update gave .*{RULE}"),
    "an array": (lambda s, p, g, m, c: (np.ones(2), {}), ConfigurationError, "update gave array.* for the parameter"),
    "a number": (lambda s, p, g, m, c: (1.0, {}), ConfigurationError, "Own: update gave 1.0 for the parameter"),
    "a list as state": (lambda s, p, g, m, c: (p, []), ConfigurationError, r"gave \[\] for what is remembered"),
    "another state": (lambda s, p, g, m, c: (p, {"m": p}), ConfigurationError, "gave a state of m; expected nothing"),
    "a state it lacks": (lambda s, p, g, m, c: (p - m["m"], {}), ConfigurationError, "update asked for 'm'"),
    "a misspelt coefficient": (
        lambda s, p, g, m, c: (p - c["lr"], {}),
        ConfigurationError,
        "asked for 'lr'.*learning_rate",
    ),
    "an attribute": (lambda s, p, g, m, c: (p - c.learning_rate, {}), ConfigurationError, f"no attribute.*{RULE}"),
    "a misspelt method": (
        lambda s, p, g, m, c: (p - g.mean_(), {}),
        ConfigurationError,
        "update failed: Attr.*'mean_'",
    ),
    "another shape": (
        lambda s, p, g, m, c: (g.sum(), {}),
        ShapeError,
        "update gave float32.. for the parameter, which",
    ),
    "too few arguments": (lambda s, p, g: p, ConfigurationError, f"update failed: TypeError.*{RULE}"),
    "an if": (lambda s, p, g, m, c: (p if g > 0 else g, {}), ShapeError, "an if needs one truth value, and it has 2"),
}


@BOTH
@pytest.mark.parametrize(("update", "kind", "text"), UPDATES.values(), ids=UPDATES)
def test_update_of_a_rule(engine, update, kind, text):
    refused(kind, text, engine(step_of(rule_of(update))), tensor([1.0, 2.0]))


@BOTH
@pytest.mark.parametrize(
    ("methods", "text"),
    [
        ({"init": lambda s, p: None}, "Own: init gave None; init.self, parameter. gives a dictionary of leaves"),
        ({"init": lambda s, p: {"m": np.zeros(2)}}, "Own: init gave .*array.*; init.self, parameter. gives"),
        ({"init": lambda s, p: {"m": 0.0}}, "Own: init gave {'m': 0.0}"),
        ({"init": lambda s: {}}, "Own: init failed: TypeError"),
        ({"coefficients": lambda s, step, rate: rate}, "Own: coefficients gave 0.1; .* gives a dictionary of numbers"),
        ({"coefficients": lambda s, step, rate: {"learning_rate": "a"}}, "Own: coefficients gave .*'a'"),
        ({"coefficients": lambda s, step, rate: {"learning_rate": s.rate}}, "Own: coefficients failed: Attr.*'rate'"),
    ],
)
def test_other_methods_of_a_rule(engine, methods, text):
    refused(ConfigurationError, text, engine(step_of(rule_of(sgd, **methods))), tensor([1.0, 2.0]))


STEPS = {
    "one gradient": (
        {"found": lambda x, w: grad((w * x).sum(), w)},
        ConfigurationError,
        "SGD.step: expected a list of grad",
    ),
    "a gradient None": ({"found": lambda x, w: [None]}, ConfigurationError, "expected a list of gradients.* got None"),
    "arrays": ({"found": lambda x, w: [np.ones(2)]}, ConfigurationError, "chainrule.gradients.*got array"),
    "a dictionary": ({"found": lambda x, w: {"w": x}}, ConfigurationError, "got a dictionary"),
    "no gradients": ({"found": lambda x, w: []}, ShapeError, "a gradient and a state for each of 1 parameters, got 0"),
    "another shape": (
        {"found": lambda x, w: [x.sum()]},
        ShapeError,
        r"gradient 0: expected shape \(2,\) as parameter 'w'",
    ),
    "another dtype": ({"found": lambda x, w: [x.astype("float64")]}, DTypeError, "gradient 0: expected float32"),
    "one parameter": ({"parameters": Parameter.of([1.0, 2.0])}, ConfigurationError, r"\[weight\] or layer.parameters"),
    "a computed one": ({"parameters": [tensor([1.0, 2.0]) * 2]}, ConfigurationError, "expected a list of parameters"),
    "an array": ({"parameters": [np.ones(2)]}, ConfigurationError, "expected a list of parameters.*got array"),
    "a layer": (
        {"parameters": Linear(3, 2, generator=GENERATOR)},
        ConfigurationError,
        "layer.parameters.., got Linear",
    ),
    "another state": ({"state": {}}, ConfigurationError, "expected the state that start.parameters. gave, got {}"),
    "a rate that is a text": ({"learning_rate": "a"}, ConfigurationError, "learning_rate of at least 0, got 'a'"),
    "a schedule without return": ({"learning_rate": lambda step: None}, ConfigurationError, "of at least 0, got None"),
    "a negative rate": ({"learning_rate": -1.0}, ConfigurationError, "learning_rate of at least 0, got -1.0"),
}


@BOTH
@pytest.mark.parametrize(("settings", "kind", "text"), STEPS.values(), ids=STEPS)
def test_step_of_an_optimizer(engine, settings, kind, text):
    refused(kind, text, engine(step_of(SGD(0.1), **settings)), tensor([1.0, 2.0]))


@pytest.mark.parametrize("given", ["0.1", None, -1, math.nan, [0.1]])
def test_learning_rate(given):
    refused(ConfigurationError, "SGD: expected a finite learning_rate above 0", SGD, given)


@pytest.mark.parametrize("given", [None, Parameter.of([1.0]), Linear(3, 2, generator=GENERATOR), [np.ones(2)]])
def test_start(given):
    refused(ConfigurationError, r"SGD.start: expected a list of parameters, such as \[weight\]", SGD(0.1).start, given)


def test_key_of_a_seed():
    refused(ConfigurationError, r"Key: expected the two words .*, got 1; Key.of\(seed=0, step=7\)", chainrule.Key, 1)


# Python's and NumPy's numbers beside tensors.


@BOTH
def test_numbers_beside_tensors(engine):
    a = np.array([[0.5, 1.0, 2.0], [1.5, 2.0, 3.0]], np.float32)
    functions = [
        lambda x: 2**x, lambda x: 1 / x, lambda x: 2 - x, lambda x: 7 // x, lambda x: 7 % x,
        lambda x: a + x, lambda x: a - x, lambda x: a * x, lambda x: a / x, lambda x: a**x, lambda x: a // x,
        lambda x: a % x, lambda x: x @ a.T, lambda x: a.T @ x, lambda x: a < x, lambda x: a >= x, lambda x: a <= x,
        lambda x: x == a, lambda x: a != x, lambda x: np.float32(0.625) == x,
        lambda x: np.float32(2) * x, lambda x: np.float64(2) ** x, lambda x: np.int64(3) + x, lambda x: x > np.e,
        lambda x: np.exp(x), lambda x: np.maximum(a, x), lambda x: np.tanh(x), lambda x: np.abs(x), lambda x: -x + 1,
        lambda x: (a > 1) & (x > 1), lambda x: (a > 1) | (x > 1), lambda x: (a > 1) ^ (x > 1),
    ]  # fmt: skip
    x = a[::-1] * 1.25
    for number, function in enumerate(functions):
        found = engine(function)(tensor(x))
        assert isinstance(found, chainrule.Tensor), number
        np.testing.assert_allclose(found.numpy(), function(x), rtol=2e-6, err_msg=str(number))
