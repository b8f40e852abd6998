"""Explain: which words of a text moved a decision, and what attention looked at."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.polynomial.legendre import leggauss

from chainrule.blocks import gather
from chainrule.data import Examples
from chainrule.data.layout import BAGS, ROW, TOKEN
from chainrule.dataclasses import dataclass
from chainrule.encoders import PretrainedEncoder
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.explanation.attended import attention
from chainrule.explanation.explanation import Explanation
from chainrule.graph.autodiff import grad
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models import Model
from chainrule.models.learner import Network
from chainrule.models.sequence import SequenceNetwork
from chainrule.nn import EmbeddingBag, Layer
from chainrule.nn.pooling import AttentionPooling
from chainrule.shown import listing
from chainrule.tasks import Decision
from chainrule.tasks.piece_inputs import PiecesCodec
from chainrule.tasks.text_inputs import TextCodec

#: Attention of so many tokens at most is kept: its memory grows with their square.
MOST_ATTENDED = 1000
#: Points on the way at which gradients are taken, and tokens that go through the network together; of a pretrained
#: encoder, the numbers that these have in all layers.
STEPS, TOKENS_AT_ONCE, NUMBERS_AT_ONCE = 64, 1 << 14, 1 << 22


@overload
def explain(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
    model: Model,
    texts: str,
    *,
    answer: object = None,
    against: object = None,
    word: int | str | None = None,
    steps: int = STEPS,
) -> Explanation: ...


@overload
def explain(
    model: Model,
    texts: Sequence[str],
    *,
    answer: object = None,
    against: object = None,
    word: int | str | None = None,
    steps: int = STEPS,
) -> list[Explanation]: ...


def explain(
    model: Model,
    texts: str | Sequence[str],
    *,
    answer: object = None,
    against: object = None,
    word: int | str | None = None,
    steps: int = STEPS,
) -> Explanation | list[Explanation]:
    """Which words moved the answer of a model of texts, and what its attention looked at.

    The score of an answer is a sum over the outputs of the network: for a label, its output minus that of another one
    (see `Task.decision`). A token with the vector x contributes gradient × input, compared with an unknown token, whose
    vector is u, and with the mean of the gradients on the straight way from a text of unknown tokens to this one
    (integrated gradients):

        c = Σⱼ (xⱼ - uⱼ) ∫₀¹ ∂score/∂xⱼ (u + t (x - u)) dt,    score = Σ c + rest

    The vector of a token is that of its characters, too, where these are read: without any, it is 0.
    A model of a pretrained encoder is explained by the pieces that its tokenizer cuts words into. Those that begin and
    end each text stay as they are on that way, and contribute nothing.
    So the rest is the score of a text of unknown tokens, and what the numeric integral misses. In a bag, unknown tokens
    are left out: u is 0, and of a linear model of words the rest is the bias, exactly. With `steps=0` it is gradient ×
    input at the text itself, Σⱼ xⱼ ∂score/∂xⱼ. That is as good for linear models; but where an answer is sure, outputs
    are often flat, and it tells little. What an n-gram contributes is shared by its tokens, and by the places where it
    stands.

    Args:
        model: of texts.
        texts: one, or several.
        answer: the label to explain, known to the model; None for the likeliest.
        against: the label it is compared with; None for the likeliest other one.
        word: of a model that tags, the token whose tag is explained: its place from 0, or the word itself.
        steps: points at which gradients are taken (Gauss's quadrature); 0 for the text itself alone.

    Returns:
        An explanation, or a list of one a text.

    Raises:
        ConfigurationError: for a model of columns, a task that writes texts, or a label or word that there
            is not.
        DataError: for what are no texts.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
        >>> found = chainrule.explain(model, "so very good")
        >>> found.words, found.known, max(zip(found.contributions, found.words))[1]
        (('so', 'very', 'good'), (True, False, True), 'good')

    Sources: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017); for gradient × input Shrikumar,
    Greenside and Kundaje, Learning Important Features Through Propagating Activation Differences (2017).
    """
    codec = model.codec.inputs if isinstance(model.codec.inputs, PiecesCodec) else require_texts(model, "explain")
    if not isinstance(texts, Iterable):
        raise DataError(f"explain: expected a text, or a sequence of texts, got {type(texts).__name__}")
    listed = [texts] if isinstance(texts, str) else list(texts)
    if not all(isinstance(text, str) for text in listed):
        raise DataError("explain: expected texts, got a sequence that holds something else")
    if steps < 0:
        raise ConfigurationError(f"explain: steps must be 0 or more, got {steps}")
    found = []
    for text in listed:
        (written,) = codec.words([text])
        place = _place(model, written, word)
        found.append(_explained(model, codec, text, written, place, steps, {"answer": answer, "against": against}))
    return found[0] if isinstance(texts, str) else found


def require_texts(model: Model, what: str) -> TextCodec:
    """The codec of a model of texts.

    Raises:
        ConfigurationError: for a model of columns or of pieces of words, or one that writes texts.
    """
    if model.task.columns():
        raise ConfigurationError(
            f"{what}: the model reads columns of numbers and categories, and explanations are of texts; of the learner "
            f"linear, the weights say what it looks at: model.network.named_parameters()"
        )
    if model.learner.name == "pretrained":
        raise ConfigurationError(
            f"{what}: the model reads pieces of words, as a pretrained encoder has them, and explanations are of "
            f"words; models of other learners have them"
        )
    if model.task.answers not in (ROW, TOKEN) or not isinstance(model.codec.inputs, TextCodec):
        raise ConfigurationError(
            f"{what}: expected a model that answers for a text or for each of its tokens, and the task "
            f"{model.task.name} writes texts"
        )
    return model.codec.inputs


def _place(model: Model, written: Sequence[str], word: int | str | None) -> int | None:
    """The place of the token whose answer is explained; None where the text has one.

    Raises:
        ConfigurationError: when a token must be named and is not there, or must not be.
    """
    if model.task.answers == ROW:
        if word is not None:
            raise ConfigurationError(f"word {shortened(word)}: the model has one answer for the text; leave it out")
        return None
    if isinstance(word, str) and word in written:
        return written.index(word)
    if isinstance(word, str) and word.isdecimal():
        word = int(word)
    if isinstance(word, int) and 0 <= word < len(written):
        return word
    found = "" if word is None else f", got {shortened(word)}"
    raise ConfigurationError(
        f"word: the model answers for each token; expected one of {listing(written)}, or its place from 0{found}"
    )


def _explained(
    model: Model, codec: TextCodec | PiecesCodec, text: str, written: Sequence[str], place: int | None, steps: int,
    asked: Mapping[str, object],
) -> Explanation:  # fmt: skip
    examples = model.encode([text])
    arrays = _arrays(model, examples)
    outputs: Tensor = model.network(*arrays)
    response = model.task.response(outputs, dict(zip(model.reads.arrays, arrays, strict=True))).numpy()
    row = place or 0
    decision = model.task.decision(model.codec, response[row], **asked)
    contributions = _contributed(model, examples, decision, row, steps)
    if isinstance(codec, PiecesCodec):
        ids = _ids(model, arrays).numpy()
        written, known = codec.tokenizer.pieces(ids), ids != codec.tokenizer.unknown
        place = None if place is None else int(arrays[0].numpy()[place])
    else:
        tokens = codec.tokenizer.words(text)
        known = np.zeros(len(tokens), bool)
        known[[start for _, start, stop in codec.vocabulary.places(tokens) if stop == start + 1]] = True
        contributions = _shares(codec, tokens, arrays[0].numpy()) @ contributions
    return Explanation(
        text=text,
        words=tuple(written),
        known=tuple(known.tolist()),
        answer=next(model.answers([text], engine="eager")),
        decision=decision,
        place=place,
        contributions=contributions,
        score=float(outputs.numpy()[row].astype(np.float64) @ decision.weights) + decision.constant,
        steps=steps,
        attention=_attention(model.network, outputs, arrays[1]) if len(known) <= MOST_ATTENDED else {},
    )


def _arrays(model: Model, examples: Examples) -> tuple[Tensor, ...]:
    """What the network reads."""
    held = examples.arrays()
    return as_tensors([held[name] for name in model.reads.arrays])


def _contributed(model: Model, examples: Examples, decision: Decision, row: int, steps: int) -> Array:
    """What each id contributes to the score of one text, or of a token of it; see `explain`."""
    sources = _sources(model, _arrays(model, examples))
    ends = [source.end for source in sources]
    points, parts = _rule(steps) if steps else (np.ones(1), np.ones(1))
    starts = [source.start if steps else np.zeros_like(source.end) for source in sources]
    total = np.zeros(len(ends[0]))
    at_once = max(1, _tokens_at_once(model.network) // max(1, len(total)))
    for first in range(0, len(points), at_once):
        some, part = points[first : first + at_once, None, None], parts[first : first + at_once]
        between = [(x + some * (y - x)).astype(y.dtype) for x, y in zip(starts, ends, strict=True)]
        given = [tensor(x.reshape(x.shape[0] * x.shape[1], x.shape[2])) for x in between]
        network = copy.copy(model.network)
        for source, vectors in zip(sources, given, strict=True):
            setattr(network, source.field, source.giving(vectors))
        outputs: Tensor = network(*_arrays(model, examples.take(np.zeros(len(some), np.int64))))
        rows = row + outputs.shape[0] // len(some) * np.arange(len(some))
        score = (gather(outputs, rows) * tensor(decision.weights, outputs.dtype)).sum()
        for x, y, slope in zip(starts, ends, grad(score, given, unused="zeros"), strict=True):
            total += (np.tensordot(part, slope.numpy().reshape(len(some), *y.shape), 1) * (y - x)).sum(axis=1)
    return total


def _tokens_at_once(network: Network) -> int:
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, PretrainedEncoder):
        return NUMBERS_AT_ONCE // (encoder.configuration.size * encoder.configuration.layers)
    return TOKENS_AT_ONCE


@functools.cache
def _rule(steps: int) -> Array:
    """The points of Gauss's and Legendre's rule between 0 and 1, and their weights."""
    found: Array = (leggauss(steps) + np.array([[1], [0]])) / 2
    return found


@dataclass(frozen=True, eq=False)
class _Source:
    """A field of a network that gives tokens their vectors.

    Attributes:
        field: its name.
        layer: what is there.
        end: the vectors of the tokens of a text.
        start: those of unknown ones, where the way to them begins.
    """

    field: str
    layer: Layer
    end: Array
    start: Array

    def giving(self, vectors: Tensor) -> Layer:
        """The layer, which has these vectors instead."""
        if isinstance(self.layer, PretrainedEncoder):
            encoder = copy.copy(self.layer)
            encoder.words = _Fixed(vectors)  # type: ignore[assignment]
            return encoder
        return _Given(self.layer, vectors) if isinstance(self.layer, EmbeddingBag) else _Fixed(vectors)


def _ids(model: Model, arrays: Sequence[Tensor]) -> Tensor:
    """The ids of tokens among what a network reads."""
    return arrays[model.reads.arrays.index("pieces") if "pieces" in model.reads.arrays else 0]


def _sources(model: Model, arrays: Sequence[Tensor]) -> list[_Source]:
    """What gives the tokens of one text their vectors; embeddings first."""
    network, ids = model.network, _ids(model, arrays)
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, PretrainedEncoder):
        tokenizer = model.codec.inputs.tokenizer  # type: ignore[attr-defined]
        unknown = np.where(tokenizer.special(ids.numpy()), ids.numpy(), tokenizer.unknown)
        return [_Source("encoder", encoder, encoder.words(ids).numpy(), encoder.words(unknown).numpy())]
    name, bag = _embeddings(network)
    vectors = bag.rows(ids).numpy()
    start = np.zeros_like(vectors)
    if model.reads != BAGS:
        start += bag.rows(np.zeros(1, np.int64)).numpy()
    found = [_Source(name, bag, vectors, start)]
    if isinstance(network, SequenceNetwork) and network.speller is not None:
        vectors = network.speller(*arrays[2:]).numpy()
        found.append(_Source("speller", network.speller, vectors, np.zeros_like(vectors)))
    return found


def _embeddings(network: Network) -> tuple[str, EmbeddingBag]:
    """The field of a network that holds the vectors of tokens, and its name.

    Raises:
        ConfigurationError: for a network that has not one.
    """
    bags = [(name, field) for name, field in vars(network).items() if isinstance(field, EmbeddingBag)]
    if len(bags) != 1:
        raise ConfigurationError(
            f"explain: expected a network with one EmbeddingBag as a field, which gives tokens their vectors, got "
            f"{len(bags)} in {type(network).__name__}"
        )
    return bags[0]


class _Given(EmbeddingBag):
    """Embeddings whose rows are given, whatever the table does about gradients."""

    def __init__(self, bag: EmbeddingBag, vectors: Tensor) -> None:
        vars(self).update(vars(bag))
        self.vectors = vectors

    def rows(self, ids: TensorLike) -> Tensor:  # noqa: ARG002
        """What is given."""
        return self.vectors


class _Fixed(Layer):
    """Vectors of tokens that are given, whatever they are read by."""

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors

    def __call__(self, *read: TensorLike) -> Tensor:  # noqa: ARG002
        """What is given."""
        return self.vectors


def _shares(codec: TextCodec, words: list[str], ids: Array) -> Array:
    """How much of the contribution of each id belongs to each word: shape (words, ids), each column with sum 1."""
    if codec.reads != BAGS:
        return np.eye(len(words))
    entries, columns = np.unique(ids, return_inverse=True)  # a bag may hold an entry several times
    column = {entry: place for place, entry in enumerate(entries.tolist())}
    shares = np.zeros((len(words), len(entries)))
    for entry, start, stop in codec.vocabulary.places(words):
        shares[start:stop, column[entry]] += 1 / (stop - start)
    whole: Array = shares / shares.sum(axis=0)
    return whole[:, columns]


def _attention(network: Network, outputs: Tensor, offsets: Tensor) -> dict[str, Array]:
    """What the tokens of the one text look at, by the name of the layer; see `Explanation`."""
    found = {f"layer {number}": each for number, each in enumerate(attention(outputs), 1)}
    if isinstance(network, SequenceNetwork) and isinstance(network.pooling, AttentionPooling):
        encoded = next(node for node in topological_order([outputs]) if network.encoder in node.layers)
        found["pooling"] = network.pooling.attention(encoded, offsets).numpy()[:, 0]
    return found
