"""Examples and their mini-batches against plain lists."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Examples, Ragged, batches
from chainrule.errors import ConfigurationError, DataError
from tests.data.test_ragged import ROWS, lists, ragged


def examples_of(rows):
    """Fields of every kind: ragged ids, a number, a vector and a truth value a row."""
    number = np.arange(len(rows))
    vectors = np.stack([number, -number, number * 0.5], 1)
    return Examples({"ids": ragged(rows), "row": number, "vector": vectors, "even": number % 2 == 0})


def same(found, rows, chosen):
    """Whether they are the rows with these numbers, in every field."""
    assert lists(found.fields["ids"]) == [rows[i] for i in chosen]
    assert found.fields["row"].tolist() == chosen
    np.testing.assert_array_equal(found.fields["vector"], [[i, -i, i / 2] for i in chosen] or np.zeros((0, 3)))
    assert found.fields["even"].tolist() == [i % 2 == 0 for i in chosen]
    assert list(found.fields) == ["ids", "row", "vector", "even"]
    assert (len(found), found.rows) == (len(chosen), len(chosen))
    dtypes = {name: array.dtype for name, array in found.arrays().items()}
    assert dtypes == {"ids": np.int32, "offsets": np.int64, "row": np.int64, "vector": np.float64, "even": np.bool_}


@given(ROWS, st.data())
def test_take_gives_rows_in_any_order_and_more_than_once(rows, data):
    chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=20))
    taken = examples_of(rows).take(np.array(chosen, np.int64))
    same(taken, rows, [i % len(rows) for i in chosen])


@given(ROWS, st.integers(-14, 14), st.integers(-14, 14))
def test_slice_is_that_of_a_list(rows, start, stop):
    same(examples_of(rows).slice(start, stop), rows, list(range(len(rows)))[start:stop])


def test_a_slice_is_a_view_and_what_is_taken_a_copy():
    examples = examples_of([[1, 2], [3], [4, 5]])
    for part, shared in ((examples.slice(1, 3), True), (examples.take(np.array([1, 2])), False)):
        arrays = examples.arrays()
        for name, array in part.arrays().items():
            assert np.shares_memory(array, arrays[name]) == (shared and name != "offsets"), name  # which begin anew


def test_take_refuses_a_row_that_is_not_there():
    with pytest.raises(IndexError):
        examples_of([[1]]).take(np.array([1]))
    with pytest.raises(IndexError):
        Examples({"row": np.arange(3)}).take(np.array([3]))


def test_arrays_are_the_fields_with_ragged_rows_as_ids_and_offsets():
    bags, classes = ragged([[7, 8], [], [9]]), np.array([1, 0, 1])
    arrays = Examples({"ids": bags, "classes": classes}).arrays()
    assert list(arrays) == ["ids", "offsets", "classes"]
    assert arrays["ids"] is bags.ids
    assert arrays["offsets"] is bags.offsets
    assert arrays["classes"] is classes
    assert list(Examples({"classes": classes, "ids": bags}).arrays()) == ["classes", "ids", "offsets"]


def test_fields_are_a_dictionary_of_its_own():
    given_fields = {"row": np.arange(3)}
    examples = Examples(given_fields)
    given_fields["more"] = np.arange(5)
    assert list(examples.fields) == ["row"]


def test_lengths_are_those_of_ragged_rows():
    examples = examples_of([[1, 2], [], [3]])
    assert examples.ragged
    assert examples.lengths.tolist() == [2, 0, 1]
    plain = Examples({"row": np.arange(3)})
    assert not plain.ragged
    assert plain.lengths.tolist() == [1, 1, 1]


def test_a_field_is_found_by_its_name():
    examples = examples_of([[1, 2], [3]])
    assert examples.array("row") is examples.fields["row"]
    with pytest.raises(DataError, match="examples: expected an array 'classes'; the fields are ids, row, vector, even"):
        examples.array("classes")
    with pytest.raises(DataError, match="examples: expected an array 'ids'; the fields are ids, row, vector, even"):
        examples.array("ids")  # which is ragged


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ids": ragged([[1]]), "classes": np.array([0, 1])}, "got 1 of ids, 2 of classes"),
        ({"a": np.zeros((3, 2)), "b": np.zeros(3), "c": np.zeros((2, 3))}, "got 3 of a, 3 of b, 2 of c"),
        ({"a": np.zeros(0), "b": np.zeros(1)}, "got 0 of a, 1 of b"),
    ],
)
def test_fields_of_different_lengths_are_refused(fields, message):
    with pytest.raises(DataError) as caught:
        Examples(fields)
    assert str(caught.value) == f"examples: expected as many rows in each field, {message}"


def test_no_fields_are_no_rows():
    nothing = Examples({})
    assert (nothing.rows, len(nothing), nothing.arrays(), nothing.ragged) == (0, 0, {}, False)
    assert nothing.lengths.tolist() == []
    assert nothing.slice(0, 4).rows == nothing.take(np.zeros(0, np.int64)).rows == 0


def test_copies_have_arrays_of_their_own():
    rows = [[1, 2], [], [3]]
    examples = examples_of(rows)
    for copied in (copy.deepcopy(examples), pickle.loads(pickle.dumps(examples))):
        same(copied, rows, [0, 1, 2])
        copied.fields["row"][:] = 9
    same(examples, rows, [0, 1, 2])


@given(ROWS, st.integers(1, 14), st.none() | st.integers(0, 9))
def test_batches_hold_every_row_once(rows, size, seed):
    generator = None if seed is None else np.random.default_rng(seed)
    made = list(batches(examples_of(rows), size, generator=generator))
    assert [batch.rows for batch in made[:-1]] == [size] * (len(made) - 1)
    assert 1 <= made[-1].rows <= size
    order = np.concatenate([batch.array("row") for batch in made])
    assert sorted(order) == list(range(len(rows)))
    assert seed is not None or order.tolist() == sorted(order)
    for batch in made:
        same(batch, rows, batch.array("row").tolist())


def test_batches_in_order_are_views():
    examples = examples_of([[1], [2], [3]])
    for batch in batches(examples, 2):
        assert np.shares_memory(batch.array("vector"), examples.array("vector"))


def test_shuffling_follows_the_generator_and_goes_on_with_it():
    examples = examples_of([[i] for i in range(50)])

    def order(generator):
        return [batch.array("row").tolist() for batch in batches(examples, 8, generator=generator)]

    generator = np.random.default_rng(1)
    first, second = order(generator), order(generator)
    assert first == order(np.random.default_rng(1)) != second
    assert [row for batch in first for row in batch] == np.random.default_rng(1).permutation(
        50
    ).tolist()  # one draw a pass


def test_no_rows_make_no_batch():
    assert list(batches(examples_of([]), 4)) == []
    assert list(batches(examples_of([]), 4, generator=np.random.default_rng(0))) == []


@pytest.mark.parametrize("size", [0, -3])
def test_batches_are_refused_at_once(size):
    """When they are asked for, not when the first is taken."""
    with pytest.raises(ConfigurationError, match=f"batch size must be 1 or more, got {size}"):
        batches(Examples({"ids": Ragged(np.zeros(1, np.int32), np.array([0, 1]))}), size)


def test_mini_batches_of_rows_of_like_length():
    lengths = np.random.default_rng(0).integers(0, 50, 1000)
    ids = Ragged(np.repeat(np.arange(1000, dtype=np.int32), lengths), np.concatenate([[0], np.cumsum(lengths)]))
    examples = Examples({"ids": ids, "row": np.arange(1000)})

    def cut(by_length, seed=1):
        return list(batches(examples, 8, generator=np.random.default_rng(seed), by_length=by_length))

    found = cut(True)
    assert sorted(np.concatenate([batch.array("row") for batch in found]).tolist()) == list(range(1000))
    assert [batch.rows for batch in found].count(8) == 125
    for batch in found:
        np.testing.assert_array_equal(batch.lengths, lengths[batch.array("row")])
    spread = [np.mean([np.ptp(batch.lengths) for batch in cut(by_length)]) for by_length in (True, False)]
    assert spread[0] < spread[1] / 10
    firsts = [batch.lengths.mean() for batch in found]
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) < 0.3  # in no order of lengths
    for again, other in ((cut(True), True), (cut(True, 2), False)):
        same = all(np.array_equal(a.array("row"), b.array("row")) for a, b in zip(found, again, strict=True))
        assert same is other


def test_extremes_of_rows_without_tokens():
    rows = Ragged(np.array([1, 2, 3, 4], np.int32), np.array([0, 0, 0, 1, 2, 4]))
    characters = Ragged(np.array([5, 6, 7, 8, 9, 1, 2, 3], np.int32), np.array([0, 0, 0, 0, 4, 8]))
    examples = Examples({"ids": rows, "target_ids": characters})
    assert [len(x["ids"]) for x in examples.extremes(3)] == [0, 5, 5]
    assert all(len(x["ids"]) != len(x["target_ids"]) for x in examples.extremes(3))


def test_extremes_are_no_rows_of_one_token_each():
    """Such a mini-batch may compute once what others compute twice, so its program would tell nothing of theirs."""
    ids = Ragged(np.arange(24, dtype=np.int32), np.cumsum([0, *[1] * 12, 4, 4, 4]))
    for arrays in Examples({"ids": ids, "classes": np.zeros(15, np.int64)}).extremes(4):
        assert len({len(x) for name, x in arrays.items() if name != "classes"} | {len(arrays["classes"])}) == 3


def test_copies_and_pickles_of_taken_rows_leave_the_others_behind():
    rows = Examples({"x": np.arange(100_000)})
    taken = rows.take(np.array([3, 1]))
    assert taken.origin[0] is rows
    for again in (copy.copy(taken), pickle.loads(pickle.dumps(taken))):
        assert again.origin is None
        assert again.fields["x"].tolist() == [3, 1]
    assert len(pickle.dumps(taken)) < 1000
