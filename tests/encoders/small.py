"""A small pretrained encoder with a tokenizer of words, made on the spot without any other library's networks."""

from __future__ import annotations

import json

import numpy as np

from chainrule.encoders import EncoderConfiguration, PretrainedModel, write_encoder

WORDS = "a the so not film story good fun warm clever bad dull cold silly luck is was and , . ##s ##ly ##er".split()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]


def encoder_folder(folder, *, layers=2, seed=0, family="bert", **sizes):
    """The folder of a new encoder; its weights are drawn so that layers do something, and words have pieces."""
    given = {"size": 16, "heads": 2, "inner": 24, "positions": 40, **sizes}
    configuration = EncoderConfiguration(
        family, vocabulary=len(PIECES), layers=layers, embedding=given["size"], **given
    )
    model = PretrainedModel.of(configuration, pooler=family == "bert", generator=np.random.default_rng(seed))
    drawn = np.random.default_rng(seed + 1)
    for parameter in model.parameters():
        parameter.assign(parameter.numpy() + 0.2 * drawn.normal(size=parameter.shape))
    write_encoder(model, folder)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    return folder
