"""The testers are tested: wrong blocks, planted on purpose, must be caught."""

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule.blocks.reduction import Sum
from chainrule.errors import (
    BlockError,
    ChainruleError,
    ConfigurationError,
    GradientError,
    PerformanceWarning,
    ShapeError,
)
from chainrule.graph.accuracy import Accuracy
from chainrule.graph.block import Block, Elementwise, Reduction, real, sample
from chainrule.graph.spec import Spec
from chainrule.testing import all_blocks, check_block, check_extremes, check_gradient


class Cube(Elementwise):
    def forward(self, xp, x):
        return x * x * x

    def backward(self, gradient, output, x):
        return (gradient * 3 * x * x,)


def test_a_right_block_passes():
    check_block(Cube)


def test_a_forward_that_overflows_on_its_way_is_caught():
    class Softplus(Elementwise):
        def forward(self, xp, x):
            return xp.log1p(xp.exp(x))

        def backward(self, gradient, output, x):
            return (gradient * chainrule.sigmoid(x),)

    with pytest.raises(AssertionError, match=r"softplus\(?.*: value, eager, at 300 in float32: got inf, expected 300"):
        check_block(Softplus)


def test_a_forward_that_loses_digits_is_caught():
    class Softplus(Elementwise):
        def forward(self, xp, x):
            return xp.maximum(x, 0) + xp.log(1 + xp.exp(-xp.absolute(x)))

        def backward(self, gradient, output, x):
            return (gradient * chainrule.sigmoid(x),)

    with pytest.raises(AssertionError, match=r"value, eager, at .*300 in float64: got .* units in the last place"):
        check_block(Softplus)


class ProductOfSigmoids(Elementwise):
    """y = s(x), and y' = s(x) (1 - s(x)), of which digits are lost."""

    domain = (-1.0, 1.0)

    def forward(self, xp, x):
        e = xp.exp(-xp.absolute(x))
        return xp.where(x >= 0, 1, e) / (1 + e)

    def backward(self, gradient, output, x):
        return (gradient * output * (1 - output),)


def test_a_gradient_that_loses_digits_is_caught_unless_it_says_so():
    with pytest.raises(GradientError, match=r"gradient with respect to input 0, eager, at (8|30|300) in float64"):
        check_block(ProductOfSigmoids)

    class Stated(ProductOfSigmoids):
        gradient_accuracy = Accuracy(ulps=1, least=1)

    check_block(Stated)

    class LosesMore(Stated):
        def backward(self, gradient, output, x):
            return (gradient * output * ((1 - output) + 1000 - 1000),)

    with pytest.raises(GradientError, match=r"allowed: 1 units in the last place \(of 1, where"):
        check_extremes(LosesMore.samples()[0])


def test_a_gradient_that_is_wrong_far_from_the_samples_is_caught():
    class Wrong(Cube):
        def backward(self, gradient, output, x):
            return (gradient * chainrule.where(x > 20, 3 * x, 3 * x * x),)

    with pytest.raises(GradientError, match="at 30: backward gives 90, and the slope of forward is 2700"):
        check_block(Wrong)


class GatedTanh(Elementwise):
    """y = tanh(a) σ(b): products of small numbers, which are subnormal."""

    gradient_accuracy = Accuracy(ulps=4, least=1)
    extremes = (0.0, 1e-30, 1.0, -30.0, -1.0, 30.0)

    def forward(self, xp, a, b):
        return xp.tanh(a) / (1 + xp.exp(-b))

    def backward(self, gradient, output, a, b):
        return gradient * (1 - chainrule.tanh(a) ** 2) * chainrule.sigmoid(b), gradient * output * chainrule.sigmoid(-b)


def test_a_subnormal_result_may_be_0():
    """As compiled code makes it: at (1e-30, -30) the exact result is 9e-44 in float32."""
    check_block(GatedTanh)


def test_a_small_result_that_is_normal_may_not_be_0():
    class Cut(GatedTanh):
        def forward(self, xp, a, b):
            y = super().forward(xp, a, b)
            return y + 1e-3 - 1e-3

    with pytest.raises(AssertionError, match=r"value, eager, at .* got -?0\.0, expected"):
        check_block(Cut)


def test_another_zero_is_caught():
    class Keeps(Elementwise):
        def forward(self, xp, x):
            return x * 1 if hasattr(x, "value") else x + 0.0

        def backward(self, gradient, output, x):
            return (gradient,)

    with pytest.raises(AssertionError, match=r"value, eager, at -0 in float64: got 0.0, expected -0.0"):
        check_block(Keeps)


def test_a_zero_that_has_another_sign_where_it_is_compiled_is_caught():
    class Flat(Elementwise):
        def forward(self, xp, x):
            return x * 0

        def backward(self, gradient, output, x):
            return (gradient * Zero()(x),)

    class Zero(Flat):
        def forward(self, xp, x):
            return xp.where(x == x, -0.0 if hasattr(x, "operation") else 0.0, x)

    with pytest.raises(AssertionError, match="0 has another sign compiled than eager"):
        check_block(Flat)


def test_a_backward_that_is_not_elementwise_says_how_to_leave_the_extremes_out():
    class Summed(Cube):
        def backward(self, gradient, output, x):
            return ((gradient * 3 * x * x).sum(axis=(), keepdims=True),)

    with pytest.raises(ConfigurationError, match=r"summed: backward: .* set extremes = \(\)"):
        check_block(Summed)

    class LeftOut(Summed):
        extremes = ()

    check_block(LeftOut)


def test_extremes_of_one_input_may_differ_from_those_of_another():
    seen = []

    class Scale(Elementwise):
        extremes = ((0.0, np.inf), (1.0, 1e30, 2.0))

        def forward(self, xp, x, factor):
            seen.append((x, factor))
            return x * factor

        def backward(self, gradient, output, x, factor):
            return gradient * factor, gradient * x

    check_extremes(Scale.samples()[0])
    arrays = [pair for pair in seen if isinstance(pair[0], np.ndarray)]
    assert {tuple(map(float, pair)) for x, factor in arrays for pair in zip(x, factor, strict=True)} == {
        (a, b) for a in (0.0, np.inf) for b in (1.0, float(np.float32(1e30)), 1e30, 2.0)
    }


def test_a_wrong_gradient_is_caught():
    class WrongGradient(Cube):
        def backward(self, gradient, output, x):
            return (gradient * 3 * x * x * 1.0001,)

    with pytest.raises(GradientError, match=r"gradient with respect to input 0: at \(.*\) autodiff gives"):
        check_block(WrongGradient)


def test_a_wrong_gradient_is_caught_however_small_it_is():
    def wrong(x):
        return chainrule.stop_gradient(x * 1e-9) * x  # the derivative of 10⁻⁹ x² is twice as large

    with pytest.raises(GradientError, match=r"autodiff gives 2.76318298e-09, central differences 5.5"):
        check_gradient(wrong, 3.0)


def test_the_gradient_checker_sees_small_and_large_inputs():
    for scale in (1e-12, 1.0, 1e12):
        check_gradient(lambda x, scale=scale: chainrule.tanh(x / scale), real(2, 3) * scale)


def test_a_gradient_right_at_first_order_only_is_caught():
    class WrongSecond(Cube):
        def backward(self, gradient, output, x):
            return (gradient * 3 * chainrule.stop_gradient(x) * x,)

    with pytest.raises(GradientError, match="second derivative with respect to inputs 0 and 0"):
        check_block(WrongSecond)


def test_a_gradient_that_leaks_through_a_block_that_says_it_has_none_is_caught():
    class Leaky(Cube):
        differentiable = False

    with pytest.raises(AssertionError, match="not differentiable, but passes a gradient"):
        check_block(Leaky)


def test_a_wrong_shape_rule_is_caught():
    class WrongShape(Cube):
        def infer(self, x):
            return Spec((1, *x.shape), x.dtype)

    with pytest.raises(ShapeError, match=r"block wrong_shape: infer says .*, but forward gave shape"):
        check_block(WrongShape)


def test_a_shape_rule_that_lets_through_what_forward_does_not_take_is_caught():
    class Dot(Block):
        def infer(self, a, b):
            return Spec((), a.dtype)

        def forward(self, xp, a, b):
            return xp.dot(a, b)

        def backward(self, gradient, output, a, b):
            return gradient * b, gradient * a

        @classmethod
        def samples(cls):
            return (sample(cls(), real(3), real(3)),)

    with (
        pytest.warns(PerformanceWarning, match="Dot"),
        pytest.raises(BlockError, match=r"block dot: forward failed: .* not aligned"),
    ):
        check_block(Dot)


def test_a_loop_body_that_branches_on_a_value_is_caught():
    class Branches(Cube):
        def forward(self, xp, x):
            if np.ndim(getattr(x, "value", x)) == 0 and x > 0:
                return x
            return x * x * x

    with pytest.raises(TypeError, match="cannot branch on a value"):
        check_block(Branches)


def test_a_loop_body_that_calls_what_a_loop_does_not_have_is_caught():
    class Calls(Cube):
        def forward(self, xp, x):
            return xp.cbrt(x) * 0 + x * x * x

    with pytest.raises(AttributeError, match=r"a loop body may call .* it called cbrt"):
        check_block(Calls)


def test_a_combination_that_differs_from_forward_is_caught():
    @dataclass(frozen=True, repr=False)
    class Product(Reduction):
        axis: tuple[int, ...]
        keepdims: bool = False
        differentiable = False

        def forward(self, xp, x):
            return xp.prod(x, axis=self.axis, keepdims=self.keepdims)

        def start(self, dtype):
            return dtype.type(1)

        def combine(self, xp, accumulated, element):
            return accumulated + element

        @classmethod
        def samples(cls):
            return (sample(cls((0,)), real(3)),)

    with pytest.raises(AssertionError, match="loop body and forward differ"):
        check_block(Product)


def test_a_sum_that_loses_digits_along_a_long_axis_is_caught():
    @dataclass(frozen=True, repr=False)
    class InOrder(Sum):
        def forward(self, xp, x):
            return xp.cumsum(xp.concatenate([xp.zeros((1, x.shape[1]), x.dtype), x]), axis=0)[-1]

        @classmethod
        def samples(cls):
            return (sample(cls((0,)), real(3, 2)),)

    with pytest.raises(AssertionError, match=r"in_order.*along axis 0 of shape .1000003, 2., eager, digits are lost"):
        check_block(InOrder)


def test_a_loop_body_that_differs_where_it_is_compiled_is_caught():
    class Differs(Cube):
        def forward(self, xp, x):
            return x * x if hasattr(x, "operation") else x * x * x

    with pytest.raises(AssertionError, match="value: compiled and eager differ, for arrays in C order"):
        check_block(Differs)


def test_a_gradient_that_differs_where_it_is_compiled_is_caught():
    class Sine(Cube):
        def forward(self, xp, x):
            return xp.sin(x)

        def backward(self, gradient, output, x):
            return (gradient * Cosine()(x),)

    class Cosine(Sine):
        def forward(self, xp, x):
            return x if hasattr(x, "operation") else xp.cos(x)

        def backward(self, gradient, output, x):
            return (-gradient * Sine()(x),)

    with pytest.raises(AssertionError, match="gradient with respect to input 0: compiled and eager differ"):
        check_block(Sine)


def test_a_block_without_a_loop_body_is_compiled_to_its_forward():
    class Reversed(Block):
        def infer(self, x):
            return x

        def forward(self, xp, x):
            return xp.flip(x)

        def backward(self, gradient, output, x):
            return (Reversed()(gradient),)

        @classmethod
        def samples(cls):
            return sample(cls(), real(2, 3)), sample(cls(), real(0)), sample(cls(), real())

    with pytest.warns(PerformanceWarning, match="Reversed"):
        check_block(Reversed)


def test_a_forward_that_changes_its_input_is_caught():
    class InPlace(Cube):
        def forward(self, xp, x):
            x *= 2
            return x

    with pytest.raises(AssertionError, match="forward changed its input"):
        check_block(InPlace)


def test_a_block_without_samples_is_refused():
    class NoSamples(Cube):
        @classmethod
        def samples(cls):
            return ()

    @dataclass(frozen=True, repr=False)
    class WithSetting(Cube):
        exponent: int

    for block in (NoSamples, WithSetting):
        with pytest.raises(ChainruleError, match=f"{block.__name__} has no samples"):
            check_block(block)


def test_samples_come_from_the_domain_of_each_input():
    class Scale(Elementwise):
        domain = ((-2.0, 2.0), (0.5, 1.0))

        def forward(self, xp, x, factor):
            return x * factor

        def backward(self, gradient, output, x, factor):
            return gradient * factor, gradient * x

    first, second, *_ = Scale.samples()
    assert [x.shape for x in first.inputs] == [(2, 3), (3,)]
    assert [x.shape for x in second.inputs] == [(3, 1), (2, 1, 4)]
    assert first.inputs[0].min() < 0
    assert 0.5 <= first.inputs[1].min() < first.inputs[1].max() <= 1
    check_block(Scale)


@pytest.mark.parametrize("missing", ["forward", "backward"])
def test_a_block_that_declares_too_little_is_refused_where_it_is_declared(missing):
    methods = {"forward": Cube.forward, "backward": Cube.backward}
    del methods[missing]
    with pytest.raises(TypeError, match=f"declares no {missing}"):
        type("Half", (Elementwise,), methods)


def test_the_gradient_checker_checks_functions_of_several_inputs():
    check_gradient(lambda a, b: chainrule.sigmoid(a @ b).sum(0), real(2, 3), real(3, 2))


def test_the_gradient_checker_refuses_a_gradient_that_is_not_a_number():
    class NotANumber(Cube):
        def backward(self, gradient, output, x):
            return (gradient * np.nan,)

    with pytest.raises(GradientError, match="autodiff gives nan"):
        check_block(NotANumber)


def test_all_blocks_finds_blocks_and_no_bases():
    names = [block.name for block in all_blocks()]
    assert {"add", "matmul", "threefry", "segment_sum"} <= set(names)
    assert not {"elementwise", "comparison", "reduction"} & set(names)
    assert len(names) == len(set(names))
