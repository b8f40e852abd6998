"""Studies: the models of a study that are asked for bias, and what is written down of it, for its report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import DataError
from chainrule.files import write_file
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION
from chainrule.report.study import read_study
from chainrule.report.study.bias import RECORD
from chainrule.shown import json_line, json_value


def is_study(place: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a study."""
    return (Path(place) / "study.json").exists()


def models_of(place: str | os.PathLike[str]) -> tuple[list[Model], str]:
    """The models of a folder, and what is to be said of them: one, or those of a study.

    Of a study these are the models, one a seed, of the configuration that is best in validation, as far as it kept
    them.

    Raises:
        DataError: for a study without a model.
        ModelError: for a folder that holds none.
    """
    if not is_study(place):
        return [Model.load(place)], ""
    study = read_study(place)
    ranked = study.ranking().best
    runs = [run.name for run in ranked[0].finished] if ranked else []
    kept = [name for name in runs if (study.folder / "runs" / name / DESCRIPTION).exists()]
    if not kept:
        raise DataError(
            f"{study.folder}: the study keeps no model of its best configuration; make it with --keep all, or give the "
            f"folder that chainrule best writes"
        )
    remark = f"{study.folder}: {ranked[0].label}, {len(kept)} of its {len(runs)} models"
    if len(kept) < len(runs):
        remark += "; the others were not kept, so that this says less of other seeds (--keep all keeps them)"
    return [Model.load(study.folder / "runs" / name) for name in kept], remark


def note(place: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Write down what was found in the folder of a study, so that its report says what was tested.

    Raises:
        StorageError: when it cannot be written.
    """
    path = Path(place) / RECORD
    before = path.read_bytes() if path.exists() else b""
    kept = {"kind", "answer", "table", "rows", "by", "groups", "gaps", "name", "texts", "swapped", "pairs", "sides",
            "shifts", "models"}  # fmt: skip
    line = {key: x for key, x in json_value(record).items() if key in kept}
    write_file(path, before + (json_line(line) + "\n").encode())
