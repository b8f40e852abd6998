"""Noise in training: none without a key, the same eagerly and compiled, and with the distribution it promises."""

import numpy as np
import pytest

import chainrule
from chainrule import Key, tensor
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.nn import EmbeddingDropout, GaussianNoise, mixup

KEY = Key.of(seed=3, step=5)
IDS = np.random.default_rng(0).integers(0, 500, size=4000)


def compiled_with_key(function, *arrays):
    run = chainrule.compile(lambda words, *given: function(*given, Key(words)))
    return run(KEY.words, *arrays)


def test_gaussian_noise():
    layer, x = GaussianNoise(0.5), tensor(np.ones((100, 200)))
    assert layer(x) is x
    found = layer(x, KEY).numpy()
    np.testing.assert_array_equal(found, layer(x, KEY).numpy())
    np.testing.assert_allclose(compiled_with_key(layer, x).numpy(), found, rtol=1e-5)
    assert abs(found.mean() - 1) < 0.02
    assert abs(found.std() - 0.5) < 0.02
    assert (layer(x, Key.of(seed=4)).numpy() != found).mean() > 0.99


def test_embedding_dropout_drops_an_id_everywhere_or_nowhere():
    layer = EmbeddingDropout(500, 0.3)
    np.testing.assert_array_equal(layer(IDS).numpy(), 1)
    found = layer(IDS, KEY).numpy()
    np.testing.assert_array_equal(compiled_with_key(layer, tensor(IDS)).numpy(), found)
    kept = {i: set(found[i == IDS].tolist()) for i in set(IDS.tolist())}
    assert all(len(values) == 1 for values in kept.values())
    assert set(np.unique(found)) == {np.float32(0), np.float32(1 / 0.7)}
    dropped = np.mean([values == {0.0} for values in kept.values()])
    assert abs(dropped - 0.3) < 0.08


def test_mixup_mixes_inputs_and_targets_alike():
    draws = np.random.default_rng(1)
    x, classes = draws.normal(size=(6, 3)), np.eye(6)
    mixed, targets = mixup(tensor(x, "float64"), tensor(classes, "float64"), KEY)
    np.testing.assert_allclose(mixed.numpy(), targets.numpy() @ x, rtol=1e-12)
    np.testing.assert_allclose(targets.numpy().sum(axis=1), 1, rtol=1e-12)
    shares = np.unique(targets.numpy().round(9))
    assert len(shares) <= 4  # 0, the share and the rest, and 1 where a row is mixed with itself
    again = compiled_with_key(lambda a, b, key: mixup(a, b, key)[0], tensor(x, "float64"), tensor(classes, "float64"))
    np.testing.assert_allclose(again.numpy(), mixed.numpy(), rtol=1e-6)
    drawn = [mixup([[1.0], [0.0]], [[1.0], [0.0]], Key.of(seed=0, step=n))[0].numpy().max() for n in range(200)]
    assert 0.5 <= min(drawn) < 0.55 < 0.95 < max(drawn) <= 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GaussianNoise(-1), ConfigurationError, "GaussianNoise: expected a deviation of 0 or more, got -1"),
        (lambda: GaussianNoise(np.nan), ConfigurationError, "expected a deviation of 0 or more, got nan"),
        (lambda: EmbeddingDropout(5, 1), ConfigurationError, "EmbeddingDropout"),
        (lambda: EmbeddingDropout(0, 0.5), ConfigurationError, "expected 1 row or more, got 0"),
        (lambda: mixup([[1.0]], [[1.0], [2.0]], KEY), ShapeError, r"mixup: expected as many rows of x as of targets"),
        (lambda: mixup([[1.0]], np.array([1]), KEY), DTypeError, r"mixup: expected floating-point x and targets"),
    ],
)
def test_messages(make, error, message):
    with pytest.raises(error, match=message):
        make()
