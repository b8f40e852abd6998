"""What the playground trains is what the library trains: the same numbers, whatever steps it is stopped at."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule.nn import Linear, Sequential, binary_cross_entropy_with_logits, cross_entropy, mean_squared_error
from chainrule.optim.penalties import penalty
from chainrule.playground import Run, Setup, state_of
from chainrule.playground.advice import baseline
from chainrule.playground.look import answered, outputs_of, units_of
from chainrule.playground.points import drawn
from chainrule.playground.setup import DATA
from chainrule.random import generator


def plainly(setup, steps, activation):
    """The parameters after some steps of a loop as the README has one."""
    points = drawn(setup)
    x = points.places.astype(np.float32)
    draw = generator(setup.seed, "playground", "weights")
    sizes = [2, *setup.hidden]
    layers = []
    for before, after in pairwise(sizes):
        layers += [Linear(before, after, generator=draw), activation]
    network = Sequential(*layers, Linear(sizes[-1], 3 if setup.data == "blobs" else 1, generator=draw))
    parameters = network.parameters()
    weights = [parameter for parameter in parameters if parameter.spec.rank == 2]
    optimizer = chainrule.Adam(setup.learning_rate)
    state = optimizer.start(parameters)
    order = []
    for step in range(steps):
        if not order:
            number = step // -(-points.train // setup.batch_size)
            shuffled = generator(setup.seed, "playground", "order", number).permutation(points.train)
            order = [shuffled[i : i + setup.batch_size] for i in range(0, points.train, setup.batch_size)]
        rows = order.pop(0)
        outputs, targets = network(x[rows]), points.targets[rows]
        if setup.data == "blobs":
            loss = cross_entropy(outputs, targets)
        else:
            of = mean_squared_error if setup.data == "waves" else binary_cross_entropy_with_logits
            loss = of(outputs.reshape(-1), targets.astype(np.float32))
        if setup.l2:
            loss = loss + penalty(weights, l2=setup.l2)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
    return network, parameters


@pytest.mark.parametrize("data", ["moons", "blobs", "waves"])
def test_its_numbers_are_those_of_a_plain_loop(data):
    setup = Setup(data=data, batch_size=7, l2=0.01 if data == "moons" else 0, engine="eager", seed=5)
    run = Run(setup)
    run.advance(40)
    network, parameters = plainly(setup, 40, chainrule.tanh)
    for one, other in zip(run.parameters, parameters, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())
    served = state_of(run)
    for layer, linear in enumerate(x for x in network.layers if isinstance(x, Linear)):
        numbers = np.array(served["weights"][layer], np.float32)[:, :, 0]
        assert np.array_equal(numbers, linear.weight.numpy())
        assert np.array_equal(np.array(served["biases"][layer], np.float32)[:, 0], linear.bias.numpy())
    points = drawn(setup)
    found = network(points.places.astype(np.float32)).numpy()
    if data == "moons":
        loss = binary_cross_entropy_with_logits(found[:100, 0], points.targets[:100].astype(np.float32))
        assert np.float32(served["train"]["loss"]) == loss.numpy()
        right = (found[:, 0] > 0) == (points.targets == 1)
        assert [served[part]["right"] for part in ("train", "test")] == [right[:100].sum(), right[100:].sum()]


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_the_same_setup_has_the_same_bits_whatever_steps_it_stops_at(engine):
    setup = Setup(data="spirals", engine=engine, optimizer="sgd:momentum=0.9", batch_size=30)
    at_once, often = Run(setup), Run(setup)
    at_once.advance(60)
    for step in (1, 2, 17, 17, 43, 60):
        often.advance(step)
    assert state_of(at_once) == state_of(often)
    assert at_once.losses == often.losses
    assert [step for step, _, _ in at_once.losses] == list(range(0, 61, 4))


def test_engines_agree_to_rounding():
    one, other = (Run(Setup(engine=engine, hidden=(8, 8))) for engine in ("eager", "native"))
    for run in (one, other):
        run.advance(100)
    for a, b in zip(one.parameters, other.parameters, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)


@pytest.mark.parametrize("data", DATA)
def test_the_loss_falls_on_all_data(data):
    run = Run(Setup(data=data, hidden=(8, 8), learning_rate=0.01))
    run.advance(300)
    assert run.losses[-1][1] < 0.97 * baseline(run)
    assert run.stopped is None


def test_a_loss_that_is_no_number_ends_it():
    run = Run(Setup(data="waves", optimizer="sgd", activation="relu", learning_rate=1000, engine="eager"))
    run.advance(500)
    assert run.step < 500
    assert "the loss became" in run.stopped
    state = state_of(run)
    assert state["train"]["loss"] is None
    assert f"Training has ended: {run.stopped}." in state["said"]
    assert state["advice"][-1].startswith("Diverging:")
    weights = [weight.numpy().copy() for weight in run.parameters]
    run.advance(600)
    assert all(np.array_equal(a, b.numpy(), equal_nan=True) for a, b in zip(weights, run.parameters, strict=True))


def test_dead_units_are_those_that_nothing_reaches():
    """Planted: a rectifier whose bias is far below 0 gives 0 for all points, and its weights have no gradient."""
    run = Run(Setup(activation="relu", hidden=(3, 2), engine="eager"))
    assert state_of(run)["dead"] == []
    first = run.network.layers[0]
    first.bias.assign(np.array([0, -100, 0], np.float32))
    (layer, _) = units_of(run)
    assert [unit.dead for unit in layer] == [False, True, False]
    assert (layer[1].values == 0).all()
    state = state_of(run)
    assert state["dead"] == ["1.2"]
    assert [unit[3] for unit in state["units"][0]] == [False, True, False]
    assert state["advice"][0].startswith("Dead: unit 1.2 is flat (relu has slope 0) for every one of the 100 training")
    before = [parameter.numpy().copy() for parameter in (first.weight, first.bias)]
    run.advance(30)
    for held, parameter in zip(before, (first.weight, first.bias), strict=True):
        assert np.array_equal(held[..., 1], parameter.numpy()[..., 1])
        assert not np.array_equal(held[..., 0], parameter.numpy()[..., 0])


@pytest.mark.parametrize("activation", ["leaky_relu", "tanh", "softmax", "log_softmax", "swiglu", "maxout", "gelu"])
def test_what_is_nowhere_flat_is_not_dead(activation):
    run = Run(Setup(activation=activation, hidden=(4,), engine="eager"))
    run.advance(20)
    assert state_of(run)["dead"] == []


def test_gated_units_read_two_numbers():
    run = Run(Setup(activation="reglu", hidden=(3,), engine="eager"))
    (layer,) = units_of(run)
    weight = run.network.layers[0].weight.numpy()
    assert weight.shape == (2, 6)
    for number, unit in enumerate(layer):
        assert np.array_equal(unit.weights, weight[:, [number, number + 3]])
    run.network.layers[0].bias.assign(np.array([0, 0, 0, 0, -100, 0], np.float32))
    assert [unit.dead for unit in units_of(run)[0]] == [False, True, False]


def test_a_unit_is_shown_with_what_it_computes():
    run = Run(Setup(hidden=(3, 2), engine="eager"))
    run.advance(25)
    layers, size = units_of(run), 24
    low, high = run.points.window[0]
    middles = low + (high - low) * (np.arange(size) + 0.5) / size
    weight, bias = (x.numpy() for x in run.parameters[:2])
    for row, column in [(0, 0), (0, 23), (23, 0), (7, 12)]:
        place = np.array([[middles[column], middles[row]]], np.float32)
        first = np.tanh(place @ weight + bias)
        found = [unit.values[row, column] for unit in layers[0]]
        np.testing.assert_allclose(found, first[0], rtol=1e-5, atol=1e-6)
        (output,) = outputs_of(run)
        np.testing.assert_allclose(output.values[row, column], answered(run, place.astype(float))[0, 0], rtol=1e-5)


def test_answers_of_three_classes_are_probabilities():
    run = Run(Setup(data="blobs", engine="eager"))
    found = answered(run, run.points.places)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert run.right() == tuple(
        int((found.argmax(axis=1) == run.points.targets)[part].sum()) for part in (slice(100), slice(100, None))
    )
