"""The reproducibility checklist: every item fills itself in, and those that do not are named."""

import json

import pytest

from chainrule.report import read_study
from chainrule.report.study.language import language_of
from chainrule.report.study.reproducibility import ITEMS, checklist


def answers(folder):
    return {item.key: item.answer for item in checklist(read_study(folder).ranking())}


def test_it_has_the_items_of_naacl_2021():
    groups = [group for group, *_ in ITEMS.values()]
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [7, 5, 6]


def test_all_are_filled_in_by_themselves(compared, searched, made):
    for folder in (compared, searched, made(labels=(), folds=2)):
        assert [key for key, answer in answers(folder).items() if not answer] == []


def test_what_they_say(compared):
    found = answers(compared)
    ranking = read_study(compared).ranking()
    assert found["runs"].startswith("15 training runs (14 finished, 1 failed) of 3 configurations, 14 evaluations")
    assert found["runs"].endswith("seeds 0, 1, 2, 3, 4")
    assert "960 / 120 / 120 rows of training / validation / test, dealt by seed 0; 2 rows" in found["splits"]
    assert "negative 600, positive 600" in found["examples"]
    assert "bow 40,000, ffnn 1,200,000, cnn 1,350,000" in found["parameters"]
    assert f"bow {ranking[0].mean:.4f} in validation, " in found["validation"]
    assert "accuracy: the share of rows" in found["measure"]
    assert "Linux, AMD EPYC, 2 cores, 8.0 GB of memory" in found["machine"]
    assert "command line: chainrule compare reviews.csv" in found["code"]
    assert found["bounds"].startswith("nothing was searched")
    assert "bow: bow, dim 100, activation relu; trained with optimizer adam, learning rate 0.01, " in found["best"]


def test_a_search_says_its_bounds(searched):
    found = answers(searched)
    assert "training.learning_rate: low 0.0001, high 0.1, scale logarithmic" in found["bounds"]
    assert "random search of 40 trials, seed 0, hopeless runs stopped by median" in found["choice"]
    assert "activation" in found["best"]


def test_what_is_not_known_is_empty(made):
    folder = made()
    described = json.loads((folder / "study.json").read_text())
    described["data"]["fingerprint"] = None
    described["machine"] = None
    (folder / "study.json").write_text(json.dumps(described))
    (folder / "winner.json").unlink()
    assert [key for key, answer in answers(folder).items() if not answer] == ["machine", "languages", "data_link"]
    assert "Not known from the records: machine, languages, data_link." in read_study(folder).report()
    (folder / "notes.toml").write_text('machine = "a laptop"\nlanguages = "Frisian"\ndata_link = "https://a.b/c"\n')
    assert all(answers(folder).values())
    assert answers(folder)["languages"] == "Frisian"


def test_a_study_without_its_tests_has_no_test_results_to_report(made):
    assert answers(made(judged=False))["validation"] == ""


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the film is not as good as it was said to be", "English"),
        ("der Film ist nicht gut und das Buch auch nicht", "German"),
        ("le film est bon mais la fin est dans une scène qui ne va pas", "French"),
        ("この映画は面白い", "Japanese"),
        ("фильм не так хорош, как это было, но и не плох", "Russian"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_languages(text, language):
    assert language_of([text]) == language


def test_the_language_that_the_study_noted_comes_first(made):
    folder = made()
    described = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**described, "language": "Dutch"}))
    assert answers(folder)["languages"] == "Dutch, as the commonest words of the texts tell"


def test_columns_have_no_language(made):
    folder = made()
    lines = (folder / "runs.jsonl").read_text()
    (folder / "runs.jsonl").write_text(lines.replace('"name": "text"', '"name": "columns"'))
    assert answers(folder)["languages"] == "no texts: columns of numbers and categories"
