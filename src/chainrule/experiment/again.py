"""Runs of a study that are made again, and the model that won."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ModelError, shortened
from chainrule.experiment.division import Division, Part
from chainrule.experiment.measure import Measure
from chainrule.experiment.runner import weights_of
from chainrule.experiment.store import FINISHED, TEST, Line, StudyFolder
from chainrule.experiment.trial import Trial
from chainrule.files import new_folder, refuse_existing
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION
from chainrule.settings import suggestion
from chainrule.shown import listing
from chainrule.train.fit import Run, fit
from chainrule.train.prepared import Prepared


@dataclass(frozen=True, eq=False)
class Again:
    """A run that was made again.

    Attributes:
        run: what came out.
        same: whether its weights have the same bits as those of the first time; None where the first one failed.
    """

    run: Run
    same: bool | None


def rerun(
    study: StudyFolder,
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    table: Table | None = None,
    progress: bool = False,
) -> Again:
    """Train a run of a study again: the same version on the same kind of processor gives the same bits.

    Args:
        study: that has the run.
        name: of the run, what it begins with, or a pattern, such as "bow-*-seed0".
        folder: a new folder for its model; None keeps no model.
        table: the rows; None reads them from where the study read them.
        progress: show how it goes on.

    Raises:
        ConfigurationError: for a run that there is not.
        ModelError: when the rows are others than those of the study.
        DataError: when they cannot be read.
    """
    line = _found(study, name)
    trial = Trial.of(line)
    part = parts_of(study, trial, table)[trial.part]
    prepared = Prepared.of(trial.learner, trial.task, part.train, part.valid)
    run = fit(
        trial.learner, prepared, training=trial.training, seed=trial.seed, folder=folder, progress=progress,
        engine=study.header.get("engine", "native"),
    )  # fmt: skip
    known = line.get("weights")
    if known is None:
        return Again(run, None)
    if folder is not None:
        return Again(run, weights_of(Path(folder)) == known)
    with tempfile.TemporaryDirectory() as place:
        run.model.save(Path(place) / "model")
        return Again(run, weights_of(Path(place) / "model") == known)


def best(study: StudyFolder, folder: str | os.PathLike[str], *, learner: str | None = None) -> Line:
    """Copy the model that is best by validation to a new folder; one that was not kept is trained again.

    Args:
        study: whose.
        folder: a new folder for the model.
        learner: the best of this one alone; None for the best of all.

    Returns:
        The line of its run.

    Raises:
        ConfigurationError: when no such run has ended.
        StorageError: when the folder exists, or cannot be written.
    """
    target = Path(folder)
    refuse_existing(target)
    measure = Measure(**study.header["measure"])
    lines = [line for line in study.finalists() if line["state"] == FINISHED]
    if learner is not None:
        names = {line["learner"]["name"] for line in lines}
        if learner not in names:
            near = suggestion(learner, names) or f"; it has {listing(sorted(names))}"
            raise ConfigurationError(f"{study.place}: no run of {shortened(learner)} has ended{near}")
        lines = [line for line in lines if line["learner"]["name"] == learner]
    ranked = measure.ranked(lines)
    if not ranked:
        raise ConfigurationError(
            f"{study.place}: no run has ended yet; go on with the study by the command that began it"
        )
    held = [line for line in lines if line["configuration"] == ranked[0][0]]
    line = (max if measure.higher else min)(held, key=measure.value)
    source = study.folder(line["run"])
    if not (source / DESCRIPTION).exists():
        rerun(study, line["run"], folder=target)
        return line
    Model.load(source)  # refuses one that is not whole
    with new_folder(target) as place:
        for file in source.iterdir():
            if file.name != TEST:
                shutil.copy2(file, place / file.name)
    return line


def parts_of(study: StudyFolder, trial: Trial, table: Table | None = None) -> list[Part]:
    """How the table of a study is divided, read again from where it lay.

    Raises:
        ModelError: when it holds something else now.
        DataError: when it cannot be read.
    """
    data = study.header["data"]
    held: dict[str, Table | None] = {"train": table, "valid": None, "test": None}
    for part in held:
        described = data if part == "train" else data.get(part)
        if described is None or held[part] is not None:
            continue
        if not described.get("files"):
            raise ModelError(
                f"{study.place}: its rows were made in Python and came from no file; give them again (table=...)"
            )
        task = replace(trial.task, inputs=None) if "keep" in data["columns"] else trial.task  # texts, and columns
        found = task.read(described["files"], **data["columns"])
        held[part] = found
        if found.fingerprint() != described["fingerprint"]:
            raise ModelError(
                f"{listing(described['files'])}: holds something else than when the study read it; bring back what it "
                "was, or begin a new study"
            )
    settings = {name: value for name, value in study.header["parts"].items() if name != "rows"}
    whole = held["train"]
    if whole is None:
        raise AssertionError("a study has a table")
    return Division.of(settings).divided(whole, held["valid"], held["test"], task=trial.task)


def _found(study: StudyFolder, name: str) -> Line:
    """The line of the run with this name or of this pattern, or of the one that alone begins so."""
    ended = study.ended()
    fitting: Sequence[str] = []
    for pattern in (name, f"{name}*"):
        fitting = fitting or [run for run in ended if fnmatchcase(run, pattern)]
    if len(fitting) == 1 and name:
        return ended[fitting[0]]
    if len(fitting) > 1:
        held = listing(sorted(fitting))
        raise ConfigurationError(f"{study.place}: {shortened(name)} may be {held}; give more of the name")
    near = suggestion(name, ended) or f"; it has {listing(sorted(ended))}"
    raise ConfigurationError(f"{study.place}: has no run {shortened(name)}{near}")
