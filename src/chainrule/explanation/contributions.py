"""Explain: which words of a text moved a decision, and what attention looked at."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.polynomial.legendre import leggauss

from chainrule.blocks.attention import Attend
from chainrule.data import Examples
from chainrule.data.layout import BAGS, ROW
from chainrule.errors import ConfigurationError, DataError
from chainrule.explanation.explanation import Explanation
from chainrule.graph.autodiff import grad
from chainrule.graph.conversion import as_tensors, tensor
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models import Model
from chainrule.models.learner import Network
from chainrule.models.sequence import SequenceNetwork
from chainrule.nn import EmbeddingBag
from chainrule.nn.pooling import AttentionPooling
from chainrule.tasks import Decision
from chainrule.tasks.text_inputs import TextCodec

#: Attention of so many tokens at most is kept: its memory grows with their square.
MOST_ATTENDED = 1000
#: Points on the way at which gradients are taken, and tokens that go through the network together.
STEPS, TOKENS_AT_ONCE = 64, 1 << 14


@overload
def explain(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
    model: Model, texts: str, *, answer: object = None, against: object = None, steps: int = STEPS
) -> Explanation: ...


@overload
def explain(
    model: Model, texts: Sequence[str], *, answer: object = None, against: object = None, steps: int = STEPS
) -> list[Explanation]: ...


def explain(
    model: Model, texts: str | Sequence[str], *, answer: object = None, against: object = None, steps: int = STEPS
) -> Explanation | list[Explanation]:
    """Which words moved the answer of a model of texts, and what its attention looked at.

    The score of an answer is a sum over the outputs of the network: for a label, its output minus that of another one
    (see `Task.decision`). A token with the vector x contributes gradient × input, compared with an unknown token, whose
    vector is u, and with the mean of the gradients on the straight way from a text of unknown tokens to this one
    (integrated gradients):

        c = Σⱼ (xⱼ - uⱼ) ∫₀¹ ∂score/∂xⱼ (u + t (x - u)) dt,    score = Σ c + rest

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
        steps: points at which gradients are taken (Gauss's quadrature); 0 for the text itself alone.

    Returns:
        An explanation, or a list of one a text.

    Raises:
        ConfigurationError: for a model of columns, a task without such a score, or a label that there is not.
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
    codec = require_texts(model, "explain")
    if model.task.answers != ROW:
        raise ConfigurationError(
            f"explain: the model gives an answer a {model.task.answers}; expected one that was trained to classify, "
            f"multi-label or regress, with an answer a text"
        )
    if not isinstance(texts, Iterable):
        raise DataError(f"explain: expected a text, or a sequence of texts, got {type(texts).__name__}")
    listed = [texts] if isinstance(texts, str) else list(texts)
    if not all(isinstance(text, str) for text in listed):
        raise DataError("explain: expected texts, got a sequence that holds something else")
    if steps < 0:
        raise ConfigurationError(f"explain: steps must be 0 or more, got {steps}")
    found = [_explained(model, codec, text, answer, against, steps) for text in listed]
    return found[0] if isinstance(texts, str) else found


def require_texts(model: Model, what: str) -> TextCodec:
    """The codec of a model of texts.

    Raises:
        ConfigurationError: for a model of columns.
    """
    if not isinstance(model.codec.inputs, TextCodec):
        raise ConfigurationError(
            f"{what}: the model reads columns of numbers and categories, and explanations are of texts; of the "
            f"learner linear, the weights say what it looks at: model.network.named_parameters()"
        )
    return model.codec.inputs


def _explained(
    model: Model, codec: TextCodec, text: str, answer: object, against: object, steps: int
) -> Explanation:  # fmt: skip
    examples = model.encode([text])
    arrays = _arrays(model, examples)
    outputs: Tensor = model.network(*arrays)
    response = model.task.response(outputs, dict(zip(model.learner.reads.arrays, arrays, strict=True))).numpy()
    decision = model.task.decision(model.codec, response[0], answer, against)
    words = codec.tokenizer.words(text)
    known = np.zeros(len(words), bool)
    known[[start for _, start, stop in codec.vocabulary.places(words) if stop == start + 1]] = True
    return Explanation(
        text=text,
        words=tuple(words),
        known=tuple(known.tolist()),
        answer=model.task.predict(response, examples, model.codec)[0],
        decision=decision,
        contributions=_shares(codec, words, arrays[0].numpy()) @ _contributed(model, examples, decision, steps),
        score=float(outputs.numpy()[0].astype(np.float64) @ decision.weights) + decision.constant,
        steps=steps,
        attention=_attention(model.network, outputs, arrays[1]) if len(words) <= MOST_ATTENDED else {},
    )


def _arrays(model: Model, examples: Examples) -> tuple[Tensor, ...]:
    """What the network reads."""
    held = examples.arrays()
    return as_tensors([held[name] for name in model.learner.reads.arrays])


def _contributed(model: Model, examples: Examples, decision: Decision, steps: int) -> Array:
    """What each id contributes to the score of one text; see `explain`."""
    name, bag = _embeddings(model.network)
    (ids, *_) = _arrays(model, examples)
    vectors = bag.rows(ids).numpy()
    start_vectors = np.zeros_like(vectors)
    points, parts = np.ones(1), np.ones(1)
    if steps:
        points, parts = (leggauss(steps) + np.array([[1], [0]])) / 2
        if model.learner.reads != BAGS:
            start_vectors += bag.rows(np.zeros(1, np.int64)).numpy()
    ways, total = vectors - start_vectors, np.zeros(vectors.shape)
    at_once = max(1, TOKENS_AT_ONCE // max(1, len(vectors)))
    for start in range(0, len(points), at_once):
        some, part = points[start : start + at_once, None, None], parts[start : start + at_once]
        between = (start_vectors + some * ways).astype(vectors.dtype)
        given = tensor(between.reshape(len(some) * len(vectors), vectors.shape[1]))
        network = copy.copy(model.network)
        setattr(network, name, _Given(bag, given))
        outputs: Tensor = network(*_arrays(model, examples.take(np.zeros(len(some), np.int64))))
        score = (outputs * tensor(decision.weights, outputs.dtype)).sum()
        total += np.tensordot(part, grad(score, given, unused="zeros").numpy().reshape(between.shape), 1)
    contributed: Array = (ways * total).sum(axis=1)
    return contributed


def _embeddings(network: Network) -> tuple[str, EmbeddingBag]:
    """The field of a network that gives tokens their vectors, and its name.

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


def _shares(codec: TextCodec, words: list[str], ids: Array) -> Array:
    """How much of the contribution of each id belongs to each word: shape (words, ids), each column with sum 1."""
    if codec.reads != BAGS:
        return np.eye(len(words))
    column = {entry: place for place, entry in enumerate(ids.tolist())}
    shares = np.zeros((len(words), len(ids)))
    for entry, start, stop in codec.vocabulary.places(words):
        shares[start:stop, column[entry]] += 1 / (stop - start)
    whole: Array = shares / shares.sum(axis=0)
    return whole


def _attention(network: Network, outputs: Tensor, offsets: Tensor) -> dict[str, Array]:
    """What the tokens of the one text look at, by the name of the layer; see `Explanation`."""
    nodes = topological_order([outputs])
    found: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node.block, Attend):
            q, k, _, *both = (x.numpy() for x in node.inputs)
            found[f"layer {len(found) + 1}"] = node.block.probabilities(q, k, *both)
    if isinstance(network, SequenceNetwork) and isinstance(network.pooling, AttentionPooling):
        encoded = next(node for node in nodes if network.encoder in node.layers)
        found["pooling"] = network.pooling.attention(encoded, offsets).numpy()[:, 0]
    return found
