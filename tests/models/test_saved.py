"""Models that earlier versions saved still load and say the same: see make_saved.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.models import LEARNERS, TextClassifier

SAVED = Path(__file__).with_name("saved")
FOLDERS = sorted(path for path in SAVED.iterdir() if path.is_dir())


def test_every_learner_has_one():
    assert {folder.name.rpartition("-")[2] for folder in FOLDERS} == set(LEARNERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_says_the_same(folder):
    expected = json.loads(folder.with_name(f"{folder.name}.json").read_text(encoding="utf-8"))
    model = TextClassifier.load(folder)
    assert list(model.labels) == expected["labels"]
    found = model.predict_probabilities(expected["texts"])
    np.testing.assert_allclose(found, expected["probabilities"], rtol=0, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.1  # the texts do differ


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_settings_mean_what_they_meant(folder):
    """Every hyper-parameter that was saved is the learner's; those that came later have their defaults."""
    settings = json.loads((folder / "model.json").read_text(encoding="utf-8"))["learner"]
    now = json.loads(json.dumps(TextClassifier.load(folder).learner.settings()))
    assert {key: now[key] for key in settings} == settings
