"""Folders of pretrained models: what is missing, double, unknown or of another shape is named, and nothing is read."""

import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.encoders import (
    EncoderConfiguration,
    PretrainedTokenizer,
    load_pretrained,
    read_configuration,
    read_encoder,
    read_model,
    write_encoder,
)
from chainrule.errors import ChainruleError, ModelError, StorageError
from tests.encoders.tiny import tiny_folder, tiny_model, word_pieces, write_json

IDS, OFFSETS = np.array([2, 7, 9, 3, 2, 3]), np.array([0, 4, 6])
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path):
    write_encoder(tiny_model(), tmp_path / "model")
    return tmp_path / "model"


def altered(folder, change):
    """The file of weights with other tensors."""
    arrays = safetensors.numpy.load_file(folder / WEIGHTS)
    safetensors.numpy.save_file(change(arrays) or arrays, folder / WEIGHTS, {"format": "pt"})


def configured(folder, **changed):
    """The configuration with other values; None takes one away."""
    content = json.loads((folder / "config.json").read_text()) | changed
    write_json(folder / "config.json", {key: value for key, value in content.items() if value is not None})


def test_shards(folder):
    expected = read_encoder(folder)(IDS, OFFSETS).numpy()
    arrays = safetensors.numpy.load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(arrays)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, held in parts.items():
        safetensors.numpy.save_file({name: arrays[name] for name in held}, folder / file)
    places = {name: file for file, held in parts.items() for name in held}
    write_json(folder / INDEX, {"weight_map": places})
    np.testing.assert_array_equal(read_encoder(folder)(IDS, OFFSETS).numpy(), expected)

    first, second = parts
    write_json(folder / INDEX, {"weight_map": dict.fromkeys(names, first)})
    with pytest.raises(ModelError, match=f"tensors are not in the shard that {INDEX} says: '{names[1]}'"):
        read_encoder(folder)
    both = {name: arrays[name] for name in [names[0], *names[1::2]]}
    safetensors.numpy.save_file(both, folder / second)
    write_json(folder / INDEX, {"weight_map": places})
    with pytest.raises(ModelError, match=f"tensors that come twice: '{names[0]}'; expected each in one file, once"):
        read_encoder(folder)
    (folder / second).unlink()
    with pytest.raises(ModelError, match=f"shards are missing: '{second}'"):
        read_encoder(folder)
    for outside in ("../other", "/etc/passwd", "a/b", "a\\b", ""):
        write_json(folder / INDEX, {"weight_map": {"a": outside}})
        with pytest.raises(ModelError, match="expected names of files in the folder"):
            read_encoder(folder)
    for wrong in ({}, {"weight_map": {}}, {"weight_map": {"a": 1}}):
        write_json(folder / INDEX, wrong)
        with pytest.raises(ModelError, match="expected weight_map with the file of each tensor"):
            read_encoder(folder)


def test_missing_and_unknown_tensors(folder):
    altered(folder, lambda x: x.update(extra=x.pop("encoder.layer.0.output.dense.bias")))
    with pytest.raises(ModelError, match=r"missing: 'encoder.layer.0.output.dense.bias'; unknown: 'extra'"):
        read_encoder(folder)


def test_what_is_left_out(folder):
    expected = read_encoder(folder)(IDS, OFFSETS).numpy()
    extra = {
        "embeddings.position_ids": np.arange(40)[None],
        "cls.predictions.bias": np.zeros(3, np.float32),
        "bert.embeddings.token_type_ids": np.zeros((1, 40), np.int64),
    }
    altered(folder, lambda x: x | extra)
    np.testing.assert_array_equal(read_encoder(folder)(IDS, OFFSETS).numpy(), expected)


def test_tensors_under_both_names(folder):
    altered(folder, lambda x: x | {"bert.embeddings.LayerNorm.gamma": x["embeddings.LayerNorm.weight"]})
    with pytest.raises(ModelError, match=r"come twice: 'embeddings.LayerNorm.weight'"):
        read_encoder(folder)


def test_other_shapes_and_dtypes(folder):
    name = "encoder.layer.1.attention.self.query.weight"
    altered(folder, lambda x: x | {name: np.zeros((16, 8), np.float32)})
    with pytest.raises(ModelError, match=rf"{name}: expected shape \(16, 16\), as config.json says, got \(16, 8\)"):
        read_encoder(folder)
    altered(folder, lambda x: x | {name: np.zeros((16, 16), np.int64)})
    with pytest.raises(ModelError, match=f"{name}: expected floating-point numbers, got I64"):
        read_encoder(folder)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions_become_float32(folder, dtype):
    exact = read_model(folder)
    altered(folder, lambda x: {name: array.astype(dtype) for name, array in x.items()})
    found = read_model(folder)
    for name, x in found.named_tensors().items():
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x.numpy(), exact.named_tensors()[name].numpy().astype(dtype).astype(np.float32))


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_missing_files(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        read_encoder(folder)


def test_no_folder(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere: there is no such folder; expected one of transformers"):
        read_encoder(tmp_path / "nowhere")


def test_damaged_files(folder):
    whole = (folder / WEIGHTS).read_bytes()
    for broken in (b"", b"text", whole[:-9], whole[:300]):
        (folder / WEIGHTS).write_bytes(broken)
        with pytest.raises(ModelError, match=r"model.safetensors: is not a safetensors file"):
            read_encoder(folder)
    (folder / WEIGHTS).write_bytes(whole)
    for text, message in (("{", "is not JSON"), ("[1]", "expected an object"), ('"\\ud800"', "is not JSON")):
        (folder / "config.json").write_text(text)
        with pytest.raises(ModelError, match=message):
            read_encoder(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"model_type": "gpt2"},
            "there is no architecture 'gpt2'; expected model_type to be bert, camembert, distilbert",
        ),
        ({"model_type": None}, "there is no architecture None"),
        ({"model_type": ["bert"]}, r"there is no architecture \['bert'\]"),
        ({"vocab_size": None}, "vocab_size is missing"),
        ({"hidden_size": 0}, "expected hidden_size to be a whole number of 1 or more, got 0"),
        ({"hidden_size": True}, "expected hidden_size to be a whole number of 1 or more, got True"),
        ({"num_attention_heads": 3}, "hidden_size to be a multiple of num_attention_heads, got 16 and 3"),
        ({"hidden_act": "gelu_odd"}, "expected hidden_act to be one of gelu, .*, got 'gelu_odd'"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob to be a number from 0 to below 1, got 1.0"),
        ({"layer_norm_eps": 0}, "layer_norm_eps to be a number above 0 and below 1, got 0"),
        ({"pad_token_id": -1}, "pad_token_id to be a whole number of 0 or more, got -1"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type to be 'absolute', got 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is set, and only encoders are opened"),
        ({"model_type": "roberta", "pad_token_id": 39}, "more rows of max_position_embeddings than the 40 before"),
        ({"vocab_size": 10**11}, "asks for more than the weights beside it hold"),
        ({"num_hidden_layers": 10**9}, "asks for more than the weights beside it hold"),
        ({"intermediate_size": 10**11}, "asks for more than the weights beside it hold"),
        ({"num_hidden_layers": 1}, r"missing: none; unknown: 'encoder.layer.1.attention.output.LayerNorm.bias'"),
        ({"vocab_size": 60}, r"word_embeddings.weight: expected shape \(60, 16\), as config.json says"),
    ],
)
def test_configurations(folder, changed, message):
    configured(folder, **changed)
    with pytest.raises(ModelError, match=message):
        read_encoder(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "expected id2label to have the keys '0', '1' and so on"),
        ({"id2label": {"0": 7}}, "and a text for each"),
        ({"id2label": []}, "expected id2label"),
        ({"num_labels": 10**12}, "expected num_labels to be a whole number from 1 to 1,048,576"),
        ({"problem_type": "other"}, "expected problem_type to be one of regression, .*, got 'other'"),
    ],
)
def test_configurations_of_heads(folder, changed, message):
    configured(folder, architectures=["BertForSequenceClassification"], **changed)
    with pytest.raises(ModelError, match=message):
        read_configuration(folder)


@pytest.mark.parametrize("family", ["bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("head", [None, "text", "token"])
def test_what_is_written_is_read(tmp_path, family, head):
    own = (
        {"types": 0}
        if family == "distilbert"
        else {"embedding": 8}
        if family == "electra"
        else {"first": 3, "padding": 2}
    )
    own = {} if family == "bert" else own
    labels = ("good", "né") if head else ()
    model = tiny_model(family, head=head, labels=labels, problem="regression" if head else None, **own)
    write_encoder(model, tmp_path / "model")
    again = read_model(tmp_path / "model")
    assert again.configuration.labels == labels
    assert again.configuration.first == model.configuration.first
    np.testing.assert_array_equal(again(IDS, OFFSETS).numpy(), model(IDS, OFFSETS).numpy())
    write_encoder(again, tmp_path / "twice")
    for path in (tmp_path / "model").iterdir():
        assert (tmp_path / "twice" / path.name).read_bytes() == path.read_bytes()


def test_nothing_is_written_over(folder):
    with pytest.raises(StorageError, match="exists already"):
        write_encoder(tiny_model(), folder)


def test_the_tokenizer_is_copied(folder, tmp_path):
    word_pieces(folder)
    write_encoder(read_model(folder), tmp_path / "again", tokenizer_of=folder)
    assert (tmp_path / "again" / "vocab.txt").read_bytes() == (folder / "vocab.txt").read_bytes()


def test_pickles_are_refused_with_what_converts_them(folder):
    torch = pytest.importorskip("torch")
    expected = read_encoder(folder)(IDS, OFFSETS).numpy()
    arrays = safetensors.numpy.load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    torch.save({name: torch.tensor(x) for name, x in arrays.items()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin is pickled, which is never read") as found:
        read_encoder(folder)
    command = str(found.value).split('python -c "')[1].removesuffix('"')
    exec(command, {})
    np.testing.assert_array_equal(read_encoder(folder)(IDS, OFFSETS).numpy(), expected)
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").rename(folder / "pytorch_model.bin.index.json")
    with pytest.raises(ModelError, match="save_pretrained"):
        read_encoder(folder)


def test_a_configuration_is_what_it_was(folder):
    configured(folder, own={"kept": [1]}, torch_dtype="float16")
    content = json.loads(read_configuration(folder).written())
    assert content["own"] == {"kept": [1]}
    assert (content["dtype"], "torch_dtype" in content) == ("float32", False)
    assert EncoderConfiguration.of(content, "again") == read_configuration(folder)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_altered_folders_answer_or_say_what_is_wrong(tmp_path_factory, data):
    """Bytes and values anywhere in a folder are changed: it opens and answers, or the message is one of ours."""
    place = tmp_path_factory.mktemp("altered") / "model"
    tiny_folder(place)
    if data.draw(st.booleans(), "tokenizer.json"):
        PretrainedTokenizer.of_folder(place)._tokenizer.save(str(place / "tokenizer.json"))
    names = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    path = place / data.draw(st.sampled_from(names))
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["bytes", "cut", "value", "gone"]))
    if kind == "gone":
        path.unlink()
    elif kind == "value" and path.suffix == ".json" and isinstance(json.loads(content), dict):
        held = json.loads(content)
        values = (
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just([]) | st.just({})
        )
        held[data.draw(st.sampled_from(sorted(held)))] = data.draw(values)
        path.write_text(json.dumps(held))
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, min(len(content), 6000) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: len(content) // 2] if kind == "cut" else content)
    try:
        found = load_pretrained(place)
        found.described()
        assert found.encode(["good film", "x"], engine="eager").shape[0] == 2
    except ChainruleError as error:
        said = str(error)
        if not said or len(said) > 3000:
            raise
