"""Small pretrained folders that chainrule makes by itself, with a tokenizer of some words and letters."""

from __future__ import annotations

import json
import string

import numpy as np

from chainrule.encoders import EncoderConfiguration, PretrainedModel, write_encoder

WORDS = "the a film is good bad fun dull very not and long short story acting music plot was it".split()
LETTERS = [*string.ascii_lowercase, *string.digits, *".,!?"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + x for x in LETTERS)]
PIECES += [word for word in WORDS if word not in PIECES]
SIZES = {"size": 16, "layers": 2, "heads": 2, "inner": 24, "positions": 40}


def write_json(path, content):
    """A JSON file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def tiny_model(family="bert", seed=0, **settings):
    """A model of random weights that differ enough for texts to differ."""
    configuration = EncoderConfiguration(family, vocabulary=len(PIECES), **(SIZES | settings))
    model = PretrainedModel.of(configuration, generator=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.assign(parameter.numpy() + rng.normal(scale=0.1, size=parameter.shape))
    return model


def word_pieces(folder):
    """A tokenizer by a list of pieces and BERT's rules."""
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    write_json(folder / "tokenizer_config.json", {"do_lower_case": True, "model_max_length": 512})


def sentences(folder, *, longest=30, normalise=True, **pooling):
    """What makes sentence embeddings of an encoder."""
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    places = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": n, "name": str(n), "path": places[n], "type": f"sentence_transformers.models.{kind}"}
        for n, kind in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    pooling = pooling or {"pooling_mode_mean_tokens": True}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16} | pooling)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})


def tiny_folder(place, family="bert", **settings):
    """A folder with an encoder, a tokenizer and what makes sentence embeddings."""
    write_encoder(tiny_model(family, **settings), place)
    word_pieces(place)
    sentences(place)
    return place
