"""Files and folders are there whole or not at all."""

import errno
import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.errors import StorageError
from chainrule.files import Lock, is_locked, move_folder, new_folder, refuse_existing, write_file
from chainrule.report import read_record
from chainrule.train.record import Record
from tests.samples import FullDisk


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("data", ["a ünïcode text\n", b"\x00\xff\n", ""])
def test_a_file_is_written_as_it_is(tmp_path, data):
    write_file(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert names(tmp_path) == ["file"]


def test_a_file_is_replaced(tmp_path):
    write_file(tmp_path / "file", "old")
    write_file(str(tmp_path / "file"), "new")
    assert (tmp_path / "file").read_text() == "new"


def test_the_old_file_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    write_file(tmp_path / "file", "old")
    FullDisk(monkeypatch, full_at=1)
    with pytest.raises(StorageError, match=r"cannot write .*file: No space left on device; .* unchanged"):
        write_file(tmp_path / "file", "new and longer")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_the_old_file_stays_when_the_disk_is_really_full(tmp_path):
    write_file(tmp_path / "file", "old")
    program = "import sys; from chainrule.files import write_file; write_file(sys.argv[1], bytes(100_000))"
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "StorageError: cannot write" in result.stderr
    assert "File too large" in result.stderr
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_nothing_is_left_after_ctrl_c(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    write_file(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_nobody_waits_for_the_disk_who_need_not(tmp_path, monkeypatch):
    """As at the start of a training, of which there is nothing yet that a power failure could take."""
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    write_file(tmp_path / "file", "all of it", flush=False)
    record = Record([{"kind": "run"}], tmp_path / "record.jsonl")
    assert (tmp_path / "file").read_text() == "all of it"
    assert read_record(tmp_path / "record.jsonl") == record.lines
    assert not waited
    record.write()
    assert len(waited) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/file", "there is no folder .*missing; make it first"),
        ("plain/file", "there is no folder .*plain; make it first"),
        ("x" * 300, "File name too long"),
        ("folder", "it is a folder; give the name of a file in it"),
        ("a\0b", "embedded null byte; what was there is unchanged"),
    ],
)
def test_an_impossible_place_is_told(tmp_path, path, reason):
    (tmp_path / "plain").write_text("a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=reason):
        write_file(tmp_path / path, "text")
    assert names(tmp_path) == ["folder", "plain"]


def test_a_folder_takes_its_place_at_the_end(tmp_path):
    with new_folder(tmp_path / "folder") as place:
        write_file(place / "file", "text")
        assert not (tmp_path / "folder").exists()
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["file"]
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_is_gone_after_an_error(tmp_path, error):
    with pytest.raises(error), new_folder(tmp_path / "folder") as place:  # noqa: PT012
        write_file(place / "file", "text")
        raise error
    assert names(tmp_path) == []


def occupy(place, kind):
    if kind == "file":
        place.write_text("mine")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_overwritten(tmp_path, kind):
    place = tmp_path / "place"
    occupy(place, kind)
    with pytest.raises(StorageError, match="place exists already and is left as it is"), new_folder(place):
        pass
    with pytest.raises(StorageError, match="exists already"):
        move_folder(tmp_path, place)
    assert names(tmp_path) == ["place"]


def test_what_came_while_the_folder_was_filled_is_not_overwritten(tmp_path):
    with pytest.raises(StorageError, match="exists already"), new_folder(tmp_path / "folder"):  # noqa: PT012
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "mine").write_text("mine")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["mine"]


def test_the_parent_must_be_there(tmp_path):
    with pytest.raises(StorageError, match=r"there is no folder .*missing; make it first"):
        refuse_existing(tmp_path / "missing" / "folder")
    with pytest.raises(StorageError, match="File name too long"), new_folder(tmp_path / ("x" * 300)):
        pass


def test_a_folder_that_cannot_be_made_or_renamed_is_told(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", fail)
    with (
        pytest.raises(StorageError, match=r"cannot make a folder in .*: Read-only file system"),
        new_folder(tmp_path / "folder"),
    ):
        pass
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match=r"cannot rename .* Read-only file system"):
        move_folder(tmp_path, tmp_path / "other")


HOLDER = """
import sys, time
from pathlib import Path
from chainrule.files import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path):
    """Also one that is killed."""
    place = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError, match="lock is held already"):
            Lock(place)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    Lock(place).release()


def test_a_lock_whose_file_was_removed_is_none(tmp_path, monkeypatch):
    """Whoever held it removed the file between the opening and the locking of it: it keeps nobody out any more."""
    hold = fcntl.flock

    def late(file, how):
        (tmp_path / "lock").unlink()
        hold(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(BlockingIOError, match="lock is held already"):
        Lock(tmp_path / "lock")


def test_whether_a_lock_is_held(tmp_path):
    place = tmp_path / "lock"
    assert not is_locked(place)
    assert names(tmp_path) == []  # to look makes no file
    lock = Lock(place)
    assert is_locked(place)
    lock.release()
    assert not is_locked(place)
    assert not is_locked(tmp_path)


def test_a_lock_where_none_can_be(tmp_path):
    with pytest.raises(StorageError, match=r"cannot make .*lock: No such file"):
        Lock(tmp_path / "missing" / "lock")


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    Lock(tmp_path / "lock").release()
