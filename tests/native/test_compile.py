"""Compiled functions are the functions: training, threads, messages, and the same bits every time."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import chainrule
from chainrule import Key, Parameter, Tensor, gradients, tensor
from chainrule.errors import ChainruleError, ShapeError
from chainrule.nn import EmbeddingBag, Linear, Sequential, activation, cross_entropy
from chainrule.nn.dropout import Dropout
from chainrule.optim import SGD, Adam, clip_by_norm

RULES = {
    "sgd": SGD(0.5),
    "momentum": SGD(0.1, momentum=0.9),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True),
    "lazy momentum": SGD(0.1, momentum=0.9, lazy=True),
    "adam": Adam(0.05),
    "lazy adam": Adam(0.05, lazy=True),
}


class Training:
    """A model, its optimizer's state, and a step on a batch, compiled or not."""

    def __init__(self, forward, parameters, rule, *, compiled, maximum=None):
        self.forward, self.parameters, self.rule, self.maximum = forward, parameters, rule, maximum
        self.state = rule.start(parameters)
        self.run = chainrule.compile(self.step) if compiled else self.step

    def step(self, *batch):
        loss = self.forward(*batch)
        found = gradients(loss, self.parameters)
        if self.maximum is not None:
            found, _ = clip_by_norm(found, self.maximum)
        self.rule.step(self.parameters, found, self.state)
        return loss

    def curve(self, batches):
        return [self.run(*[tensor(x, dtype=x.dtype) for x in batch]).item() for batch in batches]

    def everything(self):
        return [*[x.numpy() for x in self.parameters], *self.state.arrays().values()]


def network(rule, dtype="float32", seed=0, **settings):
    draws = np.random.default_rng(seed)
    first, last = (Linear(n, m, generator=draws, dtype=dtype) for n, m in ((4, 6), (6, 3)))
    layers = Sequential(first, activation("tanh"), last)
    return Training(lambda x, y: cross_entropy(layers(x), y), layers.parameters(), rule, **settings)


def bag(rule, dtype="float32", seed=0, **settings):
    draws = np.random.default_rng(seed)
    table, last = EmbeddingBag(9, 4, generator=draws, dtype=dtype), Linear(4, 3, generator=draws, dtype=dtype)
    parameters = [*table.parameters(), *last.parameters()]
    return Training(lambda i, o, y: cross_entropy(last(table(i, o)), y), parameters, rule, **settings)


def points(count, dtype="float32"):
    draws = np.random.default_rng(5)
    return [(draws.normal(size=(8, 4)).astype(dtype), draws.integers(0, 3, 8)) for _ in range(count)]


def texts(count):
    draws = np.random.default_rng(6)
    batches = []
    for _ in range(count):
        lengths = draws.integers(0, 5, 6)  # some are empty
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        batches.append((draws.integers(0, 9, offsets[-1]), offsets, draws.integers(0, 3, 6)))
    return batches


def assert_alike(compiled, eager, batches, dtype="float32"):
    """Two trainings have the same losses, and leave the same arrays, but for rounding, which 30 small steps add up."""
    tolerance = 40 * np.finfo(dtype).eps
    curves = [training.curve(batches) for training in (compiled, eager)]
    np.testing.assert_allclose(*curves, rtol=tolerance)
    assert compiled.state.step == eager.state.step == len(batches)
    for a, b in zip(compiled.everything(), eager.everything(), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_network_trains_as_eagerly(rule):
    assert_alike(*[network(rule, compiled=compiled) for compiled in (True, False)], points(30))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_bag_of_embeddings_trains_as_eagerly(rule):
    assert_alike(*[bag(rule, compiled=compiled) for compiled in (True, False)], texts(30))


@pytest.mark.parametrize("maximum", [0.05, 100.0])
def test_clipped_gradients_train_as_eagerly(maximum):
    assert_alike(*[bag(RULES["lazy adam"], compiled=c, maximum=maximum) for c in (True, False)], texts(30))


def test_float64_trains_as_eagerly():
    pair = [network(RULES["adam"], "float64", compiled=compiled) for compiled in (True, False)]
    assert_alike(*pair, points(30, "float64"), "float64")


def test_dropout_draws_as_eagerly():
    drop = Dropout(0.5)

    def forward(x, words):
        return drop(x, Key(words, 0)).sum()

    compiled = chainrule.compile(forward)
    for seed in range(3):
        words = Key.of(seed=seed).words
        assert compiled(np.ones((5, 7)), words).item() == forward(tensor(np.ones((5, 7))), words).item()


def test_a_parameter_assigned_between_calls_is_seen():
    weight = Parameter.of([1.0, 2.0])
    double = chainrule.compile(lambda x: x * weight)
    assert double([1.0, 1.0]).value.tolist() == [1.0, 2.0]
    weight.assign(np.array([3.0, 4.0]))
    assert double([1.0, 1.0]).value.tolist() == [3.0, 4.0]
    weight.value = np.array([[5, 6], [7, 8]], np.float32)[:, 0]  # not in row order
    assert double([1.0, 1.0]).value.tolist() == [5.0, 7.0]


def test_a_parameter_that_became_another_kind_of_array_is_refused():
    weight = Parameter.of([1.0, 2.0], name="weight")
    double = chainrule.compile(lambda x: x * weight)
    double(1.0)
    for wrong in (np.zeros(3, np.float32), np.zeros(2)):
        weight.value = wrong
        with pytest.raises(ShapeError, match=r"'weight': expected a value float32\(2,\), got .*assign"):
            double(1.0)


def test_functions_and_optimizers_share_a_parameter():
    def train(compiled):
        weight = Parameter.of([1.0, -2.0, 3.0])
        rules = [SGD(0.1, momentum=0.5), Adam(0.01)]
        states = [rule.start([weight]) for rule in rules]

        def step(which):
            def run(x):
                loss = ((weight - x) ** 2).sum()
                rules[which].step([weight], gradients(loss, [weight]), states[which])
                return loss

            return chainrule.compile(run) if compiled else run

        steps = [step(0), step(1)]
        for i in range(12):
            steps[i % 2](tensor([0.5, 0.5, float(i)]))
        return [weight.value, *[x for state in states for x in state.arrays().values()]]

    for a, b in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_two_optimizers_in_one_function():
    def train(compiled):
        a, b = Parameter.of([1.0, 2.0]), Parameter.of([3.0, 4.0])
        rules = [(SGD(0.1), [a]), (Adam(0.1), [b])]
        states = [rule.start(own) for rule, own in rules]

        def step(x):
            loss = (a * b * x).sum()
            found = gradients(loss, [a, b])
            for (rule, own), gradient, state in zip(rules, found, states, strict=True):
                rule.step(own, [gradient], state)
            return loss

        run = chainrule.compile(step) if compiled else step
        curve = [run(tensor([1.0, -1.0])).item() for _ in range(5)]
        return [np.array(curve), a.value, b.value, np.array([state.step for state in states])]

    for x, y in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)


def test_results_are_leaves_of_the_kind_that_was_returned():
    one = chainrule.compile(lambda x: x + 1)(1.0)
    assert isinstance(one, Tensor)
    assert (one.block, one.inputs, one.item()) == (None, (), 2.0)
    assert [x.item() for x in chainrule.compile(lambda x: [x, x * 2])(3.0)] == [3.0, 6.0]
    pair = chainrule.compile(lambda x: (x * 2, tensor(5)))(3.0)
    assert isinstance(pair, tuple)
    assert [x.item() for x in pair] == [6.0, 5]


def test_results_do_not_change_with_later_calls():
    double = chainrule.compile(lambda x: x * 2)
    first = double([1.0, 2.0])
    double([5.0, 6.0])
    assert first.value.tolist() == [2.0, 4.0]


def test_arguments_of_every_kind():
    total = chainrule.compile(lambda x, y: (x * y).sum())
    for x in (2, 2.0, [1, 1], [1.0, 1.0], np.ones(2, np.float64), tensor([1.0, 1.0]), np.bool_(True), np.int8(3)):
        assert total(x, 2.0).item() == (tensor(x) * 2.0).sum().item()
    assert total(tensor([2.0], dtype="float64"), tensor([0.1], dtype="float64")).item() == 2 * 0.1


def test_arguments_that_are_not_used():
    assert chainrule.compile(lambda x, y: y * 2)([1.0, 2.0, 3.0], 4.0).item() == 8.0
    assert chainrule.compile(lambda x: tensor(3.0) * 2)([1.0, 2.0]).item() == 6.0


def test_a_function_of_nothing():
    weight = Parameter.of([1.0, 2.0])
    total = chainrule.compile(lambda: weight.sum())
    assert total().item() == 3.0
    weight.assign(np.array([5.0, 6.0]))
    assert total().item() == 11.0


def test_shapes_that_do_not_fit_are_refused_and_the_function_lives_on():
    product = chainrule.compile(lambda x, y: x @ y)
    with pytest.raises(ShapeError, match=r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit"):
        product(np.ones((2, 3)), np.ones((2, 3)))
    assert product(np.ones((2, 3)), np.ones((3, 2))).value.tolist() == [[3.0, 3.0], [3.0, 3.0]]


@pytest.mark.parametrize("method", ["listing", "stats"])
def test_nothing_is_known_before_the_first_call(method):
    with pytest.raises(ChainruleError, match=f"{method}: the function has not been called yet"):
        getattr(chainrule.compile(lambda x: x), method)()


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x if x.sum() > 0 else -x, id="bool"),
        pytest.param(lambda x: x * x.sum().item(), id="item"),
        pytest.param(lambda x: x * float(x.sum()), id="float"),
        pytest.param(lambda x: x * np.asarray(x), id="array"),
    ],
)
def test_a_function_that_needs_values_is_told_so(function):
    with pytest.raises(ChainruleError, match="was traced and has no value; run the function on data instead"):
        chainrule.compile(function)([1.0, 2.0])


def test_the_docstring_is_the_functions():
    def documented(x):
        """What it does."""
        return x

    assert chainrule.compile(documented).__doc__ == "What it does."


def test_stats():
    double = chainrule.compile(lambda x: chainrule.exp(x * 2))
    double([1.0, 2.0])
    found = double.stats()
    counts = {"kernels", "kernels_from_disk", "kernels_compiled"}
    assert set(found) == {"programs", "steps", "arena_bytes", "live_bytes", "threads", *counts, "seconds_loading"}
    assert found["kernels"] == found["kernels_from_disk"] + found["kernels_compiled"]
    assert (found["programs"], found["steps"], found["arena_bytes"]) == (1, 1, 64)
    assert found["live_bytes"] == 2 * 4
    assert found["kernels"] >= found["kernels_compiled"] >= 0
    double(np.ones(100))
    again = double.stats()
    assert (again["programs"], again["arena_bytes"]) == (2, 448)
    assert again["kernels"] == found["kernels"]  # another size, the same kernel


def test_models_train_at_once_in_threads_as_one_after_another():
    kinds = [(network, points(25)), (bag, texts(25)), (network, points(25)), (bag, texts(25))]

    def make():
        return [kind(RULES["adam"], seed=seed, compiled=True) for seed, (kind, _) in enumerate(kinds)]

    separate, together = make(), make()
    for training, (_, batches) in zip(separate, kinds, strict=True):
        training.curve(batches)
    in_threads([lambda t=t, b=b: t.curve(b) for t, (_, b) in zip(together, kinds, strict=True)])
    for one, other in zip(separate, together, strict=True):
        for a, b in zip(one.everything(), other.everything(), strict=True):
            assert a.tobytes() == b.tobytes()


def test_one_function_in_two_threads():
    run = chainrule.compile(lambda x: (chainrule.exp(x).sum(0), x * 2))
    failed = []

    def work(seed):
        draws = np.random.default_rng(seed)
        for _ in range(200):
            x = draws.uniform(-1, 1, (int(draws.integers(2, 40)), 3)).astype("f4")
            total, double = run(x)
            if not (np.allclose(total.value, np.exp(x).sum(0), rtol=1e-5) and np.array_equal(double.value, x * 2)):
                failed.append(x)

    in_threads([lambda: work(0), lambda: work(1)])
    assert not failed


def in_threads(works):
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (an error in a thread is this test's)
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def bits():
    """A digest of what two trainings came to."""
    held = b""
    for make, batches in ((network, points(12)), (bag, texts(12))):
        training = make(RULES["adam"], compiled=True)
        held += np.array(training.curve(batches)).tobytes() + b"".join(x.tobytes() for x in training.everything())
    return held.hex()


def test_the_same_bits_again_and_in_another_process():
    first = bits()
    assert bits() == first
    code = "from tests.native.test_compile import bits; print(bits())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == first


def test_decorator_with_settings():
    @chainrule.compile(ragged=True, threads=1)
    def double(x):
        return x * 2

    assert double.ragged
    assert double.threads == 1
    assert [double(np.ones(n)).value.tolist() for n in (1, 2, 5)] == [[2], [2, 2], [2] * 5]


def test_methods_are_compiled_for_each_object():
    class Scale:
        def __init__(self, factor):
            self.factor = Parameter.of([factor])

        @chainrule.compile
        def scaled(self, x):
            return self.factor * x

        @chainrule.compile(threads=1)
        def __call__(self, x):
            return self.scaled(x) + 1

    two, three = Scale(2.0), Scale(3.0)
    assert [two([1.0]).item(), three([1.0]).item(), two.scaled([5.0]).item()] == [3, 4, 10]
    assert two.scaled is two.scaled
    alive = weakref.ref(two)
    del two
    gc.collect()
    assert alive() is None


def test_compiled_function_inside_another():
    weight = Parameter.of([2.0])
    inner = chainrule.compile(lambda x: weight * x)
    outer = chainrule.compile(lambda x: chainrule.grad((inner(x) * inner([3.0])).sum(), weight))
    assert outer([5.0]).value.tolist() == [60]
    weight.assign([1.0])
    assert outer([5.0]).value.tolist() == [30]
    sized = chainrule.compile(lambda x: x.sum() / x.shape[0])
    assert chainrule.compile(lambda x: x * sized([2.0, 4.0]))([1.0]).item() == 3


def test_key_as_an_argument():
    """Of another step the same program runs; of another place it is another one."""
    drop = Dropout(0.5)
    compiled = chainrule.compile(lambda x, key: drop(x, key=key))
    x = np.ones(64, np.float32)
    keys = [Key.of(0, 1), Key.of(0, 2), Key.of(0, 1).at(3)]
    drawn = [compiled(x, key).value.tolist() for key in keys]
    assert drawn == [drop(tensor(x), key=key).value.tolist() for key in keys]
    assert len({tuple(values) for values in drawn}) == 3
    assert compiled.stats()["programs"] == 2


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_array_of_the_code_around_is_kept_and_its_change_is_told(dtype):
    array = np.array([1, 2], dtype)
    function = chainrule.compile(lambda x: x * array)
    assert function([1.0, 1.0]).value.tolist() == [1, 2]
    array[:] = 5
    with pytest.warns(
        UserWarning, match=r"<lambda>: an array of shape \(2,\) that this compiled function uses has chan"
    ):
        assert function([1.0, 1.0]).value.tolist() == [1, 2]
    assert [function([1.0, 1.0]).value.tolist() for _ in range(8)] == [[1, 2]] * 8  # told once


@pytest.mark.parametrize("offsets", [[0], [3], [0, 2], [1, 3], [0, 3, 2, 3], [0, 4, 3]])
def test_offsets_that_do_not_fit_are_refused(offsets):
    for function in (
        lambda x, offsets: chainrule.segment_sum(x, offsets),
        lambda x, offsets: chainrule.segment_ids(offsets, x),
    ):
        with pytest.raises(ShapeError):
            chainrule.compile(function)(np.ones(3), np.array(offsets))


@pytest.mark.parametrize("collects", [True, False])
def test_python_looks_for_no_garbage_while_it_compiles_and_as_before_afterwards(collects):
    seen = []

    def function(x):
        seen.append(gc.isenabled())
        if x.shape == (3,):
            raise ShapeError("no")
        return x * 2

    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        run = chainrule.compile(function)
        run(np.ones(2))
        assert gc.isenabled() == collects
        with pytest.raises(ShapeError):
            run(np.ones(3))
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False, False]
