"""Transformers as the oracle of pretrained encoders: outputs, and gradients of all tensors, of each family."""

import numpy as np
import pytest
import safetensors.numpy

import chainrule
from chainrule import RowSparse, gradients, tensor
from chainrule.encoders import PretrainedModel, read_encoder, read_model, write_encoder
from chainrule.encoders.tensors import plain_name, views
from chainrule.errors import ConfigurationError, IndexRangeError, ShapeError
from tests.encoders.folders import FAMILIES, answers_of, opened, saved, texts
from tests.oracle import torch

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def renamed(folder, change):
    """The file of weights with other names."""
    path = folder / "model.safetensors"
    arrays = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({change(name): x for name, x in arrays.items()}, path, {"format": "pt"})


@pytest.mark.parametrize("head", [None, "text", "token"])
@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_and_gradients(tmp_path, family, head):
    """In float32 as in the folder, and in float64, where nothing but the equations can differ."""
    theirs = saved(tmp_path / "model", family, head, num_labels=3)
    single, (ids, offsets) = read_model(tmp_path / "model"), texts()
    answer = single if head else single.encoder
    np.testing.assert_allclose(answer(ids, offsets).numpy(), answers_of(theirs, ids, offsets).detach().numpy(), **CLOSE)

    settings = {"generator": np.random.default_rng(0), "dtype": "float64"}
    ours = PretrainedModel.of(single.configuration, pooler=single.head is not None, **settings)
    ours.assign({name: x.numpy() for name, x in single.named_tensors().items()})
    expected, found = answers_of(theirs.double(), ids, offsets), (ours if head else ours.encoder)(ids, offsets)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    vector = np.cos(np.arange(found.spec.size)).reshape(found.shape)
    expected.backward(torch.tensor(vector))
    reached = [x for name, x in ours.named_parameters().items() if head or not name.startswith("head.")]
    for parameter, slope in zip(reached, gradients(found, reached, tensor(vector, "float64")), strict=True):
        parameter.assign((slope.dense() if isinstance(slope, RowSparse) else slope).numpy())
    by_name = views(ours)  # the gradients now, so that the names are those that are read and written with
    compared = {name: x.grad.numpy() for name, x in theirs.named_parameters() if x.grad is not None}
    assert len(compared) >= len(by_name) - 2  # a pooler without a head has none
    for name, x in compared.items():
        np.testing.assert_allclose(by_name[plain_name(name, family)], x, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_compiled_answers_are_the_eager_ones(tmp_path, family):
    saved(tmp_path / "model", family, "text")
    model = read_model(tmp_path / "model")
    compiled = chainrule.compile(model, ragged=True)
    for lengths in [(3, 4), (1,), (9, 2, 6)]:
        ids, offsets = texts(lengths=lengths)
        np.testing.assert_allclose(compiled(ids, offsets).numpy(), model(ids, offsets).numpy(), **CLOSE)


@pytest.mark.parametrize("head", [None, "text", "token"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_is_opened(tmp_path, family, head):
    theirs = saved(tmp_path / "model", family, head, num_labels=3)
    write_encoder(read_model(tmp_path / "model"), tmp_path / "again")
    ids, offsets = texts()
    again = opened(tmp_path / "again", head)
    assert {name: x.numpy().tobytes() for name, x in again.state_dict().items()} == {
        name: x.numpy().tobytes() for name, x in theirs.state_dict().items()
    }
    expected = answers_of(theirs, ids, offsets).detach().numpy()  # the library's sums depend on where memory begins
    np.testing.assert_allclose(answers_of(again, ids, offsets).detach().numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda name: f"bert.{name}",
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    ],
)
def test_other_names(tmp_path, change):
    saved(tmp_path / "model", "bert")
    ids, offsets = texts()
    expected = read_encoder(tmp_path / "model")(ids, offsets).numpy()
    renamed(tmp_path / "model", change)
    np.testing.assert_array_equal(read_encoder(tmp_path / "model")(ids, offsets).numpy(), expected)


def test_types_of_tokens(tmp_path):
    theirs = saved(tmp_path / "model", "bert")
    ids, offsets = texts()
    types = np.arange(len(ids)) % 2
    found = read_encoder(tmp_path / "model")(ids, offsets, types)
    np.testing.assert_allclose(found.numpy(), answers_of(theirs, ids, offsets, types).detach().numpy(), **CLOSE)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_longest_text(tmp_path, family):
    theirs = saved(tmp_path / "model", family)
    encoder = read_encoder(tmp_path / "model")
    most = encoder.configuration.positions
    assert most == (40 if family == "bert" else 38)
    ids, offsets = texts(lengths=(most, 2))
    np.testing.assert_allclose(
        encoder(ids, offsets).numpy(), answers_of(theirs, ids, offsets).detach().numpy(), **CLOSE
    )
    with pytest.raises(ShapeError, match=f"text 0 of the batch, counted from 0, has {most + 1} tokens"):
        encoder(*texts(lengths=(most + 1, 2)))


@pytest.mark.parametrize("activation", ["gelu_new", "relu", "silu"])
def test_activations(tmp_path, activation):
    theirs = saved(tmp_path / "model", "bert", hidden_act=activation)
    ids, offsets = texts()
    found = read_encoder(tmp_path / "model")(ids, offsets)
    np.testing.assert_allclose(found.numpy(), answers_of(theirs, ids, offsets).detach().numpy(), **CLOSE)


def test_dropout_in_training(tmp_path):
    saved(tmp_path / "model", "roberta", "text")
    model, (ids, offsets) = read_model(tmp_path / "model"), texts()
    key = chainrule.Key.of(seed=1)
    drawn = model(ids, offsets, key=key).numpy()
    np.testing.assert_array_equal(model(ids, offsets, key=key).numpy(), drawn)
    assert (drawn != model(ids, offsets).numpy()).all()


def test_what_an_encoder_refuses(tmp_path):
    saved(tmp_path / "model", "distilbert")
    encoder = read_encoder(tmp_path / "model")
    with pytest.raises(ConfigurationError, match="no types of tokens"):
        encoder([1, 2], [0, 2], [0, 0])
    with pytest.raises(ShapeError, match=r"expected ids of one axis, .* got shape \(1, 2\)"):
        encoder([[1, 2]], [0, 2])
    with pytest.raises(IndexRangeError, match="index 60 is out of range; expected 0 to 59"):
        encoder([60], [0, 1])


def test_a_new_head_keeps_the_pooler_of_bert(tmp_path):
    saved(tmp_path / "bert", "bert")
    saved(tmp_path / "roberta", "roberta")
    rng = np.random.default_rng(0)
    bert, roberta = (read_model(tmp_path / name) for name in ("bert", "roberta"))
    assert bert.with_head("text", ["a", "b"], rng).head.dense is bert.head.dense
    assert roberta.with_head("text", ["a", "b"], rng).head.dense is not roberta.head.dense
    tagger = bert.with_head("token", ["O", "B"], rng)
    assert tagger(*texts()).shape == (25, 2)
    write_encoder(tagger, tmp_path / "tagger")
    assert opened(tmp_path / "tagger", "token").config.id2label == {0: "O", 1: "B"}
    with pytest.raises(ConfigurationError, match="expected a head of text or token"):
        bert.with_head("pairs", ["a"], rng)
    with pytest.raises(ConfigurationError, match="0 labels"):
        bert.with_head("text", [], rng)
