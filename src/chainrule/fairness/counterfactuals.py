"""Counterfactuals: what a model says of the same text when he is she, and James is Mary."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.layout import ROW
from chainrule.errors import ConfigurationError, DataError
from chainrule.explanation import explain
from chainrule.explanation.contributions import require_texts
from chainrule.fairness.judged import chosen_labels, same_models
from chainrule.fairness.pairs import Pairs
from chainrule.graph.spec import Array
from chainrule.models import Model
from chainrule.report.statistics import Interval, compare_on_examples, crossed_interval, holm, mean_interval
from chainrule.report.statistics.bootstrap import student_p
from chainrule.report.statistics.crossed import crossed_error
from chainrule.report.statistics.results import LEVEL, require_level
from chainrule.report.study.document import Document
from chainrule.tasks.measures import confidence_interval

#: Texts that are told of, those that change most, and words of each.
TOLD, WORDS = 10, 12


@dataclass(frozen=True, eq=False)
class Shift:
    """How the score of a label changes when words of the first side become those of the second.

    Attributes:
        of: the label; "" for the number of a regression.
        before: the mean score of the texts with words of the first side.
        after: of the same texts with those of the second.
        difference: the second minus the first, the mean over the texts that have words of one side alone.
        interval: of it; None for fewer than two such texts.
        p: the probability of a difference as large, if the side did not matter; NaN for fewer than two texts.
        corrected: the same, for how many labels are looked at (Holm).
        named: whether it is called a difference.
        size: the mean size of the change, whatever its direction, over all swapped texts.
        largest: the largest size.
    """

    of: str
    before: float
    after: float
    difference: float
    interval: Interval | None
    p: float
    corrected: float
    named: bool
    size: float
    largest: float


@dataclass(frozen=True, eq=False)
class Change:
    """A text whose scores change most.

    Attributes:
        row: of it, from 0.
        text: as it was.
        swapped: with the words of pairs in the place of each other.
        of: the label whose score changes most; "" for a number.
        scores: before and after, the mean over models.
        flips: whether an answer changes, of any model.
        moved: for both texts, the words that moved the answer with what each contributed; empty where the model is
            none of texts that can be explained.
    """

    row: int
    text: str
    swapped: str
    of: str
    scores: tuple[float, float]
    flips: bool
    moved: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactual:
    """What was found; `print` shows it, `save` writes a page or JSON.

    Attributes:
        name: of the texts.
        texts: how many there are.
        swapped: in how many of them words were swapped.
        one_sided: how many of these have words of one side alone, and so a direction.
        models: how many models there are.
        task: theirs.
        pairs: the name of the list.
        sides: what both sides are called.
        shifts: of each label.
        templates: how many the texts come from; None where each text stands for itself.
        flips: in how many swapped texts the label, or the labels, change; the mean over models. None for numbers.
        flip_interval: of the share of these; None where nothing can be said.
        changes: the texts that change most.
        guessed: words with several counterparts: how often each was taken for which.
        level: of the intervals.
    """

    name: str
    texts: int
    swapped: int
    one_sided: int
    models: int
    task: str
    pairs: str
    sides: tuple[str, str]
    shifts: tuple[Shift, ...]
    templates: int | None
    flips: float | None
    flip_interval: Interval | None
    changes: tuple[Change, ...]
    guessed: Mapping[str, int]
    level: float

    def __repr__(self) -> str:
        return f"Counterfactual({self.pairs}: {self.swapped} of {self.texts} texts swapped)"

    @property
    def named(self) -> tuple[Shift, ...]:
        """The shifts that are called differences."""
        return tuple(x for x in self.shifts if x.named)

    def __str__(self) -> str:
        from chainrule.fairness.counterfactual_document import counterfactual_text

        return counterfactual_text(self)

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        from chainrule.fairness.counterfactual_document import counterfactual_record

        return counterfactual_record(self)

    def document(self) -> Document:
        """A page."""
        from chainrule.fairness.counterfactual_document import counterfactual_document

        return counterfactual_document(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing else (.html), or all figures (.json), and return the path.

        Raises:
            ConfigurationError: for another ending.
            StorageError: when it cannot be written.
        """
        from chainrule.fairness.output import save

        return save(path, self.document, self.as_dict)


def counterfactual(
    models: Model | Sequence[Model],
    texts: Sequence[str],
    pairs: Pairs | str | os.PathLike[str] = "en",
    *,
    positive: object = None,
    name: str = "texts",
    alike: Sequence[int] | None = None,
    told: int = TOLD,
    level: float = LEVEL,
    seed: int = 0,
    engine: str = "native",
) -> Counterfactual:
    """How the scores of texts change when words are swapped, such as he and she.

        d = score(text with words of the second side) - score(with those of the first)

    for each text that has words of one side alone, whichever it was written with; a text with words of both is swapped
    too, and counts in the size of changes and in the answers that change, but has no direction. The interval of the
    mean of d is over other texts (the bootstrap), and over other seeds at once where there are several models (the
    analysis of variance of `crossed_interval`); p is that of the paired permutation test, or of that analysis.
    Texts without a word of the pairs are left out.

    Words are swapped, not people: a text may say whom it is about in other words, and French adjectives keep their
    endings. Of words with several counterparts, such as her, one is chosen by what follows, and that is counted.

    Args:
        models: one, or several of the same learner trained with other seeds.
        texts: to swap words in; sentences of templates come from `filled`.
        pairs: of words, or what `Pairs.read` takes.
        positive: the label to look at; None for all, and of two for the second.
        name: of the texts.
        alike: the number of the template that each text comes from: the mean over the texts of each is taken, and what
            is over other texts is over other templates then, as one text more of the same tells little. None where
            each text stands for itself.
        told: how many texts are told of, those that change most.
        level: of intervals.
        seed: of what is drawn.
        engine: "native" or "eager".

    Raises:
        ConfigurationError: for models of columns, of different tasks or labels, or without an answer a row; for a label
            that there is not, or a level that is no share.
        DataError: when no text has a word of the pairs, or for pairs that cannot be read.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["he is good", "she is bad"] * 40, list("pn") * 40)
        >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
        >>> found = counterfactual(model, ["He is here.", "She is there.", "They left."], told=1)
        >>> found.swapped, found.flips, found.shifts[0].difference < -0.5
        (2, 2.0, True)

    Sources: Kiritchenko and Mohammad, Examining Gender and Race Bias in Two Hundred Sentiment Analysis Systems (2018),
    for paired sentences; Garg et al., Counterfactual Fairness in Text Classification through Robustness (2019). The
    sentences and lists that come with the library are our own.
    """
    require_level(level)
    if told < 0:
        raise ConfigurationError(f"told: expected a whole number of 0 or more, got {told}")
    held = [models] if isinstance(models, Model) else list(models)
    first = same_models(held)
    require_texts(first, "counterfactuals")
    if first.task.answers != ROW:
        raise ConfigurationError(
            f"counterfactuals: expected models with an answer for each text, and the task {first.task.name} has none"
        )
    listed = pairs if isinstance(pairs, Pairs) else Pairs.read(pairs)
    found, guessed = listed.all_swapped(texts)
    if alike is not None and len(alike) != len(texts):
        raise DataError(f"alike: expected the template of each of {len(texts):,} texts, got {len(alike):,} numbers")
    rows = [row for row, each in enumerate(found) if sum(each.sides)]
    if not rows:
        raise DataError(f"{name}: no text has a word of the pairs {listed.name}; take another list, or --templates")
    originals, changed = [texts[row] for row in rows], [found[row].text for row in rows]
    labels = (
        [first.codec.targets.names[x] for x in chosen_labels(first, positive)] if _labelled(first, positive) else [""]
    )
    scores = np.array([[_scores(model, x, positive, engine) for x in (originals, changed)] for model in held])
    labelled = labels != [""]
    flipped = _flipped(held, originals, changed, engine) if labelled else np.zeros((len(held), len(rows)), bool)
    direction = np.array([(1 if not b else -1 if not a else 0) for a, b in (found[row].sides for row in rows)])
    kinds = np.arange(len(rows)) if alike is None else np.unique([alike[row] for row in rows], return_inverse=True)[1]
    shifts = _corrected(
        [_shift(of, scores[:, :, :, place], direction, kinds, level, seed) for place, of in enumerate(labels)],
        1 - level,
    )
    flips = float(flipped.sum(axis=1).mean()) if labelled else None
    return Counterfactual(
        name, len(texts), len(rows), int((direction != 0).sum()), len(held), first.task.name, listed.name, listed.sides,
        tuple(shifts), None if alike is None else int(kinds.max()) + 1, flips,
        _flip_interval(flipped, kinds, alike is not None, level, seed) if labelled else None,
        tuple(_changes(first, rows, originals, changed, scores, flipped, labels, told)), guessed, level,
    )  # fmt: skip


def _labelled(model: Model, positive: object) -> bool:
    if model.task.target.startswith("label"):
        return True
    if positive is not None:
        raise ConfigurationError(f"--positive: the task {model.task.name} answers by a number, and has no labels")
    return False


def _scores(model: Model, texts: Sequence[str], positive: object, engine: str) -> Array:
    """Probabilities of the labels that are looked at, or the number: shape (texts, labels)."""
    if not model.task.target.startswith("label"):
        return np.array(model.predict(texts, engine=engine), np.float64)[:, None]
    found = model.predict_probabilities(texts, engine=engine)[:, chosen_labels(model, positive)]
    return found.astype(np.float64)


def _flipped(models: Sequence[Model], originals: Sequence[str], changed: Sequence[str], engine: str) -> Array:
    """Whether the answer of each model for each text changes, shape (models, texts)."""
    answers = [[model.predict(x, engine=engine) for x in (originals, changed)] for model in models]
    return np.array([[one != two for one, two in zip(*pair, strict=True)] for pair in answers])


def _shift(of: str, scores: Array, direction: Array, kinds: Array, level: float, seed: int) -> Shift:
    """Of the scores of a label, shape (models, 2, texts), with the template of each text."""
    sizes = np.abs(scores[:, 1] - scores[:, 0]).mean(axis=0)
    sided = direction != 0
    forward = direction[sided] > 0
    own = scores[:, :, sided]
    first = _means(np.where(forward, own[:, 0], own[:, 1]), kinds[sided])
    second = _means(np.where(forward, own[:, 1], own[:, 0]), kinds[sided])
    difference = second - first
    interval, p = None, float("nan")
    if difference.shape[1] > 1 and len(difference) > 1:
        interval = crossed_interval(difference, level=level)
        error, freedom = crossed_error(difference)
        middle = float(difference.mean())
        p = student_p(middle / error, freedom) if error else float(middle == 0)
    elif difference.shape[1] > 1:
        interval = mean_interval(difference[0], level=level, seed=seed)
        p = compare_on_examples(second[0], first[0], level=level, seed=seed).p
    before, after, mean = (float(x.mean()) if x.size else float("nan") for x in (first, second, difference))
    return Shift(of, before, after, mean, interval, p, p, False, float(sizes.mean()), float(sizes.max()))


def _corrected(shifts: Sequence[Shift], error: float) -> list[Shift]:
    """With p corrected for how many labels there are (Holm)."""
    known = [x for x in shifts if x.p == x.p]
    p = dict(zip((x.of for x in known), holm([x.p for x in known]).tolist() if known else [], strict=True))
    return [replace(x, corrected=p.get(x.of, x.p), named=p.get(x.of, 1.0) <= error) for x in shifts]


def _means(values: Array, kinds: Array) -> Array:
    """The mean of the columns of each kind, in the order of the kinds that there are: shape (models, kinds)."""
    known, places = np.unique(kinds, return_inverse=True)
    if len(known) == len(kinds):
        return values
    counts = np.bincount(places)
    return np.array([np.bincount(places, row) / counts for row in values])


def _flip_interval(flipped: Array, kinds: Array, templates: bool, level: float, seed: int) -> Interval | None:
    """Of the share of texts whose answer changes."""
    models, texts = flipped.shape
    if models == 1 and not templates:
        return Interval(*confidence_interval(int(flipped.sum()), texts, level=level), level)
    shares = _means(flipped.astype(np.float64), kinds)
    if shares.shape[1] < 2:
        return None
    return crossed_interval(shares, level=level) if models > 1 else mean_interval(shares[0], level=level, seed=seed)


def _changes(
    model: Model, rows: Sequence[int], originals: Sequence[str], changed: Sequence[str], scores: Array, flipped: Array,
    labels: Sequence[str], told: int,
) -> list[Change]:  # fmt: skip
    """The texts whose scores change most, on average over models, and what moved the answers of the first model."""
    means = scores.mean(axis=0)
    sizes = np.abs(means[1] - means[0])
    order = np.argsort(-sizes.max(axis=1), kind="stable")[:told]
    found = []
    for place in order.tolist():
        label = int(sizes[place].argmax())
        pair = (originals[place], changed[place])
        moved = tuple(_moved(model, text, labels[label] or None) for text in pair)
        found.append(
            Change(
                rows[place], *pair, labels[label], (float(means[0, place, label]), float(means[1, place, label])),
                bool(flipped[:, place].any()), moved,
            )
        )  # fmt: skip
    return found


def _moved(model: Model, text: str, label: str | None) -> tuple[tuple[str, float], ...]:
    """The words that moved the score of a label most, the farthest first."""
    found = explain(model, text, answer=label)
    order = np.argsort(-np.abs(found.contributions), kind="stable")[:WORDS]
    return tuple((found.words[k], float(found.contributions[k])) for k in order.tolist())
