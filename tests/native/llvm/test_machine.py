"""Machine code is found by all that it depends on: after a change of anything that makes it, it is compiled again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import native
from chainrule.native import build, program
from chainrule.native.llvm.machine import identity, source_hash
from chainrule.native.running import kernels

NATIVE = Path(native.__file__).parent
FILES = sorted(path.relative_to(NATIVE) for path in NATIVE.rglob("*.py"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """All of native, elsewhere."""
    folder = tmp_path_factory.mktemp("source") / "native"
    shutil.copytree(NATIVE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_identity_has_the_source_of_all_of_native(copy):
    assert source_hash(NATIVE) in identity()
    assert source_hash(copy) == source_hash(NATIVE)
    assert {"lowering", "loops", "llvm", "running"} <= {file.parts[0] for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_change_of_any_file_is_another_identity(file, copy):
    before, content = source_hash(copy), (copy / file).read_bytes()
    for changed in (content + b"#", content[:-1]):
        (copy / file).write_bytes(changed)
        assert source_hash(copy) != before
    (copy / file).write_bytes(content)
    assert source_hash(copy) == before


def test_a_new_a_lost_and_a_renamed_file_are_other_identities(copy):
    found = {source_hash(copy)}
    old, new = copy / "llvm" / "emit.py", copy / "llvm" / "new" / "emitted.py"
    content = old.read_bytes()
    new.parent.mkdir()
    new.write_bytes(content)
    found.add(source_hash(copy))
    old.unlink()
    found.add(source_hash(copy))
    new.unlink()
    found.add(source_hash(copy))
    new.parent.rmdir()
    old.write_bytes(content)
    assert len(found) == 4
    assert source_hash(copy) in found


def test_machine_code_of_another_identity_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    compiled = []
    for name in (identity(), identity(), "another"):
        monkeypatch.setattr(kernels, "identity", lambda name=name: name)
        own = kernels._Kernels()
        for module in (build, program):
            monkeypatch.setattr(module, "KERNELS", own)
        chainrule.compile(lambda x: chainrule.exp(x) * 2)(np.ones(3))
        compiled.append(own.compiled)
    assert compiled[0] == compiled[2] > 0
    assert compiled[1] == 0
