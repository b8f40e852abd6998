"""`chainrule.load_pretrained`: folders and names, answers, summaries, and saving."""

import sys
import types

import numpy as np
import pytest

import chainrule
from chainrule.encoders import write_encoder
from chainrule.encoders.embedded import nearest, read_embedded, write_embedded
from chainrule.errors import ConfigurationError, DataError, ModelError, ShapeError
from tests.encoders.tiny import sentences, tiny_folder, tiny_model, word_pieces

TEXTS = ["The film is good.", "fun", "a very long story"]


@pytest.fixture
def classifier(tmp_path):
    folder = tmp_path / "classifier"
    write_encoder(tiny_model("electra", embedding=8, head="text", labels=("bad", "good", "so")), folder)
    word_pieces(folder)
    return folder


def test_a_classifier(classifier, tmp_path):
    found = chainrule.load_pretrained(classifier)
    ids, _ = found.tokenizer.ids(TEXTS)
    expected = found.model(ids.ids, ids.offsets).numpy()
    for engine in ("native", "eager"):
        np.testing.assert_allclose(found.logits(TEXTS, engine=engine), expected, rtol=1e-5, atol=1e-6)
    rows = dict(found.described())
    assert rows["architecture"] == "electra, 2 layers, 2 heads, 24 inside, gelu"
    assert rows["vectors"] == "16 numbers, from 8"
    assert rows["answers a text"] == "'bad', 'good', 'so'"
    assert "TextHead" in found.summary()
    found.save(tmp_path / "saved")
    np.testing.assert_array_equal(
        chainrule.load_pretrained(tmp_path / "saved").logits(TEXTS, engine="eager"), found.logits(TEXTS, engine="eager")
    )


def test_long_texts_are_cut_only_where_it_is_said(classifier):
    found = chainrule.load_pretrained(classifier)
    with pytest.raises(
        ShapeError, match="text 1 of the batch, counted from 0, has 62 tokens, and there are 40 learned"
    ):
        found.logits(["good", "good " * 60])
    assert found.logits(["good", "good " * 60], longest=40).shape == (2, 3)


def test_what_has_no_head(tmp_path):
    found = chainrule.load_pretrained(tiny_folder(tmp_path / "model"))
    with pytest.raises(ConfigurationError, match="has no head for texts"):
        found.logits(TEXTS)
    assert found.encode(TEXTS).shape == (3, 16)
    assert dict(found.described())["sentence vectors"] == "mean of up to 30 tokens, of length 1"


def test_no_texts(classifier):
    with pytest.raises(ConfigurationError, match="expected one text or more"):
        chainrule.load_pretrained(classifier).logits([])


def test_a_folder_without_a_tokenizer_is_described(tmp_path):
    write_encoder(tiny_model(), tmp_path / "model")
    rows = dict(chainrule.load_pretrained(tmp_path / "model").described())
    assert rows["tokenizer"].startswith("none: ")


def test_a_name_on_the_hub(tmp_path, monkeypatch):
    folder = tiny_folder(tmp_path / "model")
    asked = []
    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = lambda name, allow_patterns: asked.append((name, allow_patterns)) or str(folder)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert chainrule.load_pretrained("someone/model-1").folder == folder
    assert asked == [("someone/model-1", ["*.json", "*.txt", "*.safetensors"])]

    def fails(name, allow_patterns):
        raise OSError("no route\nto host")

    hub.snapshot_download = fails
    with pytest.raises(ModelError, match=r"model-1: there is no such folder, and the hub did not give it: .*no route"):
        chainrule.load_pretrained("model-1")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'chainrule\[hub\]'"):
        chainrule.load_pretrained("someone/model-1")
    for none in ("a/b/c", tmp_path / "nowhere", folder / "config.json"):
        with pytest.raises(ModelError, match=r"there is no such folder; expected one with config.json and weights"):
            chainrule.load_pretrained(none)


@pytest.mark.parametrize("end", [".safetensors", ".npy", ".csv"])
def test_vectors_in_files(tmp_path, end):
    texts, vectors = ["so, so", "two\nlines"], np.array([[0.1, -2], [3, 1e-9]], np.float32)
    path = tmp_path / f"v{end}"
    write_embedded(path, texts, vectors)
    if end == ".csv":
        found = chainrule.read_table(path, label=None, text=None, numbers=["1", "2"], keep="text")
        assert found.kept["text"].to_list() == texts
        with pytest.raises(DataError, match=r"expected vectors as .safetensors or .npy"):
            read_embedded(path, texts, 2)
        return
    np.testing.assert_array_equal(read_embedded(path, texts, 2), vectors)
    for wrong in ((["one"], 2), (texts, 3)):
        with pytest.raises(DataError, match=r"expected vectors of these \d texts by this encoder"):
            read_embedded(path, *wrong)
    if end == ".safetensors":
        with pytest.raises(DataError, match="holds the vectors of other texts"):
            read_embedded(path, ["so, so", "others"], 2)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="cannot be read"):
        read_embedded(path, texts, 2)


def test_vectors_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"v.npy: cannot be read: No such file"):
        read_embedded(tmp_path / "v.npy", ["a"], 2)
    with pytest.raises(ConfigurationError, match=r"expected a name that ends in .safetensors, .npy, .csv"):
        write_embedded(tmp_path / "v.txt", ["a"], np.zeros((1, 2)))
    tiny_model().save(tmp_path / "m.safetensors")
    with pytest.raises(DataError, match="expected an array called vectors; there is none"):
        read_embedded(tmp_path / "m.safetensors", ["a"], 2)


def test_the_nearest():
    vectors = np.array([[0, 0], [1, 0], [-1, 0], [2, 2], [3, 0]], np.float32)
    assert [row for row, _ in nearest(np.array([2.0, 0], np.float32), vectors, 9)] == [1, 4, 3, 0, 2]
    with pytest.raises(ConfigurationError, match="count: expected a whole number of 1 or more, got 0"):
        nearest(vectors[1], vectors, 0)


def test_sentences_of_another_pooling(tmp_path):
    folder = tiny_folder(tmp_path / "model")
    sentences(folder, normalise=False, pooling_mode_cls_token=True, pooling_mode_max_tokens=True)
    found = chainrule.load_pretrained(folder)
    assert found.encode(TEXTS).shape == (3, 32)
    assert dict(found.described())["sentence vectors"] == "cls + max of up to 30 tokens"
