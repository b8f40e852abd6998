"""Kernels and products cut as finely as they can be, and worked off by several threads, give what they give whole."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import chainrule
from chainrule import Block
from chainrule.native import build, program
from chainrule.native.loops import split
from chainrule.native.running import blas, kernels, products
from chainrule.native.running.pool import POOL
from chainrule.testing import all_blocks
from chainrule.testing.blocks import check_compiled
from tests.native.test_random_graphs import cases, check

SAMPLES = [
    pytest.param(sample, id=f"{block.name}-{number}")
    for block in all_blocks()
    for number, sample in enumerate(block.samples())
]

SMALL_SHAPE, LARGE_SHAPE = (20, 30), (700, 900)


def assert_sums(found, function, arrays, summed):
    """Compare float32 sums with those of float64: their errors are what float32 rounding of so long a sum allows.

    The terms x have random signs, so a sum of some of them is about as large as √Σx² at most, and the rounding error of
    an addition is a random number of up to u √Σx², where u is half of epsilon. n of those add up to about √n u √Σx²,
    and six times that is more than any of a million sums needs. The function is linear in each argument, so that of the
    squared arguments is Σx².

    Args:
        found: the function's result.
        function: adds up its arguments, or products of them.
        arrays: the arguments.
        summed: how many terms each sum has.
    """
    exact, squares = (in_float64(function, *[np.float64(x) ** power for x in arrays]) for power in (1, 2))
    unit = np.finfo(np.float32).eps / 2
    assert (np.abs(found - exact) <= 6 * unit * np.sqrt(summed * squares)).all()


def in_float64(function, *arrays):
    return function(*[chainrule.tensor(x, dtype="float64") for x in arrays]).numpy()


@pytest.mark.parametrize(
    ("function", "small", "large", "summed"),
    [
        (lambda x: x.sum(0), [SMALL_SHAPE], [LARGE_SHAPE], lambda x: x.shape[0]),
        (lambda x: x.sum(1), [SMALL_SHAPE], [(3000, 900)], lambda x: x.shape[1]),
        (lambda x: x + x.T, [(20, 20)], [(900, 900)], lambda x: 2),
        (lambda a, b: a @ b, [(20, 30), (30, 20)], [(300, 1024), (1024, 1024)], lambda a, b: a.shape[-1]),
        (lambda a, b: a @ b, [(4, 5, 6), (4, 6, 5)], [(100, 50, 64), (100, 64, 50)], lambda a, b: a.shape[-1]),
        (chainrule.exp, [SMALL_SHAPE], [LARGE_SHAPE], None),
        (lambda x: chainrule.argmax(x, 1), [SMALL_SHAPE], [LARGE_SHAPE], None),
    ],
    ids=["columns", "rows", "transposed", "product", "products", "map", "argmax"],
)
def test_large_steps_are_cut_and_small_ones_are_not(function, small, large, summed):
    draws = np.random.default_rng(0)
    run = chainrule.compile(function, threads=2)
    for shapes, cut in ((small, False), (large, True), (small, False)):
        arrays = [draws.normal(size=shape).astype(np.float32) for shape in shapes]
        found = run(*arrays).numpy()
        if summed is None:
            np.testing.assert_allclose(found, in_float64(function, *arrays), rtol=np.finfo(np.float32).eps)
        else:
            assert_sums(found, function, arrays, summed(*arrays))
        counts = [run._last.blocks(number) for number in range(len(run._last.steps))]
        assert (max(counts) > 1) == cut
        assert (f"{max(counts)} blocks" in run.listing()) == cut


@pytest.mark.parametrize(("limit", "counts"), [(0, (2, 2, 2, 1, 2)), (10**6, (4, 4, 8, 1, 2))], ids=["never", "small"])
@pytest.mark.parametrize("transposed", [False, True], ids=["left", "left transposed"])
def test_products_are_cut_into_such_as_blas_does_not_pack(limit, counts, transposed, monkeypatch):
    monkeypatch.setattr(blas, "unpacked_limit", lambda double: limit)
    draws = np.random.default_rng(0)
    shapes = [(64, 128, 300), (300, 64, 128), (1021, 9, 764), (30, 40, 50), (128, 256, 512)]
    for (rows, columns, inner), count in zip(shapes, counts, strict=True):
        left = draws.normal(size=(inner, rows) if transposed else (rows, inner)).astype(np.float32)
        right = draws.normal(size=(inner, columns)).astype(np.float32)
        results = []
        function = (lambda a, b: a.T @ b) if transposed else (lambda a, b: a @ b)
        for threads in (1, 2):
            run = chainrule.compile(function, threads=threads)
            results.append(run(left, right).numpy())
            assert run._last.blocks(0) == count
        assert_sums(results[0], function, [left, right], inner)
        assert (results[0] == results[1]).all()


def test_products_with_a_transposed_right_matrix_are_packed(monkeypatch):
    monkeypatch.setattr(blas, "unpacked_limit", lambda double: 10**6)
    run = chainrule.compile(lambda a, b: a @ b.T)
    run(np.ones((64, 300), np.float32), np.ones((128, 300), np.float32))
    assert run._last.blocks(0) == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("right_transposed", [False, True], ids=["right", "right transposed"])
@pytest.mark.parametrize("left_transposed", [False, True], ids=["left", "left transposed"])
@pytest.mark.parametrize(
    "sizes", [(1, 1), (7, 5), (300, 2000), (3000, 1500), (0, 4), (4, 0)], ids=lambda sizes: "by".join(map(str, sizes))
)
def test_products_of_one_row(sizes, left_transposed, right_transposed, dtype):
    """They go another way than those of several, whole or in parts, and begin at 0 whatever was there."""
    draws, (inner, columns) = np.random.default_rng(0), sizes
    left = draws.normal(size=(inner, 1) if left_transposed else (1, inner)).astype(dtype)
    right = draws.normal(size=(columns, inner) if right_transposed else (inner, columns)).astype(dtype)

    def function(a, b):
        return (a.T if left_transposed else a) @ (b.T if right_transposed else b)

    results = []
    for threads in (1, 2):
        run = chainrule.compile(function, threads=threads)
        for factor in (np.nan, 1):
            found = run(*(chainrule.tensor(x, dtype) for x in (left * factor, right))).numpy()
        results.append(found)
    assert (results[0] == results[1]).all()
    exact = function(left.astype(np.float64), right.astype(np.float64))
    np.testing.assert_allclose(
        results[0], exact, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-4 * (dtype == "float32")
    )


def test_many_products_of_one_row():
    """Each of a batch of more than a stack of 8 MB would hold, were something left on it for each."""
    left, right = np.ones((200_000, 1, 2), np.float32), np.ones((200_000, 2, 3), np.float32)
    assert (chainrule.compile(lambda a, b: a @ b)(left, right).numpy() == 2).all()


def test_which_blas_does_not_pack_small_matrices(monkeypatch):
    class Library:
        architecture = "SkylakeX"

    monkeypatch.setattr(blas, "_library", Library)
    assert (blas.unpacked_limit(double=False), blas.unpacked_limit(double=True)) == (10**6, 0)
    Library.architecture = "Zen"
    assert blas.unpacked_limit(double=False) == 0
    monkeypatch.setattr(blas, "_library", lambda: None)
    assert blas.unpacked_limit(double=False) == 0


def test_a_sum_of_everything_is_not_cut():
    run = chainrule.compile(lambda x: x.sum())
    run(np.ones((1000, 1000)))
    assert "blocks" not in run.listing()


@pytest.mark.filterwarnings("ignore:compile. block")
def test_steps_in_numpy_have_no_blocks():
    run = chainrule.compile(Doubled())
    assert (run(np.ones((1000, 1000))).numpy() == 2).all()
    assert "blocks" not in run.listing()


class Doubled(Block):
    """y = 2 x, without a loop body."""

    differentiable = False

    def infer(self, x):
        return x

    def forward(self, xp, x):
        return x * 2

    @classmethod
    def samples(cls):
        return ()


@pytest.mark.parametrize(("segments", "rows"), [(10, 40), (2000, 40_000)], ids=["small", "large"])
def test_loops_over_segments_count_what_they_add(segments, rows):
    run = chainrule.compile(chainrule.segment_sum)
    run(np.ones((rows, 50), np.float32), np.linspace(0, rows, segments + 1).astype(np.int64))
    assert (run._last.blocks(0) > 1) == (rows > 1000)


@pytest.fixture(scope="module")
def finely():
    """Blocks of one iteration each, which two workers and the caller share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", "")  # these kernels are not those of anybody else
        for module, name in (
            (split, "BLOCK_OPERATIONS"),
            (split, "FEWEST_BLOCKS"),
            (split, "LEAST_ITERATIONS"),
            (products, "BLOCK_LENGTH"),
            (products, "ENOUGH_MULTIPLICATIONS"),
            (products, "UNIT_MULTIPLICATIONS"),
        ):
            patch.setattr(module, name, 1)
        patch.setattr(blas, "UNPACKED_LIMITS", {})
        own = kernels._Kernels()
        for module in (build, program):
            patch.setattr(module, "KERNELS", own)
        patch.setattr("chainrule.native.compile.thread_count", lambda threads: 3)
        yield
        POOL.close()  # its workers run code that goes with these kernels


@pytest.mark.usefixtures("finely")
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_block(sample):
    check_compiled(sample)


@pytest.mark.usefixtures("finely")
def test_random_graphs():
    @settings(
        max_examples=15, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(cases())
    def compiled_equals_eager(case):
        check(*case)

    compiled_equals_eager()
