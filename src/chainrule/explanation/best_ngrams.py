"""Filters: the n-grams that each filter of a convolutional network answers to most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.drawing.page import escaped, page, scoped
from chainrule.drawing.words import Word, words_html, words_sheet
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DataError
from chainrule.explanation.contributions import require_texts
from chainrule.files import write_file
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.models import Model
from chainrule.models.convolutional_network import ConvolutionalEncoder
from chainrule.models.model import BATCH, Inputs
from chainrule.models.sequence import SequenceNetwork
from chainrule.nn.convolution import Convolution
from chainrule.shown import one_line
from chainrule.tasks.text_inputs import TextCodec

#: What stands in an n-gram for what is beyond the end of a text.
BEYOND = "·"
SCOPE = ".chainrule-filters"


@dataclass(frozen=True)
class Filter:
    """A filter, and the n-grams that it answers to most.

    Attributes:
        number: of the filter, from 0, over all widths.
        weight: how much its answer speaks for what it is listed under: its weight in the score (`Task.decision`).
        ngrams: tokens, `·` beyond the ends of a text and `<unk>` for unknown ones; with the largest answer first.
    """

    number: int
    weight: float
    ngrams: tuple[tuple[str, float], ...]


@dataclass(frozen=True, repr=False)
class FilterList:
    """Filters by what they speak for: those with the largest weights, the largest first. `print` shows them.

    Attributes:
        filters: by the label, or "number".
        count: how many filters the network has.
    """

    filters: dict[str, tuple[Filter, ...]]
    count: int

    def __repr__(self) -> str:
        return f"FilterList({self.count} filters, {len(self.filters)} lists)"

    def __str__(self) -> str:
        """A line a filter, under each label."""
        lines = []
        for name, found in self.filters.items():
            lines.append(f"for {one_line(name, 60)}")
            for each in found:
                ngrams = ", ".join(f'"{one_line(text, 80)}" {answer:.2f}' for text, answer in each.ngrams)
                lines.append(f"  {each.weight:+.2f}  filter {each.number}: {ngrams or 'no n-gram'}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A part of a page: the n-grams of each filter, shaded by its answer."""
        parts = []
        for name, found in self.filters.items():
            parts.append(f"<h2>for {escaped(one_line(name, 60))}</h2>")
            for each in found:
                largest = max((abs(answer) for _, answer in each.ngrams), default=0.0) or 1.0
                words = [Word(text, f"{answer:.2f}", answer / largest) for text, answer in each.ngrams]
                parts.append(
                    f'<h3>filter {each.number}, weight {each.weight:+.2f}</h3><p class="words">{words_html(words)}</p>'
                )
        sheet = scoped(words_sheet() + "h2{font-size:18px}h3{font-size:14px;margin:8px 0 2px}p{margin:0}", SCOPE)
        room = "max-width:760px;margin:0 auto;padding:0 14px 14px;font:15px sans-serif"
        body = "\n".join(parts)
        return f'<section class="{SCOPE[1:]}" style="{room}">\n<style>{sheet}</style>\n{body}\n</section>\n'

    def save(self, path: str | Path) -> Path:
        """Write a page, whole or not at all, and return its path.

        Raises:
            ConfigurationError: for a name that does not end in .html.
            StorageError: when the folder does not exist, the path is one, or it cannot be written.
        """
        require_page(path)
        write_file(path, page(f"The n-grams of {self.count} filters", self._repr_html_()))
        return Path(path)


def filters(model: Model, rows: Inputs, *, most: int = 10, ngrams: int = 5, engine: str = "native") -> FilterList:
    """The n-grams of texts that each filter of a convolutional network answers to most.

    Filters are listed under each label, ordered by their weight in its output minus that in the others; where there are
    more than a few labels, a filter may be in several lists. An n-gram that comes more than once is listed once.

    Args:
        model: that was trained with the learner `cnn`.
        rows: texts, such as those it was trained on.
        most: how many filters are listed under each label.
        ngrams: how many n-grams of each.
        engine: "native" or "eager".

    Raises:
        ConfigurationError: for a model of another learner, or numbers below 1.
        DataError: for what are no texts, or texts without a token.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> learner = chainrule.ConvolutionalNetwork(dim=8, filters=4, widths=(2,))
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> model = chainrule.fit(learner, table, table, training=training).model
        >>> found = chainrule.filters(model, table, most=2, ngrams=3)
        >>> found, [len(x) for x in found.filters.values()]
        (FilterList(4 filters, 2 lists), [2, 2])

    Source: Jacovi, Sar Shalom and Goldberg, Understanding Convolutional Neural Networks for Text Classification (2018).
    """
    codec, network, encoder = require_filters(model)
    for name, number in (("most", most), ("ngrams", ngrams)):
        if number < 1:
            raise ConfigurationError(f"filters: {name} must be 1 or more, got {number}")
    best = _strongest(model, network, encoder, rows, ngrams, engine)
    entries = codec.vocabulary.entries.to_list()
    weights = network.output.weight.numpy().astype(np.float64)
    weights = weights.reshape(-1, encoder.size, weights.shape[1]).mean(axis=0)  # a pooling may keep several answers
    listed = {}
    for label in getattr(model.codec.targets, "names", (None,)):
        decision = model.task.decision(model.codec, None, label)
        own = weights @ decision.weights
        order = np.argsort(-own, kind="stable")[:most].tolist()
        listed[decision.answer] = tuple(Filter(k, float(own[k]), _named(best[k], entries)) for k in order)
    return FilterList(listed, encoder.size)


def require_filters(model: Model) -> tuple[TextCodec, SequenceNetwork, ConvolutionalEncoder]:
    """What a model with filters is made of.

    Raises:
        ConfigurationError: for a model of another learner.
    """
    codec, network = require_texts(model, "filters"), model.network
    if not isinstance(network, SequenceNetwork) or not isinstance(network.encoder, ConvolutionalEncoder):
        raise ConfigurationError(
            f"filters: expected a model of the learner cnn, got {model.learner.name}; `chainrule explain` shows which "
            f"words move the answers of every model of texts"
        )
    return codec, network, network.encoder


def require_page(path: str | Path) -> None:
    """Refuse a name of another kind of file.

    Raises:
        ConfigurationError: for a name that does not end in .html.
    """
    if Path(path).suffix.lower() != ".html":
        raise ConfigurationError(f"{path}: expected a name that ends in .html")


def _named(found: list[tuple[tuple[int, ...], float]], entries: list[str]) -> tuple[tuple[str, float], ...]:
    return tuple((" ".join(BEYOND if x < 0 else entries[x] for x in window), answer) for window, answer in found)


def _strongest(
    model: Model, network: SequenceNetwork, encoder: ConvolutionalEncoder, rows: Inputs, count: int, engine: str
) -> list[list[tuple[tuple[int, ...], float]]]:
    """For each filter, the windows with its largest answers, as ids with -1 beyond the ends of a text."""

    def answers(*arrays: Tensor) -> Tensor:
        nodes = topological_order([network(*arrays)])
        return next(node for node in nodes if encoder in node.layers)

    run = engine_named(engine).compile(answers, ragged=True)
    examples = model.encode(rows)
    best: list[dict[tuple[int, ...], float]] = [{} for _ in range(encoder.size)]
    tokens = 0
    for start in range(0, examples.rows, BATCH):
        arrays = examples.slice(start, start + BATCH).arrays()
        offsets = arrays["offsets"] - arrays["offsets"][0]
        tokens += len(arrays["ids"])
        found: Array = run(*[arrays[name] for name in model.reads.arrays]).numpy()  # type: ignore[union-attr]
        for first, layer in _first_filters(encoder):
            windows, places = np.unique(_windows(arrays["ids"], offsets, layer), axis=0, return_index=True)
            for k in range(first, first + layer.bias.shape[0]):
                column = found[places, k]
                for place in np.argsort(-column, kind="stable")[:count].tolist():
                    best[k][tuple(windows[place].tolist())] = float(column[place])
                best[k] = dict(sorted(best[k].items(), key=lambda item: -item[1])[:count])
    if not tokens:
        raise DataError("filters: the texts have no token; expected texts with words, such as those of the training")
    return [list(held.items()) for held in best]


def _first_filters(encoder: ConvolutionalEncoder) -> Iterator[tuple[int, Convolution]]:
    """Each convolution, and the number of its first filter."""
    first = 0
    for layer in encoder.convolutions:
        yield first, layer
        first += layer.bias.shape[0]


def _windows(ids: Array, offsets: Array, layer: Convolution) -> Array:
    """The ids that each output of a convolution reads, -1 beyond the ends of a text: shape (tokens, width)."""
    lengths = np.diff(offsets)
    starts, stops = (np.repeat(x, lengths)[:, None] for x in (offsets[:-1], offsets[1:]))
    places = np.arange(len(ids))[:, None] + np.arange(layer.width) - layer.before
    inside = (places >= starts) & (places < stops)
    return np.where(inside, ids[np.where(inside, places, 0)], -1)
