"""Pictures of levels are PNG that other programs read."""

import base64
import struct
import zlib

import numpy as np
import pytest

from chainrule.playground.levels import CLASS_COLOURS, class_picture, classes_picture, png, rgb, signed_picture


def decoded(content):
    """The colours of a PNG with a palette, read as its specification says; a browser reads them in another test."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        name, held = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", content, at + 8 + size) == (zlib.crc32(name + held),)
        parts[name], at = held, at + 12 + size
    assert list(parts) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    width, height, bits, *rest = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert rest == [3, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()  # no filter
    numbers = np.unpackbits(rows[:, 1:], axis=1).reshape(height, -1, bits)
    pixels = (numbers @ (1 << np.arange(bits)[::-1]))[:, :width]
    palette = np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)
    return np.concatenate([palette, np.frombuffer(parts[b"tRNS"], np.uint8)[:, None]], axis=1)[pixels]


def opened(picture):
    head, _, body = picture.partition(",")
    assert head == "data:image/png;base64"
    return decoded(base64.b64decode(body))


@pytest.mark.parametrize(("width", "colours"), [(1, 2), (5, 16), (8, 16), (7, 17), (3, 256)])
def test_every_pixel_has_its_colour(width, colours):
    draw = np.random.default_rng(0)
    palette = draw.integers(0, 256, (colours, 4))
    pixels = draw.integers(0, colours, (6, width)).astype(np.uint8)
    shown = decoded(png(pixels, palette.tolist()))
    assert np.array_equal(shown, palette[pixels])


def test_numbers_below_and_above_the_middle():
    shown = opened(signed_picture(np.array([[-1.0, 0.0, 1.0], [np.nan, 0.04, 9.0]]), 0.0, 1.0))
    top, bottom = shown  # the first row of numbers is that of the lowest y
    assert tuple(bottom[0, :3]) == rgb(CLASS_COLOURS[0])
    assert tuple(bottom[2, :3]) == rgb(CLASS_COLOURS[1])
    assert bottom[1, 3] == top[1, 3] == 0  # the middle lets the paper be seen
    assert tuple(top[2]) == tuple(bottom[2])
    assert tuple(top[0]) == (120, 120, 120, 120)


def test_the_likeliest_class_is_darker_where_it_is_surer():
    probabilities = np.array([[[0.34, 0.33, 0.33], [0.01, 0.01, 0.98]]])
    (row,) = opened(classes_picture(probabilities))
    assert [tuple(pixel[:3]) for pixel in row] == [rgb(CLASS_COLOURS[0]), rgb(CLASS_COLOURS[2])]
    assert row[0, 3] < row[1, 3]


def test_how_likely_a_class_is():
    (row,) = opened(class_picture(np.array([[0.0, 0.5, 1.0]]), 2))
    assert all(tuple(pixel[:3]) == rgb(CLASS_COLOURS[2]) for pixel in row)
    assert row[:, 3].tolist() == [0, 108, 217]
