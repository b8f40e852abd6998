"""PyTorch: the module of each learner (`examples/pytorch`) has the weights of a model, and gives its outputs."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch

import chainrule
from chainrule import nn
from chainrule.data.layout import NEXT_TOKEN, ROW, SEQUENCE, TOKEN, Sizes
from chainrule.errors import DataError, ShapeError
from chainrule.models import LEARNERS, Model
from chainrule.nn import ACTIVATIONS, Layer, to_torch
from chainrule.nn.pooling import POOLINGS
from examples.pytorch.building import module
from tests.models.make_saved import NEW, TEXTS
from tests.oracle import torch

SAVED = Path(__file__).with_name("saved")
FOLDERS = sorted(path for path in SAVED.iterdir() if path.is_dir() and path.name.startswith("0.2.0-"))
SIZES = Sizes(outputs=3, entries=20, features=2, cardinalities=(9, 11), characters=8)
GENERATOR = np.random.default_rng(0)


def drawn(layer):
    """The layer, all of whose tensors are drawn anew; variances stay above 0."""
    for name, leaf in layer.named_tensors().items():
        if name.endswith("one"):  # which is no weight
            continue
        x = GENERATOR.normal(size=leaf.shape) * 0.4
        leaf.assign((np.abs(x) + 0.5 if name.endswith(("variance", "idf", "free")) else x).astype(np.float32))
    return layer


def both(layer, path):
    """A module with the weights of a layer, by way of a file, and strictly: no name more or less."""
    made = module(layer)
    layer.save_torch(path)
    made.load_state_dict(safetensors.torch.load_file(path))
    return made


def compare(layer, arrays, path, **changes):
    """Both outputs, and the weights there and back."""
    made = both(layer, path)
    given = [
        torch.from_numpy(np.asarray(x).astype(np.int64 if np.asarray(x).dtype.kind == "i" else np.float32))
        for x in arrays
    ]
    with torch.no_grad():
        expected = made(*given)
    found = layer(*arrays)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    before = {name: x.numpy().copy() for name, x in layer.named_tensors().items()}
    safetensors.torch.save_file({name: x.contiguous() for name, x in made.state_dict().items()}, path)
    drawn(layer).load_torch(path)
    for name, x in layer.named_tensors().items():
        np.testing.assert_array_equal(x.numpy(), before[name])


@pytest.mark.parametrize("folder", [x for x in FOLDERS if "pretrained" not in x.name], ids=lambda folder: folder.name)
def test_a_saved_model_of_each_learner(folder, tmp_path):
    model = Model.load(folder)
    texts = [text for text in TEXTS if text]
    if model.task.name == "transduce":
        table = chainrule.Table.from_lists(texts, [text[::-1] for text in texts], target="text")
        examples = model.codec.encode(table, targets=True)
    else:
        examples = model.encode(NEW if model.task.columns() else texts)
    held = examples.arrays()
    compare(model.network, [held[name] for name in model.reads.arrays], tmp_path / "weights.safetensors")


def arrays_of(learner, answers):
    """Two texts, of five tokens and of one, as a learner reads them."""
    held = {
        "ids": np.array([3, 1, 4, 15, 9, 2]), "offsets": np.array([0, 5, 6]),
        "characters": np.array([1, 2, 3, 4, 5, 6, 7, 1]), "lengths": np.array([2, 1, 0, 3, 1, 1]),
        "target_ids": np.array([2, 1, 0, 1, 0]), "target_offsets": np.array([0, 3, 5]),
        "numbers": np.array([[0.5, -1], [2, 0.1]], np.float32), "categories": np.array([[0, 9], [8, 19]]),
    }  # fmt: skip
    return [held[name] for name in learner.layout(answers).arrays]


SMALL = {"dim": 6, "size": 4}
ATTENDING = {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 10}
CASES = [
    *(("ffnn", {"dim": 6, "combination": x}, ROW) for x in ("tfidf", "sum", "mean", "max", "learned", "window")),
    *(("ffnn", {"dim": 6, "normalization": x}, ROW) for x in ("batch", "layer", "group:groups=2", "rms")),
    ("ffnn", {"hidden": (), "dim": 6}, ROW),
    *(("mlp", {"hidden": (8,), "category_encoding": x, "noise": 0.1}, ROW) for x in ("embedding", "one-hot")),
    ("linear", {}, ROW),
    *((name, {**SMALL, "layers": 2, "bidirectional": x}, y) for name in ("rnn", "gru", "lstm") for x in (True, False)
      for y in (ROW, TOKEN)),
    *(("lstm", {**SMALL, "pooling": x}, ROW) for x in POOLINGS),
    *(("cnn", {"dim": 6, "filters": 3, "widths": (1, 2, 3, 4)}, x) for x in (ROW, TOKEN, NEXT_TOKEN)),
    *(("transformer", {**ATTENDING, "positions": x, "norm_first": y}, ROW) for y in (True, False)
      for x in ("sinusoidal", "learned", "rotary", "none")),
    *(("transformer", {**ATTENDING, "activation": "gelu"}, x) for x in (TOKEN, NEXT_TOKEN)),
    *(("transformer", {**ATTENDING, "positions": x}, SEQUENCE) for x in ("sinusoidal", "rotary")),
    *(("seq2seq", {**SMALL, "cell": x, "attention": y, "bidirectional": z, "layers": 2}, SEQUENCE)
      for x in ("lstm", "gru") for y, z in (("luong", True), ("bahdanau", False), ("none", True))),
    ("seq2seq", {**SMALL, "tie_embeddings": True}, SEQUENCE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "answers"), CASES, ids=str)
def test_each_learner_with_each_of_its_parts(name, settings, answers, tmp_path):
    learner = LEARNERS.make({"name": name, **settings})
    network = drawn(learner.network(SIZES, answers, GENERATOR))
    compare(network, arrays_of(learner, answers), tmp_path / "weights.safetensors")


def test_every_learner_is_there():
    # A pretrained encoder is written as a folder of transformers: test_transformers_folder.py.
    assert {name for name, *_ in CASES} | {"bow", "pretrained"} == set(LEARNERS)


@pytest.mark.parametrize("name", [x for x in ACTIVATIONS if x not in ("sparsemax", "swish")])
def test_activations(name, tmp_path):
    network = LEARNERS.make({"name": "mlp", "hidden": (8,), "activation": name}).network(SIZES, ROW, GENERATOR)
    compare(drawn(network), arrays_of(LEARNERS["mlp"](), ROW), tmp_path / "weights.safetensors")


X = GENERATOR.normal(size=(5, 8)).astype(np.float32)
LAYERS = {
    "linear": nn.Linear(8, 3, generator=GENERATOR),
    "without bias": nn.Linear(8, 3, with_bias=False, generator=GENERATOR),
    "weight norm": nn.WeightNorm(nn.Linear(8, 3, generator=GENERATOR)),
    "batch norm": nn.BatchNorm(8),
    "layer norm": nn.LayerNorm(8),
    "group norm": nn.GroupNorm(2, 8),
    "rms norm": nn.RMSNorm(8),
    "learned slope": nn.activation("prelu", 8),
    "sequential": nn.Sequential(nn.Linear(8, 4, generator=GENERATOR), nn.activation("tanh"), nn.Dropout(0.1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_over_rows(name, tmp_path):
    compare(drawn(LAYERS[name]), [X], tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(8, 3, generator=GENERATOR),
        nn.Bidirectional(nn.GRU(8, 3, generator=GENERATOR), nn.GRU(8, 3, backwards=True, generator=GENERATOR)),
    ],
    ids=repr,
)
def test_recurrent_layers(layer, tmp_path):
    made = both(drawn(layer), tmp_path / "weights.safetensors")
    with torch.no_grad():
        expected = made(torch.from_numpy(X)[None])[0][0]
    np.testing.assert_allclose(layer(X, [0, 5])[0].numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal, tmp_path):
    layer = nn.MultiHeadAttention(8, 2, causal=causal, generator=GENERATOR)
    made = both(drawn(layer), tmp_path / "weights.safetensors")
    mask = ~torch.ones(5, 5, dtype=torch.bool).tril() if causal else None
    x = torch.from_numpy(X)[None]
    with torch.no_grad():
        expected = made(x, x, x, attn_mask=mask, need_weights=False)[0][0]
    np.testing.assert_allclose(layer(X, [0, 5]).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_transformer_layers_load_in_those_of_pytorch(name, tmp_path):
    ours, theirs = getattr(nn, name), getattr(torch.nn, name)
    drawn(ours(8, 2, 16, generator=GENERATOR)).save_torch(tmp_path / "weights.safetensors")
    theirs(8, 2, 16, norm_first=True).load_state_dict(safetensors.torch.load_file(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize(("ours", "theirs"), [(nn.Conv1d, torch.nn.Conv1d), (nn.Conv2d, torch.nn.Conv2d)])
def test_convolutions_load_in_those_of_pytorch(ours, theirs, tmp_path):
    layer = drawn(ours(4, 6, width=3, generator=GENERATOR))
    layer.save_torch(tmp_path / "weights.safetensors")
    made = theirs(4, 6, 3)
    made.load_state_dict(safetensors.torch.load_file(tmp_path / "weights.safetensors"))
    shape = (2, 9, 4) if ours is nn.Conv1d else (2, 9, 7, 4)
    x = GENERATOR.normal(size=shape).astype(np.float32)
    with torch.no_grad():
        expected = np.moveaxis(made(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy(), 1, -1)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)


class Own(Layer):
    def __init__(self):
        self.inner = nn.Linear(2, 3, generator=GENERATOR)


def test_all_or_nothing_is_loaded(tmp_path):
    layer, path = Own(), tmp_path / "weights.safetensors"
    before = to_torch(layer)
    state = to_torch(layer)
    refused = [
        ({"inner.weight": state["inner.weight"]}, DataError, "missing: inner.bias"),
        ({**state, "inner.gate": state["inner.bias"]}, DataError, "has no tensors inner.gate"),
        ({**state, "inner.weight": np.ones((2, 3), np.float32)}, ShapeError, r"expected shape \(2, 3\), got \(3, 2\)"),
        ({**state, "inner.weight": np.ones(6, np.float32)}, ShapeError, r"expected shape \(2, 3\), got \(6,\)"),
    ]
    for content, kind, message in refused:
        safetensors.numpy.save_file(content, path)
        with pytest.raises(kind, match=message):
            layer.load_torch(path)
        for name, x in to_torch(layer).items():
            np.testing.assert_array_equal(x, before[name])
    safetensors.numpy.save_file({**state, "inner.num_batches_tracked": np.array(3)}, path)
    layer.load_torch(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="expected the state_dict of a module as a safetensors file"):
        layer.load_torch(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        layer.load_torch(tmp_path / "none.safetensors")


@pytest.mark.parametrize("ending", [".bin", ".pt", ".pth"])
def test_pickles_are_refused_with_the_command_that_converts_them(ending, tmp_path, monkeypatch):
    layer, path = Own(), tmp_path / f"model{ending}"
    torch.save({name: torch.from_numpy(x) + 1 for name, x in to_torch(layer).items()}, path)
    with pytest.raises(DataError, match="is a pickle, which runs what it holds when it is opened") as caught:
        layer.load_torch(path)
    command = str(caught.value).partition("convert it in Python: ")[2]
    monkeypatch.chdir(tmp_path)
    exec(command, {})
    before = to_torch(layer)
    layer.load_torch(tmp_path / "weights.safetensors")
    for name, x in to_torch(layer).items():
        np.testing.assert_array_equal(x, before[name] + 1)


def test_the_commands(run, refused, tmp_path):
    weights, new = tmp_path / "weights.safetensors", tmp_path / "new"
    folder = SAVED / "0.2.0-lstm"
    result = run("export", folder, weights, "--format", "torch")
    assert result.code == 0, result.error
    state = safetensors.numpy.load_file(weights)
    assert {name: x.shape for name, x in state.items()} == {
        name: x.shape for name, x in to_torch(Model.load(folder).network).items()
    }
    safetensors.numpy.save_file({name: x * 2 for name, x in state.items()}, weights)
    assert run("import", folder, weights, "--out", new).code == 0
    found = to_torch(Model.load(new).network)
    assert all((found[name] == 2 * x).all() for name, x in state.items())
    described = [json.loads((x / "model.json").read_text()) for x in (folder, new)]
    assert described[0]["codec"] == described[1]["codec"]
    assert str(new) in refused("import", folder, weights, "--out", new)
    assert "is a pickle" in refused("import", folder, tmp_path / "model.bin", "--out", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert str(weights) in refused("export", folder, weights, "--format", "torch")
