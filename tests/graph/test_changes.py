"""Leaves that change between a computation and its gradient, or inside a step: both engines read the same values."""

import numpy as np
import pytest

import chainrule
from chainrule import Mutable, Parameter, assign, grad, gradients, tensor
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.optim import SGD, Adam


@pytest.fixture(params=["eager", "compiled"])
def engine(request):
    """What makes a step of a function over tensors."""
    return chainrule.compile if request.param == "compiled" else lambda function: function


def test_gradient_is_of_the_value_that_was_read():
    weight = Parameter.of([1.0, 2.0])
    loss = (weight * weight).sum()
    weight.assign([5.0, 5.0])
    assert grad(loss, weight).value.tolist() == [2, 4]
    both = loss + (weight * weight).sum()
    assert grad(both, weight).value.tolist() == [12, 14]


def test_second_derivative_passes_through_a_value_that_was_replaced():
    weight = Parameter.of([1.0, 2.0])
    loss = (weight**3).sum()
    weight.assign([5.0, 5.0])
    first = grad(loss, weight)
    assert first.value.tolist() == [3, 12]
    assert grad(first.sum(), weight).value.tolist() == [6, 12]


def test_gradient_through_a_leaf_that_is_no_parameter():
    x = tensor([1.0, 2.0])
    loss = (x * x).sum()
    x.assign(np.array([5.0, 5.0]))
    assert grad(loss, x).value.tolist() == [2, 4]


def test_two_optimizers_of_one_loss(engine):
    w, v = Parameter.of([1.0, 1.0]), Parameter.of([2.0, 2.0])
    rule = SGD(1.0)
    of_w, of_v = rule.start([w]), rule.start([v])

    @engine
    def step(x):
        loss = (w * v * x).sum()
        rule.step([w], gradients(loss, [w]), of_w)
        rule.step([v], gradients(loss, [v]), of_v)
        return loss

    step(np.ones(2, np.float32))
    assert (w.value.tolist(), v.value.tolist()) == ([-1, -1], [1, 1])


@pytest.mark.parametrize("rows", [False, True])
def test_compiled_steps_leave_an_eager_graph_as_it_is(rows):
    """A step writes in place; what was computed from the array keeps it."""
    table = Parameter.of([[1.0, 2.0], [3.0, 4.0]])
    rule = SGD(1.0)
    state = rule.start([table])

    @chainrule.compile
    def step(ids):
        read = chainrule.gather(table, ids) if rows else table
        loss = read.sum()
        rule.step([table], gradients(loss, [table]), state)
        return loss

    step([0])
    before = table.value.copy()
    loss, transposed = (table * table).sum(), table.T
    step([0])
    step([0])
    assert table.value[0].tolist() == (before[0] - 2).tolist()
    assert transposed.value.tolist() == before.T.tolist()
    assert grad(loss, table).value.tolist() == (2 * before).tolist()


def test_eager_row_updates_leave_a_graph_as_it_is():
    table = Parameter.of([[1.0, 2.0], [3.0, 4.0]])
    rule = SGD(1.0)
    state = rule.start([table])
    loss = (table * table).sum()
    rule.step([table], gradients(chainrule.gather(table, [1]).sum(), [table]), state)
    assert table.value.tolist() == [[1, 2], [2, 3]]
    assert grad(loss, table).value.tolist() == [[2, 4], [6, 8]]


def test_array_is_copied_only_while_a_graph_holds_it():
    weight = Parameter.of([1.0, 2.0])
    rule = SGD(1.0)
    state = rule.start([weight])

    @chainrule.compile
    def step(x):
        loss = (weight * x).sum()
        rule.step([weight], gradients(loss, [weight]), state)
        return loss

    step([1.0, 1.0])
    array = weight.value
    loss = (weight * weight).sum()
    del loss
    step([1.0, 1.0])
    assert weight.value is array
    loss = (weight * weight).sum()
    step([1.0, 1.0])
    assert weight.value is not array
    assert loss.item() == 1


def test_batch_buffer_that_is_written_again():
    buffer = np.array([1.0, 2.0], np.float32)
    weight = Parameter.of([1.0, 1.0])
    losses = [(weight * tensor(buffer)).sum(), (weight * buffer).sum()]
    buffer[:] = 7
    for loss in losses:
        assert grad(loss, weight).value.tolist() == [1, 2]


@pytest.mark.parametrize("rule", [SGD(0.1), SGD(0.1, momentum=0.9), Adam(0.1), Adam(0.1, lazy=True)], ids=repr)
def test_several_steps_in_one_function(rule):
    """Embedding table and dense weight, each updated twice a call and read afterwards."""
    results = []
    for engine in (lambda function: function, chainrule.compile):
        table = Parameter.of([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        weight = Parameter.of([1.0, -1.0])
        state = rule.start([table, weight])

        def step(x, table=table, weight=weight, state=state):
            for ids in ([0, 2], [2, 1]):
                loss = ((chainrule.gather(table, ids) * weight * x) ** 2).sum()
                rule.step([table, weight], gradients(loss, [table, weight]), state)
            return (table * weight).sum(axis=1)

        step = engine(step)
        read = [step([1.0, 0.5]).value for _ in range(3)]
        assert state.step == 6
        results.append([*read, table.value, weight.value])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.9), Adam(0.1)], ids=repr)
@pytest.mark.parametrize("change", ["another step of the same loss", "assign before", "assign after"])
def test_table_that_one_function_changes_twice(rule, change):
    """Rows are left behind only where the step is all that changes a table."""
    results = []
    for engine in (lambda function: function, chainrule.compile):
        table = Parameter.of([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        state = rule.start([table])

        def step(x, table=table, state=state):
            loss = ((chainrule.gather(table, [0, 2]) * x) ** 2).sum()
            if change == "assign before":
                assign(table, table * 0.5)
            rule.step([table], gradients(loss, [table]), state)
            if change == "assign after":
                assign(table, table * 0.5)
            elif change == "another step of the same loss":
                rule.step([table], gradients(loss, [table]), state)
            return loss

        step = engine(step)
        losses = [step(tensor([1.0, 0.5])).value for _ in range(3)]
        results.append([*losses, *state.arrays().values(), table.value])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_assign_inside_a_step(engine):
    mean, seen = Mutable.of([0.0, 0.0]), Mutable.of(0)

    @engine
    def step(x):
        assign(seen, seen + x.shape[0])
        assign(mean, mean + (x.mean(axis=0) - mean) / seen)
        return x - mean

    step(tensor([[1.0, 2.0]]))
    result = step(tensor([[3.0, 6.0]]))
    assert seen.item() == 2
    assert mean.value.tolist() == [2, 4]
    assert result.value.tolist() == [[1, 2]]


def test_gradients_of_before_and_after_an_assignment(engine):
    weight, kept = Parameter.of([1.0, 2.0]), Mutable.of([0.0, 0.0])

    @engine
    def step(x):
        before = (weight * weight * x).sum()
        assign(weight, weight + 10)
        after = (weight * weight * x).sum()
        assign(kept, grad(before + after, weight))
        return kept

    assert step([1.0, 1.0]).value.tolist() == [24, 28]
    assert kept.value.tolist() == [24, 28]
    assert weight.value.tolist() == [11, 12]


def test_assign_outside_a_step_and_what_it_refuses():
    weight = Parameter.of([1.0, 2.0])
    assign(weight, [3, 4])
    assert weight.value.tolist() == [3, 4]
    assert weight.dtype == np.float32
    with pytest.raises(ShapeError, match=r"assign: 'w' has shape \(2,\), got a value of shape \(3,\)"):
        assign(Parameter.of([1.0, 2.0], name="w"), [1, 2, 3])
    with pytest.raises(
        ConfigurationError, match=r"expected a parameter, or another leaf made by Mutable.of, got Tensor"
    ):
        assign(tensor([1.0]), [2.0])


def test_method_assign_and_what_it_refuses():
    weight = Parameter.of([1.0, 2.0], name="weight")
    weight.assign([3, 4])
    assert weight.value.tolist() == [3, 4]
    with pytest.raises(ConfigurationError, match=r"multiply .* was computed; only leaves, such as parameters, can be"):
        (weight * 2).assign([1.0, 2.0])

    @chainrule.compile
    def step(x):
        weight.assign([1.0, 2.0])
        return x

    with pytest.raises(ConfigurationError, match=r"in a compiled function 'weight' is changed by chainrule.assign"):
        step([1.0])


def test_parameter_from_data():
    array = np.zeros(3)
    weight = Parameter(array, name="weight")
    array[:] = 1
    assert (weight * 2).value.tolist() == [0, 0, 0]
    assert weight.dtype == np.float32
    assert Parameter([1, 2], dtype="float64").dtype == np.float64
    assert Mutable([1, 2]).dtype == np.int64
    with pytest.raises(DTypeError, match="parameter: expected a dtype of float32 or float64, got int64"):
        Parameter([1, 2], dtype="int64")


def test_detached_steps_keep_no_history():
    """The graph of a loop of steps stays as small as that of one."""
    weight, x = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    for _ in range(50):
        loss = (weight * weight * x).sum()
        weight = (weight - 0.01 * grad(loss, weight)).detach()
    assert weight.inputs == ()
    loss = (weight * x).sum()
    assert len(chainrule.trace(lambda: loss).nodes()) <= 4


def test_detached_numbers_do_not_follow_the_leaf():
    weight = Parameter.of([[1.0, 2.0]])
    rule = SGD(1.0)
    state = rule.start([weight])
    kept, turned = weight.detach(), weight.T.detach()
    step = chainrule.compile(
        lambda x: [(loss := (weight * x).sum()), rule.step([weight], gradients(loss, [weight]), state)][:1]
    )
    step([[1.0, 1.0]])
    assert weight.value.tolist() == [[0, 1]]
    assert (kept.value.tolist(), turned.value.tolist()) == ([[1, 2]], [[1], [2]])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (lambda x: x.T, ShapeError, r"block own: infer says float32\(2, 3\), but forward gave shape \(3, 2\)"),
        (
            lambda x: x.astype(np.float64),
            DTypeError,
            r"infer says float32\(2, 3\), but forward gave float64; make them",
        ),
        (lambda x: x.astype(np.int64), DTypeError, "but forward gave int64"),
    ],
)
def test_block_is_held_to_its_shape_rule(value, error, message):
    class Own(chainrule.Block):
        differentiable = False

        def infer(self, x):
            return x

        def forward(self, xp, x):
            return value(x)

    with pytest.raises(error, match=message):
        Own()(np.zeros((2, 3), np.float32))
