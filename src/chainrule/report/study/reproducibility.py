"""The reproducibility checklist of NAACL 2021, each item filled in from the records.

The items are those of https://2021.naacl.org/calls/reproducibility-checklist/, after Dodge et al., Show Your Work
(2019). What `notes.toml` in the folder of the study says comes instead, where there is one: a line an item, such as
`data_link = "https://..."`.
"""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import DataError
from chainrule.report.study.language import language_of
from chainrule.report.study.measures import definition
from chainrule.report.study.ranking import Ranked, Ranking
from chainrule.report.study.shown import duration, figure, mean, setting_text, several, size
from chainrule.report.study.study import Study
from chainrule.settings.suggestion import suggestion

NOTES = "notes.toml"
RESULTS, SEARCHES, DATA = "All results", "Several runs", "Data"


@dataclass(frozen=True)
class Item:
    """An item of the checklist.

    Attributes:
        key: one word, by which notes call it.
        group: of the items it stands in.
        asks: what is asked for.
        answer: "" where nothing is known.
    """

    key: str
    group: str
    asks: str
    answer: str


def checklist(ranking: Ranking) -> list[Item]:
    """All items.

    Raises:
        DataError: when the notes cannot be read, or tell of something that is no item.
    """
    notes = _notes(ranking.study)
    return [Item(key, group, asks, notes.get(key) or answer(ranking)) for key, (group, asks, answer) in ITEMS.items()]


def _notes(study: Study) -> dict[str, str]:
    path = study.folder / NOTES
    if not path.exists():
        return {}
    try:
        notes = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    for key, text in notes.items():
        if key not in ITEMS:
            near = suggestion(key, ITEMS) or f"; there are: {', '.join(ITEMS)}"
            raise DataError(f"{path}: {key!r:.60} is no item of the checklist{near}")
        if not isinstance(text, str):
            raise DataError(f"{path}: expected a text as {key!r}, got {text!r:.60}")
    return notes


def _method(ranking: Ranking) -> str:
    study = ranking.study
    learners = ", ".join(str(x) for x in study.description["learners"])
    trained = dict.fromkeys(x for entry in _shown(ranking) if (x := _optimizer(study, entry)))
    by = f", trained by {', '.join(trained)}" if trained else ""
    task = f"task {study.description['task'].get('name', '?')} ({_pairs(study.description['task'])})"
    return f"{task}; learners {learners}{by}; the layers and all settings of the best one are in this report"


def _code(ranking: Ranking) -> str:
    versions = ranking.study.description.get("versions") or {}
    again = ranking.study.description.get("again") or []  # where a search was gone on with for more trials
    commands = [ranking.study.description.get("command"), *(x.get("command") for x in again if isinstance(x, Mapping))]
    lines = [" ".join(map(_quoted, command)) for command in commands if isinstance(command, list) and command]
    run = f"; command line: {', then '.join(lines)}" if lines else ""
    return ", ".join(f"{name} {version}" for name, version in versions.items()) + run if versions else ""


def _machine(ranking: Ranking) -> str:
    machine = dict(ranking.study.description.get("machine") or {})
    memory, cores = machine.pop("memory", None), machine.pop("cores", None)
    told = [str(x) for x in machine.values() if x]
    if isinstance(cores, int):
        told.append(several(cores, "core"))
    if isinstance(memory, int):
        told.append(f"{size(memory)} of memory")
    return ", ".join(told)


def _runtime(ranking: Ranking) -> str:
    """The mean duration of a run, and that of all."""
    told = [f"{x.label} {duration(x.seconds)}" for x in _shown(ranking) if x.seconds is not None]
    total = sum(run.seconds for run in ranking.study.runs)
    return f"{', '.join(told)} a run, on average; {duration(total)} for all runs, added up" if told else ""


def _parameters(ranking: Ranking) -> str:
    return ", ".join(f"{x.label} {x.parameters:,}" for x in _shown(ranking) if x.parameters is not None)


def _validation(ranking: Ranking) -> str:
    """Beside each test result, what it was in validation."""
    study = ranking.study
    told = [
        f"{x.label} {figure(x.mean)} in validation, {figure(mean(x.tested))} on test rows"
        for x in _shown(ranking)
        if x.tested
    ]
    if told:
        return f"{study.measure.title}, means over runs: {', '.join(told)}"
    held_out = sum(_count(part, "test") for part in study.parts)
    return "" if held_out or not study.parts else "no row was held out for a test, and no test result is reported"


def _measure(ranking: Ranking) -> str:
    measure = ranking.study.measure
    what = definition(measure.name)
    better = "higher" if measure.higher else "lower"
    return f"{measure.title}: {what}; {better} is better; {STATISTICS}" if what else ""


STATISTICS = (
    "± is the standard deviation over runs; 95 of 100 intervals hold the truth (bootstrap-t over runs); learners are "
    "compared by their scores of test rows, over other seeds and rows at once where there are several seeds, with "
    "Holm's correction for the number of comparisons"
)


def _runs(ranking: Ranking) -> str:
    study = ranking.study
    states = {state: sum(run.state == state for run in study.runs) for state in ("finished", "stopped", "failed")}
    told = ", ".join(f"{count:,} {state}" for state, count in states.items() if count)
    if not study.runs:
        return ""
    seeds = ", ".join(map(str, study.description["seeds"]))
    return (
        f"{several(len(study.runs), 'training run')} ({told}) of {several(len(ranking), 'configuration')}, "
        f"{several(len(study.tests), 'evaluation')} on test rows; seeds {seeds}"
    )


def _bounds(ranking: Ranking) -> str:
    search = ranking.study.search
    if search is None:
        return "nothing was searched: each learner has the settings that are listed below, or its defaults"
    space = search.get("space") or {}
    return "; ".join(
        f"{place}: {_pairs(x) if isinstance(x, Mapping) else setting_text(x)}" for place, x in space.items()
    )


def _best(ranking: Ranking) -> str:
    told = []
    for entry in _shown(ranking):
        settings = ranking.study.resolved(entry.runs[0])
        training = {TRAINING[x]: settings[x] for x in TRAINING if settings.get(x) is not None}
        own = _pairs(entry.runs[0].learner)
        told.append(f"{entry.label}: {own}" + (f"; trained with {_pairs(training)}" if training else ""))
    return "; ".join(told)


def _choice(ranking: Ranking) -> str:
    study, search = ranking.study, ranking.study.search
    rule = f"the best mean over seeds of {study.measure.title} in validation, at the best epoch of each run"
    if search is None:
        return f"settings were given, not chosen; configurations are ranked by {rule}"
    told = [f"{search.get('method')} search of {setting_text(search.get('trials'))} trials"]
    told += [f"seed {search['seed']}"] * (search.get("seed") is not None)
    told += [
        f"hopeless runs stopped by {_pairs(x) if isinstance(x, Mapping) else x}" for x in [search.get("stopping")] if x
    ]
    return f"{', '.join(told)}; chosen by {rule}"


def _summary(ranking: Ranking) -> str:
    told = [_statistics(x.label, x.values) for x in _shown(ranking) if x.values]
    return f"{ranking.study.measure.title} in validation: {'; '.join(told)}" if told else ""


def _statistics(name: str, values: Sequence[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    told = f"{name} mean {figure(mean(values))}, lowest {figure(min(values))}, highest {figure(max(values))}"
    varies = ""
    if deviation is not None:
        varies = f", variance {deviation * deviation:.3g}, standard deviation {figure(deviation)}"
    return f"{told}{varies} over {several(len(values), 'run')}"


def _examples(ranking: Ranking) -> str:
    data = ranking.study.description["data"]
    if not isinstance(data.get("rows"), int):
        return ""
    labels = data.get("labels") or {}
    shown = ", ".join(f"{name} {count:,}" for name, count in list(labels.items())[:50])
    more = f" and {len(labels) - 50:,} more labels" if len(labels) > 50 else ""
    return several(data["rows"], "row") + (f"; rows by label: {shown}{more}" if labels else "")


def _splits(ranking: Ranking) -> str:
    study, told = ranking.study, ranking.study.description["parts"]
    if not study.parts:
        return ""
    rows = [f"{_count(x, 'train'):,} / {_count(x, 'valid'):,} / {_count(x, 'test'):,}" for x in study.parts]
    shown = rows[0] if len(set(rows)) == 1 else "; ".join(rows)
    folds = f", {told['folds']} folds" + (f", {told['repeats']} times" if (told.get("repeats") or 1) > 1 else "") if (
        told.get("folds")
    ) else ""  # fmt: skip
    seed = told.get("split_seed", told.get("seed"))
    near = sum(_count(x, "near_duplicates") for x in study.parts)
    return (
        f"{shown} rows of training / validation / test{folds}, dealt by seed {seed}; "
        f"{several(near, 'row')} of validation or test with a near twin in training"
    )


def _preparation(ranking: Ranking) -> str:
    data, inputs = ranking.study.description["data"], _inputs(ranking.study)
    prepared = [f"inputs: {_pairs(inputs)}"] if inputs else []
    read = [f"read as: {_pairs(data['columns'])}"] if data.get("columns") else []
    counts = {"duplicates": "rows that repeat others", "unlabelled": "rows without a label", "empty": "empty texts"}
    counted = [f"{data[name]:,} {title}" for name, title in counts.items() if isinstance(data.get(name), int)]
    return "; ".join([*counted, *read, *prepared])


def _languages(ranking: Ranking) -> str:
    study = ranking.study
    if (_inputs(study) or {}).get("name") == "columns":
        return "no texts: columns of numbers and categories"
    told = study.description.get("language")
    if told:
        return f"{told}, as the commonest words of the texts tell"
    texts = [str(x.get("text", "")) for x in (study.winner or {}).get("examples") or () if isinstance(x, Mapping)]
    found = language_of(texts)
    return f"{found}, as the commonest words of the examples below tell" if found else ""


def _data_link(ranking: Ranking) -> str:
    data = ranking.study.description["data"]
    files = data.get("files") or [data.get("name")]
    if not data.get("fingerprint") or files == [None]:
        return ""
    return (
        f"{', '.join(map(str, files))}; the rows have the fingerprint {data['fingerprint']}, by which a copy is known"
    )


def _collection(ranking: Ranking) -> str:
    return "the study collected no data: it reads a table that was there" if ranking.study.description["data"] else ""


#: Settings of a training that are told of each of the best models, and what they are called; the report has all.
TRAINING = {
    "training.optimizer.name": "optimizer", "training.learning_rate": "learning rate",
    "training.schedule.name": "schedule", "training.batch_size": "batch size", "training.epochs": "epochs at most",
}  # fmt: skip
#: Of each item its group, what it asks for, and what answers it.
ITEMS: Mapping[str, tuple[str, str, Callable[[Ranking], str]]] = {
    "method": (RESULTS, "The mathematical setting, algorithm and model", _method),
    "code": (RESULTS, "Source code, with all dependencies", _code),
    "machine": (RESULTS, "Computing infrastructure", _machine),
    "runtime": (RESULTS, "Average run time of each model", _runtime),
    "parameters": (RESULTS, "Number of parameters in each model", _parameters),
    "validation": (RESULTS, "Validation performance for each test result", _validation),
    "measure": (RESULTS, "Definition of the measure and of the statistics", _measure),
    "runs": (SEARCHES, "Exact number of training and evaluation runs", _runs),
    "bounds": (SEARCHES, "Bounds of each hyper-parameter", _bounds),
    "best": (SEARCHES, "Hyper-parameters of the best models", _best),
    "choice": (SEARCHES, "How hyper-parameters were chosen, and by what criterion", _choice),
    "summary": (SEARCHES, "Summary statistics of the results", _summary),
    "examples": (DATA, "Number of examples and distribution of labels", _examples),
    "splits": (DATA, "Training, validation and test", _splits),
    "preparation": (DATA, "Data left out, and all steps of preparation", _preparation),
    "languages": (DATA, "Languages", _languages),
    "data_link": (DATA, "Where the data can be had", _data_link),
    "collection": (DATA, "How new data were collected", _collection),
}


def _shown(ranking: Ranking) -> tuple[Ranked, ...]:
    """Whose figures are told: the finalists, or the best of each learner while there are none."""
    return ranking.finalists or ranking.best


def _count(part: Mapping[str, Any], name: str) -> int:
    found = part.get(name)
    return found if isinstance(found, int) else 0


def _inputs(study: Study) -> Mapping[str, Any] | None:
    """What rows are read as: by the first run, or as it was asked."""
    for task in (*(run.task for run in study.runs[:1]), study.description["task"]):
        if isinstance(task.get("inputs"), Mapping):
            return dict(task["inputs"])
    return None


def _optimizer(study: Study, entry: Ranked) -> str:
    return str(study.resolved(entry.runs[0]).get("training.optimizer.name") or "")


def _pairs(settings: Mapping[str, Any]) -> str:
    return ", ".join(_flat(settings))


def _flat(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield f"{name}: ({_pairs(value)})"
        elif name != "name" or len(settings) == 1:
            yield f"{name} {setting_text(value)}"
        else:
            yield setting_text(value)


def _quoted(word: object) -> str:
    import shlex

    return shlex.quote(str(word))
