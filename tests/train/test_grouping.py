"""Parameter groups of a training: what entries mean, in steps, over checkpoints and on the command line; messages."""

import numpy as np
import pytest

from chainrule import Parameter
from chainrule.errors import ConfigurationError
from chainrule.optim import SGD, Adagrad, AdamW
from chainrule.train.grouping import grouped
from tests.train.test_trainer import make_trainer, weights_of

NAMED = {name: Parameter.of([1.0]) for name in ("bag.table", "layers.0.weight", "layers.0.bias", "out.bias")}


def found(*entries, optimizer=None):
    groups = grouped(entries, optimizer or AdamW(0.02), NAMED)
    return {name: (group.optimizer, group.share) for group in groups for name in group.names}


def test_no_entries_make_one_group():
    (group,) = grouped((), SGD(0.1), NAMED)
    assert (group.optimizer, group.share, group.names) == (SGD(0.1), 1.0, tuple(NAMED))


def test_entries_count_from_left_to_right():
    rule = AdamW(0.02)
    assert found("bag=0.1x", "*bias=weight_decay:0", "layers=lr:0.01+epsilon:1e-4") == {
        "bag.table": (rule, 0.1),
        "layers.0.weight": (AdamW(0.02, epsilon=1e-4), 0.5),
        "layers.0.bias": (AdamW(0.02, epsilon=1e-4, weight_decay=0.0), 0.5),
        "out.bias": (AdamW(0.02, weight_decay=0.0), 1.0),
    }


def test_another_rule_and_frozen_parameters():
    assert found("bag=adagrad+initial:0.5+2x", "layers.0=frozen") == {
        "bag.table": (Adagrad(0.02, initial=0.5), 2.0),
        "out.bias": (AdamW(0.02), 1.0),
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["bag"], r"groups: expected PATTERN=CHANGES, .*; got 'bag'"),
        (["bag="], r"groups: expected PATTERN=CHANGES, .*; got 'bag='"),
        (["bags=2x"], r"no parameter is called 'bags', or below it; there are bag.table, .*; did you mean 'bag'"),
        (["*weights=2x"], r"no parameter is called '\*weights', or below it; there are bag.table, layers.0.weight"),
        (["bag=-2x"], r"expected PATTERN=CHANGES, .*; got '-2x' in 'bag=-2x'"),
        (["bag=nanx"], r"expected PATTERN=CHANGES, .*; got 'nanx' in 'bag=nanx'"),
        (["bag=adagard"], r"got 'adagard' in 'bag=adagard'; did you mean 'adagrad'"),
        (["bag=momentum:0.9"], r"got 'momentum:0.9' in .*; adamw has lazy, beta1, beta2, epsilon, weight_decay"),
        (["bag=weight_decy:0"], r"got 'weight_decy:0' in .*; did you mean 'weight_decay'"),
        (["bag=beta1:2"], r"groups: bag=beta1:2: adamw: beta1 must be a number of 0 or more and below 1, got"),
        (["*=frozen"], r"groups: every parameter is frozen by \*=frozen; leave one to train"),
    ],
)
def test_messages(entries, message):
    with pytest.raises(ConfigurationError, match=message):
        found(*entries)


def test_a_step_moves_each_group_by_its_own_rate(two_classes, held_out):
    changes = {"optimizer": SGD(0.5), "learning_rate": 0.5, "epochs": 1, "batch_size": 16}
    plain = make_trainer("ffnn", two_classes, held_out, **changes)
    before = weights_of(plain)
    parts = make_trainer("ffnn", two_classes, held_out, groups=("embeddings=0.1x", "*bias=frozen"), **changes)
    for trainer in (plain, parts):
        trainer.run_batch(trainer._next_batch())
    for name, weights in weights_of(parts).items():
        share = 0.0 if name.endswith("bias") else 0.1 if name.startswith("embeddings") else 1.0
        moved = weights_of(plain)[name] - before[name]
        assert np.abs(moved).max() > 0
        np.testing.assert_allclose(weights - before[name], share * moved, rtol=1e-3, atol=1e-7)
