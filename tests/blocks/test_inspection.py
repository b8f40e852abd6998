"""Looking into a computation: printed tensors, and numbers that are none, eagerly and in compiled functions."""

import numpy as np
import pytest

import chainrule
from chainrule import gradients, tensor
from chainrule.errors import NonFiniteError
from chainrule.nn import Linear
from chainrule.optim import SGD


@pytest.fixture(params=["eager", "compiled"])
def engine(request):
    """What makes a function of a function."""
    return chainrule.compile if request.param == "compiled" else lambda function: function


def test_debug_prints_in_each_run(engine, capsys):
    function = engine(lambda x: chainrule.grad((chainrule.debug(x * 2, "doubled") ** 2).sum(), x))
    assert function(tensor([1.0, 2.0])).value.tolist() == [8, 16]
    assert capsys.readouterr().out == "doubled: float32(2,) from 2 to 4\n[2. 4.]\n"
    function(tensor([np.inf, np.nan]))
    assert "doubled: float32(2,), 1 infinite, 1 NaN\n" in capsys.readouterr().out
    engine(lambda x: chainrule.debug(x, "ids") + 1)(tensor([3, 5]))
    assert capsys.readouterr().out == "ids: int64(2,) from 3 to 5\n[3 5]\n"


def test_check_finite(engine):
    function = engine(lambda x: chainrule.check_finite(1 / x, "inverse").sum())
    assert function(tensor([1.0, 2.0])).item() == 1.5
    with pytest.raises(
        NonFiniteError, match=r"inverse: expected finite numbers, got .*1 infinite; first at \(1,\): inf"
    ):
        function(tensor([1.0, 0.0]))
    with pytest.raises(NonFiniteError, match=r"1 NaN; first at \(\): nan"):
        engine(lambda x: chainrule.check_finite(x.sum()))(tensor([np.nan]))


def test_check_finite_of_a_gradient(engine):
    function = engine(lambda x: chainrule.grad(chainrule.sqrt(chainrule.check_finite(x, "x")).sum(), x))
    assert function(tensor([4.0])).item() == 0.25
    with pytest.raises(NonFiniteError, match="gradient of x: expected finite numbers"):
        function(tensor([0.0]))


def test_function_that_names_the_first_number_that_is_not_finite():
    linear = Linear(2, 1, generator=np.random.default_rng(0))
    linear.assign({"weight": [[1e38], [1.0]], "bias": [0.0]})
    rule = SGD()
    state = rule.start(linear.parameters())

    @chainrule.compile(finite=True)
    def step(x):
        loss = linear(x).sum()
        rule.step(linear.parameters(), gradients(loss, linear.parameters()), state)
        return loss

    assert step([[1.0, 2.0]]).item() == np.float32(1e38)
    before = linear.weight.value.copy()
    with pytest.raises(NonFiniteError) as raised:
        step([[100.0, 2.0]])
    assert str(raised.value).splitlines()[0].startswith("compile: matmul float32(1, 1)")
    assert str(raised.value).endswith("float32(2, 1) from 0.98 to 1e+38")
    assert "input 'x': float32(1, 2) from 2 to 100" in str(raised.value)
    assert linear.weight.value.tolist() == before.tolist()
    assert state.step == 1


def test_infinities_that_were_given_are_none_of_the_functions_making():
    mask = np.array([0.0, -np.inf], np.float32)
    function = chainrule.compile(lambda x: chainrule.softmax(x + mask), finite=True)
    assert function([1.0, 2.0]).value.tolist() == [1, 0]
