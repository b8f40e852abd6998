"""Tables from the Hugging Face `datasets` library: what it holds in memory, in a folder, or brings from its hub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chainrule.polars as pl
from chainrule.data.table import Table
from chainrule.data.wanted import Wanted, check_columns
from chainrule.errors import ConfigurationError, DataError

#: What the place of a data set begins with, where a path to a file may stand: `dataset:FOLDER_OR_NAME@CONFIG#SPLIT`.
PREFIX = "dataset:"
#: Names of the split to learn from, to stop by and to evaluate on, the usual one first.
TRAIN, VALID, TEST = ("train",), ("validation", "valid", "val", "dev"), ("test", "validation", "valid", "val", "dev")


def read_dataset(
    dataset: Any,
    *,
    text: str | None = "text",
    numbers: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    label: str | None = "label",
    target: str = "label",
    label_separator: str = ",",
    weight: str | None = None,
    name: str = "dataset",
) -> Any:
    """The table of a `datasets.Dataset`, or the tables of a `datasets.DatasetDict` by the names of its splits.

    Labels that the data set holds as numbers of classes (`ClassLabel`) get their names; -1, which stands for no label
    there, counts as none.

    Args:
        dataset: a Dataset or a DatasetDict.
        text: the column of the texts; further arguments as of `read_table`.
        numbers: columns of numbers.
        categories: columns of categories.
        label: the column of what is to be predicted, or None.
        target: "label", "labels" or "number".
        label_separator: what stands between several labels in one cell.
        weight: the column of how much each row counts, or None.
        name: for messages.

    Raises:
        DataError: a column that is not there, or does not hold what its role needs.
        ConfigurationError: something that is no data set.

    Example:
        >>> from datasets import ClassLabel, Dataset, Features, Value
        >>> features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
        >>> dataset = Dataset.from_dict({"text": ["good", "bad"], "label": [1, 0]}, features=features)
        >>> read_dataset(dataset).labels.to_list()
        ['pos', 'neg']
    """
    roles = {"text": text, "numbers": numbers, "categories": categories, "label": label}
    settings: dict[str, Any] = {**roles, "target": target, "label_separator": label_separator, "weight": weight}
    if isinstance(dataset, Mapping):
        return {split: read_dataset(held, **settings, name=f"{name}#{split}") for split, held in dataset.items()}
    if not hasattr(dataset, "with_format") or not hasattr(dataset, "features"):
        raise ConfigurationError(f"read_dataset: expected a Dataset or a DatasetDict, got {type(dataset).__name__}")
    return Table.from_frame(dataset_frame(dataset), **settings, name=name)


def dataset_frame(dataset: Any, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Columns of a `datasets.Dataset` as a frame, with the names of classes instead of their numbers."""
    chosen = dataset if columns is None else dataset.select_columns(list(columns))
    frame = pl.DataFrame(pl.from_arrow(chosen.with_format("arrow")[:]))
    for column, feature in chosen.features.items():
        inner = getattr(feature, "feature", feature)
        if not hasattr(inner, "int2str"):
            continue
        numbers, names = list(range(len(inner.names))), list(inner.names)
        element = pl.element() if inner is not feature else pl.col(column)
        named = element.replace_strict(numbers, names, default=None, return_dtype=pl.String)
        frame = frame.with_columns(named if inner is feature else pl.col(column).list.eval(named))
    return frame


def read_place(place: str, wanted: Sequence[Wanted], splits: Sequence[str], *, everything: bool) -> pl.DataFrame:
    """Columns of the data set that stands behind `dataset:...`.

    Args:
        place: with its prefix.
        wanted: the columns.
        splits: names of splits, the first of which that is there is taken, unless the place names one.
        everything: whether to read all other columns as well.

    Raises:
        DataError: when it cannot be loaded, or has no such split or column.
        ConfigurationError: when the library is not installed.
    """
    dataset = _loaded(place)
    split = _parts(place)[2]
    if isinstance(dataset, Mapping):
        chosen = next((name for name in ([split] if split else splits) if name in dataset), None)
        if chosen is None:
            held = ", ".join(map(repr, dataset))
            looked = " or ".join(map(repr, [split] if split else splits))
            raise DataError(
                f"{place}: has no split {looked}; the splits are {held}; name one: {place.split('#')[0]}#SPLIT"
            )
        dataset = dataset[chosen]
    elif split:
        raise DataError(f"{place}: has no splits; leave #{split} out")
    check_columns(place, dataset.column_names, wanted, everything=everything)
    frame = dataset_frame(dataset, None if everything else list(dict.fromkeys(name for _, name in wanted)))
    if not frame.height:
        raise DataError(f"{place}: has no rows")
    return frame


def validation_place(place: str) -> str | None:
    """The place of the validation split beside the one that is learned from; None without one."""
    if _parts(place)[2]:
        return None
    dataset = _loaded(place)
    names = [name for name in VALID if isinstance(dataset, Mapping) and name in dataset]
    return f"{place}#{names[0]}" if names else None


def _parts(place: str) -> tuple[str, str | None, str | None]:
    """Folder or name, configuration and split."""
    found = re.fullmatch(r"(.*?)(?:@([^@#]+))?(?:#([^#]+))?", place.removeprefix(PREFIX), re.DOTALL)
    return (found[1], found[2], found[3]) if found else (place, None, None)


def _loaded(place: str) -> Any:
    source, configuration, _ = _parts(place)
    try:
        import datasets
    except ImportError as error:
        raise ConfigurationError(f"{place} needs the library: pip install 'chainrule[datasets]'") from error
    try:
        if Path(source).is_dir():
            return datasets.load_from_disk(source)
        return datasets.load_dataset(source, configuration)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{place}: cannot be loaded: {reason}") from error
