"""Tables from the Hugging Face `datasets` library: in memory, and by folder."""

import builtins

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

import chainrule
from chainrule.data import read_dataset
from chainrule.data.datasets import validation_place
from chainrule.errors import ConfigurationError, DataError

FEATURES = Features(
    {
        "text": Value("string"),
        "label": ClassLabel(names=["neg", "pos"]),
        "tags": List(ClassLabel(names=["a", "b", "c"])),
        "stars": Value("float32"),
    }
)


def rows(count, start=0):
    numbers = range(start, start + count)
    return {
        "text": [f"text {i} {'good' if i % 2 else 'bad'}" for i in numbers],
        "label": [i % 2 for i in numbers],
        "tags": [[] if i % 3 == 0 else [i % 3, 0] for i in numbers],
        "stars": [i / 2 for i in numbers],
    }


@pytest.fixture
def folder(tmp_path):
    parts = {"train": 40, "validation": 12, "test": 10}
    splits = {name: Dataset.from_dict(rows(count), features=FEATURES) for name, count in parts.items()}
    DatasetDict(splits).save_to_disk(tmp_path / "reviews")
    return tmp_path / "reviews"


def test_classes_get_their_names():
    table = read_dataset(Dataset.from_dict(rows(4), features=FEATURES), name="reviews")
    assert table.labels.to_list() == ["neg", "pos", "neg", "pos"]
    assert table.texts.to_list()[1] == "text 1 good"
    assert table.name == "reviews"
    lists = read_dataset(Dataset.from_dict(rows(4), features=FEATURES), label="tags", target="labels")
    assert lists.labels.to_list() == [[], ["b", "a"], ["c", "a"], []]
    assert lists.report.without_labels == 2
    numbers = read_dataset(Dataset.from_dict(rows(3), features=FEATURES), label="stars", target="number")
    assert numbers.labels.to_list() == [0.0, 0.5, 1.0]


def test_rows_that_were_chosen_and_shuffled_are_those_that_are_read():
    dataset = Dataset.from_dict(rows(20), features=FEATURES).shuffle(seed=1).select(range(5))
    assert read_dataset(dataset).texts.to_list() == dataset["text"][:]


def test_minus_one_is_no_label():
    held = {**rows(3), "label": [-1, 1, 0]}
    table = read_dataset(Dataset.from_dict(held, features=FEATURES))
    assert (table.labels.to_list(), table.report.unlabelled) == (["pos", "neg"], 1)


def test_splits_are_tables_by_name(folder):
    from datasets import load_from_disk

    tables = read_dataset(load_from_disk(str(folder)), name="reviews")
    assert {name: len(table) for name, table in tables.items()} == {"train": 40, "validation": 12, "test": 10}
    assert tables["test"].name == "reviews#test"


def test_a_folder_by_its_place(folder):
    assert len(chainrule.read_table(f"dataset:{folder}")) == 40
    assert len(chainrule.read_table(f"dataset:{folder}#test")) == 10
    assert validation_place(f"dataset:{folder}") == f"dataset:{folder}#validation"
    assert validation_place(f"dataset:{folder}#train") is None
    columns = chainrule.read_table(f"dataset:{folder}", numbers="auto", categories=["text"], label="label").columns
    assert columns.columns == ["stars", "text"]


def test_the_command_line_uses_the_splits(folder, tmp_path, run):
    words = ["train", f"dataset:{folder}", "--out", tmp_path / "model", "--learner", "bow", "--epochs", 3, "--quiet"]
    assert run(*words).code == 0
    first = chainrule.report.read_record(tmp_path / "model" / "record.jsonl")[0]
    assert (first["data"]["train"]["rows"], first["data"]["valid"]["rows"]) == (40, 12)
    assert first["codec"]["labels"] == ["neg", "pos"]
    result = run("evaluate", tmp_path / "model", f"dataset:{folder}")
    assert result.out.split()[:2] == ["examples", "10"]
    assert len(run("predict", tmp_path / "model", "--file", f"dataset:{folder}").out.splitlines()) == 10


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(DataError, match="has no split 'dev'; the splits are 'train', 'validation', 'test'; name one"):
        chainrule.read_table(f"dataset:{folder}#dev")
    with pytest.raises(DataError, match="no column 'review'; the columns are 'text', 'label', 'tags', 'stars'"):
        chainrule.read_table(f"dataset:{folder}", text="review")
    with pytest.raises(DataError, match=f"dataset:{tmp_path}: cannot be loaded"):
        chainrule.read_table(f"dataset:{tmp_path}")
    with pytest.raises(DataError, match="no column 'review' for text; the columns are"):
        read_dataset(Dataset.from_dict(rows(3), features=FEATURES), text="review")
    with pytest.raises(ConfigurationError, match="expected a Dataset or a DatasetDict, got list"):
        read_dataset([1, 2])


def test_the_library_is_an_extra(folder, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name == "datasets":
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"needs the library: pip install 'chainrule\[datasets\]'"):
        chainrule.read_table(f"dataset:{folder}")
