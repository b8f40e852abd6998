"""What a pretrained encoder is made of, as its `config.json` says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ModelError, shortened
from chainrule.shown import listing

#: What an encoder answers: one answer a text, one a token.
TEXT, TOKEN = "text", "token"
#: What a class of transformers ends with, by what it answers.
HEADS = {TEXT: "ForSequenceClassification", TOKEN: "ForTokenClassification"}
#: What classes of the hub call an activation, and what it is called here.
ACTIVATIONS = {
    "gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu:approximate=tanh", "gelu_fast": "gelu:approximate=tanh",
    "gelu_pytorch_tanh": "gelu:approximate=tanh", "relu": "relu", "silu": "silu", "swish": "silu", "tanh": "tanh",
    "mish": "mish",
}  # fmt: skip
#: No file has larger sizes, or more layers or labels.
MOST, MOST_LABELS = 2**40, 2**20

_KEYS = {
    "vocabulary": "vocab_size",
    "size": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "inner": "intermediate_size",
    "positions": "max_position_embeddings",
    "types": "type_vocab_size",
    "activation": "hidden_act",
    "epsilon": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "head_dropout": "classifier_dropout",
    "padding": "pad_token_id",
}
_DISTILLED = {
    **{name: key for name, key in _KEYS.items() if name not in ("types", "epsilon")},
    "size": "dim",
    "layers": "n_layers",
    "heads": "n_heads",
    "inner": "hidden_dim",
    "activation": "activation",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "head_dropout": "seq_classif_dropout",
}
#: What a head is for, as transformers calls it.
PROBLEMS = ("regression", "single_label_classification", "multi_label_classification")


@dataclass(frozen=True)
class Family:
    """Encoders that name and keep things alike.

    Attributes:
        classes: what names of their classes in transformers begin with.
        prefix: what names of tensors begin with where a model has more than the encoder.
        head: the activation of the network that answers for a whole text.
        keys: of `config.json`, by what they are called here.
        defaults: of keys that may be missing; the others may not.
        padded: whether positions begin behind the id of padding.
    """

    classes: str
    prefix: str
    head: str
    keys: Mapping[str, str]
    defaults: Mapping[str, Any]
    padded: bool = False


_DEFAULTS = {
    "activation": "gelu", "types": 2, "epsilon": 1e-12, "dropout": 0.1, "attention_dropout": 0.1, "head_dropout": None,
    "embedding": None, "padding": 0,
}  # fmt: skip
#: All that can be opened, by what `config.json` calls them.
FAMILIES = {
    "bert": Family("Bert", "bert", "tanh", _KEYS, _DEFAULTS),
    "camembert": Family("Camembert", "roberta", "tanh", _KEYS, {**_DEFAULTS, "padding": 1}, padded=True),
    "distilbert": Family(
        "DistilBert", "distilbert", "relu", _DISTILLED, {**_DEFAULTS, "types": 0, "head_dropout": 0.2}
    ),
    "electra": Family("Electra", "electra", "gelu", {**_KEYS, "embedding": "embedding_size"}, _DEFAULTS),
    "roberta": Family("Roberta", "roberta", "tanh", _KEYS, {**_DEFAULTS, "padding": 1}, padded=True),
    "xlm-roberta": Family("XLMRoberta", "roberta", "tanh", _KEYS, {**_DEFAULTS, "padding": 1}, padded=True),
}


@dataclass(frozen=True)
class EncoderConfiguration:
    """The sizes and settings of a pretrained encoder.

    Attributes:
        family: a name of `FAMILIES`.
        vocabulary: how many ids there are.
        size: of a token's vector in the layers.
        layers, heads, inner: of the transformer.
        positions: the longest text, in tokens.
        first: the row of the table of positions at which a text begins.
        types: of tokens, such as first and second text; 0 for none.
        embedding: the size of a token's vector before the layers; another one than theirs is projected.
        activation: between the linear maps of a layer, as transformers calls it.
        epsilon: of the norms.
        dropout, attention_dropout, head_dropout: probabilities; see `PretrainedEncoder`.
        padding: the id that fills up texts elsewhere; here nothing is filled up.
        head: "text" for one answer a text, "token" for one a token, None for an encoder alone.
        labels: the names of the head's outputs.
        problem: what the head is for, as transformers calls it, such as "regression"; None where nothing is said.
        given: all of `config.json`, which is written again.

    Example:
        >>> sizes = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> sizes |= {"intermediate_size": 16, "max_position_embeddings": 12}
        >>> found = EncoderConfiguration.of({"model_type": "roberta", **sizes}, "config.json")
        >>> found.size, found.positions, found.first
        (8, 10, 2)
        >>> EncoderConfiguration.of({"model_type": "gpt2"}, "config.json")
        Traceback (most recent call last):
        chainrule.errors.ModelError: config.json: there is no architecture 'gpt2'; expected model_type to be bert, \
camembert, distilbert, electra, roberta or xlm-roberta
    """

    family: str
    vocabulary: int
    size: int
    layers: int
    heads: int
    inner: int
    positions: int
    first: int = 0
    types: int = 2
    embedding: int = 0
    activation: str = "gelu"
    epsilon: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1
    head_dropout: float = 0.1
    padding: int = 0
    head: str | None = None
    labels: tuple[str, ...] = ()
    problem: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str) -> EncoderConfiguration:
        """From what `config.json` holds.

        Args:
            content: of the file.
            where: its name, for messages.

        Raises:
            ModelError: for an unknown architecture, keys that are missing or that contradict each other.
        """
        name = content.get("model_type") if isinstance(content, Mapping) else None
        if not isinstance(name, str) or name not in FAMILIES:
            *names, last = FAMILIES
            raise ModelError(
                f"{where}: there is no architecture {shortened(name)}; expected model_type to be {', '.join(names)} or "
                f"{last}"
            )
        family = FAMILIES[name]
        read = _Reader(content, where, family)
        _refuse_others(content, where)
        whole = {key: read.whole(key, 1) for key in ("vocabulary", "size", "layers", "heads", "inner", "positions")}
        padding = read.whole("padding", 0)
        first = padding + 1 if family.padded else 0
        if whole["size"] % whole["heads"]:
            raise ModelError(
                f"{where}: expected {read.key('size')} to be a multiple of {read.key('heads')}, got {whole['size']} "
                f"and {whole['heads']}"
            )
        if whole["positions"] <= first:
            raise ModelError(
                f"{where}: expected more rows of {read.key('positions')} than the {first} before the first position, "
                f"got {whole['positions']}"
            )
        activation = read.value("activation")
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise ModelError(
                f"{where}: expected {read.key('activation')} to be one of {', '.join(ACTIVATIONS)}, got "
                f"{shortened(activation)}"
            )
        dropout, head = read.share("dropout"), _head(content)
        return cls(
            family=name,
            **{**whole, "positions": whole["positions"] - first},
            first=first,
            types=read.whole("types", 0),
            embedding=whole["size"] if read.value("embedding") is None else read.whole("embedding", 1),
            activation=activation,
            epsilon=read.number("epsilon"),
            dropout=dropout,
            attention_dropout=read.share("attention_dropout"),
            head_dropout=dropout if read.value("head_dropout") is None else read.share("head_dropout"),
            padding=padding,
            head=head,
            labels=_labels(content, where) if head else (),
            problem=_problem(content, where) if head else None,
            given=dict(content),
        )

    @property
    def function(self) -> str:
        """The activation, as it is called here."""
        return ACTIVATIONS[self.activation]

    def written(self) -> str:
        """The text of a `config.json`, of which the numbers in the file of weights are float32."""
        family = FAMILIES[self.family]
        held = {key: getattr(self, name) for name, key in family.keys.items() if name != "head_dropout"}
        held[family.keys["positions"]] = self.first + self.positions
        left_out = {"torch_dtype", "id2label", "label2id", "num_labels", "problem_type", "_name_or_path"}
        content = {key: value for key, value in self.given.items() if key not in left_out} | held
        content |= {"model_type": self.family, "dtype": "float32"}
        content["architectures"] = [family.classes + (HEADS[self.head] if self.head else "Model")]
        if self.head:
            content["id2label"] = {str(place): label for place, label in enumerate(self.labels)}
            content["label2id"] = {label: place for place, label in enumerate(self.labels)}
        if self.problem:
            content["problem_type"] = self.problem
        return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


class _Reader:
    """Reads values of a `config.json` by what they are called here."""

    def __init__(self, content: Mapping[str, Any], where: str, family: Family) -> None:
        self.content, self.where, self.family = content, where, family

    def key(self, name: str) -> str:
        return self.family.keys.get(name, name)

    def value(self, name: str) -> Any:
        """What the file says, or what is meant where it says nothing."""
        found = self.content.get(self.family.keys[name]) if name in self.family.keys else None
        if found is not None:
            return found
        if name in self.family.defaults:
            return self.family.defaults[name]
        raise ModelError(f"{self.where}: {self.key(name)} is missing")

    def whole(self, name: str, least: int) -> int:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
            raise self._refusal(name, f"a whole number of {least} or more", value)
        return value

    def number(self, name: str) -> float:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise self._refusal(name, "a number above 0 and below 1", value)
        return float(value)

    def share(self, name: str) -> float:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise self._refusal(name, "a number from 0 to below 1", value)
        return float(value)

    def _refusal(self, name: str, expected: str, value: Any) -> ModelError:
        return ModelError(f"{self.where}: expected {self.key(name)} to be {expected}, got {shortened(value)}")


def _refuse_others(content: Mapping[str, Any], where: str) -> None:
    """Refuse variants of a family that compute something else."""
    kind = content.get("position_embedding_type", "absolute")
    if kind not in ("absolute", None):
        raise ModelError(f"{where}: expected position_embedding_type to be 'absolute', got {shortened(kind)}")
    for key in ("is_decoder", "add_cross_attention"):
        if content.get(key):
            raise ModelError(f"{where}: {key} is set, and only encoders are opened; expected it to be false")


def _head(content: Mapping[str, Any]) -> str | None:
    """What a model answers, by the name of its class."""
    classes = content.get("architectures")
    name = str(classes[0]) if isinstance(classes, list) and classes else ""
    return next((head for head, end in HEADS.items() if name.endswith(end)), None)


def _labels(content: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The names of a head's outputs: two without a name where the file says nothing."""
    names = content.get("id2label")
    if names is None:
        count = content.get("num_labels", 2)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_LABELS:
            raise ModelError(
                f"{where}: expected num_labels to be a whole number from 1 to {MOST_LABELS:,}, got {shortened(count)}"
            )
        names = {str(place): f"LABEL_{place}" for place in range(count)}
    expected = [str(place) for place in range(len(names))] if isinstance(names, Mapping) else []
    if not expected or {*names} != {*expected} or not all(isinstance(x, str) for x in names.values()):
        raise ModelError(
            f"{where}: expected id2label to have the keys '0', '1' and so on, and a text for each, got "
            f"{listing(names.items() if isinstance(names, Mapping) else [names], 3)}"
        )
    return tuple(names[key] for key in expected)


def _problem(content: Mapping[str, Any], where: str) -> str | None:
    problem = content.get("problem_type")
    if problem is None:
        return None
    if isinstance(problem, str) and problem in PROBLEMS:
        return problem
    raise ModelError(f"{where}: expected problem_type to be one of {', '.join(PROBLEMS)}, got {shortened(problem)}")
