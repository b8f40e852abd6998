"""Arguments and parameters enter a program as they are at the call, wherever they lie and whatever came before."""

import copy
import gc

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gradients, tensor
from chainrule.errors import ShapeError
from chainrule.graph.trace import Update, current_recording
from chainrule.native.running.bindings import COPIED_ARGUMENT_BYTES
from chainrule.optim import SGD

#: Rows of square float32 matrices that are copied into a program, and of those whose address is written.
SIZES = {"small": 6, "large": int((COPIED_ARGUMENT_BYTES / 4) ** 0.5) + 2}


def matrix(size):
    return np.arange(size * size, dtype=np.float32).reshape(size, size)


def update(target, value):
    current_recording().update([Update(target, value)])


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_call_reads_its_own_arguments(size):
    run = chainrule.compile(lambda x, y: (x - y, x))
    x, y = matrix(size), np.ones((size, size), np.float32)
    for change in (1, 2, 3):
        x += change
        difference, same = run(x, y)
        np.testing.assert_array_equal(difference.value, x - y)
        np.testing.assert_array_equal(same.value, x)
        difference, same = run(tensor(y), x.copy())
        np.testing.assert_array_equal(difference.value, y - x)


@pytest.mark.parametrize("view", [lambda w: w, lambda w: w.reshape(-1)[: w.size // 2], lambda w: w[:, ::-1]])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_arguments_in_memory_that_is_written_are_read_as_they_were(size, view):
    w = Parameter.of(matrix(size))

    def step(x):
        update(w, w * 2 + 1)
        return x

    run = chainrule.compile(step)
    for _ in range(3):
        before = w.value.copy()
        np.testing.assert_array_equal(run(view(w.value)).value, view(before))
        np.testing.assert_array_equal(w.value, before * 2 + 1)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_an_argument_that_has_become_a_parameter(size):
    w, x = Parameter.of(np.zeros((size, size))), matrix(size)

    def step(x):
        update(w, w + x[::-1])
        return x

    run = chainrule.compile(step)
    run(x)
    w.value = x
    np.testing.assert_array_equal(run(x).value, matrix(size))
    np.testing.assert_array_equal(w.value, matrix(size) + matrix(size)[::-1])


def kinds(x):
    strided = np.zeros((*x.shape, 2), x.dtype)
    strided[..., 1] = x
    unaligned = np.frombuffer(b"\0" + x.tobytes(), x.dtype, x.size, offset=1).reshape(x.shape)
    fixed = x.copy()
    fixed.flags.writeable = False
    swapped = x.astype(x.dtype.newbyteorder(">"))
    return [x, strided[..., 1], unaligned, np.asfortranarray(x), fixed, swapped, x.view(np.recarray), x.tolist()]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_arrays_of_all_kinds_in_turn(size):
    run = chainrule.compile(lambda x: x.T + 1)
    for x in kinds(matrix(size)):
        np.testing.assert_array_equal(run(x).value, matrix(size).T + 1)


def test_float64_stays_in_tensors_only():
    run = chainrule.compile(lambda x: x / 3)
    x = np.array([1.0, 2.0])
    for _ in range(2):
        assert run(tensor(x, dtype="float64")).value.tolist() == (x / 3).tolist()
        assert run(x).dtype == np.float32
        assert run(x.astype("f4")).dtype == np.float32


def test_numbers_of_every_dtype_in_turn():
    run = chainrule.compile(lambda x: x + x)
    for _ in range(2):
        for dtype in ("int32", "int64", "longlong", "uint32", "int8", "float16", "float32", "bool"):
            found, expected = run(np.ones(3, dtype)), tensor(np.ones(3, dtype))
            assert found.spec == (expected + expected).spec
            assert found.value.tolist() == (expected + expected).value.tolist()


def test_a_wrong_number_of_arguments_is_refused_after_a_right_one():
    run = chainrule.compile(lambda x, y: x + y)
    assert run(1.0, 2.0).item() == 3
    for wrong in ([], [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(TypeError, match="positional argument"):
            run(*wrong)
    assert run(2.0, 2.0).item() == 4


def test_parameters_are_as_they_are_now_after_one_was_refused():
    a, b = Parameter.of([1.0, 2.0], name="a"), Parameter.of([10.0, 20.0], name="b")
    run = chainrule.compile(lambda: a * 100 + b)
    run()
    held = a.value, b.value
    a.value, b.value = np.array([3, 4], np.float32), np.zeros(5, np.float32)
    for _ in range(2):
        with pytest.raises(ShapeError, match=r"'b': expected a value float32\(2,\), got float32\(5,\)"):
            run()
    a.value, b.value = held
    assert run().value.tolist() == [110, 220]
    b.value = np.array([7, 8], np.float32)
    assert run().value.tolist() == [107, 208]


def test_an_error_of_the_host_leaves_everything_as_it_was():
    class Sometimes(SGD):
        def coefficients(self, step, learning_rate):
            if step == 2 and not allowed:
                raise ValueError("not now")
            return super().coefficients(step, learning_rate)

    w, rule, allowed = Parameter.of([1.0]), Sometimes(0.5), []
    state = rule.start([w])

    def step(x):
        rule.step([w], gradients((w * x).sum(), [w]), state)
        return w * x

    run = chainrule.compile(step)
    run([1.0])
    with pytest.raises(ValueError, match="not now"):
        run([100.0])
    assert (w.value.tolist(), state.step) == ([0.5], 1)
    allowed.append(True)
    assert run([1.0]).item() == 0.5
    assert (w.value.tolist(), state.step) == ([0.0], 2)


@pytest.mark.parametrize("width", [3, COPIED_ARGUMENT_BYTES // 32], ids=SIZES)
def test_arguments_of_predicted_and_of_traced_sizes_in_turn(width):
    run = chainrule.compile(lambda x: (x, x * 2, x.sum(0)), ragged=True)
    for rows in (4, 20, 9, 11, 20, 13, 20, 20, 7, 20):
        x = np.arange(rows * width, dtype=np.float32).reshape(rows, width) % 8
        same, double, total = run(x)
        np.testing.assert_array_equal(same.value, x)
        np.testing.assert_array_equal(double.value, x * 2)
        np.testing.assert_array_equal(total.value, x.sum(0))
    assert run.stats()["programs"] < 6


def test_programs_that_share_parameters_follow_every_replacement():
    weight = Parameter.of([1.0, 2.0])
    doubled, squared = chainrule.compile(lambda: weight * 2), chainrule.compile(lambda: weight * weight)
    for value in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]):
        weight.assign(np.array(value))
        assert doubled().numpy().tolist() == [2 * x for x in value]
        assert squared().numpy().tolist() == [x * x for x in value]
        weight.value[0] = 7
        assert doubled().numpy()[0] == 14
    weight.array = np.array([8.0, 9.0], np.float32)
    assert squared().numpy().tolist() == [64, 81]


def test_what_two_refused_arrays_leave_behind_is_inspected_again():
    weight, other = Parameter.of([1.0, 2.0]), tensor([10.0, 20.0])
    run = chainrule.compile(lambda: weight + other)
    first = weight.value, other.value
    assert run().numpy().tolist() == [11, 22]
    for refused in ((weight, other), (other, weight)):
        refused[0].value = np.array([5.0, 6.0], np.float32)
        refused[1].value = np.zeros(3, np.float32)
        with pytest.raises(ShapeError):
            run()
        weight.value, other.value = first
        assert run().numpy().tolist() == [11, 22]


def test_settlers_that_come_later_are_asked_before_each_run():
    weight, behind = Parameter.of([1.0]), []

    def settle():
        while behind:
            weight.array += behind.pop()

    run = chainrule.compile(lambda: weight * 2)
    assert run().item() == 2
    weight.settlers = (settle,)
    for expected in (12, 22):
        behind.append(5)
        assert run().item() == expected


def test_a_parameter_forgets_programs_that_are_gone():
    weight = Parameter.of([1.0])
    kept = chainrule.compile(lambda: weight * 2)
    kept()
    for _ in range(3):
        assert chainrule.compile(lambda: weight + 1)().item() == 2
    gc.collect()
    assert len(weight._watches) == 1
    twin = copy.deepcopy(weight)
    assert twin._watches == []
    twin.assign(np.array([5.0]))
    assert kept().item() == 2
