"""Tensors: data types, operators, indexing, and the messages of what does not fit."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, tensor
from chainrule.errors import ChainruleError, DTypeError, IndexRangeError, ShapeError


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        (1.5, None, "float32"),
        ([1, 2], None, "int64"),
        ([True], None, "bool"),
        (np.zeros(2), None, "float32"),
        (np.zeros(2, np.int32), None, "int32"),
        (np.zeros(2, np.int8), None, "int64"),
        (np.zeros(2), "float64", "float64"),
        ([1, 2], "float32", "float32"),
    ],
)
def test_dtypes_of_data(data, dtype, expected):
    assert tensor(data, dtype=dtype).dtype.name == expected


def test_operators_follow_numpy():
    a, b = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32), np.array([2.0, 5.0], np.float32)
    x, y = tensor(a), tensor(b)
    pairs = [
        (x + y, a + b), (1 + x, 1 + a), (x - y, a - b), (1 - x, 1 - a), (x * y, a * b), (2 * x, 2 * a),
        (x / y, a / b), (1 / x, 1 / a), (x**2, a**2), (2**y, 2**b), (-x, -a), (abs(x), abs(a)), (x @ x, a @ a),
        (x @ y, a @ b), (y @ x, b @ a), (y @ y, b @ b), (x < y, a < b), (x <= 1, a <= 1), (x > y, a > b),
        (x >= 1, a >= 1), (x == 1, a == 1), (x != y, a != b), (a + y, a + b),
        (a == x, np.equal(a, a)), (y == [2, 5], b == [2, 5]), (a @ x, a @ a), (x.T, a.T),
        (x.sum(), a.sum()), (x.mean(0), a.mean(0)),
        (x.max(axis=-1, keepdims=True), a.max(axis=-1, keepdims=True)), (x.reshape(4), a.reshape(4)),
        (x.transpose(1, 0), a.T), (x[0], a[0]), (x[:, ::-1], a[:, ::-1]), (x[-1, 1:], a[-1, 1:]),
        (x[..., None], a[..., None]), (x[None, 1], a[None, 1]), (x[2:], a[2:]), (x[[1, 0]], a[[1, 0]]),
        (x[np.array([0, 0])], a[[0, 0]]), (x[::-1][0], a[1]), (chainrule.stack(list(x), 1), np.stack(list(a), 1)),
        (chainrule.squeeze(chainrule.expand(x, 1), 1), a), (chainrule.not_equal(x, y), a != b),
        (chainrule.argmax(x), a.argmax(-1)), (chainrule.concatenate([x, x], -1), np.concatenate([a, a], -1)),
    ]  # fmt: skip
    for found, expected in pairs:
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
        assert found.shape == expected.shape
    assert (x == None, x != None, x == "a", x == len) == (False, True, False, False)  # noqa: E711
    assert {x: 1, y: 2}[y] == 2
    assert len({x, y, tensor(a)}) == 3
    assert len(x) == 2
    assert float(x[0, 0]) == 1
    assert bool(x[0, 0] > 0)
    assert np.asarray(x).tolist() == a.tolist()


def test_numbers_and_arrays_take_the_dtype_of_the_tensors_they_meet():
    assert (tensor(1.0, dtype="float64") * np.float32(2)).dtype == np.float64
    assert (tensor(1.0) * np.zeros(3)).dtype == np.float32
    assert (tensor([1]) * 2).dtype == np.int64
    assert (tensor([1]) * 2.5).dtype == np.float32
    assert (tensor([1]) * tensor([2.0], dtype="float64")).dtype == np.float64
    assert (tensor([1]) / 2).dtype == np.float32
    assert (tensor([1], dtype="uint32") + 1).dtype == np.uint32
    assert chainrule.exp([1, 2]).dtype == np.float32
    assert tensor([True, False]).sum().item() == 1


def test_float32_and_float64_do_not_mix():
    with pytest.raises(DTypeError, match=r"add: float32 and float64 tensors do not mix; convert one with .astype"):
        tensor(1.0) + tensor(1.0, dtype="float64")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tensor([[1, 2], [3]]), ShapeError, "expected numbers in a regular array"),
        (lambda: tensor(["a"]), DTypeError, "dtype <U1 is not supported; expected one of float32"),
        (lambda: tensor(1.0, dtype="float16"), DTypeError, "dtype float16 is not supported"),
        (lambda: tensor(1.0).astype("float16"), DTypeError, "cast: dtype 'float16' is not supported"),
        (lambda: tensor(1.0).astype("nonsense"), DTypeError, "cast: dtype 'nonsense' is not supported"),
        (lambda: tensor([1.0, 2.0]) + tensor([1.0, 2.0, 3.0]), ShapeError,
         r"add: shapes \(2,\) and \(3,\) do not fit together: axis -1 has sizes 2 and 3"),
        (lambda: tensor(np.ones((2, 3))) @ tensor(np.ones((4, 5))), ShapeError,
         r"matmul: shapes \(2, 3\) and \(4, 5\) do not fit: axis -1 of the left has size 3, axis -2 of the right 4"),
        (lambda: tensor(1.0) @ np.ones((4, 5)), ShapeError, "expected matrices or vectors.*use \\* for scalars"),
        (lambda: tensor([1.0]).sum(1), ShapeError, "sum: there is no axis 1 in a tensor of 1 axes; expected -1 to 0"),
        (lambda: tensor(1.0).sum(0), ShapeError, "a scalar has none"),
        (lambda: tensor([1.0]).sum([0, -1]), ShapeError, "names an axis twice"),
        (lambda: tensor(np.ones((0, 2))).max(), ShapeError, r"max: axis 0 of shape \(0, 2\) is empty"),
        (lambda: chainrule.argmax(np.ones((2, 0))), ShapeError, r"argmax: axis 1 of shape \(2, 0\) is empty"),
        (lambda: tensor([1.0, 2.0]).reshape(3), ShapeError, r"reshape: shape \(2,\) has 2 elements, and \(3,\) 3"),
        (lambda: tensor([1.0, 2.0]).reshape(3, -1), ShapeError, "cannot hold"),
        (lambda: tensor([1.0, 2.0]).reshape(-2), ShapeError, "at most one -1"),
        (lambda: tensor([[1.0]]).transpose(0, 0), ShapeError, r"axes \(0, 0\) are not an order"),
        (lambda: chainrule.broadcast_to([1.0, 2.0], (3,)), ShapeError, "do not fit together"),
        (lambda: chainrule.broadcast_to([1.0, 2.0], (1,)), ShapeError, "cannot be repeated"),
        (lambda: chainrule.concatenate([]), ShapeError, "at least one tensor"),
        (lambda: chainrule.concatenate([[[1.0]], [[1.0, 2.0]]]), ShapeError, "differ on an axis other than 0"),
        (lambda: chainrule.stack([]), ShapeError, "at least one tensor"),
        (lambda: chainrule.stack([[1.0], [1.0, 2.0]]), ShapeError, "expected tensors of one shape"),
        (lambda: chainrule.squeeze([1.0, 2.0], 0), ShapeError, "has size 2; expected 1"),
        (lambda: tensor([1.0])[1], IndexRangeError, r"index: 1 is out of range for axis 0 of shape \(1,\)"),
        (lambda: tensor([1.0])[0, 0], ShapeError, r"2 indices for a tensor of shape \(1,\), which has 1 axes"),
        (lambda: tensor([1.0])["a"], DTypeError, "expected integers, slices"),
        (lambda: chainrule.trace(lambda x: x[x > 0], Spec((1,))), DTypeError, "index: a boolean mask would give a"),
        (lambda: tensor([1.0], dtype="real"), DTypeError, "dtype 'real' is not known; expected one of float32"),
        (lambda: Parameter.of([1.0], dtype="int64"), DTypeError, "expected a dtype of float32 or float64, got int64"),
        (lambda: chainrule.gather([1.0, 2.0], [2]), IndexRangeError, "index 2 is out of range; expected 0 to 1"),
        (lambda: chainrule.gather([1.0, 2.0], [-1]), IndexRangeError, "index -1 is out of range"),
        (lambda: chainrule.gather([1.0, 2.0], [0.5]), DTypeError, "expected integer indices, got float32"),
        (lambda: chainrule.gather(1.0, [0]), ShapeError, "expected a table with at least one axis, got shape"),
        (lambda: chainrule.take_along_axis([[1.0, 2.0]], [[2]]), IndexRangeError, "take_along_axis: index 2"),
        (lambda: chainrule.take_along_axis([[1.0, 2.0]], [2]), ShapeError, "differ on an axis other than 1"),
        (lambda: chainrule.scatter_add([[1.0]], [0, 1], 2), ShapeError, "expected one index a row"),
        (lambda: chainrule.scatter_add([1.0], [3], 2), IndexRangeError, "scatter_add: index 3"),
        (lambda: chainrule.one_hot([0.5], 2), DTypeError, "one_hot: expected integer indices"),
        (lambda: chainrule.where([1, 0], 1.0, 2.0), DTypeError, "where: expected a boolean condition, got int64"),
        (lambda: chainrule.segment_sum([1.0, 2.0], [0, 1]), ShapeError, "offsets must rise from 0 to .*2"),
        (lambda: chainrule.segment_sum([1.0, 2.0], [0, 2, 1, 2]), ShapeError, "with falls"),
        (lambda: chainrule.segment_sum([1.0], np.zeros(0, np.int64)), ShapeError, "offsets are empty"),
        (lambda: chainrule.segment_mean([1.0], [0.0, 1.0]), DTypeError, "expected integer offsets"),
        (lambda: len(tensor(1.0)), ShapeError, "a scalar tensor has no length"),
        (lambda: Parameter.of([1.0], name="w").assign(np.zeros(2)), ShapeError, r"'w': expected .*\(1,\)"),
    ],
)  # fmt: skip
def test_messages(make, error, message):
    with pytest.raises(error, match=message) as raised:
        make()
    assert isinstance(raised.value, ChainruleError)


def test_a_parameter_owns_its_memory_and_is_floating_point():
    data = np.array([1, 2])
    weight = Parameter.of(data, name="w")
    data[0] = 9
    assert weight.numpy().tolist() == [1.0, 2.0]
    assert weight.dtype == np.float32


def test_what_a_tensor_prints():
    x = tensor([1.0, 2.0], name="x")
    assert repr(x) == "Tensor(x: [1., 2.], float32(2,))"
    assert repr(x.sum()) == "Tensor(3., float32() = sum(axis=(0,), keepdims=False))"
    assert "..." in repr(tensor(np.zeros(1000)))
    assert repr(chainrule.Tensor(Spec((2,)), name="y")) == "Tensor(y: float32(2,))"


def test_a_traced_tensor_has_no_value_and_says_so():
    with pytest.raises(ChainruleError, match="'x' was traced and has no value"):
        chainrule.Tensor(Spec((2,)), name="x").numpy()


def test_sizes_and_axes_come_one_by_one_or_in_one_sequence():
    x = tensor(np.arange(6.0))
    assert x.reshape(2, 3).shape == x.reshape((2, 3)).shape == x.reshape([2, -1]).shape == (2, 3)
    assert x.reshape(6).shape == x.reshape(-1).shape == (6,)
    assert tensor([1.0]).reshape().shape == tensor([1.0]).reshape(()).shape == ()
    y = x.reshape(1, 2, 3)
    assert y.transpose(2, 0, 1).shape == y.transpose((2, 0, 1)).shape == (3, 1, 2)
    assert y.transpose().shape == (3, 2, 1)
    assert x.transpose(0).shape == (6,)


def test_a_tensor_made_of_another_has_a_copy():
    weight = Parameter.of([1.0])
    kept = tensor(weight)
    weight.numpy()[0] = 2
    assert kept.item() == 1
