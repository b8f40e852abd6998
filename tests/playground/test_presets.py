"""What the examples say is so."""

import numpy as np
import pytest

from chainrule.playground import PRESETS, Run, state_of
from chainrule.playground.advice import baseline
from chainrule.playground.look import answered, outputs_of, units_of
from chainrule.playground.presets import steps_of


@pytest.fixture(scope="module")
def at():
    """The training of an example at its step; made once."""
    held = {}

    def call(name):
        if name not in held:
            (preset,) = (preset for preset in PRESETS if preset.name == name)
            held[name] = Run(preset.setup)
            held[name].advance(preset.step)
        return held[name]

    return call


def advised(run):
    return [sentence.split(":")[0] for sentence in state_of(run)["advice"]]


def test_their_names_and_steps():
    assert len({preset.name for preset in PRESETS}) == len({preset.setup for preset in PRESETS}) == len(PRESETS) == 12
    for preset in PRESETS:
        steps = steps_of(preset)
        assert (steps[0], steps[-1]) == (0, preset.step)
        assert sorted(set(steps)) == steps


def test_a_line_that_bends(at):
    run = at("bend")
    _, test = run.right()
    assert test >= 95
    straight = Run(run.setup.of_address(run.setup.address().replace("hidden=4,2", "hidden=")))
    straight.advance(300)
    assert straight.right()[1] < test - 5
    assert not any(unit.dead for layer in units_of(run) for unit in layer)


def test_one_line_is_not_enough(at):
    run = at("line")
    assert "Not learning" in advised(run)
    assert min(loss for _, _, loss in run.losses[1:]) > 0.98 * baseline(run)
    (output,) = outputs_of(run)
    logits = np.log(output.values) - np.log1p(-output.values)
    for axis in (0, 1):  # they change along one direction only, and evenly
        changes = np.diff(logits, axis=axis)
        np.testing.assert_allclose(changes, changes.mean(), atol=1e-4)


def test_the_right_input_makes_it_easy(at):
    assert sum(at("product").right()) >= 190


def test_three_lines_around_a_disc(at):
    run = at("three")
    assert sum(run.right()) >= 195
    for unit in units_of(run)[0]:
        flat = (unit.values == 0).mean()
        assert 0.05 < flat < 0.95
        assert not unit.dead


def test_two_arms_of_a_spiral(at):
    run = at("spirals")
    assert sum(run.right()) >= 270


def test_dead_units(at):
    run = at("dead")
    state = state_of(run)
    assert 3 <= len(state["dead"]) < 10
    assert advised(run)[0] == "Dead"
    before = [parameter.numpy().copy() for parameter in run.parameters[::2]]
    going_on = Run(run.setup)
    going_on.advance(run.step + 30)
    for name in state["dead"]:
        layer, unit = (int(x) - 1 for x in name.split("."))
        now = going_on.parameters[2 * layer].numpy()[:, unit]
        np.testing.assert_allclose(now, before[layer][:, unit], rtol=1e-3, atol=1e-3)
    assert set(state["dead"]) <= set(state_of(going_on)["dead"])


def test_learned_by_heart_and_with_a_penalty(at):
    run, kept_small = at("overfitting"), at("penalty")
    assert "Overfitting" in advised(run)
    assert "Overfitting" not in advised(kept_small)
    least = min(test for _, _, test in run.losses)
    _, train, test = run.losses[-1]
    assert train < 0.02
    assert test > 1.5 * least
    assert kept_small.losses[-1][2] < 0.6 * test
    sizes = [sum(np.square(weight.numpy()).sum() for weight in each.weights) for each in (run, kept_small)]
    assert sizes[1] < 0.2 * sizes[0]


def test_all_units_the_same(at):
    first = at("same").weights[0].numpy()
    assert (first == first[:, :1]).all()
    one = units_of(at("same"))[0]
    assert all(np.array_equal(unit.values, one[0].values) for unit in one)


def test_gradients_that_vanish(at):
    run = at("vanishing")
    sizes = list(run.first_gradients.values())
    assert sizes == sorted(sizes)
    assert sizes[0] < 1e-3 * sizes[-1]
    assert "Vanishing gradients" in advised(run)


def test_three_colours(at):
    run = at("three-colours")
    assert sum(run.right()) >= 195
    np.testing.assert_allclose(answered(run, run.points.places).sum(axis=1), 1, rtol=1e-6)


def test_hills_and_valleys(at):
    run = at("hills")
    assert run.losses[-1][2] < 0.1 * baseline(run)
    assert run.right() is None
