"""Learning word vectors from plain text: skip-gram and CBOW with negative sampling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import chainrule.polars as pl
from chainrule.blocks import expand, gather, segment_sum, softplus
from chainrule.data.chunks import offsets_of
from chainrule.data.helper import uses_polars
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import DataError, SettingError
from chainrule.graph.autodiff import gradients
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.threads import thread_count
from chainrule.optim import SGD
from chainrule.random import generator
from chainrule.settings import Settings, setting
from chainrule.text import Tokenizer
from chainrule.vectors.subwords import Subwords
from chainrule.vectors.vectors import Vectors

SKIP_GRAM, CBOW = ARCHITECTURES = ("skip-gram", "cbow")
#: Words in the middle of windows that one step learns from, at most, and words that stand for all others in it: for
#: CBOW, whose windows have one word to tell each, more and fewer.
CENTRES, NEGATIVES = {SKIP_GRAM: 256, CBOW: 512}, {SKIP_GRAM: 64, CBOW: 16}
#: How often one word may be in the middle in a step, about: what it learns in a step, it learns from the same vectors.
REPEATED = 4
#: About how many words have their windows laid out at once: those of whole steps.
CHUNK = 1 << 13
#: The learning rate at the end, as a share of that at the start.
LAST_RATE = 0.004


@dataclass(frozen=True, kw_only=True)
class WordTraining(Settings):
    """How word vectors are learned.

    Attributes:
        architecture: "skip-gram": a word tells the words around it; "cbow": these together tell the word.
        dim: the numbers that stand for a word.
        window: how many words on each side count, at most; each time a number from 1 to this is drawn.
        negative: for each word that is there, how many others it is told from.
        epochs: passes over the text.
        learning_rate: at the start; it falls linearly to nearly 0.
        minimum_count: how often a word must occur.
        subsampling: words of a larger share of the text than this are left out now and then; 0 for none.
        subwords: whether character n-grams have vectors, whose mean with the word's own is the word's vector.
        least: characters of the shortest n-gram; the signs for the beginning and the end of a word count.
        most: characters of the longest.
        buckets: rows that n-grams share by their hashes.
    """

    name: ClassVar[str] = "vectors"

    architecture: str = setting(SKIP_GRAM, "what tells what", choices=ARCHITECTURES)
    dim: int = setting(100, "numbers that stand for a word", least=1)
    window: int = setting(5, "words on each side that count, at most", least=1)
    negative: float = setting(5, "words that each is told from", above=0)
    epochs: int = setting(5, "passes over the text", least=1)
    learning_rate: float = setting(0.025, "size of a step, at the start", above=0, option="--lr", metavar="RATE")
    minimum_count: int = setting(5, "how often a word must occur", least=1, option="--min-count")
    subsampling: float = setting(0.001, "share of the text above which words are left out now and then", least=0)
    subwords: bool = setting(False, "character n-grams have vectors too")
    least: int = setting(3, "characters of the shortest n-gram", least=1)
    most: int = setting(6, "characters of the longest n-gram", least=1)
    buckets: int = setting(200_000, "rows that n-grams share", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most < self.least:
            raise SettingError(self.name, "most", f"must be least ({self.least}) or more, got {self.most}")


@dataclass(frozen=True)
class Corpus:
    """Texts as numbers.

    Attributes:
        words: the vocabulary, the most frequent first.
        counts: how often each word occurs.
        ids: of all words that have one, text after text.
        texts: which text each is of.
    """

    words: list[str]
    counts: np.ndarray
    ids: np.ndarray
    texts: np.ndarray


@uses_polars
def corpus_of(lines: pl.Series, minimum_count: int) -> Corpus:
    """The words of texts, in lower case, by the rules of `Tokenizer`.

    Raises:
        DataError: when fewer than two words are frequent enough.
    """
    tokens = Tokenizer()(lines)
    counts = np.bincount(tokens.codes, minlength=len(tokens.names))
    names = tokens.names.to_list()
    order = sorted(np.flatnonzero(counts >= minimum_count).tolist(), key=lambda n: (-counts[n], names[n]))
    if len(order) < 2:
        raise DataError(f"the text has {len(order)} words that occur {minimum_count} times; lower --min-count")
    places = np.full(len(names), -1, np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    ids = places[tokens.codes]
    texts = np.repeat(np.arange(len(tokens), dtype=np.int32), np.diff(tokens.offsets))
    return Corpus([names[n] for n in order], counts[order], ids[ids >= 0], texts[ids >= 0])


def learn_vectors(
    lines: Sequence[str] | pl.Series,
    training: WordTraining | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    told: Callable[[str], None] | None = None,
) -> Vectors:
    """Word vectors from texts.

    A step takes words c in the middle of windows. With h the vector of c (skip-gram) or the mean of those of the words
    around it (CBOW), and u those of the words o that it is to tell, it goes down the gradient of

        L = Σ softplus(-h · u_o) + (negative / K) Σₖ softplus(h · u_k)

    where K words are drawn by their counts to the power 0.75, for all windows of the step together. That is the one
    difference to word2vec, which draws words for each pair: with it the sum over k is a product of matrices.
    As in word2vec, each vector that a mean is over moves by the whole gradient of the mean.

    The same texts, settings and seed give the same vectors, bit for bit, at any number of threads.

    Args:
        lines: texts; windows do not reach from one into the next.
        training: how; None for the defaults.
        seed: of the first vectors, the windows, and the words that are drawn.
        threads: how many may work on a step; None for one on each core.
        told: what is called with a line after each epoch.

    Raises:
        DataError: for texts with too few words.

    Example:
        >>> texts = ["the cat sat", "the dog sat", "the cat ran"] * 5
        >>> learn_vectors(texts, WordTraining(dim=4, epochs=1))
        Vectors(5 words, size 4)

    Source: Mikolov, Sutskever, Chen, Corrado and Dean, Distributed Representations of Words and Phrases and their
    Compositionality (2013); subwords: Bojanowski, Grave, Joulin and Mikolov, Enriching Word Vectors with Subword
    Information (2017); shared draws: Ji, Satish, Li and Dubey, Parallelizing Word2Vec in Shared and Distributed Memory
    (2016).
    """
    training = WordTraining() if training is None else training
    corpus = corpus_of(pl.Series("text", lines, dtype=pl.String), training.minimum_count)
    network = _Network(corpus, training, seed, threads)
    started = time.perf_counter()
    for epoch in range(training.epochs):
        loss, learned = network.epoch(epoch)
        if told is not None:
            speed = len(corpus.ids) * (epoch + 1) / (time.perf_counter() - started)
            told(
                f"epoch {epoch + 1}/{training.epochs}: loss {loss / max(learned, 1):.4f} a window, {speed:,.0f} words/s"
            )
    return network.vectors()


class _Network:
    """Vectors of words as they tell (`inner`) and as they are told (`outer`)."""

    def __init__(self, corpus: Corpus, training: WordTraining, seed: int, threads: int | None) -> None:
        self.corpus, self.training, self.seed = corpus, training, seed
        count, size = len(corpus.words), training.dim
        rows = count + (training.buckets if training.subwords else 0)
        drawn = generator(seed, "vectors").random((rows, size), np.float32)
        self.inner = Parameter.of((drawn - np.float32(0.5)) / np.float32(size), name="inner")
        self.outer = Parameter.of(np.zeros((count, size)), name="outer")
        self._rule = SGD(training.learning_rate)
        self._state = self._rule.start([self.inner, self.outer])
        self._bags = self._subwords()
        share = corpus.counts / corpus.counts.sum()
        self._kept = np.ones(count)
        if training.subsampling:
            over = share / training.subsampling
            self._kept = np.minimum((np.sqrt(over) + 1) / over, 1)
        often = (share * self._kept).max() / (share * self._kept).sum()
        self._centres = int(min(max(REPEATED / often, 1), CENTRES[training.architecture]))
        self._negatives = NEGATIVES[training.architecture]
        weights = corpus.counts.astype(np.float64) ** 0.75
        self._draw = np.cumsum(weights / weights.sum())
        self._chunk = max(CHUNK // self._centres, 1) * self._centres
        most, few = self._centres * training.window * 2, max(self._centres // 2, 2)  # only the last step has so few
        expected = [self._specs(few, 2 * few), self._specs(self._centres, most), self._specs(self._centres, most // 2)]
        engine = engine_named("native")
        compiled = engine.compile(self._step, ragged=True, threads=thread_count(threads), expected=expected)
        self._compiled: Callable[..., Tensor] = compiled  # type: ignore[assignment]

    def _subwords(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows of `inner` whose mean is the vector of each word, and where each word's begin."""
        count = len(self.corpus.words)
        own = np.arange(count)
        if not self.training.subwords:
            return own, np.arange(count + 1)
        shape = np.empty((self.training.buckets, 0), np.float32)
        found, offsets = Subwords(shape, self.training.least, self.training.most).rows(self.corpus.words)
        each = np.diff(offsets)
        return np.insert(found + count, offsets[:-1], own), np.append(0, np.cumsum(each + 1))

    def _step(
        self, rows: Tensor, offsets: Tensor, shares: Tensor, place: Tensor, told: Tensor, drawn: Tensor,
        weights: Tensor, rate: Tensor,
    ) -> Tensor:  # fmt: skip
        """One step on some windows: the loss, and the vectors moved."""
        sums = segment_sum(gather(self.inner, rows), offsets)
        mean = sums - sums.detach() + (sums * expand(shares, 1)).detach()  # whose gradient goes whole to each vector
        there = softplus(-(gather(mean, place) * gather(self.outer, told)).sum(axis=1)).sum()
        others = (softplus(mean @ gather(self.outer, drawn).mT).sum(axis=1) * weights).sum()
        loss = there + others
        both = [self.inner, self.outer]
        self._rule.step(both, gradients(loss, both), self._state, learning_rate=rate)
        return loss

    def _specs(self, centres: int, around: int) -> list[Spec]:
        """What a step takes for so many words in the middle, with so many around them."""
        skip = self.training.architecture == SKIP_GRAM
        words, told = (centres, around) if skip else (around, centres)
        each = len(self._bags[0]) / len(self.corpus.words)
        sizes = [int(words * each), centres + 1, centres, told, told, self._negatives, centres]
        dtypes = [np.int32, np.int64, np.float32, np.int32, np.int32, np.int32, np.float32]
        specs = [Spec((size,), np.dtype(dtype)) for size, dtype in zip(sizes, dtypes, strict=True)]
        return [*specs, Spec((), np.dtype(np.float32))]

    def epoch(self, number: int) -> tuple[float, int]:
        """A pass over the text: the sum of losses, and over how many windows."""
        draws = generator(self.seed, "windows", number)
        ids, texts = self.corpus.ids, self.corpus.texts
        kept = draws.random(len(ids), np.float32) < self._kept[ids]
        ids, texts = ids[kept], texts[kept]
        follows = texts[1:] == texts[:-1]
        accompanied = np.append(follows, False) | np.append(False, follows)  # words alone in a text tell nothing
        ids, texts = ids[accompanied], texts[accompanied]
        reach, loss = self.training.window, 0.0
        padded_ids, padded_texts = np.pad(ids, reach), np.pad(texts, reach, constant_values=-1)
        for start in range(0, len(ids), self._chunk):
            stop = min(start + self._chunk, len(ids))
            done = (number + start / len(ids)) / self.training.epochs
            rate = self.training.learning_rate * (1 - (1 - LAST_RATE) * done)
            inside = self._windows(padded_texts[start : stop + 2 * reach], draws)
            for given in self._laid_out(padded_ids[start : stop + 2 * reach], inside, draws):
                loss += self._compiled(*given, np.float32(rate)).item()
        return loss, len(ids)

    def _windows(self, texts: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """Which words around each are in its window, shape (words, 2 reach + 1), column `reach` being the word itself.

        Args:
            texts: that the words are of, with `reach` words more on either side.
            draws: how far each window reaches.
        """
        reach = self.training.window
        around = sliding_window_view(texts, 2 * reach + 1)
        inside: np.ndarray = around == around[:, reach : reach + 1]
        inside &= np.abs(np.arange(-reach, reach + 1)) <= draws.integers(1, reach, (len(inside), 1), endpoint=True)
        inside[:, reach] = False
        return inside

    def _laid_out(
        self, words: np.ndarray, inside: np.ndarray, draws: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """What the steps take, but for the rate, on the windows of words that follow each other.

        Args:
            words: these, and `reach` more on either side.
            inside: which are in the window of each, as `_windows` has them.
            draws: words that stand for all others.
        """
        count, reach, size = len(inside), self.training.window, self._centres
        windows = sliding_window_view(words, 2 * reach + 1)[inside], offsets_of(np.count_nonzero(inside, axis=1))
        centres = words[reach : reach + count], np.arange(count + 1)
        skip = self.training.architecture == SKIP_GRAM
        telling, (told, told_ends) = (centres, windows) if skip else (windows, centres)
        rows, ends = self._rows(*telling)
        shares = (1 / np.diff(ends)).astype(np.float32)
        weights = (np.diff(told_ends) * np.float32(self.training.negative / self._negatives)).astype(np.float32)
        places = np.repeat(np.arange(count, dtype=np.int32), np.diff(told_ends))
        drawn = np.searchsorted(self._draw, draws.random((-(-count // size), self._negatives)))
        drawn = np.minimum(drawn, len(self._draw) - 1).astype(np.int32)
        for step, first in enumerate(range(0, count, size)):
            own = slice(first, first + size)
            offsets, bounds = (x[first : first + size + 1] for x in (ends, told_ends))
            there = slice(bounds[0], bounds[-1])
            yield (
                rows[offsets[0] : offsets[-1]], offsets - offsets[0], shares[own], places[there] - np.int32(first),
                told[there], drawn[step], weights[own],
            )  # fmt: skip

    def _rows(self, words: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of bags of words, and where each bag begins."""
        if not self.training.subwords:
            return words, offsets
        flat, begins = self._bags
        each = begins[words + 1] - begins[words]
        ends = offsets_of(each)
        places = np.arange(ends[-1]) - np.repeat(ends[:-1] - begins[words], each)
        return flat[places].astype(np.int32), ends[offsets]

    def vectors(self) -> Vectors:
        """What has been learned."""
        inner, count = self.inner.numpy(), len(self.corpus.words)
        if not self.training.subwords:
            return Vectors(self.corpus.words, inner.copy())
        flat, begins = self._bags
        matrix = np.array([inner[flat[a:b]].mean(axis=0) for a, b in pairwise(begins.tolist())])
        held = Subwords(inner[count:].copy(), self.training.least, self.training.most)
        return Vectors(self.corpus.words, matrix, subwords=held)
