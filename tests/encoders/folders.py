"""Small pretrained folders, made on the spot: by transformers, of each family."""

from __future__ import annotations

import importlib.util
import json
from itertools import pairwise

import numpy as np
import pytest

from tests.oracle import torch

if importlib.util.find_spec("transformers") is None:
    pytest.skip("transformers is not installed: run make oracle first", allow_module_level=True)

import transformers

transformers.utils.logging.disable_progress_bar()

SIZES = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 40,
}  # fmt: skip
#: What each family calls its classes, and settings beside the sizes.
FAMILIES = {
    "bert": ("Bert", {"type_vocab_size": 2}),
    "camembert": ("Camembert", {"type_vocab_size": 1}),
    "distilbert": ("DistilBert", {}),
    "electra": ("Electra", {"embedding_size": 12}),
    "roberta": ("Roberta", {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "xlm-roberta": ("XLMRoberta", {"type_vocab_size": 1}),
}
CLASSES = {None: "Model", "text": "ForSequenceClassification", "token": "ForTokenClassification"}


def made(family, head=None, seed=0, **settings):
    """A model of transformers with random weights, all of them away from where they begin."""
    name, own = FAMILIES[family]
    configuration = getattr(transformers, f"{name}Config")(**(SIZES | own | settings))
    torch.manual_seed(seed)
    model = getattr(transformers, name + CLASSES[head])(configuration).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def saved(folder, family, head=None, seed=0, **settings):
    """The model, and its folder."""
    model = made(family, head, seed, **settings)
    model.save_pretrained(folder)
    return model


def opened(folder, head=None):
    """What transformers makes of a folder."""
    name, _ = FAMILIES[json.loads((folder / "config.json").read_text())["model_type"]]
    return getattr(transformers, name + CLASSES[head]).from_pretrained(folder).eval()


def texts(seed=0, lengths=(5, 1, 12, 7)):
    """Ids of texts, and their offsets."""
    ids = np.random.default_rng(seed).integers(3, SIZES["vocab_size"], sum(lengths))
    return ids, np.cumsum([0, *lengths])


def answers_of(model, ids, offsets, types=None):
    """What transformers answers, text by text: vectors of tokens, or logits; and no padding, so no mask."""
    found = []
    for start, stop in pairwise(offsets):
        given = {"input_ids": torch.tensor(ids[None, start:stop])}
        if types is not None:
            given["token_type_ids"] = torch.tensor(types[None, start:stop])
        output = model(**given)
        logits = getattr(output, "logits", None)
        found.append(output.last_hidden_state[0] if logits is None else logits[0] if logits.ndim == 3 else logits)
    return torch.cat(found)
