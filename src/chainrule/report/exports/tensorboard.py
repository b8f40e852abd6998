"""Event files that TensorBoard reads: a folder a run, with its figures and its hyper-parameters.

A file of events is a list of records: the length of the content (8 bytes, the least first), a checksum of these, the
content, and a checksum of that; both are CRC-32C, turned by 15 bits and moved by a constant. The content is an `Event`
in protocol buffers, of which the few fields that are needed are written here:
https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto (event, summary), and
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from chainrule.files import new_folder, write_file
from chainrule.report.exports.curves import Point, points, settings, started
from chainrule.report.study.runs import Run
from chainrule.report.study.study import Study

#: The polynomial of CRC-32C, its bits from the last to the first.
POLYNOMIAL = 0x82F63B78
#: The kinds of fields in protocol buffers.
VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5


def write_tensorboard(study: Study, place: str | os.PathLike[str]) -> None:
    """Write the event files of a study to a new folder; `tensorboard --logdir FOLDER` shows them.

    Raises:
        StorageError: when something is there already, or the folder cannot be written.
        DataError: for a record that cannot be read.

    Example:
        >>> import tempfile
        >>> from chainrule.report.study import read_study
        >>> write_tensorboard(read_study("study"), "events")  # doctest: +SKIP
    """
    with new_folder(place) as folder:
        for run in study.runs:
            held = folder / run.name
            held.mkdir()
            begin = started(study, run)
            _write(held / f"events.out.tfevents.{int(begin)}.chainrule", begin, study, run)


def _write(path: Path, begin: float, study: Study, run: Run) -> None:
    records = [_event(begin, file_version=True), _event(begin, summary=_hyper_parameters(run, begin))]
    end = begin
    for point in points(study, run):
        records.append(_event(point.time, step=point.step, summary=b"".join(_scalars(point))))
        end = point.time
    records.append(_event(end, summary=_end(run, end)))
    write_file(path, b"".join(map(_record, records)))


def _scalars(point: Point) -> Iterator[bytes]:
    """Summary.value, each with tag (1) and simple_value (2)."""
    for name, figure in point.figures.items():
        yield _field(1, _text(1, name) + _key(2, FLOAT) + struct.pack("<f", figure))


def _hyper_parameters(run: Run, begin: float) -> bytes:
    """HParamsPluginData.session_start_info (3): hparams (1, a map), group_name (4), start_time_secs (5)."""
    held = b"".join(_field(1, _text(1, name) + _field(2, _value(x))) for name, x in settings(run).items())
    info = held + _text(4, run.configuration) + _double(5, begin)
    return _plugin_data("_hparams_/session_start_info", _field(3, info))


def _end(run: Run, end: float) -> bytes:
    """HParamsPluginData.session_end_info (4): status (1), 1 for success and 2 for failure; end_time_secs (2)."""
    status = 2 if run.state == "failed" else 1
    info = _key(1, VARINT) + _varint(status) + _double(2, end)
    return _plugin_data("_hparams_/session_end_info", _field(4, info))


def _plugin_data(tag: str, content: bytes) -> bytes:
    """Summary.value with tag (1), a tensor (8) that is float (its dtype 1) and holds nothing, and metadata (9)."""
    metadata = _field(9, _field(1, _text(1, "hparams") + _field(2, content)))
    return _field(1, _text(1, tag) + _field(8, _key(1, VARINT) + _varint(1) + _field(2, b"")) + metadata)


def _event(time: float, *, step: int = 0, summary: bytes | None = None, file_version: bool = False) -> bytes:
    """Event: wall_time (1), step (2), file_version (3), summary (5)."""
    content = _double(1, time) + _key(2, VARINT) + _varint(step)
    if file_version:
        content += _text(3, "brain.Event:2")
    return content if summary is None else content + _field(5, summary)


def _value(x: str | float | bool) -> bytes:
    """google.protobuf.Value: number (2), string (3), bool (4)."""
    if isinstance(x, bool):
        return _key(4, VARINT) + _varint(int(x))
    return _text(3, x) if isinstance(x, str) else _double(2, float(x))


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of Castagnoli.

    Source: RFC 3720, appendix B.4.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _made(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ POLYNOMIAL * (number & 1)
    return number


_TABLE = [_made(number) for number in range(256)]


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _field(number: int, content: bytes) -> bytes:
    return _key(number, BYTES) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode(errors="backslashreplace"))


def _double(number: int, x: float) -> bytes:
    return _key(number, DOUBLE) + struct.pack("<d", x)
