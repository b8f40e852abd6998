"""Descriptions of older model folders, lifted to the present format."""

from __future__ import annotations

from typing import Any

from chainrule.data.roles import BOOLEANS
from chainrule.errors import ModelError, shortened

FORMAT = 2

#: Where the settings of format 1 went, which had them all under the learner.
TEXT = ("lowercase", "ngrams", "minimum_count", "minimum_ngram_count", "maximum_size")
#: What sums over a text were multiplied by before that was a setting.
SCALES = {"bow": 1.0, "ffnn": 10.0}
#: What the losses of the task regress were called.
CRITERIA = {"squared": "mse", "absolute": "mae"}
TRAINING = ("learning_rate", "batch_size", "epochs", "patience")


def upgraded(description: dict[str, Any]) -> dict[str, Any]:
    """A description of any format as one of the present format.

    Raises:
        ModelError: when an older one is not what its format says.
    """
    return _as_read_today(_from_1(description) if description["format"] == 1 else description)


def _as_read_today(description: dict[str, Any]) -> dict[str, Any]:
    """What stands between labels was called as what stands between fields is now, and booleans were spelt as given."""
    changed = _with_what_came_later(description)
    task, codec = changed.get("task"), changed.get("codec")
    if isinstance(task, dict) and task.get("name") == "multi-label" and "separator" in task:
        changed["task"] = {"label_separator" if key == "separator" else key: value for key, value in task.items()}
    if isinstance(task, dict) and task.get("criterion") in CRITERIA:
        changed["task"] = {**task, "criterion": CRITERIA[task["criterion"]]}
    labels = codec.get("labels") if isinstance(codec, dict) else None
    if isinstance(codec, dict) and isinstance(labels, list) and all(isinstance(label, str) for label in labels):
        spelt = [BOOLEANS.get(label, label) for label in labels]
        changed["codec"] = {**codec, "labels": spelt if len(set(spelt)) == len(set(labels)) else labels}
    return changed


def _with_what_came_later(description: dict[str, Any]) -> dict[str, Any]:
    """Settings that were none once: bags held all once, sums had a fixed scale, and learning rates did not change."""
    learner, training = description.get("learner"), description.get("training")
    changed, task = dict(description), description.get("task")
    inputs = task.get("inputs") if isinstance(task, dict) else None
    if isinstance(task, dict) and isinstance(inputs, dict) and inputs.get("name") == "text":
        changed["task"] = {**task, "inputs": {"term_frequency": "binary", **inputs}}
    scale = SCALES.get(str(learner.get("name"))) if isinstance(learner, dict) else None
    if isinstance(learner, dict) and scale is not None:
        changed["learner"] = {"scale": scale, **learner}
    if isinstance(training, dict) and training and "schedule" not in training:
        changed["training"] = {**training, "schedule": {"name": "constant"}}
    return changed


def _from_1(description: dict[str, Any]) -> dict[str, Any]:
    """Format 1 (0.1.0) knew classifiers of texts alone."""
    learner, labels, checksums = (description.get(key) for key in ("learner", "labels", "sha256"))
    if not isinstance(learner, dict):
        raise ModelError(f"expected learner as an object, got {shortened(learner)}")
    if not isinstance(labels, list):
        raise ModelError(f"expected labels as a list of two or more strings, got {shortened(labels)}")
    if not isinstance(checksums, dict) or set(checksums) != {"model.safetensors", "vocabulary.txt"}:
        raise ModelError(f"expected sha256 of model.safetensors and vocabulary.txt, got {shortened(checksums)}")
    settings = dict(learner)
    text = {name: settings.pop(name) for name in TEXT if name in settings}
    training = {name: settings.pop(name) for name in TRAINING if name in settings}
    optimizer = settings.pop("optimizer", "adam")
    momentum = {"momentum": 0.9} if optimizer == "sgd" else {}  # it was a part of the name
    return {
        **description,
        "format": FORMAT,
        "task": {"name": "classify", "inputs": {"name": "text", **text}},
        "learner": settings,
        "training": {"optimizer": {"name": optimizer, **momentum}, **training},
        "codec": {"labels": labels},
        "sha256": checksums,
    }
