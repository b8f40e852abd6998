"""The tensors of pretrained models by the names that transformers has for them, in its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.dataclasses import dataclass
from chainrule.encoders.configuration import FAMILIES, EncoderConfiguration
from chainrule.encoders.encoder import PretrainedEncoder
from chainrule.encoders.heads import PretrainedModel, TextHead
from chainrule.graph.leaves import Parameter
from chainrule.nn import Embedding, LayerNorm, Linear, TransformerEncoderLayer

Array = NDArray[Any]


@dataclass(frozen=True)
class Names:
    """What a family calls the modules of a layer."""

    layer: str
    maps: tuple[str, str, str]
    output: str
    attention_norm: str
    inward: str
    outward: str
    inner_norm: str


_BERT = Names(
    layer="encoder.layer",
    maps=("attention.self.query", "attention.self.key", "attention.self.value"),
    output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    inward="intermediate.dense",
    outward="output.dense",
    inner_norm="output.LayerNorm",
)
_DISTILLED = Names(
    layer="transformer.layer",
    maps=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    output="attention.out_lin",
    attention_norm="sa_layer_norm",
    inward="ffn.lin1",
    outward="ffn.lin2",
    inner_norm="output_layer_norm",
)
#: Of whole models' heads: what they learned in pretraining, and what is no weight at all.
_HEADS_OF_PRETRAINING = (
    "cls.", "lm_head.", "generator_predictions.", "generator_lm_head.", "discriminator_predictions.", "qa_outputs.",
    "vocab_transform.", "vocab_layer_norm.", "vocab_projector.",
)  # fmt: skip
_NO_WEIGHTS = ("embeddings.position_ids", "embeddings.token_type_ids")
#: The older names of a norm's scale and shift.
_OLDER = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def plain_name(name: str, family: str) -> str:
    """A tensor's name without what models with a head put in front, and with the newer words for norms.

    Example:
        >>> plain_name("bert.embeddings.LayerNorm.gamma", "bert")
        'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix(f"{FAMILIES[family].prefix}.")
    for old, new in _OLDER.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def is_left_out(name: str, configuration: EncoderConfiguration) -> bool:
    """Whether a tensor of this plain name belongs to a file, and not to the model that it is opened as."""
    pooled = configuration.head is None or (configuration.family == "bert" and configuration.head == "text")
    return name.startswith(_HEADS_OF_PRETRAINING) or name in _NO_WEIGHTS or (name.startswith("pooler.") and not pooled)


def has_pooler(names: Mapping[str, object] | set[str]) -> bool:
    """Whether an encoder of these plain names brings a pooler."""
    return "pooler.dense.weight" in names


def views(model: PretrainedModel) -> dict[str, Array]:
    """All tensors of a model by their plain names, in transformers' form: writable views of the parameters.

    A linear map is stored as (outputs, inputs), and the queries, keys and values of an attention one by one.
    """
    found = _encoder_views(model.encoder)
    family, head = model.configuration.family, model.head
    if isinstance(head, TextHead):
        dense = {"bert": "pooler.dense", "distilbert": "pre_classifier"}.get(family, "classifier.dense")
        output = "classifier" if family in ("bert", "distilbert") else "classifier.out_proj"
        found |= _linear("pooler.dense" if head.output is None else dense, head.dense)
        if head.output is not None:
            found |= _linear(output, head.output)
    elif head is not None:
        found |= _linear("classifier", head.output)
    return found


def written_names(model: PretrainedModel) -> dict[str, str]:
    """For each plain name of a model the one that transformers reads: with the family's prefix beside a head."""
    prefix = "" if model.configuration.head is None else f"{FAMILIES[model.configuration.family].prefix}."
    own = ("classifier.", "pre_classifier.")
    return {name: name if name.startswith(own) else prefix + name for name in views(model)}


def _encoder_views(encoder: PretrainedEncoder) -> dict[str, Array]:
    names = _DISTILLED if encoder.configuration.family == "distilbert" else _BERT
    found = _table("embeddings.word_embeddings", encoder.words)
    found |= _table("embeddings.position_embeddings", encoder.positions.embedding)
    if encoder.types is not None:
        found |= _table("embeddings.token_type_embeddings", encoder.types)
    found |= _norm("embeddings.LayerNorm", encoder.norm)
    if encoder.projection is not None:
        found |= _linear("embeddings_project", encoder.projection)
    for place, layer in enumerate(encoder.layers):
        own = _layer(layer, names)
        found |= {f"{names.layer}.{place}.{name}": view for name, view in own.items()}
    return found


def _layer(layer: TransformerEncoderLayer, names: Names) -> dict[str, Array]:
    attention, found = layer.attention, dict[str, Array]()
    weight, bias = _array(attention.input_weight), _array(attention.input_bias)
    for place, name in enumerate(names.maps):
        columns = slice(place * attention.size, (place + 1) * attention.size)
        found |= {f"{name}.weight": weight[:, columns].T, f"{name}.bias": bias[columns]}
    found |= _linear(names.output, attention.output)
    found |= _norm(names.attention_norm, layer.attention_norm)
    found |= _linear(names.inward, layer.inward) | _linear(names.outward, layer.outward)
    return found | _norm(names.inner_norm, layer.inner_norm)


def _linear(name: str, linear: Linear) -> dict[str, Array]:
    return {f"{name}.weight": _array(linear.weight).T} | _own(f"{name}.bias", linear.bias)


def _norm(name: str, norm: LayerNorm) -> dict[str, Array]:
    return _own(f"{name}.weight", norm.scale) | _own(f"{name}.bias", norm.shift)


def _table(name: str, embedding: Embedding) -> dict[str, Array]:
    return {f"{name}.weight": _array(embedding.table)}


def _own(name: str, parameter: Parameter | None) -> dict[str, Array]:
    return {} if parameter is None else {name: _array(parameter)}


def _array(parameter: Parameter) -> Array:
    return np.asarray(parameter.writable())
