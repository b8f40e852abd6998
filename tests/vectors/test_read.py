"""Files of word vectors in every format: what they give, and what damaged ones are told."""

import bz2
import gzip
import json
import lzma
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import chainrule
from chainrule.errors import ChainruleError, DataError
from chainrule.vectors import Vectors, read_vectors, write_vectors
from chainrule.vectors.formats import text
from chainrule.vectors.subwords import Subwords

SAVED = Path(__file__).with_name("saved")
WORDS = ["so", "good", "été", "東京", "it's", "a-b"]
MATRIX = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LINES = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, MATRIX.tolist(), strict=True)]


def written(folder, lines=LINES, name="vectors.txt", ending="\n", end="\n"):
    place = folder / name
    place.write_bytes((ending.join(lines) + end).encode())
    return place


def check(place, words=WORDS, matrix=MATRIX):
    found = read_vectors(place)
    assert found.words == words
    assert (np.asarray(found.matrix) == matrix).all()
    chosen = read_vectors(place, words=["nowhere", words[3], words[1]])
    assert chosen.words == [words[1], words[3]]
    assert (chosen.matrix == matrix[[1, 3]]).all()
    return found


@pytest.mark.parametrize("header", [[], ["6 3"]])
@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_text(tmp_path, header, ending, end):
    check(written(tmp_path, [*header, *LINES], ending=ending, end=end))


def test_text_between_tabs_and_after_a_byte_order_mark(tmp_path):
    place = written(tmp_path, [line.replace(" ", "\t") for line in LINES])
    check(place)
    place.write_bytes(b"\xef\xbb\xbf" + place.read_bytes())
    check(place)


def test_words_that_hold_spaces(tmp_path):
    lines = [*LINES, ". . . 1 2 3", "at name@domain.com 4 5 6"]
    found = read_vectors(written(tmp_path, lines))
    assert found.words == [*WORDS, ". . .", "at name@domain.com"]
    assert found["at name@domain.com"].tolist() == [4, 5, 6]
    assert read_vectors(written(tmp_path, lines), words=[". . .", "."]).words == [". . ."]


def test_many_parts_of_a_file_are_one(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "CHUNK", 50)
    check(written(tmp_path, ["6 3", *LINES]))


def test_a_first_word_that_is_a_number(tmp_path):
    found = read_vectors(written(tmp_path, ["7 1 2", "8 3 4"]))
    assert (found.words, found.matrix.tolist()) == (["7", "8"], [[1, 2], [3, 4]])


def test_another_encoding(tmp_path):
    place = tmp_path / "vectors.txt"
    place.write_bytes("été 1 2\nso 3 4\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 1: byte 0xE9 at 0 is not valid utf-8.*--encoding latin-1"):
        read_vectors(place)
    assert read_vectors(place, encoding="latin-1").words == ["été", "so"]


@pytest.mark.parametrize("compress", [gzip, bz2, lzma])
def test_compressed(tmp_path, compress):
    name = {"gzip": "v.txt.gz", "bz2": "v.bz2", "lzma": "v.xz"}[compress.__name__]
    place = tmp_path / name
    content = compress.compress(written(tmp_path).read_bytes())
    place.write_bytes(content)
    check(place)
    check(place.rename(tmp_path / "without-suffix"))
    (tmp_path / name).write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"cannot be read"):
        read_vectors(tmp_path / name)


def test_zstandard(tmp_path):
    zstd = pytest.importorskip("backports.zstd")
    place = tmp_path / "v.txt.zst"
    place.write_bytes(zstd.compress(written(tmp_path).read_bytes()))
    check(place)


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin", "v.safetensors"])
def test_what_is_written_is_read(tmp_path, name):
    write_vectors(Vectors(WORDS, MATRIX), tmp_path / name)
    check(tmp_path / name)


@pytest.mark.parametrize("name", ["gensim.txt", "gensim.bin"])
def test_files_of_gensim(name):
    found = read_vectors(SAVED / name)
    assert (len(found), found.size) == (12, 6)
    assert found["東京"] == pytest.approx(
        [0.1119547, 0.1532204, -0.0893370, -0.0651933, 0.1118379, -0.0142545], abs=1e-6
    )


def test_gensim_reads_ours(tmp_path):
    gensim = pytest.importorskip("gensim.models")
    for name in ("v.txt", "v.bin"):
        write_vectors(Vectors(WORDS, MATRIX), tmp_path / name)
        theirs = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=name == "v.bin")
        assert theirs.index_to_key == WORDS
        assert (theirs.vectors == MATRIX).all()


def test_line_breaks_after_binary_vectors(tmp_path):
    place = tmp_path / "v.bin"
    rows = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, MATRIX, strict=True)]
    place.write_bytes(b"6 3\n" + b"".join(rows))
    check(place)


def test_fasttext_with_subwords():
    """Vectors of known and unknown words as gensim has them."""
    found, theirs = read_vectors(SAVED / "fasttext.bin"), json.loads((SAVED / "fasttext.json").read_text("utf-8"))
    for word, vector in theirs.items():
        assert found[word] == pytest.approx(vector, abs=1e-6)
    assert "cats" not in found
    assert str(found.coverage(["cat", "cats"])) == "1 of 2 words (50.0 %), and 1 more by their subwords"
    chosen = read_vectors(SAVED / "fasttext.bin", words=["cat"])
    assert chosen.words == ["cat"]
    assert (chosen["cat"] == found["cat"]).all()
    assert (chosen["cats"] == found["cats"]).all()


def test_fasttext_itself_agrees(tmp_path):
    """Whose Python package gives vectors of length 1, in some versions."""
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "text.txt").write_text("so good été 東京 a film\n" * 30, encoding="utf-8")
    model = fasttext.train_unsupervised(str(tmp_path / "text.txt"), dim=4, minCount=1, bucket=50, thread=1, verbose=0)
    model.save_model(str(tmp_path / "v.bin"))
    found = read_vectors(tmp_path / "v.bin")
    for word in ["so", "été", "東京", "</s>", "unknown", "étés"]:
        ours, theirs = found[word], model.get_word_vector(word)
        assert ours / np.linalg.norm(ours) == pytest.approx(theirs / np.linalg.norm(theirs), abs=1e-5)


def hashed(ngram, buckets):
    """FNV-1a as fastText has it, one byte after another."""
    value = 2166136261
    for byte in ngram.encode():
        value = ((value ^ (byte - 256 if byte > 127 else byte) % 2**32) * 16777619) % 2**32
    return value % buckets


@pytest.mark.parametrize("lengths", [(3, 6), (1, 2), (2, 3)])
@pytest.mark.parametrize("word", ["so", "été", "東京都", "x", "😀y"])
def test_rows_of_subwords(word, lengths):
    least, most = lengths
    signed = f"<{word}>"
    expected = [
        hashed(signed[start:end], 97)
        for start in range(len(signed))
        for end in range(start + least, min(start + most, len(signed)) + 1)
        if end - start > 1 or (start > 0 and end < len(signed))
    ]
    rows, offsets = Subwords(np.zeros((97, 1), np.float32), least, most).rows(["other", word])
    assert rows[offsets[1] :].tolist() == expected


def test_arrays_with_words_beside(tmp_path):
    np.save(tmp_path / "v.npy", MATRIX)
    with pytest.raises(
        DataError, match=r"vectors without words; expected them beside it.* v\.words or v\.vocab or v\.txt"
    ):
        read_vectors(tmp_path / "v.npy")
    (tmp_path / "v.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    assert isinstance(check(tmp_path / "v.npy").matrix, np.memmap)
    (tmp_path / "v.txt").write_text("one\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"holds 6 vectors, and there are 1 words"):
        read_vectors(tmp_path / "v.npy")


def test_archives_with_words_inside(tmp_path):
    np.savez(tmp_path / "v.npz", vectors=MATRIX.astype(np.float64), words=np.array(WORDS))
    check(tmp_path / "v.npz")
    np.savez(tmp_path / "two.npz", a=MATRIX, b=MATRIX)
    with pytest.raises(DataError, match=r"expected one matrix, or one that is called vectors, got 'a', 'b'"):
        read_vectors(tmp_path / "two.npz")


class Harm:
    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / "v.npy", np.array([Harm()], dtype=object))
    np.savez(tmp_path / "v.npz", words=np.array([Harm()], dtype=object), vectors=MATRIX)
    (tmp_path / "v.kv").write_bytes(pickle.dumps(Harm()))
    for name, told in (
        ("v.npy", "pickled objects, which are never read.*numpy.save"),
        ("v.npz", "pickled objects"),
        ("v.kv", "is a pickle of Python.*save_word2vec_format"),
    ):
        with pytest.raises(DataError, match=told):
            read_vectors(tmp_path / name)


def test_words_that_come_twice(tmp_path):
    found = read_vectors(written(tmp_path, [*LINES, "so 9 9 9", "good 9 9 9"]))
    assert found.words == WORDS
    assert found.remarks == ("2 words come twice, of which the first vector is kept: 'so', 'good'",)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a 1 2", "b 1"], r"line 2: expected 2 numbers after the word, as in line 1, got 1"),
        (["a 1 2", "b 1 2 3"], r"line 2: expected 2 numbers after the word, as in line 1, got 3"),
        (["2 3", "a 1 2 3", "b 1 2"], r"line 3: expected 3 numbers after the word, as the header says, got 2"),
        (["3 2", "a 1 2", "b 1 2"], r"line 1: the header promises 3 words, and 2 lines follow. The file is cut off"),
        (["1 2", "a 1 2", "b 1 2"], r"line 1: the header promises 1 words, and 2 lines follow. Correct the header"),
        (["1 0", "a"], r"line 1: the header promises vectors of 0 numbers"),
        (["a 1 2", "b 1 x"], r"line 2: expected a number, got 'x'"),
        (["a 1 2", "b 1 nan"], r"line 2: expected a number, got 'nan'"),
        (["a 1 2", "b 1 1e99"], r"line 2: expected a number, got '1e99'"),
        (["a 1 2", "", "b 1 2"], r"line 2: is blank"),
        (["text,label", "so good,p"], r"line 1: expected a word and its numbers.*Expected word vectors: GloVe's"),
        (["a 1 2", "b 1 2", "\x00\x01\x02 1"], r"line 3: expected 2 numbers"),
    ],
)
def test_faults_of_text(tmp_path, lines, told):
    with pytest.raises(DataError, match=told):
        read_vectors(written(tmp_path, lines))


def test_faults_are_found_in_later_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "CHUNK", 60)
    with pytest.raises(DataError, match=r"line 9: expected 3 numbers"):
        read_vectors(written(tmp_path, [*LINES, "x 1 2 3", "y 1 2 3", "z 1"]))


def test_no_file_of_vectors(tmp_path):
    for content, told in ((b"", "is empty"), (bytes(range(256)) * 10, "is no file of word vectors")):
        (tmp_path / "v").write_bytes(content)
        with pytest.raises(DataError, match=told):
            read_vectors(tmp_path / "v")
    with pytest.raises(DataError, match=r"no such file \(looked in "):
        read_vectors(tmp_path / "nowhere.txt")
    with pytest.raises(DataError, match="is a directory"):
        read_vectors(tmp_path)


def test_quantised_and_unknown_versions_of_fasttext(tmp_path):
    content = (SAVED / "fasttext.bin").read_bytes()
    matrix = content.index(struct.pack("<2q", 52, 6))
    (tmp_path / "v.ftz").write_bytes(content[: matrix - 1] + b"\1" + content[matrix:])
    with pytest.raises(DataError, match=r"is quantised \(\.ftz\).*Give the model it was made from"):
        read_vectors(tmp_path / "v.ftz")
    (tmp_path / "v.bin").write_bytes(content[:4] + struct.pack("<i", 99) + content[8:])
    with pytest.raises(DataError, match="version 99"):
        read_vectors(tmp_path / "v.bin")


def test_mapped_formats_are_decompressed_first(tmp_path):
    (tmp_path / "v.bin.gz").write_bytes(gzip.compress((SAVED / "fasttext.bin").read_bytes()))
    with pytest.raises(DataError, match=r"decompress it first: a file of this kind \(fastText \.bin\)"):
        read_vectors(tmp_path / "v.bin.gz")


@pytest.mark.parametrize("name", ["gensim.bin", "fasttext.bin", "v.safetensors", "v.npy", "v.npz"])
def test_cut_and_altered_files(tmp_path, name):
    """Whatever is wrong is told as an error of ours, and takes no more memory than the file could fill."""
    place = tmp_path / name
    if name.startswith("v."):
        (tmp_path / "v.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
        if name == "v.npy":
            np.save(place, MATRIX)
        elif name == "v.npz":
            np.savez(place, vectors=MATRIX)
        else:
            write_vectors(Vectors(WORDS, MATRIX), place)
        content = place.read_bytes()
    else:
        content = (SAVED / name).read_bytes()
    draws = np.random.default_rng(0)
    outcomes = set()
    for trial in range(300):
        altered = bytearray(content)
        if trial % 2:
            altered = altered[: int(draws.integers(len(content)))]
        else:
            for _ in range(int(draws.integers(1, 4))):
                altered[int(draws.integers(min(len(content), 400)))] = int(draws.integers(256))
        place.unlink(missing_ok=True)  # an earlier one may still be mapped
        place.write_bytes(bytes(altered))
        try:
            read_vectors(place)
            outcomes.add("read")
        except ChainruleError as error:
            outcomes.add("refused, naming a file" if name in str(error) or "v.txt" in str(error) else str(error))
    assert outcomes <= {"read", "refused, naming a file"}
    assert "refused, naming a file" in outcomes


@pytest.mark.parametrize("cut", range(1, 20))
def test_every_truncation_of_word2vec_is_refused(tmp_path, cut):
    content = (SAVED / "gensim.bin").read_bytes()
    (tmp_path / "v.bin").write_bytes(content[:-cut])
    with pytest.raises(DataError, match="the header promises 12 words of 6 numbers, and the file ends after 11"):
        read_vectors(tmp_path / "v.bin")


def test_it_is_there_under_the_packages_name():
    assert chainrule.vectors.read_vectors is read_vectors


def test_numbers_of_half_the_size_in_safetensors(tmp_path):
    matrix = np.array([[0.5, -2], [3, 0.25]], np.float16)
    (tmp_path / "v.safetensors").write_bytes(safetensors.numpy.save({"vectors": matrix}))
    (tmp_path / "v.txt").write_text("so\ngood\n")
    found = read_vectors(tmp_path / "v.safetensors")
    assert (found.matrix.dtype, found.words) == (np.float32, ["so", "good"])
    np.testing.assert_array_equal(found.matrix, matrix)
