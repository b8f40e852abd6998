"""Fine-tuned models as folders of transformers, which that library opens with equal answers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.encoders import PretrainedModel, TextHead, TokenHead, write_encoder
from chainrule.encoders.configuration import TEXT, TOKEN
from chainrule.errors import ConfigurationError
from chainrule.graph.spec import Array
from chainrule.models.model import Model
from chainrule.models.pretrained_transformer import FineTunedNetwork
from chainrule.tasks import Classify, MultiLabel, Regress, Tag
from chainrule.tasks.classify import SOFTMAX, TANH

TOKENIZER_SETTINGS = "tokenizer_config.json"


@dataclass(frozen=True)
class _Answers:
    """What transformers gives for the outputs z of a network: z M + c.

    Attributes:
        labels: of these numbers.
        problem: what they are for, as transformers calls it.
        matrix, shift: M and c.
    """

    labels: Sequence[str]
    problem: str | None
    matrix: Array
    shift: Array


def write_transformers(model: Model, folder: str | os.PathLike[str]) -> None:
    """Write a fine-tuned model as a folder that transformers opens with equal logits: whole, or not at all.

    The labels are in the configuration (`id2label`). Of a model with one output for two labels, the logits are 0 and
    that output; of one that answers by a number, the logit is the number.

    Raises:
        ConfigurationError: for a model of which transformers has no class.
        StorageError: when something is there already, or cannot be written.
    """
    network = model.network
    if not isinstance(network, FineTunedNetwork):
        raise ConfigurationError(
            f"transformers opens pretrained encoders (--learner pretrained), and this is a model of the learner "
            f"{model.learner.name}; write it as ONNX (model.onnx)"
        )
    if not isinstance(network.head, TextHead | TokenHead):
        raise ConfigurationError(
            f"transformers has no class that answers by the {network.head.pooling.name} of a text's tokens; train with "
            f"--pooling first, or write the model as ONNX (model.onnx)"
        )
    answers = _answers_of(model)
    kind = TOKEN if isinstance(network.head, TokenHead) else TEXT
    configuration = replace(
        network.encoder.configuration, head=kind, labels=tuple(answers.labels), problem=answers.problem
    )
    made = type(network.head)(configuration, len(answers.labels), generator=np.random.default_rng(0))
    if isinstance(made, TextHead) and isinstance(network.head, TextHead):
        made.dense = network.head.dense
    outputs = network.head.output.named_tensors()  # type: ignore[union-attr]  # it has outputs
    held = {name: x.numpy().astype(np.float64) @ answers.matrix for name, x in outputs.items()}
    made.output.assign({"weight": held["weight"], "bias": held["bias"] + answers.shift})  # type: ignore[union-attr]
    files = {
        **{name: content for name, content in model.codec.inputs.files().items() if name == "tokenizer.json"},
        TOKENIZER_SETTINGS: json.dumps({"model_max_length": configuration.positions}).encode(),
    }
    write_encoder(PretrainedModel(network.encoder, made, configuration), folder, files=files)


def _answers_of(model: Model) -> _Answers:
    task, targets = model.task, model.codec.targets
    if isinstance(task, Regress):
        if task.criterion is not None and str(task.criterion).startswith("poisson"):
            raise ConfigurationError(
                "transformers has no class that answers by eᶻ, as the loss poisson does; write the model as ONNX"
            )
        return _Answers(["LABEL_0"], "regression", np.array([[targets.deviation]]), np.array([targets.mean]))
    names = list(targets.names)
    same = np.eye(len(names)), np.zeros(len(names))
    if isinstance(task, MultiLabel):
        return _Answers(names, "multi_label_classification", *same)
    if isinstance(task, Tag):
        if task.crf:
            raise ConfigurationError(
                "transformers has no class that answers by the scores of pairs of tags (--crf); train without"
            )
        return _Answers(names, None, *same)
    if not isinstance(task, Classify):
        raise ConfigurationError(f"transformers has no class for the task {task.name}")
    if task.output == SOFTMAX:
        return _Answers(names, "single_label_classification", *same)
    slope = 2.0 if task.output == TANH else 1.0  # (1 + tanh z) / 2 is the sigmoid of 2 z
    return _Answers(names, "single_label_classification", np.array([[0.0, slope]]), np.zeros(2))
