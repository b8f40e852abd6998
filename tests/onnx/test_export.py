"""Export: the file passes the checker, and ONNX Runtime gives what the model gives, for every learner and task."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ModelError, StorageError
from chainrule.models import LEARNERS
from chainrule.models.combination import COMBINATIONS
from chainrule.models.transformer import POSITIONS
from chainrule.nn import ACTIVATIONS, NORMALIZATIONS
from chainrule.nn.pooling import POOLINGS
from chainrule.onnx import export, export_model, model_proto
from chainrule.onnx.library import library
from chainrule.version import __version__
from tests.onnx.models import PAIRS, model_of

#: How far numbers of ONNX Runtime may be from ours.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def session(proto):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


def fed(runner, arrays, names):
    """The arrays that the graph reads, whole numbers as int64."""
    held = {x.name for x in runner.get_inputs()}
    whole = {name: x.astype(np.int64) if x.dtype.kind in "iu" else x for name, x in arrays.items()}
    return {name: whole[name] for name in names if name in held}


def agrees(model, examples):
    proto = model_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    runner = session(proto)
    # All texts, one alone, an empty one alone, and some with an empty one between them.
    for part in (examples, examples.slice(0, 1), examples.slice(2, 3), examples.slice(1, 4)):
        arrays = part.arrays()
        found = runner.run(None, fed(runner, arrays, model.reads.arrays))
        expected = model.responses(part, engine="eager")
        assert found[0].shape == expected.shape
        np.testing.assert_allclose(found[0], expected, **CLOSE)
    return proto


def test_all_learners_are_exported_for_all_their_tasks():
    assert {name for name, _ in PAIRS} == set(LEARNERS)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_onnx_runtime_gives_what_the_model_gives(name, task):
    model, examples = model_of(name, task)
    agrees(model, examples)


@pytest.mark.parametrize("settings", [
    *({"name": "ffnn", "activation": name} for name in ACTIVATIONS),
    *({"name": "ffnn", "normalization": name} for name in NORMALIZATIONS),
    *({"name": "ffnn", "combination": name} for name in COMBINATIONS),
    *({"name": "cnn", "pooling": name} for name in POOLINGS),
    *({"name": "transformer", "positions": name} for name in POSITIONS),
    {"name": "transformer", "causal": True, "norm_first": False},
    {"name": "transformer", "character_filters": 4},
    {"name": "lstm", "layers": 2, "bidirectional": False},
    {"name": "bow", "output": "sigmoid"},
    {"name": "bow", "output": "tanh"},
], ids=str)  # fmt: skip
def test_settings_of_learners_are_exported(settings):
    settings = {**settings}
    if "normalization" in settings or settings.get("activation") in ("maxout", "glu"):
        settings["hidden"] = (4,)
    model, examples = model_of(settings.pop("name"), "classify", **settings)
    agrees(model, examples)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("attention", ["luong", "bahdanau", "none"])
@pytest.mark.parametrize("tied", [False, True])
def test_encoder_and_decoder_are_exported(cell, attention, tied):
    dim = 4 if tied else 6
    model, examples = model_of("seq2seq", "transduce", cell=cell, attention=attention, tie_embeddings=tied, dim=dim)
    agrees(model, examples)


@pytest.mark.parametrize(
    ("name", "task"), [("lstm", "continue"), ("transformer", "continue"), ("seq2seq", "transduce")]
)
def test_what_writes_gives_the_log_probabilities_of_what_comes_next(name, task):
    model, examples = model_of(name, task)
    runner = session(model_proto(model))
    arrays = examples.arrays()
    _, found = runner.run(["response", "log_probabilities"], fed(runner, arrays, model.reads.arrays))
    outputs = model.network(*[arrays[x] for x in model.reads.arrays])
    np.testing.assert_allclose(found, chainrule.log_softmax(outputs, 1).value, **CLOSE)


def test_scores_of_a_conditional_random_field_are_exported():
    agrees(*model_of("lstm", "tag", crf=True))


def test_long_texts_beside_short_ones():
    model, _ = model_of("gru", "classify")
    runner = session(model_proto(model))
    generator = np.random.default_rng(0)
    lengths = np.array([0, 700, 1, 0, 3, 250])
    ids = generator.integers(0, 5, lengths.sum())
    offsets = np.concatenate([[0], lengths.cumsum()])
    (found,) = runner.run(None, {"ids": ids, "offsets": offsets})
    expected = model.task.response(model.network(ids, offsets), {}).value
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_sizes_are_open_and_named():
    proto = model_proto(model_of("lstm", "classify")[0])
    shapes = {
        x.name: [size.dim_param or size.dim_value for size in x.type.tensor_type.shape.dim]
        for x in (*proto.graph.input, *proto.graph.output)
    }
    assert shapes == {"ids": ["tokens"], "offsets": ["texts + 1"], "response": ["texts", 2]}


def test_the_file_says_what_made_it_and_what_it_needs():
    model, _ = model_of("ffnn", "classify")
    proto = model_proto(model)
    assert (proto.ir_version, proto.opset_import[0].version) == (10, 20)
    assert (proto.producer_name, proto.producer_version) == ("chainrule", __version__)
    told = {x.key: x.value for x in proto.metadata_props}
    assert json.loads(told["chainrule.labels"]) == ["n", "p"]
    assert json.loads(told["chainrule.learner"])["name"] == "ffnn"
    assert json.loads(told["chainrule.task"])["name"] == "classify"
    assert told["chainrule.vocabulary.txt"].encode() == model.codec.files()["vocabulary.txt"]


def test_weights_have_the_names_of_parameters():
    model, _ = model_of("transformer", "tag")
    held = {x.name: onnx.numpy_helper.to_array(x) for x in model_proto(model).graph.initializer}
    parameters = model.network.named_parameters()
    assert set(held) == set(parameters)
    for name, x in parameters.items():
        np.testing.assert_array_equal(held[name], x.numpy())


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        export_model(model_of("lstm", "tag")[0], tmp_path / f"{name}.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        export_model(model_of("bow", "classify")[0], path)
    assert path.read_text() == "mine"


def test_a_file_of_2_gb_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "MOST_BYTES", 1000)
    with pytest.raises(ModelError, match=r"less than 2 GB, and this one would have 0\.0; train with fewer embeddings"):
        export_model(model_of("bow", "classify")[0], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_array_of_another_kind_is_refused(monkeypatch):
    model, _ = model_of("bow", "classify")
    monkeypatch.delitem(export.FIRST_AXES, "offsets")
    with pytest.raises(ModelError, match="learner bow reads offsets, and which of its sizes are open is not known"):
        model_proto(model)


def test_a_block_without_operators_is_named():
    model, _ = model_of("bow", "classify")

    class Strange(chainrule.Elementwise):
        def forward(self, xp, x):
            return x

        def backward(self, gradient, output, x):
            return (gradient,)

    inner = model.network
    model.network = lambda ids, offsets: Strange()(inner(ids, offsets))
    model.network.named_parameters, model.network.reads = inner.named_parameters, inner.reads
    with pytest.raises(ModelError, match="block strange has no operators of ONNX"):
        model_proto(model)


def test_a_network_that_depends_on_sizes_is_refused():
    model, _ = model_of("bow", "classify")
    inner = model.network
    model.network = lambda ids, offsets: (
        inner(ids, offsets) * (1 if ids.shape[0] < 20 else chainrule.exp(ids.sum() * 0.0))
    )
    model.network.named_parameters, model.network.reads = inner.named_parameters, inner.reads
    with pytest.raises(ModelError, match="does the same for all sizes of its inputs, but number of blocks is"):
        model_proto(model)


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ConfigurationError, match=r"install it: pip install 'chainrule\[onnx\]'"):
        library()


def test_on_the_command_line(tmp_path, run, refused):
    model, examples = model_of("ffnn", "classify")
    model.save(tmp_path / "model")
    path = tmp_path / "model.onnx"
    assert f"{path}: " in run("export", tmp_path / "model", path).error
    runner = onnxruntime.InferenceSession(path)
    (found,) = runner.run(None, fed(runner, examples.arrays(), model.reads.arrays))
    np.testing.assert_allclose(found, model.responses(examples), **CLOSE)
    assert run("export", tmp_path / "model", "--format", "onnx", "--out", tmp_path / "other").code == 0
    assert path.read_bytes() == (tmp_path / "other").read_bytes()
    assert "exists already" in refused("export", tmp_path / "model", path)
    message = refused("export", tmp_path / "model", "x.txt")
    assert "expected tensorboard or mlflow or onnx" in message
    assert message.endswith("got none; or a FILE such as model.onnx")
    assert "leave one out" in refused("export", tmp_path / "model", path, "--out", "y")
    assert "there is no such folder" in refused("export", tmp_path / "none", tmp_path / "x.onnx")
    assert "PLACE is empty" in refused("export", "", tmp_path / "x.onnx")
