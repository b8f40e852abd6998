"""Files of tokens with tags: a token a line, CoNLL-U, lists in JSON, Parquet and data sets; and what is refused."""

import gzip
import json

import polars as pl
import pytest

from chainrule.data import Table, read_dataset, read_table
from chainrule.errors import DataError

TOKENS, TAGS = [["EU", "rejects"], ["Peter", "Blackburn"]], [["B-ORG", "O"], ["B-PER", "I-PER"]]
CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""
CONLLU = """# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tv\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tp\t_\t1\tobj\t_\t_
3\tal mar\tal\tADV\ta\t_\t1\tobl\t_\t_
3.1\tir\tir\tVERB\tv\t_\t_\t_\t_\t_

1\tsí\tsí\tINTJ\ti\t_\t0\troot\t_\t_
"""


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_table(path, target="tags", **options)
    return table.texts.to_list(), None if table.labels is None else table.labels.to_list()


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.tsv", "eng.train", "train", "a.bio"])
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_a_token_a_line(tmp_path, name, separator):
    content = CONLL.replace(" ", separator)
    assert read(tmp_path / name, content) == (TOKENS, TAGS)
    assert read(tmp_path / name, content.replace("\n", "\r\n")) == (TOKENS, TAGS)
    assert read(tmp_path / name, content, label="2")[1] == [["NNP", "VBZ"], ["NNP", "NNP"]]
    assert read(tmp_path / name, content, text="4", label="1") == (TAGS, TOKENS)
    assert read(tmp_path / name, content, label=None) == (TOKENS, None)


def test_tokens_alone_and_compressed(tmp_path):
    assert read(tmp_path / "a.conll", "so\ngood\n\n\n\nbad\n", label=None) == ([["so", "good"], ["bad"]], None)
    assert read(tmp_path / "a.conll.gz", gzip.compress(CONLL.encode())) == (TOKENS, TAGS)


def test_a_token_may_hold_blanks_between_tabs(tmp_path):
    assert read(tmp_path / "a.conll", "10 000\tNUM\n#\tSYM\n") == ([["10 000", "#"]], [["NUM", "SYM"]])


@pytest.mark.parametrize("name", ["a.conllu", "a.txt", "train"])
def test_conllu_without_what_are_no_words(tmp_path, name):
    words = [["vamos", "nos", "al mar"], ["sí"]]
    assert read(tmp_path / name, CONLLU) == (words, [["VERB", "PRON", "ADV"], ["INTJ"]])
    assert read(tmp_path / name, CONLLU, label="XPOS")[1] == [["v", "p", "a"], ["i"]]
    assert read(tmp_path / name, CONLLU, text="lemma", label="8") == (
        [["ir", "nosotros", "al"], ["sí"]], [["root", "obj", "obl"], ["root"]]
    )  # fmt: skip


def test_lists(tmp_path):
    rows = [{"words": x, "tags": y} for x, y in zip([*TOKENS, []], [*TAGS, []], strict=True)]
    options = {"text": "words", "label": "tags"}
    expected = ([*TOKENS, []], [*TAGS, []])
    assert read(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)), **options) == expected
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", target="tags", **options)
    assert (table.texts.to_list(), table.labels.to_list()) == expected
    assert table.report.empty == 1
    same = Table.from_lists(*expected)
    assert same.fingerprint() == table.fingerprint()
    assert same.label_names() == ("B-ORG", "B-PER", "I-PER", "O")


def test_a_data_set_gives_the_names_of_classes(tmp_path):
    import datasets  # which takes seconds to load

    names = ["B-ORG", "B-PER", "I-PER", "O"]
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names)),
        }
    )
    numbers = [[names.index(tag) for tag in tags] for tags in TAGS]
    dataset = datasets.Dataset.from_dict({"tokens": TOKENS, "ner_tags": numbers}, features=features)
    table = read_dataset(dataset, text="tokens", label="ner_tags", target="tags")
    assert (table.texts.to_list(), table.labels.to_list()) == (TOKENS, TAGS)
    dataset.save_to_disk(tmp_path / "folder")
    table = read_table(f"dataset:{tmp_path / 'folder'}", text="tokens", label="ner_tags", target="tags")
    assert table.labels.to_list() == TAGS


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.conll", "a\tX\nb X\n", {}, r"a.conll, line 2: expected 2 columns between tabs, as in line 1, got 1: 'b X'; "
         "it has blanks where others have tabs"),
        ("a.conll", "a X\n\nb\n", {}, "line 3: expected 2 columns between blanks, as in line 1, got 1"),
        ("a.conll", "a X\nb c X\n", {}, "line 2: expected 2 columns between blanks, as in line 1, got 3"),
        ("a.conll", "a\nb\n", {}, "line 1: expected a token and its tag, with a tab or a blank between them"),
        ("a.conll", "a\tX\n\tX\n", {}, "line 2: the token is empty"),
        ("a.conll", "a\tX\nb\t\n", {}, "line 2: the tag is empty"),
        ("a.conll", "a X\n", {"label": "3"}, "no column '3'; columns of files with a token a line are named by "),
        ("a.conllu", "1\ta\tX\n", {}, "line 1: expected 10 columns between tabs, as CoNLL-U has, got 3"),
        ("a.conllu", CONLLU.replace("\t", "    "), {}, "line 3: .* got 1: .*blanks where tabs should be"),
        ("a.conllu", CONLLU.replace("\n2\t", "\n4\t"), {}, "line 5: expected word 2 of its sentence, got '4'"),
        ("a.conllu", CONLLU, {"label": "ner"}, "CoNLL-U has no column 'ner'; --label names one of id, form, lemma"),
        ("a.conllu", CONLLU, {"label": "feats"}, "the column feats holds no tags"),
        ("a.jsonl", '{"text": ["a"], "label": ["X"]}\n{"text": ["a", "b"], "label": ["X"]}', {},
         r"row 1 \(the first is 0\) has 2 tokens and 1 tags; expected a tag for each token"),
        ("a.jsonl", '{"text": ["a", 3], "label": ["X", "Y"]}', {}, "line 1, column 'text': expected text, or a list"),
        ("a.jsonl", '{"text": ["a", ""], "label": ["X", "Y"]}', {}, "row 0 .* 'text' has a token that is missing"),
        ("a.jsonl", '{"text": ["a"], "label": "X"}', {}, "column 'label' holds String; expected lists of tags"),
        ("a.jsonl", '{"text": "a b", "label": ["X", "Y"]}', {}, "its texts are not split into tokens"),
        ("a.jsonl", '{"words": ["a"], "label": ["X"]}', {}, "no column 'text'; .* holds the tokens with --text NAME"),
        ("a.csv", "text,label\na b,X Y\n", {}, "column 'label' holds String; expected lists of tags"),
    ],
)  # fmt: skip
def test_refused(tmp_path, name, content, options, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, content, **options)


def test_other_tasks_do_not_read_them(tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    with pytest.raises(DataError, match=r"a.conll: holds a token a line; .*the task tag reads it \(--task tag\)"):
        read_table(tmp_path / "a.conll")


def test_lists_in_python_are_refused_with_their_place():
    with pytest.raises(DataError, match=r"texts\[1\] is of type str; expected a list of tokens, as others are"):
        Table.from_lists([["a"], "b"], [["X"], ["Y"]])
    with pytest.raises(DataError, match=r"texts\[0\] has a token of type int; expected a list of tokens"):
        Table.from_lists([["a", 3]], [["X", "Y"]])
    with pytest.raises(DataError, match=r"row 0 .* has 1 tokens and 2 tags"):
        Table.from_lists([["a"]], [["X", "Y"]])
