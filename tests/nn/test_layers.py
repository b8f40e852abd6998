"""The layers: shapes, ragged bags, dropout, row-sparse gradients and messages."""

import itertools

import numpy as np
import pytest

import chainrule
from chainrule import Key, RowSparse, Spec, gradients, tensor, trace
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.nn import (
    Constant,
    Dropout,
    Embedding,
    EmbeddingBag,
    EmbeddingWindow,
    HeNormal,
    Linear,
    Sequential,
    TextDropout,
    WordDropout,
    activation,
)
from chainrule.testing import check_gradient

TABLE = np.arange(12.0).reshape(6, 2)
IDS = np.array([0, 3, 3, 5, 1])
OFFSETS = np.array([0, 2, 2, 5])


def generator():
    return np.random.default_rng(0)


def bag(mode="mean", dtype="float64"):
    made = EmbeddingBag(6, 2, mode=mode, generator=generator(), dtype=dtype)
    made.table.assign(TABLE)
    return made


def test_linear_starts_from_xavier_weights_and_a_zero_bias():
    linear = Linear(3, 5, generator=generator())
    assert (linear.weight.shape, linear.weight.dtype, linear.bias.shape) == ((3, 5), np.float32, (5,))
    assert abs(linear.weight.numpy()).max() <= np.sqrt(6 / 8)
    assert not linear.bias.numpy().any()
    assert repr(linear) == "Linear(3 → 5)"


def test_linear_takes_any_number_of_axes_before_the_last():
    linear = Linear(3, 5, generator=generator(), dtype="float64")
    for shape in [(3,), (2, 3), (4, 2, 3), (0, 3)]:
        x = np.random.default_rng(1).normal(size=shape)
        np.testing.assert_allclose(
            linear(x).numpy(), x @ linear.weight.numpy() + linear.bias.numpy(), rtol=1e-12, atol=1e-12
        )


def test_linear_without_a_bias():
    linear = Linear(2, 1, with_bias=False, generator=generator(), initializer=Constant(0.5))
    assert linear([[1.0, 2.0]]).item() == 1.5
    assert list(linear.named_parameters()) == ["weight"]
    assert repr(linear) == "Linear(2 → 1, no bias)"


def test_linear_of_the_same_seed_has_the_same_bits():
    first, second = (Linear(3, 5, generator=generator(), initializer=HeNormal()) for _ in range(2))
    assert first.weight.numpy().tobytes() == second.weight.numpy().tobytes()


def test_linear_messages():
    with pytest.raises(ConfigurationError, match="Linear: expected sizes of at least 1, got 0 inputs and 2 outputs"):
        Linear(0, 2, generator=generator())
    linear = Linear(3, 2, generator=generator())
    with pytest.raises(ShapeError, match=r"Linear\(3 → 2\): expected size 3 on axis -1, got a scalar"):
        linear(1.0)
    with pytest.raises(DTypeError, match=r"Linear\(3 → 2\): linear: float32 and float64 tensors do not mix"):
        linear(tensor(np.zeros((1, 3)), "float64"))


def test_embedding_reads_rows_of_ids_of_any_shape():
    embedding = Embedding(6, 2, generator=generator())
    for ids in (3, [1, 2], [[0, 5], [5, 5]], np.zeros((0,), np.int64), np.array([1], np.int32)):
        np.testing.assert_array_equal(embedding(ids).numpy(), embedding.table.numpy()[ids])


def test_embedding_rows_start_with_a_length_of_about_1():
    table = Embedding(2000, 50, generator=generator()).table.numpy()
    assert np.linalg.norm(table, axis=1).mean() == pytest.approx(1, abs=0.01)


def test_bags_by_hand():
    np.testing.assert_allclose(bag("sum")(IDS, OFFSETS).numpy(), [[6, 8], [0, 0], [18, 21]])
    np.testing.assert_allclose(bag("mean")(IDS, OFFSETS).numpy(), [[3, 4], [0, 0], [6, 7]])
    weights = np.array([1, 3, 0.5, 0.5, 0])
    np.testing.assert_allclose(bag("sum")(IDS, OFFSETS, weights).numpy(), [[18, 22], [0, 0], [8, 9]])
    np.testing.assert_allclose(bag("mean")(IDS, OFFSETS, weights).numpy(), [[4.5, 5.5], [0, 0], [8, 9]])


def test_a_bag_whose_weights_sum_to_zero_has_a_mean_of_zeros_and_no_gradient():
    layer = bag("mean")
    weights = tensor([1.0, -1.0, 1.0, 1.0, 1.0], "float64")
    output = layer(IDS, OFFSETS, weights)
    assert output.numpy()[0].tolist() == [0, 0]
    table, weight = gradients(output.sum(), [layer.table, weights])
    assert table.dense().numpy()[0].tolist() == [0, 0]
    assert weight.numpy()[:2].tolist() == [0, 0]
    assert np.isfinite(weight.numpy()).all()


def test_a_batch_of_no_bags():
    assert bag()(np.zeros(0, np.int64), [0]).shape == (0, 2)
    assert bag()(np.zeros(0, np.int64), [0], np.zeros(0)).shape == (0, 2)


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_the_gradients_of_bags_against_differences(mode):
    def weighted(table, weights):
        layer = bag(mode)
        layer.table = table
        return layer(IDS, OFFSETS, weights)

    check_gradient(weighted, TABLE, np.array([0.2, 0.7, 1.5, 0.4, 0.9]))
    check_gradient(lambda table: weighted(table, None), TABLE)


def test_window_concatenates_rows():
    window = EmbeddingWindow(6, 2, 3, generator=generator())
    ids = np.array([[0, 1, 2], [5, 5, 0]])
    np.testing.assert_array_equal(window(ids).numpy(), window.table.numpy()[ids].reshape(2, 6))
    assert window(np.zeros((0, 3), np.int64)).shape == (0, 6)


def test_the_gradients_of_all_embeddings_stay_row_sparse():
    weights = tensor(np.ones(5), "float64")
    embedding = Embedding(6, 2, generator=generator(), dtype="float64")
    window = EmbeddingWindow(6, 2, 5, generator=generator(), dtype="float64")
    linear = Linear(2, 3, generator=generator(), dtype="float64")
    for layer, output in [
        (embedding, embedding(IDS)),
        (window, window(IDS[None])),
        *((layer, layer(IDS, OFFSETS)) for layer in (bag("mean"), bag("sum"))),
        *((layer, linear(layer(IDS, OFFSETS, weights))) for layer in (bag("mean"), bag("sum"))),
    ]:
        (gradient,) = gradients((output * output).sum(), [layer.table])
        assert isinstance(gradient, RowSparse)
        assert gradient.indices.numpy().tolist() == IDS.tolist()
        assert gradient.rows.shape == (5, 2)


def test_embedding_messages():
    with pytest.raises(ConfigurationError, match="Embedding: expected sizes of at least 1, got 0 rows of size 2"):
        Embedding(0, 2, generator=generator())
    with pytest.raises(ConfigurationError, match="EmbeddingBag: expected sizes of at least 1, got 2 rows of size 0"):
        EmbeddingBag(2, 0, generator=generator())
    with pytest.raises(ConfigurationError, match="EmbeddingBag: expected a mode of mean or sum, got 'max'"):
        EmbeddingBag(2, 2, mode="max", generator=generator())
    with pytest.raises(ConfigurationError, match="EmbeddingWindow: expected a window of at least 1, got 0"):
        EmbeddingWindow(2, 2, 0, generator=generator())
    with pytest.raises(DTypeError, match=r"Embedding\(2 × 2\): gather: expected integer indices, got float32"):
        Embedding(2, 2, generator=generator())([1.0])
    with pytest.raises(ShapeError, match=r"^EmbeddingBag\(6 × 2, mean\): expected ids of one axis, .* shape \(1, 2\)"):
        bag()([[1, 2]], [0, 1])
    with pytest.raises(ShapeError, match=r"expected one weight an id, shape \(5,\), got shape \(4,\)"):
        bag()(IDS, OFFSETS, np.ones(4))
    with pytest.raises(ShapeError, match=r"EmbeddingBag\(6 × 2, mean\): segment_sum: offsets must rise from 0 to"):
        bag()(IDS, [0, 2, 4])
    with pytest.raises(ShapeError, match=r"window 3\): expected ids of shape \(batch, 3\), got shape \(2, 2\)"):
        EmbeddingWindow(2, 2, 3, generator=generator())([[0, 0], [0, 0]])


def test_dropout_drops_and_scales_with_a_key_only():
    x = tensor(np.ones((200, 200)), "float64")
    dropout = Dropout(0.25)
    assert dropout(x) is x
    y = dropout(x, Key.of(seed=0)).numpy()
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert (y == 0).mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / y.size))
    assert y.mean() == pytest.approx(1, abs=0.02)


def test_dropout_of_a_key_is_fixed_and_of_another_step_is_another():
    x, dropout = tensor(np.ones(100)), Dropout(0.5)
    first, again, later = (dropout(x, Key.of(seed=0, step=step)).numpy() for step in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != later.tobytes()


def test_the_gradient_of_dropout_is_its_mask():
    x, dropout, key = tensor(np.ones(50), "float64"), Dropout(0.5), Key.of(seed=0)
    y = dropout(x, key)
    np.testing.assert_array_equal(gradients(y.sum(), [x])[0].numpy(), y.numpy())


def test_text_dropout_drops_the_same_numbers_of_all_tokens_of_a_text():
    x, offsets, key = tensor(np.ones((200, 50))), np.array([0, 70, 70, 71, 200]), Key.of(seed=3)
    dropout = TextDropout(0.25)
    assert dropout(x, offsets) is x
    found = dropout(x, offsets, key).numpy()
    texts = [found[a:b] for a, b in itertools.pairwise(offsets) if a < b]
    assert all((text == text[0]).all() for text in texts)
    assert not (texts[0][0] == texts[2][0]).all()
    assert set(np.unique(found)) == {np.float32(0), np.float32(1 / 0.75)}
    run = chainrule.compile(lambda words, x, offsets: dropout(x, offsets, Key(words)))
    np.testing.assert_array_equal(run(key.words, x, offsets).numpy(), found)


def test_word_dropout_gives_weights_of_whole_tokens():
    words = WordDropout(0.3, dtype="float64")
    ids = np.arange(20000)
    assert words(ids).numpy().tolist() == [1.0] * 20000
    weights = words(ids, Key.of(seed=0)).numpy()
    assert set(np.unique(weights)) == {0, 1}
    assert (weights == 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20000))
    assert repr(words) == "WordDropout(0.3)"


def test_word_dropout_in_a_bag_is_the_mean_of_the_words_that_are_left():
    layer, key = bag("mean"), Key.of(seed=3)
    weights = WordDropout(0.5, dtype="float64")(IDS, key)
    kept = weights.numpy() == 1
    assert 0 < kept.sum() < 5
    output = layer(IDS, OFFSETS, weights).numpy()
    for segment in range(3):
        places = np.arange(OFFSETS[segment], OFFSETS[segment + 1])
        left = TABLE[IDS[places[kept[places]]]]
        np.testing.assert_allclose(output[segment], left.mean(0) if len(left) else [0, 0])


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_dropout_refuses_other_rates(rate):
    with pytest.raises(ConfigurationError, match=f"^Dropout: expected a rate of at least 0 and below 1, got {rate}"):
        Dropout(rate)
    with pytest.raises(ConfigurationError, match=f"^WordDropout: expected a rate .* got {rate}"):
        WordDropout(rate)


def test_sequential_gives_each_layer_that_draws_its_own_part_of_the_key():
    x, key = np.ones(200, np.float32), Key.of(seed=0)
    network = Sequential(Dropout(0.5), chainrule.relu, Sequential(Dropout(0.5)))
    y = network(x, key).numpy()
    masks = [chainrule.dropout(x, 0.5, place).numpy() for place in (key.at(0), key.at(2).at(0))]
    np.testing.assert_array_equal(y, masks[0] * masks[1])
    np.testing.assert_array_equal(network(x).numpy(), x)


def test_layers_say_whether_they_draw():
    assert Sequential.random
    assert Dropout.random
    assert WordDropout.random
    assert not Linear.random


def test_a_traced_network_gives_what_the_eager_one_does():
    network = Sequential(Linear(3, 4, generator=generator()), activation("tanh"), Dropout(0.5))
    x, key = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32), Key.of(seed=0)
    graph = trace(lambda x: network(x, key), Spec((5, 3)))
    np.testing.assert_array_equal(graph(x)[0], network(x, key).numpy())
