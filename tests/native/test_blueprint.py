import gc
import weakref

import numpy as np
import pytest

import chainrule
from chainrule.errors import ChainruleError
from chainrule.models import LEARNERS
from chainrule.native import build
from chainrule.native.blueprint import BLUEPRINTS, FOLDER, KEPT
from chainrule.native.outline import outline_of
from chainrule.native.running.kernels import KERNELS
from chainrule.nn import LSTM, Linear, MultiHeadAttention, Sequential, cross_entropy
from chainrule.train.prepared import Prepared


@pytest.fixture(autouse=True)
def none_known(monkeypatch):
    """No blueprint from other tests, nor from the disk, unless a test has a folder of its own."""
    monkeypatch.setattr("chainrule.native.blueprint.KEPT_ON_DISK", 0)
    BLUEPRINTS.clear()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder that blueprints are kept in."""
    monkeypatch.setattr("chainrule.native.blueprint.KEPT_ON_DISK", 100)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    return tmp_path / FOLDER


@pytest.fixture
def lowered(monkeypatch):
    """The graphs that were lowered."""
    graphs = []

    def noted(graph):
        graphs.append(graph)
        return built_of(graph)

    built_of = build.built_of
    monkeypatch.setattr(build, "built_of", noted)
    return graphs


def network_of(seed):
    generator = np.random.default_rng(seed)
    return Sequential(Linear(3, 4, generator=generator), chainrule.relu, Linear(4, 2, generator=generator))


def stepping(network, rate=0.1):
    parameters = network.parameters()
    optimizer = chainrule.Adam(learning_rate=rate)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(inputs, classes):
        loss = cross_entropy(network(inputs), classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    return step


def trained(network):
    """Losses and weights of a few steps."""
    step, generator = stepping(network), np.random.default_rng(0)
    losses = [step(generator.normal(size=(5, 3)), generator.integers(0, 2, 5)).item() for _ in range(4)]
    return losses, [x.numpy().tobytes() for x in network.parameters()]


def weights(learner, prepared, seed):
    run = chainrule.fit(learner, prepared, training=chainrule.Training(epochs=2), seed=seed)
    return {name: x.numpy().tobytes() for name, x in run.model.network.named_parameters().items()}


def test_another_network_of_the_kind_is_not_lowered_again_and_has_the_same_bits(lowered):
    alone = {}
    for seed in (0, 1, 2):
        BLUEPRINTS.clear()
        alone[seed] = trained(network_of(seed))
    count = len(lowered)
    for seed in (2, 0, 1):
        assert trained(network_of(seed)) == alone[seed]
    assert len(lowered) == count
    assert alone[0] != alone[1]


def test_texts_and_rows_of_tables_have_the_same_bits(lowered):
    table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 20, list("ppnn") * 20)
    train, valid = table.split(0.8, 0.2, seed=0)
    for learner in (chainrule.FeedForward(dim=8), LEARNERS.make({"name": "lstm", "dim": 4, "size": 5})):
        prepared = Prepared.of(learner, chainrule.Classify(), train, valid)
        alone = {}
        for seed in (0, 1):
            BLUEPRINTS.clear()
            alone[seed] = weights(learner, prepared, seed)
        count = len(lowered)
        assert [weights(learner, prepared, seed) for seed in (0, 1)] == [alone[0], alone[1]]
        assert len(lowered) == count


def test_what_is_different_is_built_anew(lowered):
    x = np.arange(3.0)
    for factor in (2.0, 3.0, 2, -0.0, 0.0):
        compiled = chainrule.compile(lambda x, factor=factor: x * factor)
        assert compiled(x).numpy().tobytes() == (x.astype("float32") * np.float32(factor)).tobytes()
    for start in (0, 1):
        large = np.arange(start, 100 + start, dtype=np.float32)
        assert chainrule.compile(lambda x, large=large: x + chainrule.sum(large))([0.0]).item() == large.sum()
    for axis, sums in ((0, [4, 6]), (1, [3, 7])):
        assert chainrule.compile(lambda x, axis=axis: x.sum(axis))([[1.0, 2.0], [3.0, 4.0]]).numpy().tolist() == sums
    first, second = chainrule.Parameter.of([1.0]), chainrule.Parameter.of([2.0])
    assert chainrule.compile(lambda: first * first + second)().item() == 3
    assert chainrule.compile(lambda: first * second + second)().item() == 4
    count = len(lowered)
    assert chainrule.compile(lambda: second * first + first)().item() == 3  # as the last one, for the other two
    assert len(lowered) == count


def test_arguments_and_leaves_are_told_apart(lowered):
    held = chainrule.Parameter.of([5.0])
    assert chainrule.compile(lambda x: x * 2)([1.0]).item() == 2
    assert chainrule.compile(lambda: held * 2)().item() == 10
    assert len(lowered) == 2


def test_a_blueprint_keeps_no_network_alive():
    network, recurrent = network_of(0), LSTM(3, 4, generator=np.random.default_rng(0))
    chainrule.compile(network)(np.ones((3, 3)))
    chainrule.compile(lambda x, layer=recurrent: layer(x, np.array([0, 2, 3]))[0])(np.ones((3, 3)))
    gone = [weakref.ref(network), weakref.ref(recurrent)]
    del network, recurrent
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_a_listing_shows_the_names_of_its_own_function():
    first = chainrule.compile(lambda left: left * 2)
    second = chainrule.compile(lambda right: right * 2)
    for function, name in ((first, "left"), (second, "right")):
        function([1.0])
        assert f"input {name}" in function.explain("graph")
        assert name in function.listing()


def test_blocks_of_users_are_built_each_time(lowered):
    factors = [2.0]

    class Scaled(chainrule.Elementwise):
        def forward(self, xp, x):
            return x * factors[-1]

        def backward(self, gradient, output, x):
            return (gradient * factors[-1],)

    for factor in (2.0, 3.0):
        factors.append(factor)
        assert chainrule.compile(Scaled())([1.0]).item() == factor
    assert len(lowered) == 2
    assert outline_of(chainrule.trace(Scaled(), chainrule.Spec((1,)))) is None


def test_the_oldest_are_dropped(monkeypatch):
    monkeypatch.setattr("chainrule.native.blueprint.KEPT", 2)
    graphs = [chainrule.trace(lambda x, factor=factor: x * factor, chainrule.Spec((1,))) for factor in (1.5, 2.5, 3.5)]
    outlines = [outline_of(graph) for graph in graphs]
    for graph in graphs[:2]:
        build.build(graph)
    assert BLUEPRINTS.find(outlines[0], graphs[0]) is not None  # used again, so the second is the oldest
    build.build(graphs[2])
    assert [BLUEPRINTS.find(*pair) is not None for pair in zip(outlines, graphs, strict=True)] == [True, False, True]
    assert KEPT > 2


def recurrent_step():
    """Losses and weights of an LSTM, attention and a product over texts, of which the second call has other sizes."""
    generator = np.random.default_rng(0)
    layer, head = LSTM(3, 4, generator=generator), Linear(4, 2, generator=generator)
    attention = MultiHeadAttention(4, 2, generator=generator)
    parameters = [*layer.parameters(), *attention.parameters(), *head.parameters()]
    optimizer = chainrule.Adam(learning_rate=0.1)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(inputs, offsets, classes):
        found = attention(layer(inputs, offsets)[0], offsets)
        loss = cross_entropy(head(found), classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    losses = []
    for offsets in ([0, 2, 5], [0, 3, 3, 7]):
        inputs = generator.normal(size=(offsets[-1], 3))
        losses.append(step(inputs, np.array(offsets), generator.integers(0, 2, offsets[-1])).item())
    return step, losses, [x.numpy().tobytes() for x in parameters]


def test_another_process_finds_them_on_disk(folder, lowered):
    step, *found = recurrent_step()
    count, shown = len(lowered), [step.explain(stage) for stage in ("graph", "loops", "llvm")]
    BLUEPRINTS.clear()
    step, *again = recurrent_step()
    assert again == found
    assert len(lowered) == count
    assert [step.explain(stage) for stage in ("graph", "loops", "llvm")] == shown  # what is shown is built for that
    assert len(list(folder.iterdir())) == 2


def test_errors_are_the_same(folder, lowered):
    def messages():
        rows = chainrule.compile(lambda x, i: chainrule.gather(x, i))
        sums = chainrule.compile(lambda x, offsets: chainrule.segment_sum(x, offsets))
        refused = []
        for call in (lambda: rows(np.ones((3, 2)), [0, 5]), lambda: sums(np.ones((3, 2)), [0, 2, 1])):
            with pytest.raises(ChainruleError) as error:
                call()
            refused.append(str(error.value))
        return refused

    found, count = messages(), len(lowered)
    BLUEPRINTS.clear()
    assert messages() == found
    assert len(lowered) == count + 2  # what is said of them is built for that


@pytest.mark.parametrize("harm", ["cut", "changed", "writable", "no code", "another version"])
def test_what_is_not_sound_is_built_anew(folder, lowered, monkeypatch, harm):
    found = trained(network_of(0))
    BLUEPRINTS.clear()
    for path in folder.iterdir():
        content = path.read_bytes()
        if harm == "cut":
            path.write_bytes(content[:-1])
        elif harm == "changed":
            path.write_bytes(content.replace(b'"arena":', b'"arena":1', 1))
        elif harm == "writable":
            path.chmod(0o666)
    if harm == "no code":
        for path in folder.parent.glob("*.kernel"):
            path.unlink()
        monkeypatch.setattr(KERNELS, "_codes", {})
    elif harm == "another version":
        monkeypatch.setattr("chainrule.native.blueprint._origin", lambda: "another")
    count = len(lowered)
    assert trained(network_of(0)) == found
    assert len(lowered) > count


def test_only_the_newest_are_kept_on_disk(folder, monkeypatch):
    monkeypatch.setattr("chainrule.native.blueprint.KEPT_ON_DISK", 4)
    for factor in range(6):
        chainrule.compile(lambda x, factor=factor: x * factor)([1.0])
    assert len(list(folder.iterdir())) == 4
