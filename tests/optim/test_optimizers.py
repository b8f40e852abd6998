"""Optimizers: the equations by hand, rows of tables, state, updates as a graph, and messages."""

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, RowSparse, Spec, Tensor, gather, gradients, tensor, trace
from chainrule.errors import ChainruleError, ConfigurationError, DTypeError, ShapeError
from chainrule.optim import SGD, Adam, AdamW, Optimizer, State, Update, commit, updates

TABLE = np.arange(8.0).reshape(4, 2)


def row_gradient(table, ids, rows):
    return RowSparse(tensor(np.array(ids)), tensor(np.array(rows), table.dtype), table.spec)


def step(rule, parameter, *arrived, state=None, learning_rate=None):
    state = state or rule.start([parameter])
    for gradient in arrived:
        rule.step([parameter], [gradient], state, learning_rate=learning_rate)
    return state


def test_sgd_by_hand():
    weight = Parameter.of([1.0, 2.0])
    state = step(SGD(0.1), weight, tensor([1.0, -1.0]), tensor([2.0, 0.0]))
    np.testing.assert_allclose(weight.numpy(), [0.7, 2.1], rtol=1e-6)
    assert (state.step, state.slots) == (2, [{}])


def test_momentum_by_hand():
    weight = Parameter.of([1.0], dtype="float64")
    state = step(SGD(0.1, 0.5), weight, tensor([1.0], "float64"), tensor([2.0], "float64"))
    assert weight.item() == pytest.approx(1 - 0.1 * 1 - 0.1 * 2.5)
    assert state.slots[0]["velocity"].item() == 2.5
    weight = Parameter.of([1.0], dtype="float64")
    step(SGD(0.1, 0.5, nesterov=True), weight, tensor([1.0], "float64"), tensor([2.0], "float64"))
    assert weight.item() == pytest.approx(1 - 0.1 * (1 + 0.5) - 0.1 * (2 + 0.5 * 2.5))


def test_the_first_steps_of_adam_by_hand():
    weight = Parameter.of([1.0], dtype="float64")
    rule = Adam(0.1, beta1=0.8, beta2=0.9, epsilon=1e-3)
    state = step(rule, weight, tensor([2.0], "float64"), tensor([-1.0], "float64"))
    mean, square = 0.8 * 0.4 - 0.2, 0.9 * 0.4 + 0.1
    assert state.slots[0]["mean"].item() == pytest.approx(mean)
    assert state.slots[0]["square"].item() == pytest.approx(square)
    second = 0.1 * (mean / (1 - 0.64)) / (np.sqrt(square / (1 - 0.81)) + 1e-3)
    assert weight.item() == pytest.approx(1 - 0.1 * 2 / (2 + 1e-3) - second, rel=1e-12)


def test_coefficients_are_those_of_the_paper():
    assert SGD(0.1).coefficients(7, 0.3) == {"learning_rate": 0.3}
    c = Adam().coefficients(3, 0.01)
    assert c == {
        "learning_rate": 0.01,
        "mean_correction": pytest.approx(1 / (1 - 0.9**3), rel=1e-15),
        "square_correction": pytest.approx(1 / (1 - 0.999**3), rel=1e-15),
    }


def test_a_step_may_have_its_own_learning_rate():
    weight = Parameter.of([1.0])
    step(SGD(0.1), weight, tensor([1.0]), learning_rate=0.5)
    assert weight.item() == 0.5
    step(SGD(0.1), weight, tensor([1.0]), learning_rate=0.0)
    assert weight.item() == 0.5


@pytest.mark.parametrize("rule", [SGD(0.1, lazy=True), SGD(0.1), SGD(0.1, 0.9, lazy=True), Adam(0.1, lazy=True)])
def test_row_updates_change_the_rows_of_the_gradient_only_and_in_place(rule):
    table = Parameter.of(TABLE, dtype="float64")
    array = table.value
    state = step(rule, table, row_gradient(table, [2, 0, 2], [[1, 1], [1, 1], [2, 2]]))
    assert table.value is array
    changed = (table.numpy() != TABLE).any(1)
    assert changed.tolist() == [True, False, True, False]
    for leaf in state.slots[0].values():
        assert leaf.numpy().any(1).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    "rule", [SGD(0.1), SGD(0.1, 0.9), SGD(0.1, 0.9, nesterov=True), Adam(0.1)], ids=lambda rule: repr(rule)
)
def test_row_sparse_gradients_mean_what_the_dense_ones_do(rule):
    sparse, dense = (Parameter.of(TABLE, dtype="float64") for _ in range(2))
    arrived = [row_gradient(sparse, [2, 0, 2], [[1, 1], [1, 1], [2, 2]]), row_gradient(sparse, [3], [[5, -1]])]
    step(rule, sparse, *arrived)
    step(rule, dense, *[gradient.dense() for gradient in arrived])
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-14)


@pytest.mark.parametrize("rule", [SGD(0.1, 0.9, lazy=True), Adam(0.1, lazy=True)])
def test_lazy_updates_of_all_rows_are_dense_updates(rule):
    lazy, dense = (Parameter.of(TABLE, dtype="float64") for _ in range(2))
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    step(rule, lazy, *[row_gradient(lazy, [3, 1, 0, 2], v) for v in values])
    step(rule, dense, *[tensor(v[[2, 1, 3, 0]], "float64") for v in values])
    np.testing.assert_allclose(lazy.numpy(), dense.numpy(), rtol=1e-12)


def test_lazy_momentum_rests_while_a_row_has_no_gradient():
    table = Parameter.of(np.zeros((2, 1)), dtype="float64")
    one = row_gradient(table, [0], [[1]])
    other = row_gradient(table, [1], [[1]])
    state = step(SGD(0.1, 0.5, lazy=True), table, one, other, one)
    np.testing.assert_allclose(state.slots[0]["velocity"].numpy(), [[1.5], [1.0]])
    np.testing.assert_allclose(table.numpy(), [[-0.25], [-0.1]])


def test_a_gradient_without_rows_changes_nothing():
    table = Parameter.of(TABLE)
    step(Adam(0.1, lazy=True), table, row_gradient(table, np.zeros(0, np.int64), np.zeros((0, 2))))
    np.testing.assert_array_equal(table.numpy(), TABLE)


def test_parameters_of_both_dtypes_and_of_any_shape():
    parameters = [Parameter.of(1.0), Parameter.of(np.ones((2, 3, 4)), dtype="float64"), Parameter.of(np.ones((0, 3)))]
    rule = Adam(0.1)
    state = rule.start(parameters)
    rule.step(parameters, [chainrule.broadcast_to(tensor(2.0, p.dtype), p.shape) for p in parameters], state)
    for parameter in parameters:
        np.testing.assert_allclose(parameter.numpy(), 0.9, rtol=1e-6)
    assert [p.dtype.name for p in parameters] == ["float32", "float64", "float32"]
    assert [leaf.dtype.name for slot in state.slots for leaf in slot.values()] == [
        "float32", "float32", "float64", "float64", "float32", "float32",
    ]  # fmt: skip


@dataclass(frozen=True)
class Remember(Optimizer):
    """Remembers the gradient, leaves the parameter alone."""

    def init(self, parameter):
        return {"last": tensor(np.zeros(parameter.shape), parameter.dtype)}

    def update(self, parameter, gradient, state, scalars):
        return parameter, {"last": gradient}


def test_a_leaf_never_shares_memory_with_a_gradient_or_another_leaf():
    weight = Parameter.of(np.ones((3, 2)))
    before = weight.value
    for gradient in (tensor(np.ones((3, 2))), tensor(np.ones((2, 3))).T, chainrule.broadcast_to([1.0, 1.0], (3, 2))):
        state = step(Remember(0.1), weight, gradient)
        held = state.slots[0]["last"].value
        assert not np.may_share_memory(held, gradient.value)
        assert not np.may_share_memory(weight.value, before)
        assert held.flags.c_contiguous
        assert held.flags.writeable


@dataclass(frozen=True)
class Normalized(Optimizer):
    """Steps of length η along the whole gradient: not by rows."""

    rowwise = False

    def init(self, parameter):
        return {}

    def update(self, parameter, gradient, state, scalars):
        return parameter - scalars["learning_rate"] * gradient / chainrule.sqrt((gradient * gradient).sum()), {}


def test_a_rule_that_is_not_by_rows_gets_the_dense_gradient():
    table = Parameter.of(TABLE, dtype="float64")
    step(Normalized(1.0, lazy=True), table, row_gradient(table, [0, 0, 1], [[3, 0], [0, 0], [0, 4]]))
    np.testing.assert_allclose(table.numpy() - TABLE, [[-0.6, 0], [0, -0.8], [0, 0], [0, 0]], atol=1e-15)


@pytest.mark.parametrize("rule", [SGD(0.1, 0.9), Adam(0.1), Adam(0.1, lazy=True)], ids=lambda rule: repr(rule))
def test_updates_are_a_graph_that_serves_every_step(rule):
    def network(seed):
        generator = np.random.default_rng(seed)
        return [Parameter.of(generator.normal(size=shape), dtype="float64") for shape in [(5, 3), (3, 2)]]

    def loss(parameters, ids):
        return (chainrule.tanh(gather(parameters[0], ids)) @ parameters[1]).sum()

    eager, traced = network(0), network(0)
    eager_state, state = rule.start(eager), rule.start(traced)
    found: list[Update] = []

    def whole(ids, *numbers):
        scalars = dict(zip(rule.coefficients(1, 0.1), numbers, strict=True))
        found.extend(updates(rule, traced, gradients(loss(traced, ids), traced), state.slots, scalars))
        return [u.value for u in found] + [u.rows for u in found if u.rows is not None]

    scalar = Spec((), np.dtype("float64"))
    graph = trace(whole, Spec((4,), np.dtype("int64")), *[scalar] * len(rule.coefficients(1, 0.1)))
    assert all(u.value.value is None for u in found)
    assert any(u.rows is not None for u in found) == rule.lazy
    for t in range(1, 6):
        ids = np.random.default_rng(t).integers(5, size=4)
        rule.step(eager, gradients(loss(eager, ids), eager), eager_state)
        results = iter(graph(ids, *rule.coefficients(t, 0.1).values()))
        values = [next(results) for _ in found]
        rows = [None if u.rows is None else tensor(next(results)) for u in found]
        commit([Update(u.target, tensor(v, "float64"), r) for u, v, r in zip(found, values, rows, strict=True)])
    for ours, expected in zip(traced, eager, strict=True):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())


def test_commit_needs_values():
    weight = Parameter.of([1.0])
    with pytest.raises(ChainruleError, match="was traced and has no value"):
        commit([Update(weight, Tensor(weight.spec))])
    assert weight.item() == 1.0


def test_a_state_goes_on_where_it_was_saved():
    rng = np.random.default_rng(0)
    arrived = [tensor(rng.normal(size=(4, 2)), "float64") for _ in range(6)]
    whole, parted = (Parameter.of(TABLE, dtype="float64") for _ in range(2))
    rule = Adam(0.1)
    step(rule, whole, *arrived)
    saved = step(rule, parted, *arrived[:3]).arrays()
    assert sorted(saved) == ["0.mean", "0.square", "step"]
    state = rule.start([parted])
    state.load(saved)
    step(rule, parted, *arrived[3:], state=state)
    assert state.step == 6
    np.testing.assert_array_equal(parted.numpy(), whole.numpy())


def test_saved_arrays_are_copies_in_both_directions():
    table = Parameter.of(TABLE)
    rule = Adam(0.1, lazy=True)
    state = rule.start([table])
    saved = state.arrays()
    state.load(saved)
    step(rule, table, row_gradient(table, [1], [[1, 1]]), state=state)
    assert not saved["0.mean"].any()
    assert saved["step"] == 0


def test_a_state_that_does_not_fit_is_refused_and_nothing_changes():
    weight = Parameter.of([1.0, 2.0])
    state = Adam().start([weight])
    saved = state.arrays()
    with pytest.raises(ConfigurationError, match=r"optimizer state: .* missing: 0.square; unknown: 0.velocity"):
        state.load({"step": saved["step"], "0.mean": saved["0.mean"], "0.velocity": saved["0.mean"]})
    with pytest.raises(ShapeError, match=r"optimizer state 0.square: expected shape \(2,\), got \(3,\)"):
        state.load({**saved, "step": np.array(7), "0.square": np.zeros(3, np.float32)})
    with pytest.raises(DTypeError, match=r"optimizer state 0.mean: expected float32, got float64"):
        state.load({**saved, "0.mean": np.zeros(2)})
    assert state.step == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.0), "SGD: expected a finite learning_rate above 0, got 0.0"),
        (lambda: Adam(float("nan")), "Adam: expected a finite learning_rate above 0, got nan"),
        (lambda: SGD(float("inf")), "SGD: expected a finite learning_rate above 0, got inf"),
        (lambda: SGD(0.1, 1.0), "sgd: momentum must be a number of 0 or more and below 1, got 1.0"),
        (lambda: SGD(0.1, nesterov=True), "sgd: nesterov needs a momentum above 0, such as 0.9"),
        (lambda: Adam(beta1=-0.1), "adam: beta1 must be a number of 0 or more and below 1, got -0.1"),
        (lambda: Adam(beta2=1), "adam: beta2 must be a number of 0 or more and below 1, got 1"),
        (lambda: Adam(epsilon=0), "adam: epsilon must be a number above 0, got 0"),
        (lambda: AdamW(weight_decay=-1), "adamw: weight_decay must be a number of 0 or more, got -1"),
        (
            lambda: AdamW(0.5, weight_decay=2.0),
            "AdamW: expected learning_rate × weight_decay below 1, got 0.5 × 2.0, which leaves nothing of the weights",
        ),
    ],
)
def test_messages_of_hyper_parameters(make, message):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


def test_lazy_is_given_by_name():
    with pytest.raises(TypeError):
        SGD(0.1, 0.9, False, True)


def test_messages_of_steps():
    weight, rule = Parameter.of([1.0, 2.0], name="w"), SGD(0.1)
    state = rule.start([weight])
    gradient = tensor([1.0, 1.0])
    with pytest.raises(ShapeError, match="SGD: expected a gradient and a state for each of 1 parameters, got 2 "):
        rule.step([weight], [gradient, gradient], state)
    with pytest.raises(ShapeError, match=r"1 parameters, got 1 gradients and 0 states"):
        rule.step([weight], [gradient], State())
    with pytest.raises(ShapeError, match=r"SGD: gradient 0: expected shape \(2,\) as parameter 'w' has, got \(2, 1\)"):
        rule.step([weight], [tensor([[1.0], [1.0]])], state)
    with pytest.raises(DTypeError, match="SGD: gradient 0: expected float32 as parameter 'w' has, got float64"):
        rule.step([weight], [tensor([1.0, 1.0], "float64")], state)
    with pytest.raises(ShapeError, match=r"Adam: state 0.mean: expected shape \(2,\) as parameter 'w' has, got \(3,\)"):
        Adam().step([weight], [gradient], Adam().start([Parameter.of([1.0, 2.0, 3.0])]))
    for rate in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match=f"SGD.step: expected a learning_rate of at least 0, got {rate}"):
            rule.step([weight], [gradient], state, learning_rate=rate)
    with pytest.raises(ConfigurationError, match="SGD: parameter 1, 'w', is listed twice"):
        rule.start([weight, weight])
    with pytest.raises(ConfigurationError, match="Adam: update asked for 'mean'; there are a state of velocity"):
        Adam().step([weight], [gradient], SGD(0.1, 0.9).start([weight]))
    with pytest.raises(ConfigurationError, match="SGD: update gave a state of nothing; expected mean, square"):
        rule.step([weight], [gradient], Adam().start([weight]))
    assert weight.numpy().tolist() == [1, 2]
    assert state.step == 0


def test_messages_of_a_wrong_rule():
    @dataclass(frozen=True)
    class Wrong(Remember):
        def update(self, parameter, gradient, state, scalars):
            return parameter.sum(), {"last": gradient}

    @dataclass(frozen=True)
    class Unfinished(Optimizer):
        def init(self, parameter):
            return {}

    weight = Parameter.of([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"Wrong: update gave float32\(\) for the parameter, which is float32\(2,\)"):
        step(Wrong(0.1), weight, tensor([1.0, 1.0]))
    with pytest.raises(TypeError, match="abstract"):
        Unfinished(0.1)


@dataclass(frozen=True)
class RowNorm(Optimizer):
    """Steps of one length for each row: no equation of single numbers."""

    learning_rate: float = 0.1

    def init(self, parameter):
        return {}

    def update(self, parameter, gradient, state, scalars):
        length = chainrule.sqrt((gradient * gradient).sum(-1, keepdims=True) + 1e-8)
        return parameter - scalars["learning_rate"] * gradient / length, {}


@dataclass(frozen=True)
class RowSquares(Optimizer):
    """Remembers one number a row, as factored rules do."""

    learning_rate: float = 0.1

    def init(self, parameter):
        return {"square": tensor(np.zeros((*parameter.shape[:-1], 1)), parameter.dtype)}

    def update(self, parameter, gradient, state, scalars):
        square = state["square"] + (gradient * gradient).mean(-1, keepdims=True)
        return parameter - scalars["learning_rate"] * gradient / chainrule.sqrt(square + 1e-8), {"square": square}


@pytest.mark.parametrize("rule", [RowNorm(), RowNorm(lazy=True), RowSquares(), RowSquares(lazy=True)], ids=repr)
def test_rules_of_whole_rows_on_a_table(rule):
    results = []
    for engine in (lambda function: function, chainrule.compile):
        table = Parameter.of(np.ones((3, 2)))
        state = rule.start([table])

        def step(x, table=table, state=state):
            loss = ((chainrule.gather(table, [0, 2]) * x) ** 2).sum()
            rule.step([table], chainrule.gradients(loss, [table]), state)
            return loss

        step = engine(step)
        for _ in range(3):
            step(tensor([1.0, 2.0]))
        results.append(table.value)
    np.testing.assert_allclose(*results, rtol=1e-6)
    assert results[0][1].tolist() == [1, 1]


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """θ' = θ - η g + ½ (θ - θ before), with a sum of g² beside it that begins as one number broadcast."""

    learning_rate: float = 0.1

    def init(self, parameter):
        return {"before": parameter, "sum": chainrule.zeros(parameter.shape, parameter.dtype)}

    def update(self, parameter, gradient, state, scalars):
        after = parameter - scalars["learning_rate"] * gradient + 0.5 * (parameter - state["before"])
        return after, {"before": parameter, "sum": state["sum"] + gradient**2}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("engine", [lambda function: function, chainrule.compile], ids=["eager", "compiled"])
def test_what_a_rule_remembers_has_memory_of_its_own(engine, lazy):
    """Whatever `init` gives: the parameter itself, or a tensor that is a broadcast view."""
    table, rule = Parameter.of(np.ones((3, 2))), HeavyBall(lazy=lazy)
    state = rule.start([table])

    @engine
    def step(x):
        loss = (chainrule.gather(table, [0, 2]) * x).sum()
        rule.step([table], chainrule.gradients(loss, [table]), state)
        return loss

    for _ in range(2):
        step(tensor([1.0, 2.0]))
    # 1 - 0.1 g, and from there - 0.1 g - 0.05 g
    np.testing.assert_allclose(table.numpy(), [[0.75, 0.5], [1, 1], [0.75, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(state.slots[0]["before"].numpy(), [[0.9, 0.8], [1, 1], [0.9, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(state.slots[0]["sum"].numpy(), [[2, 8], [0, 0], [2, 8]], rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_learning_rate_as_a_tensor(compiled):
    """A rate that is an argument gives what numbers give."""
    rule = Adam(lazy=False)
    tables = []
    for given in (tensor, float):
        table, weight = Parameter.of(np.ones((3, 2))), Parameter.of([1.0, 2.0])
        state = rule.start([table, weight])

        def step(x, rate, table=table, weight=weight, state=state):
            loss = ((chainrule.gather(table, [0, 2]) * weight * x) ** 2).sum()
            gradients = chainrule.gradients(loss, [table, weight])
            rule.step([table, weight], gradients, state, learning_rate=rate)
            return loss

        taken = chainrule.compile(step) if compiled and given is tensor else step
        for i in range(3):
            taken(tensor([1.0, 2.0]), given(0.1 * (i + 1)))
        tables.append(table.value)
    np.testing.assert_allclose(*tables, rtol=1e-5)


def test_learning_rate_tensors_that_are_refused():
    @dataclass(frozen=True)
    class Halved(RowNorm):
        def coefficients(self, step, learning_rate):
            return {"learning_rate": learning_rate, "half": learning_rate / 2}

    weight = Parameter.of([[1.0, 2.0]])
    for rule, rate, error, message in [
        (Halved(), 0.1, ConfigurationError, "Halved.step: it computes coefficients from the learning rate"),
        (RowNorm(), [0.1], ShapeError, r"RowNorm.step: expected a learning_rate of shape \(\), got \(1,\)"),
    ]:
        state = rule.start([weight])

        @chainrule.compile
        def step(rate, rule=rule, state=state):
            rule.step([weight], chainrule.gradients(weight.sum(), [weight]), state, learning_rate=rate)
            return rate

        with pytest.raises(error, match=message):
            step(rate)


def test_parameters_in_another_order():
    a, b = Parameter.of([1.0], name="a"), Parameter.of([2.0], name="b")
    state = SGD().start([a, b])
    with pytest.raises(
        ConfigurationError, match="in the order that the state was started with, 'a', 'b'; got 'b', 'a'"
    ):
        SGD().step([b, a], [a, b], state)
    assert (a.item(), b.item(), state.step) == (1, 2, 0)
