"""Kernels on disk: used by the next process, never trusted, never needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.native.running import cache

CODE = """
import sys
import numpy as np
import chainrule
run = chainrule.compile(lambda x: [chainrule.exp(x).sum(0), x @ x.T])
a, b = run(np.arange(6.0).reshape(2, 3))
assert np.allclose(a.value, np.exp(np.arange(6.0)).reshape(2, 3).sum(0)) and b.value.tolist() == [[5, 14], [14, 50]]
print(run.stats()["kernels_compiled"], run.stats()["kernels"])
"""


#: The routines of BLAS are loaded without their package, which can be imported all the same, before or after.
ORDERS = """
import sys
import numpy as np
import chainrule
{before}
a = chainrule.compile(lambda x: x @ x)(np.eye(3)).numpy()
assert ("scipy.linalg" in sys.modules) == bool({before!r})
import scipy.linalg
from scipy.linalg import cython_blas
assert np.allclose(scipy.linalg.blas.dgemm(1.0, a, a), a) and np.allclose(scipy.linalg.inv(a), a)
assert "dgemm" in cython_blas.__pyx_capi__
print(0, 0)
"""


def start(folder, code=CODE):
    environment = {**os.environ, "CHAINRULE_CACHE": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **pipes)


def finish(process):
    """How many kernels a process compiled, of how many it used."""
    out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "")
    compiled, used = map(int, out.split())
    return compiled, used


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder that a process has filled, and how many kernels that took."""
    folder = tmp_path_factory.mktemp("kernels") / "new" / "folder"
    compiled, used = finish(start(folder))
    assert compiled == used == len(list(folder.glob("*.kernel")))
    return folder, used


def test_a_second_process_compiles_nothing(filled):
    folder, used = filled
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.kernel")}
    assert finish(start(folder)) == (0, used)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.kernel")} == before


def copied(filled, place):
    place.mkdir()
    for path in filled[0].glob("*.kernel"):
        (place / path.name).write_bytes(path.read_bytes())
    return sorted(place.glob("*.kernel"))


def test_damaged_files_are_compiled_again_and_replaced(filled, tmp_path):
    folder = tmp_path / "damaged"
    files = copied(filled, folder)
    whole = [path.read_bytes() for path in files]
    for path, content in zip(files, whole, strict=True):
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        kinds = [b"", content[:16], content[:-1], flipped, content + b"x", os.urandom(len(content))]
        path.write_bytes(kinds[files.index(path) % len(kinds)])
    assert finish(start(folder)) == (len(files), len(files))
    assert [path.read_bytes()[:32] for path in files] == [content[:32] for content in whole]
    assert finish(start(folder)) == (0, len(files))


@pytest.mark.parametrize("damage", ["empty", "short", "cut", "flipped", "longer", "random"])
def test_a_damaged_file_is_none(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    code = os.urandom(1000)
    cache.keep(["key"], code)
    assert cache.read("key") == (["key"], code)
    assert cache.read("other") is None
    (path,) = tmp_path.glob("*.kernel")
    content = path.read_bytes()
    changed = {
        "empty": b"", "short": content[:31], "cut": content[:-1], "longer": content + b"x", "random": os.urandom(1032),
        "flipped": content[:500] + bytes([content[500] ^ 1]) + content[501:],
    }  # fmt: skip
    path.write_bytes(changed[damage])
    assert cache.read("key") is None
    cache.keep(["key"], code)
    assert cache.read("key") == (["key"], code)


@pytest.mark.parametrize("links", [True, False])
def test_kernels_compiled_together_are_found_under_each_name(links, tmp_path, monkeypatch):
    def forbidden(*_):
        raise OSError("no links here")

    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    if not links:
        monkeypatch.setattr(os, "link", forbidden)
    cache.keep(["a", "b", "c"], b"first")
    cache.keep(["b", "d"], b"second\0")
    both = ["a", "b", "c"], b"first"
    assert [cache.read(name) for name in "abcd"] == [both, (["b", "d"], b"second\0"), both, (["b", "d"], b"second\0")]
    assert len({path.stat().st_ino for path in tmp_path.glob("*.kernel")}) == (2 if links else 4)
    (tmp_path / "a.kernel").replace(tmp_path / "e.kernel")  # a file under a name that is not in it
    assert cache.read("e") is None


def test_a_folder_that_cannot_be_written(filled, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # an administrator may write anywhere
        folder = Path("/proc/chainrule")
    assert finish(start(folder))[0] == filled[1]
    assert not folder.exists() or not list(folder.glob("*.kernel"))


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_where_the_folder_should_be(inside, filled, tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    assert finish(start(file / "folder" if inside else file))[0] == filled[1]
    assert file.read_text() == "kept"


def test_files_that_are_folders(filled, tmp_path):
    folder = tmp_path / "folders"
    for path in copied(filled, folder):
        path.unlink()
        path.mkdir()
    assert finish(start(folder))[0] == filled[1]


def test_an_empty_name_switches_it_off(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    assert cache.folder() is None
    cache.keep(["key"], b"code")
    assert cache.read("key") is None
    first = finish(start(""))
    assert first[0] == first[1] == finish(start(""))[0]


@pytest.mark.parametrize("before", ["", "import scipy.linalg"])
def test_scipy_is_imported_before_or_after(before, tmp_path):
    assert finish(start(tmp_path, ORDERS.format(before=before))) == (0, 0)


def test_two_processes_at_once(filled, tmp_path):
    folder = tmp_path / "shared"
    for compiled, used in [finish(process) for process in [start(folder), start(folder)]]:
        assert compiled <= used == filled[1]
    assert len(list(folder.glob("*.kernel"))) == filled[1]
    assert finish(start(folder)) == (0, filled[1])


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, ".cache/chainrule"),
        ("linux", {"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere/chainrule"),
        ("linux", {"XDG_CACHE_HOME": ""}, ".cache/chainrule"),
        ("darwin", {}, "Library/Caches/chainrule"),
        ("win32", {}, "AppData/Local/chainrule/Cache"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/chainrule/Cache"),
        ("win32", {"CHAINRULE_CACHE": "/named"}, "/named"),
    ],
)
def test_the_users_cache_folder(platform, environment, expected, monkeypatch, tmp_path):
    for name in ("CHAINRULE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache.folder() == tmp_path / expected


def test_a_user_without_a_home_has_none(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CHAINRULE_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache.folder() is None


posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of files are POSIX's")


@posix
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o622, 0o777])
def test_a_file_that_others_may_write_is_not_used(mode, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    cache.keep(["key"], b"code")
    path = tmp_path / "key.kernel"
    assert cache.read("key") == (["key"], b"code")
    path.chmod(mode)
    assert cache.read("key") is None
    cache.keep(["key"], b"code")  # replaces it
    assert cache.read("key") == (["key"], b"code")


@posix
def test_a_file_of_another_user_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    cache.keep(["key"], b"code")
    owner = (tmp_path / "key.kernel").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert (cache.read("key") is None) == (owner != 0)
    if os.getuid() == 0:  # an administrator may give files away
        monkeypatch.undo()
        monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
        os.chown(tmp_path / "key.kernel", 12345, -1)
        assert cache.read("key") is None
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert cache.read("key") == (["key"], b"code")


@posix
def test_files_are_kept_for_this_user_whatever_the_mask(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    before = os.umask(0)
    try:
        cache.keep(["a", "b"], b"code")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.kernel")} == {0o644}
    assert cache.read("a") == cache.read("b") == (["a", "b"], b"code")


@posix
def test_nothing_is_written_through_a_link(tmp_path, monkeypatch):
    """The name that a file has at first can be foreseen by whoever may write in the folder."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".key.kernel.{os.getpid()}.partial").symlink_to(victim)
    cache.keep(["key"], b"code")
    assert victim.read_text() == "mine"


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("CHAINRULE_CACHE", "~/kernels")
    assert cache.folder() == tmp_path / "kernels"
    monkeypatch.chdir(tmp_path)
    cache.keep(["key"], b"code")
    assert cache.read("key") == (["key"], b"code")
    assert [path.name for path in tmp_path.iterdir()] == ["kernels"]
    monkeypatch.setenv("CHAINRULE_CACHE", "~nobody-of-this-name/kernels")
    assert cache.folder() is None
