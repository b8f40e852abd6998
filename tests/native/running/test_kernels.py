"""Machine code in memory: shared by programs, held by them, and freed when none holds it."""

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.native.loops.kernel import Signature
from chainrule.native.running import blas, cache, kernels
from chainrule.native.running.kernels import KERNELS, MissingCodeError

MAPS = Path("/proc/self/maps")


@pytest.fixture
def few_kept(monkeypatch):
    """Code that no program holds is freed soon."""
    monkeypatch.setattr(kernels, "CODES_KEPT", 4)


def function(number):
    """A function with a kernel of its own."""
    return chainrule.compile(lambda x: chainrule.tanh(x) * number + 0.25)


def value(number):
    return np.tanh(np.float32(0.5)) * number + 0.25


X = np.full(5, 0.5, np.float32)


def counted():
    gc.collect()
    return len(MAPS.read_text().splitlines())


@pytest.mark.skipif(not MAPS.exists(), reason="memory maps are listed by Linux")
def test_memory_maps_stay_few(few_kept, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    for number in range(20):
        function(number)(X)
    before = counted()
    for number in range(100, 180):
        assert function(number)(X).numpy()[0] == pytest.approx(value(number), rel=1e-6)
    assert counted() < before + 40  # two maps each would be 160


def test_what_a_program_holds_is_not_freed(few_kept):
    held = {number: function(number) for number in range(500, 520)}
    for number, run in held.items():
        run(X)
        assert run(X).numpy()[0] == pytest.approx(value(number), rel=1e-6)
    gc.collect()
    loaded = KERNELS.loaded
    for number, run in held.items():
        assert run(X).numpy()[0] == pytest.approx(value(number), rel=1e-6)
        assert function(number)(X).numpy()[0] == pytest.approx(value(number), rel=1e-6)  # shares the code
    assert KERNELS.loaded == loaded


def test_freed_code_is_loaded_again(few_kept, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    function(600)(X)
    name = next(path.name for path in tmp_path.glob("*.kernel")).removesuffix(".kernel")
    assert name in KERNELS._codes
    for number in range(601, 610):
        function(number)(X)
    gc.collect()
    assert name not in KERNELS._codes
    loaded, compiled = KERNELS.loaded, KERNELS.compiled
    assert cache.read(name) is not None
    assert function(600)(X).numpy()[0] == pytest.approx(value(600), rel=1e-6)
    assert (KERNELS.loaded, KERNELS.compiled) == (loaded + 1, compiled)
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    for number in range(601, 610):
        function(number)(X)
    gc.collect()
    compiled = KERNELS.compiled
    assert function(600)(X).numpy()[0] == pytest.approx(value(600), rel=1e-6)
    assert KERNELS.compiled == compiled + 1


def test_what_was_used_last_is_kept(few_kept):
    """A function that is made anew each time, as in a loop of a notebook, is compiled once."""
    function(700)(X)
    compiled = KERNELS.compiled
    for number in range(701, 706):
        function(number)(X)
        gc.collect()
        function(700)(X)
    assert KERNELS.compiled <= compiled + 5


def test_threads_compile_and_drop(few_kept):
    wrong = []

    def work(first):
        for number in range(first, first + 40):
            found = function(number % 7)(X).numpy()[0]
            if not np.isclose(found, value(number % 7), rtol=1e-6):
                wrong.append((number, found))

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_many_functions_become_several_files_and_are_found_in_them(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "COMPILED_TOGETHER", 2)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))

    def several(x):
        return [chainrule.tanh(x[:n]) * (800 + n) + 0.25 for n in (2, 3, 4, 5, 6)]

    x = np.linspace(-1, 1, 7, dtype=np.float32)
    found = chainrule.compile(several)(x)
    assert len({path.stat().st_ino for path in tmp_path.glob("*.kernel")}) >= 3
    for n, each in zip((2, 3, 4, 5, 6), found, strict=True):
        np.testing.assert_allclose(each.numpy(), np.tanh(x[:n]) * (800 + n) + 0.25, rtol=1e-6)


def test_what_fails_while_others_are_compiled_is_raised(monkeypatch):
    monkeypatch.setattr(kernels, "COMPILED_TOGETHER", 1)
    makers = dict.fromkeys("ab", lambda module, name: blas.add_limited(module, name))
    missing = kernels._maker(Signature("none", {}, set()))
    with pytest.raises(MissingCodeError, match="c"):
        kernels._compiled({**makers, "c": missing})
    assert [names for names, _ in kernels._compiled(makers)] == [["a"], ["b"]]
