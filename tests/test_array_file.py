"""Arrays as a safetensors file: the library's own bytes, read back to the bit, and never all in memory again."""

import json
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from safetensors import SafetensorError

from chainrule import array_file
from chainrule.array_file import ArrayFile, file_parts, is_sealed
from chainrule.errors import StorageError
from chainrule.files import write_file

DRAWS = np.random.default_rng(0)
ARRAYS = {
    "weight": DRAWS.random((5, 3)).astype(np.float32),
    "a bias": DRAWS.random(7),
    "step": np.array(12),
    "nothing": np.zeros((0, 4), np.float32),
    "turned": DRAWS.random((4, 6)).T,
    "every other": np.arange(9, dtype=np.int32)[::2],
    "flags": np.array([True, False]),
    "bytes": np.arange(3, dtype=np.uint8),
    "words": np.arange(4, dtype=np.uint32),
    'é "\n\u2028': np.ones((2, 2, 2), np.float32),
}
METADATA = {"text": 'é "\n\x01 \u2028 \U0001f600'}


@pytest.fixture(params=[1, 16, 2**20])
def block(request, monkeypatch):
    """Blocks of a row, of some rows, and of whole arrays."""
    monkeypatch.setattr(array_file, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("metadata", [None, METADATA])
@pytest.mark.parametrize("names", [[], ["weight"], list(ARRAYS), list(reversed(ARRAYS))])
def test_the_bytes_are_those_of_the_library(names, metadata):
    arrays = {name: ARRAYS[name] for name in names}
    whole = {name: np.array(array, order="C") for name, array in arrays.items()}
    assert b"".join(map(bytes, file_parts(arrays, metadata))) == safetensors.numpy.save(whole, metadata)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_written_is_read(tmp_path, sealed):
    path = tmp_path / "arrays"
    write_file(path, file_parts(ARRAYS, METADATA, sealed=sealed))
    with ArrayFile(path) as file:
        assert file.metadata == METADATA
        assert set(file.shapes) == {*ARRAYS, *(["seal"] if sealed else [])}
        for name, array in ARRAYS.items():
            found = file.read(name)
            assert (found.dtype, file.shapes[name]) == (array.dtype, array.shape)
            np.testing.assert_array_equal(found, array)
            place = np.zeros((*array.shape, 2), array.dtype)[..., 1]  # of other strides
            file.read_into(name, place)
            np.testing.assert_array_equal(place, array)
    assert is_sealed(path) == sealed


def test_a_seal_finds_every_change(tmp_path):
    path = tmp_path / "arrays"
    write_file(path, file_parts({"weight": ARRAYS["weight"]}, METADATA, sealed=True))
    data = path.read_bytes()
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << (place % 8)
        path.write_bytes(broken)
        assert not is_sealed(path)
    for broken in (b"", data[:-1], data + b"x", data[:20], data[32:]):
        path.write_bytes(broken)
        assert not is_sealed(path)


def test_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "arrays"
    write_file(path, file_parts(ARRAYS))
    with ArrayFile(path) as file:
        with pytest.raises(KeyError):
            file.read("missing")
        for place in (np.zeros((3, 5), np.float32), np.zeros((5, 3))):
            with pytest.raises(ValueError, match=r"expected weight as float(32|64)\(.*, got float32\(5, 3\)"):
                file.read_into("weight", place)
    path.write_bytes(safetensors.numpy.save({"short": np.zeros(2, np.int16)}))
    with ArrayFile(path) as file, pytest.raises(ValueError, match="short: a dtype of I16"):
        file.read("short")
    for broken in (b"", b"text", b"\xff" * 99):
        path.write_bytes(broken)
        with pytest.raises(SafetensorError):
            ArrayFile(path)


def test_memory_for_a_block_is_enough(tmp_path):
    """To write an array, whatever its strides, to check its seal and to read it."""
    array = np.zeros((2**21, 4), np.float32)  # 32 MiB
    place = np.zeros((2**21, 8), np.float32)[:, :4]
    tracemalloc.start()
    write_file(tmp_path / "arrays", file_parts({"whole": array, "view": place}, sealed=True))
    assert is_sealed(tmp_path / "arrays")
    with ArrayFile(tmp_path / "arrays") as file:
        file.read_into("view", place)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_a_file_that_is_cut_short_leaves_the_one_before(tmp_path):
    """The disk is full in the middle of an array, say."""
    path = tmp_path / "arrays"
    write_file(path, file_parts({"weight": ARRAYS["weight"]}))
    before = path.read_bytes()

    def failing():
        yield from list(file_parts(ARRAYS))[:4]
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="arrays: No space left on device; what was there is unchanged"):
        write_file(path, failing())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["arrays"]


@pytest.mark.usefixtures("block")
def test_halves_are_read_as_float32(tmp_path):
    numbers = DRAWS.normal(size=(6, 3)).astype(np.float32)
    upper = numbers.view(np.uint32) >> 16
    header = {
        "brain": {"dtype": "BF16", "shape": [6, 3], "data_offsets": [0, 36]},
        "half": {"dtype": "F16", "shape": [6, 3], "data_offsets": [36, 72]},
        "one": {"dtype": "BF16", "shape": [], "data_offsets": [72, 74]},
    }
    text = json.dumps(header).encode()
    arrays = upper.astype("<u2").tobytes() + numbers.astype("<f2").tobytes() + b"\x80\x3f"
    (tmp_path / "halves").write_bytes(len(text).to_bytes(8, "little") + text + arrays)
    with ArrayFile(tmp_path / "halves") as file:
        assert file.dtype("brain") == file.dtype("half") == np.float32
        np.testing.assert_array_equal(file.read("brain"), (upper << 16).view(np.float32))
        np.testing.assert_array_equal(file.rows("brain", slice(2, 4)), (upper << 16).view(np.float32)[2:4])
        np.testing.assert_array_equal(file.read("half"), numbers.astype(np.float16).astype(np.float32))
        assert file.read("one") == 1
        wide = np.zeros((6, 3))
        with pytest.raises(ValueError, match="expected brain as float64"):
            file.read_into("brain", wide)
        file.read_into("brain", wide, convert=True)
        np.testing.assert_array_equal(wide, (upper << 16).view(np.float32))
