"""Pretrained encoders: opened from folders of transformers, used, and written again."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.forks import LOADING

if TYPE_CHECKING:
    from chainrule.encoders.configuration import EncoderConfiguration
    from chainrule.encoders.encoder import PretrainedEncoder
    from chainrule.encoders.folder import read_configuration, read_encoder, read_model, write_encoder
    from chainrule.encoders.heads import PretrainedModel, TextHead, TokenHead
    from chainrule.encoders.pretrained import Pretrained, load_pretrained
    from chainrule.encoders.sentence import SentenceEncoder, SentenceSettings
    from chainrule.encoders.tokenizer import PretrainedTokenizer

__all__ = [
    "EncoderConfiguration",
    "Pretrained",
    "PretrainedEncoder",
    "PretrainedModel",
    "PretrainedTokenizer",
    "SentenceEncoder",
    "SentenceSettings",
    "TextHead",
    "TokenHead",
    "load_pretrained",
    "read_configuration",
    "read_encoder",
    "read_model",
    "write_encoder",
]

#: Where each name is; it loads when it is first used.
_ROOMS = {
    "EncoderConfiguration": "configuration",
    "Pretrained": "pretrained",
    "PretrainedEncoder": "encoder",
    "PretrainedModel": "heads",
    "PretrainedTokenizer": "tokenizer",
    "SentenceEncoder": "sentence",
    "SentenceSettings": "sentence",
    "TextHead": "heads",
    "TokenHead": "heads",
    "load_pretrained": "pretrained",
    "read_configuration": "folder",
    "read_encoder": "folder",
    "read_model": "folder",
    "write_encoder": "folder",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'chainrule.encoders' has no attribute {name!r}")
    with LOADING:
        globals()[name] = found = getattr(importlib.import_module(f"chainrule.encoders.{_ROOMS[name]}"), name)
    return found
