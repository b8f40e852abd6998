"""Deferred updates are the dense ones: rows that wait are brought up to date before anyone sees them."""

import copy
import pickle
import signal
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gather, gradients, tensor
from chainrule.errors import ConfigurationError, IndexRangeError
from chainrule.optim import (
    SGD,
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    clip_by_norm,
    deferral,
    pause,
)
from chainrule.optim import table as tables


@dataclass(frozen=True)
class Decaying(Optimizer):
    """An own rule without a closed form: a mean of gradients that decays, and rows that follow it."""

    def init(self, parameter):
        return {"mean": tensor(np.zeros(parameter.shape), parameter.dtype)}

    def update(self, parameter, gradient, state, scalars):
        mean = 0.8 * state["mean"] + gradient
        return parameter * 0.999 - scalars["learning_rate"] * chainrule.tanh(mean), {"mean": mean}


RULES = {
    "momentum": SGD(0.05, momentum=0.9),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "long momentum": SGD(0.005, momentum=0.999),
    "adam": Adam(1e-3),
    "adam, mean of the last gradient": Adam(1e-3, beta1=0.0),
    "adam, short mean": Adam(1e-3, beta1=0.5),
    "adam, never exact": Adam(1e-3, beta2=0.98),
    "adamw": AdamW(1e-3, weight_decay=0.1),
    "adamw, strong": AdamW(0.05, weight_decay=1.0),
    "adadelta": Adadelta(0.1),
    "rmsprop": RMSprop(1e-3),
    "rmsprop, momentum": RMSprop(1e-3, momentum=0.9),
    "rmsprop, centered": RMSprop(1e-3, momentum=0.8, centered=True),
    "amsgrad": AMSGrad(1e-3),
    "amsgrad, short mean": AMSGrad(1e-3, beta1=0.5, beta2=0.9),
    "nadam": NAdam(1e-3),
    "nadam, mean of the last gradient": NAdam(1e-3, beta1=0.0),
    "radam": RAdam(1e-3),
    "radam, never exact": RAdam(1e-3, beta2=0.9),
    "adamax": Adamax(1e-3),
    "lion": Lion(1e-4),
    "lion, decay": Lion(1e-3, weight_decay=0.5),
    "own": Decaying(0.01),
}


def cosine(step):
    return 1e-3 * (0.55 + 0.45 * np.cos(step / 400))


class Training:
    """A table that is looked up; the loss is the sum of its rows times what is given as their gradients."""

    def __init__(self, rule, dtype, *, rows=60, size=3, compiled, schedule=None):
        start = np.random.default_rng(0).normal(size=(rows, size)) * 0.1
        self.table = Parameter.of(start, dtype=dtype, name="table")
        self.rule, self.schedule, self.dtype = rule, schedule, dtype
        self.state = rule.start([self.table])
        self.run = chainrule.compile(self.step) if compiled else self.step

    def step(self, ids, weights):
        loss = (gather(self.table, ids) * weights).sum()
        self.rule.step([self.table], gradients(loss, [self.table]), self.state, learning_rate=self.schedule)
        return loss

    def take(self, ids, weights):
        return self.run(np.asarray(ids), tensor(weights, self.dtype)).item()

    @property
    def everything(self):
        return [self.table.numpy(), *[x.numpy() for x in self.state.slots[0].values()]]


def zipf(steps, rows, size, batch, seed):
    """Batches of which some rows are in every one and most in few, with gradients between 1 and 1e-8 in size."""
    draws = np.random.default_rng(seed)
    share = 1 / np.arange(1, rows + 1) ** 1.3
    scale = 10.0 ** -draws.integers(0, 9, size=(rows, 1))
    for _ in range(steps):
        ids = draws.choice(rows, batch, p=share / share.sum())
        yield ids, scale[ids] * draws.normal(size=(batch, size))


def errors(found, expected):
    difference = np.abs(found - expected)
    return np.array([difference.max(), np.sqrt((difference**2).mean())])


@pytest.mark.parametrize(
    ("name", "schedule"),
    [*((name, cosine) for name in RULES), *((name, None) for name in ("momentum", "adam", "adamw"))],
)
def test_deferred_is_at_least_as_close_to_dense_as_dense_float32_is(name, schedule):
    # Lion steps by signs: of few steps, chance decides.
    rule, steps = RULES[name], 700 if name == "lion" else 400
    exact = Training(rule, "float64", compiled=False, schedule=schedule)
    dense = Training(rule, "float32", compiled=False, schedule=schedule)
    late = Training(rule, "float32", compiled=True, schedule=schedule)
    later = Training(rule, "float64", compiled=True, schedule=schedule)
    for ids, weights in zip(*zip(*zipf(steps, 60, 3, 5, seed=1), strict=True), strict=True):
        for training in (exact, dense, late, later):
            training.take(ids, weights)
    assert late.state.deferrals[0].behind
    moved = np.abs(exact.table.numpy() - 0.1).max()
    # A rule that is run step by step rounds as often as the dense one does, and so does one whose rows do not move.
    slack = {"own": 1.05, "rmsprop": 1.6}.get(name, 1.0)
    for i, expected in enumerate(exact.everything):
        allowed, found = errors(dense.everything[i], expected), errors(late.everything[i], expected)
        assert (found <= allowed * slack + 1e-9).all(), (i, found, allowed)
        np.testing.assert_allclose(later.everything[i], expected, rtol=1e-6, atol=2e-7 * moved)
    assert not late.state.deferrals[0].behind


def dense_steps(rule, dtype, start, events, steps):
    """The rule's equations in NumPy on a whole table, fast enough for many steps; events give gradients by step."""
    p = start.astype(dtype)
    first, second = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = np.zeros_like(p)
        if t in events:
            ids, weights = events[t]
            np.add.at(g, ids, weights.astype(dtype))
        rate = cosine(t)
        if isinstance(rule, SGD):
            first = dtype(rule.momentum) * first + g
            p = p - dtype(rate) * first
        else:
            if isinstance(rule, AdamW):
                p = p * dtype(1 - rate * rule.weight_decay)
            first = dtype(rule.beta1) * first + dtype(1 - rule.beta1) * g
            second = dtype(rule.beta2) * second + dtype(1 - rule.beta2) * g * g
            root = np.sqrt(second * dtype(1 / (1 - rule.beta2**t))) + dtype(rule.epsilon)
            p = p - dtype(rate) * (first * dtype(1 / (1 - rule.beta1**t))) / root
    return p


@pytest.mark.parametrize("name", ["momentum", "adam", "adamw"])
def test_gaps_of_one_to_ten_thousand_steps(name):
    rule = RULES[name]
    gaps = [1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10_000]
    draws = np.random.default_rng(5)
    rows, size, steps = len(gaps) * 3, 9, 10_400
    events = {}
    for i, gap in enumerate(gaps):
        for j, begin in enumerate((1, 150, 300)):  # in the first steps, and later
            for t in (begin, begin + 1 + i, begin + 1 + i + gap):
                weights = draws.normal(size=size) * 10.0 ** -np.arange(size)
                events.setdefault(t, []).append((3 * i + j, weights))
    batches = {t: (np.array([i for i, _ in held]), np.array([w for _, w in held])) for t, held in events.items()}
    start = Training(rule, "float64", rows=rows, size=size, compiled=False).table.numpy()
    exact, dense = (dense_steps(rule, dtype, start, batches, steps) for dtype in (np.float64, np.float32))
    training = Training(rule, "float32", rows=rows, size=size, compiled=True, schedule=cosine)
    nothing = (np.array([0]), np.zeros((1, size)))
    for t in range(1, steps + 1):
        training.take(*batches.get(t, nothing))
    allowed, found = errors(dense, exact), errors(training.table.numpy(), exact)
    assert (found <= allowed).all(), (found, allowed)


@pytest.mark.parametrize("name", ["momentum", "adam", "adamw", "own"])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_between_steps(name, seed, monkeypatch):
    """Reading, assigning, eager steps, checkpoints, other functions and other batch sizes, in any order."""
    for module in (deferral, pause):
        monkeypatch.setattr(module, "LONGEST_PAUSE", 40)
    monkeypatch.setattr(deferral, "CHUNK", 16)
    rule, draws = RULES[name], np.random.default_rng(seed)
    exact, late = (Training(rule, "float64", compiled=compiled) for compiled in (False, True))
    total = chainrule.compile(lambda scale: (late.table * scale).sum())
    saved = None
    for _ in range(400):
        what = draws.choice(["step"] * 12 + ["read", "assign", "eager", "save", "load", "other", "state"])
        if what in ("step", "eager"):
            ids = draws.integers(0, 60, draws.integers(1, 7))
            weights = draws.normal(size=(len(ids), 3))
            exact.take(ids, weights)
            (late.step if what == "eager" else late.run)(ids, tensor(weights, "float64"))
        elif what == "assign":
            for training in (exact, late):
                training.table.assign(np.full((60, 3), 0.1 * seed))
        elif what == "read":
            np.testing.assert_allclose(late.table.numpy(), exact.table.numpy(), rtol=1e-5, atol=1e-8)
        elif what == "other":
            expected = 2 * exact.table.numpy().sum()
            np.testing.assert_allclose(total(tensor(2.0, "float64")).item(), expected, rtol=1e-5)
        elif what == "state":
            for ours, theirs in zip(late.everything, exact.everything, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-8)
        elif what == "save":
            saved = [(x.state.arrays(), x.table.numpy().copy()) for x in (exact, late)]
        elif saved is not None:
            for training, (arrays, weights) in zip((exact, late), saved, strict=True):
                training.state.load(arrays)
                training.table.assign(weights)
        assert late.state.step == exact.state.step
    np.testing.assert_allclose(late.table.numpy(), exact.table.numpy(), rtol=1e-5, atol=1e-8)


class Twice:
    """A table that is looked up twice in a step, with clipped gradients or not, beside another table."""

    def __init__(self, rule, *, compiled, clipped=False, whole=False):
        draws = np.random.default_rng(3)
        self.tables = [Parameter.of(draws.normal(size=(30, 2)), dtype="float64") for _ in range(2)]
        self.rule, self.clipped, self.whole = rule, clipped, whole
        self.state = rule.start(self.tables)
        self.run = chainrule.compile(self.step) if compiled else self.step

    def step(self, first, second):
        one, other = self.tables
        loss = (chainrule.tanh(gather(one, first)) * gather(one, second) - gather(other, second)).sum()
        loss = loss * loss
        if self.whole:
            loss = loss + (one * one).sum()
        found = gradients(loss, self.tables)
        if self.clipped:
            found, _ = clip_by_norm(found, 1.0)
        self.rule.step(self.tables, found, self.state)
        return loss


@pytest.mark.parametrize("clipped", [False, True], ids=["", "clipped"])
@pytest.mark.parametrize("whole", [False, True], ids=["", "whole"])
@pytest.mark.parametrize("name", ["momentum", "adam", "own"])
def test_several_looks_and_tables(name, whole, clipped):
    draws = np.random.default_rng(2)
    exact, late = (Twice(RULES[name], compiled=compiled, clipped=clipped, whole=whole) for compiled in (False, True))
    for _ in range(200):
        first, second = draws.integers(0, 30, (2, 2, 3))
        losses = [training.run(tensor(first), tensor(second)).item() for training in (exact, late)]
        np.testing.assert_allclose(*losses, rtol=1e-6)
    for ours, theirs in zip(late.tables, exact.tables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-8)


def test_only_the_rows_of_the_batch_are_written():
    training = Training(Adam(0.01), "float32", compiled=True)
    for ids, weights in zipf(300, 60, 3, 5, seed=4):
        training.take(ids, weights)
    before = training.table.array.copy()
    training.take([7, 7, 3], np.ones((3, 3)))
    changed = np.flatnonzero((training.table.array != before).any(axis=1))
    assert changed.tolist() == [3, 7]
    assert (training.table.numpy() != before).any(axis=1).sum() > 20  # reading brings up to date what rested


def test_a_rule_that_promises_a_closed_form_and_has_none_is_refused():
    @dataclass(frozen=True)
    class Promising(Decaying):
        def closed_form_from(self):
            return 0

    with pytest.raises(ConfigurationError, match="closed_form_from says from when on there is a closed form"):
        Training(Promising(0.1), "float64", compiled=True).take([1], np.ones((1, 3)))


def test_lazy_rules_leave_nothing_behind():
    for rule in (Adam(0.01, lazy=True), SGD(0.1)):
        training = Training(rule, "float32", compiled=True)
        training.take([1, 2], np.ones((2, 3)))
        assert training.state.deferrals == []


def test_a_table_that_is_read_as_a_whole_is_updated_densely():
    training = Twice(Adam(0.01), compiled=True, whole=True)
    training.run(np.array([1, 2]), np.array([3, 4]))
    (held,) = training.state.deferrals
    assert list(held.tables) == [training.tables[1]]  # the other's gradient is dense

    table, rule = Parameter.of(np.ones((4, 2)), dtype="float64"), Adam(0.01)
    state = rule.start([table])

    @chainrule.compile
    def step(ids):
        rule.step([table], gradients(gather(table, ids).sum(), [table]), state)
        return table.sum()  # every row, so that none may be behind

    exact = Training(rule, "float64", rows=4, size=2, compiled=False)
    exact.table.assign(np.ones((4, 2)))
    for ids in ([0], [1], [1], [3]) * 40:
        exact.take(ids, np.ones((1, 2)))
        step(np.array(ids))
        np.testing.assert_allclose(table.array, exact.table.numpy(), rtol=1e-12)


def test_an_index_out_of_range_changes_nothing():
    training = Training(Adam(0.01), "float64", compiled=True)
    for ids, weights in zipf(200, 60, 3, 5, seed=6):
        training.take(ids, weights)
    before = [x.copy() for x in (training.table.array, *[x.array for x in training.state.slots[0].values()])]
    with pytest.raises(IndexRangeError, match="gather: index 60 is out of range; expected 0 to 59"):
        training.take([1, 60], np.ones((2, 3)))
    after = (training.table.array, *[x.array for x in training.state.slots[0].values()])
    assert all((x == y).all() for x, y in zip(before, after, strict=True))
    assert training.state.step == 200
    exact = Training(Adam(0.01), "float64", compiled=False)
    for ids, weights in zipf(200, 60, 3, 5, seed=6):
        exact.take(ids, weights)
    for each in (training, exact):
        each.take([1, 2], np.ones((2, 3)))
    np.testing.assert_allclose(training.table.numpy(), exact.table.numpy(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("change", ["in place", "compiled"])
def test_rows_that_sleep_wake_when_what_is_remembered_of_them_changes(change):
    rule = SGD(0.1, momentum=0.9)
    exact, late = (Training(rule, "float64", compiled=compiled) for compiled in (False, True))

    def everywhere(training):
        """A dense step: every row has a gradient."""
        return rule.step([training.table], gradients((training.table**2).sum(), [training.table]), training.state)

    dense = chainrule.compile(lambda: (everywhere(late), tensor(0.0))[1])
    for round in range(3):
        for ids, weights in zipf(5, 60, 3, 2, seed=round):
            exact.take(ids, weights)
            late.take(ids, weights)
        if change == "in place":
            for training in (exact, late):
                training.state.slots[0]["velocity"].numpy()[...] += 1
        else:
            everywhere(exact)
            dense()
    np.testing.assert_allclose(late.table.numpy(), exact.table.numpy(), rtol=1e-9)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupts are sent by a timer that this system lacks")
def test_interrupts_lose_no_step_and_repeat_none(monkeypatch):
    """A step is taken as a whole or not at all, and counted when it is, wherever Ctrl-C comes."""
    for module in (deferral, pause):
        monkeypatch.setattr(module, "LONGEST_PAUSE", 50)
    batches = list(zipf(1200, 60, 3, 4, seed=11))
    late, quiet = (Training(Adam(0.01), "float64", compiled=True) for _ in range(2))
    for ids, weights in batches:
        quiet.take(ids, weights)
    for ids, weights in batches[:200]:  # by then everything is traced, which would take longer than the timer
        late.take(ids, weights)
    interrupts, armed, draws = 0, False, np.random.default_rng(0)

    def strike(*_):
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    while late.state.step < len(batches):
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, draws.uniform(2e-5, 4e-4))
            while late.state.step < len(batches):
                late.take(*batches[late.state.step])
            armed = False
        except KeyboardInterrupt:
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    assert interrupts > 10
    for ours, theirs in zip(late.everything, quiet.everything, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_are_up_to_date_and_go_on_by_themselves(duplicate):
    training = Training(Adam(0.01), "float64", compiled=True)
    for ids, weights in zipf(200, 60, 3, 5, seed=9):
        training.take(ids, weights)
    table, state = duplicate((training.table, training.state))
    np.testing.assert_array_equal(table.numpy(), training.table.numpy())
    assert (state.step, state.deferrals, table.settlers) == (200, [], ())
    other = Training(Adam(0.01), "float64", compiled=True)
    other.table, other.state = table, state
    for each in (training, other):
        for ids, weights in zipf(50, 60, 3, 5, seed=10):
            each.take(ids, weights)
    for ours, theirs in zip(other.everything, training.everything, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_tracing_anew_brings_nothing_up_to_date(monkeypatch):
    training = Training(Adam(0.01), "float32", compiled=True)
    for ids, weights in zipf(200, 60, 3, 5, seed=7):
        training.take(ids, weights)
    settled = []
    monkeypatch.setattr(deferral.Deferral, "_catch_up", lambda self, table: settled.append(table))
    training.take([1, 2, 3], np.ones((3, 3)))  # another size
    assert settled == []
    training.table.numpy()
    assert len(settled) == 1


def test_the_same_steps_give_the_same_bits():
    def run():
        training = Training(Adam(0.01), "float32", compiled=True)
        for ids, weights in zipf(300, 60, 3, 5, seed=8):
            training.take(ids, weights)
        return training.everything

    assert all((x == y).all() for x, y in zip(run(), run(), strict=True))


def test_two_rules_on_one_table_see_each_other():
    """Each keeps what it left behind; the other finds the table up to date."""

    def run(*, compiled):
        table = Parameter.of(np.ones((9, 2)), dtype="float64")
        rules = [Adam(0.01), SGD(0.1, momentum=0.9)]
        states = [rule.start([table]) for rule in rules]

        def one(ids):
            rules[0].step([table], gradients((gather(table, ids) ** 2).sum(), [table]), states[0])
            return ids

        def other(ids):
            rules[1].step([table], gradients((gather(table, ids) ** 2).sum(), [table]), states[1])
            return ids

        turns = [chainrule.compile(one), chainrule.compile(other)] if compiled else [one, other]
        draws = np.random.default_rng(0)
        for _ in range(150):
            turns[draws.integers(2)](tensor(draws.integers(0, 9, 2)))
        return table.numpy()

    np.testing.assert_allclose(run(compiled=True), run(compiled=False), rtol=1e-9)


def apart(leaf):
    """Whether the rows of a leaf lie apart in memory."""
    return not leaf.array.flags.c_contiguous


@pytest.mark.parametrize(("size", "together"), [(2, True), (10, True), (11, False)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_narrow_rows_and_what_is_remembered_of_them_lie_together(size, together, dtype, monkeypatch):
    narrow = tables.WIDEST_SHARED_ROW
    together = together and size * np.dtype(dtype).itemsize * 3 + 4 <= narrow
    trainings = [Training(Adam(1e-2), dtype, size=size, compiled=True) for _ in range(2)]
    for training, most in zip(trainings, (narrow, 1), strict=True):
        monkeypatch.setattr(tables, "WIDEST_SHARED_ROW", most)
        draws = np.random.default_rng(1)
        for _ in range(200):
            ids = draws.integers(0, 60, 7)
            training.run(ids, tensor(draws.normal(size=(7, size)), dtype))
    moved, wide = trainings
    slot = moved.state.slots[0]
    assert apart(moved.table) == apart(slot["mean"]) == apart(slot["square"]) == together
    assert not apart(wide.table)
    places = [leaf.array.__array_interface__["data"][0] for leaf in (moved.table, *slot.values())]
    assert (max(places) - min(places) < narrow) == together
    np.testing.assert_array_equal(moved.table.numpy(), wide.table.numpy())
    for name, leaf in slot.items():
        np.testing.assert_array_equal(leaf.numpy(), wide.state.slots[0][name].numpy())


def test_a_table_whose_rows_lie_apart_is_one_like_any_other():
    training = Training(Adam(1e-2), np.float32, size=2, compiled=True)
    ids, weights = np.array([3, 1, 3]), np.ones((3, 2), np.float32)
    training.run(ids, weights)
    assert apart(training.table)
    expected = training.table.numpy().copy()
    looked_up = chainrule.compile(lambda ids: gather(training.table, ids))
    np.testing.assert_array_equal(looked_up(ids).numpy(), expected[ids])
    np.testing.assert_array_equal(gather(training.table, ids).numpy(), expected[ids])
    assert apart(training.table)  # looking rows up needs nothing else
    for duplicate in (copy.deepcopy(training.table), pickle.loads(pickle.dumps(training.table))):
        np.testing.assert_array_equal(duplicate.numpy(), expected)
        assert not apart(duplicate)
    np.testing.assert_array_equal(training.state.arrays()["0.mean"], training.state.slots[0]["mean"].numpy())

    whole = chainrule.compile(lambda: (training.table**2).sum(0))
    np.testing.assert_allclose(whole().numpy(), (expected**2).sum(0), rtol=1e-6)
    assert not apart(training.table)
    training.run(ids, weights)  # goes on with the array that the table has now
    other = Training(Adam(1e-2), np.float32, size=2, compiled=False)
    for _ in range(2):
        other.run(ids, weights)
    np.testing.assert_allclose(training.table.numpy(), other.table.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(whole().numpy(), (training.table.numpy() ** 2).sum(0), rtol=1e-6)


@dataclass(frozen=True)
class Fixed(Decaying):
    """An own rule whose steps have no coefficients."""

    def coefficients(self, step, learning_rate):
        return {}

    def update(self, parameter, gradient, state, scalars):
        mean = 0.5 * state["mean"] + gradient
        return parameter - 0.1 * mean, {"mean": mean}


@pytest.mark.parametrize("rule", [Adam(0.1), Fixed(0.1)], ids=["adam", "without coefficients"])
@pytest.mark.parametrize(
    ("shape", "ids"),
    [
        ((5, 1), [2]),
        ((5,), [2]),
        ((5,), [2, 2, 1]),
        ((1, 1), [0]),
        ((1, 2), [0, 0]),
        ((3,), []),
        ((3, 2), []),
        ((0, 2), []),
        ((5, 0), [1]),
        ((5, 300), [4]),
        ((5, 2, 3), [4, 1]),
    ],
)
def test_tables_and_batches_of_all_small_sizes(rule, shape, ids):
    def train(compiled):
        table = Parameter.of(np.ones(shape, np.float32))
        state = rule.start([table])

        def step(ids, weights):
            loss = (gather(table, ids) * weights).sum()
            rule.step([table], gradients(loss, [table]), state)
            return loss

        run = chainrule.compile(step) if compiled else step
        for _ in range(3):
            run(np.array(ids, np.int64), np.ones((len(ids), *shape[1:]), np.float32))
        return table.numpy(), state.slots[0]["mean"].numpy()

    for ours, theirs in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
