"""Initializers: bounds and moments against theory, the same bits for a seed, and messages."""

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn import (
    INITIALIZERS,
    Constant,
    HeNormal,
    HeUniform,
    IdentityMatrix,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from chainrule.nn.initializers import weights_to_come
from chainrule.settings import SettingError

SHAPE = (300, 500)
#: initializer, mean, standard deviation, largest absolute value (None: no bound).
THEORY = [
    (Uniform(-0.2, 0.6), 0.2, 0.8 / np.sqrt(12), 0.6),
    (Normal(0.5, 0.1), 0.5, 0.1, None),
    (XavierUniform(), 0, np.sqrt(2 / 800), np.sqrt(6 / 800)),
    (XavierUniform(gain=2), 0, 2 * np.sqrt(2 / 800), 2 * np.sqrt(6 / 800)),
    (XavierNormal(gain=0.5), 0, 0.5 * np.sqrt(2 / 800), None),
    (HeUniform(), 0, np.sqrt(2 / 300), np.sqrt(6 / 300)),
    (HeUniform(gain=1), 0, np.sqrt(1 / 300), np.sqrt(3 / 300)),
    (HeNormal(), 0, np.sqrt(2 / 300), None),
    (LeCunUniform(), 0, np.sqrt(1 / 300), np.sqrt(3 / 300)),
    (LeCunNormal(), 0, np.sqrt(1 / 300), None),
    (TruncatedNormal(0.5, 0.1), 0.5, 0.1 * 0.87962566, 0.7),
    (TruncatedNormal(deviation=0.1, cut=0.01), 0, 0.001 / np.sqrt(3), 0.001),
    (TruncatedNormal(cut=40), 0, 1, None),
    (Orthogonal(), 0, 1 / np.sqrt(500), 1),
    (Sparse(inputs=30, deviation=2), 0, 2 * np.sqrt(30 / 300), None),
]
DRAWN = [case[0] for case in THEORY]


@pytest.mark.parametrize(("initializer", "mean", "deviation", "bound"), THEORY, ids=lambda case: repr(case))
def test_moments_and_bounds(initializer, mean, deviation, bound):
    w = initializer(SHAPE, np.random.default_rng(0), "float64")
    assert w.shape == SHAPE
    assert w.mean() == pytest.approx(mean, abs=4 * deviation / np.sqrt(w.size))
    assert w.std() == pytest.approx(deviation, rel=0.01)
    if bound is not None:
        assert abs(w).max() <= bound
        assert abs(w).max() > 0.99 * bound or isinstance(initializer, Orthogonal)


@pytest.mark.parametrize("initializer", DRAWN, ids=repr)
def test_a_seed_gives_the_same_bits_and_float32_is_float64_rounded(initializer):
    single, again = (initializer((20, 30), np.random.default_rng(5), "float32") for _ in range(2))
    double = initializer((20, 30), np.random.default_rng(5), "float64")
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert single.tobytes() == again.tobytes() == double.astype(np.float32).tobytes()
    assert single.tobytes() != initializer((20, 30), np.random.default_rng(6), "float32").tobytes()


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (30, 30), (10, 4, 5), (3, 1)])
def test_orthogonal_rows_or_columns(shape):
    w = Orthogonal(gain=3)(shape, np.random.default_rng(0), "float64").reshape(shape[0], -1)
    square = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(square, 9 * np.eye(min(w.shape)), atol=1e-12)


def test_orthogonal_draws_are_even():
    """The diagonal of an evenly drawn orthogonal matrix has mean 0; a plain QR decomposition would not give that."""
    generator = np.random.default_rng(0)
    diagonal = np.array([np.diag(Orthogonal()((4, 4), generator, "float64")) for _ in range(4000)])
    np.testing.assert_allclose(diagonal.mean(0), 0, atol=4 * 0.5 / np.sqrt(4000))


def test_constants():
    generator = np.random.default_rng(0)
    state = generator.bit_generator.state
    assert Zeros()((2, 3), generator, "float32").tolist() == [[0] * 3] * 2
    assert Constant(0.5)((2,), generator, "float64").tolist() == [0.5, 0.5]
    assert generator.bit_generator.state == state


def test_windows_count_into_both_fans():
    assert XavierUniform().fans((4, 5, 2, 3)) == (24, 30)


@pytest.mark.parametrize(
    "initializer",
    [XavierUniform(), XavierNormal(), HeUniform(), HeNormal(), LeCunUniform(), LeCunNormal(), Orthogonal()],
    ids=repr,
)
def test_fans_need_two_axes(initializer):
    name = type(initializer).__name__
    with pytest.raises(ShapeError, match=rf"^{name}: expected a shape of at least two axes \(in, out\), got \(3,\)"):
        initializer((3,), np.random.default_rng(0), "float32")


@pytest.mark.parametrize("kind", [XavierUniform, XavierNormal, HeUniform, HeNormal, Orthogonal])
def test_gains_are_positive(kind):
    with pytest.raises(SettingError, match=f"^{kind.name}: gain must be a number above 0 or None, got -1"):
        kind(gain=-1)


def test_a_gain_that_is_given_is_kept():
    assert HeUniform().with_gain(3) == HeUniform(3)
    assert HeUniform(2).with_gain(3) == HeUniform(2)
    assert LeCunUniform().with_gain(3) == LeCunUniform()
    for initializer, usual in ((HeNormal(), np.sqrt(2)), (XavierNormal(), 1), (Orthogonal(), 1)):
        plain, given = (x((4, 3), np.random.default_rng(0)) for x in (initializer, initializer.with_gain(usual)))
        assert plain.tobytes() == given.tobytes()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1, 1), "uniform: expected low below high, got 1 and 1"),
        (lambda: Normal(deviation=0), "normal: deviation must be a number above 0, got 0"),
        (lambda: TruncatedNormal(deviation=-1), "truncated_normal: deviation must be a number above 0, got -1"),
        (lambda: TruncatedNormal(cut=0), "truncated_normal: cut must be a number above 0, got 0"),
        (lambda: Sparse(inputs=0), "sparse: inputs must be a whole number of 1 or more, got 0"),
        (lambda: Sparse(deviation=0), "sparse: deviation must be a number above 0, got 0"),
        (lambda: INITIALIZERS.make("sparse:inputs=x"), "sparse: inputs must be a whole number of 1 or more, got 'x'"),
        (lambda: INITIALIZERS.make("orthogonl"), "there is no initializer 'orthogonl'; did you mean 'orthogonal'?"),
        (lambda: INITIALIZERS.make("zeros:gain=2"), "initializer zeros has no setting 'gain'; it has none"),
    ],
)
def test_settings_that_are_refused(make, message):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(("shape", "held"), [((200, 50), 15), ((15, 4), 15), ((6, 300), 6), ((1, 1), 1)])
def test_each_unit_has_so_many_inputs(shape, held):
    w = Sparse()(shape, np.random.default_rng(0), "float64")
    assert ((w != 0).sum(0) == held).all()
    assert w.shape == shape


def test_inputs_are_chosen_evenly():
    """Each of 50 inputs is seen by 5 of 50 units in the mean; over 20,000 units the counts differ by chance alone."""
    w = Sparse(inputs=5)((50, 20000), np.random.default_rng(1), "float64")
    counts = (w != 0).sum(1)
    assert abs(counts - 2000).max() < 5 * np.sqrt(20000 * 0.1 * 0.9)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_the_identity(shape):
    w = IdentityMatrix()(shape, np.random.default_rng(0), "float32")
    assert w.dtype == np.float32
    assert w.tolist() == [[float(i == j) for j in range(shape[1])] for i in range(shape[0])]


@pytest.mark.parametrize("initializer", [Sparse(), IdentityMatrix()], ids=repr)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_matrices_alone(initializer, shape):
    name = type(initializer).__name__
    with pytest.raises(ShapeError, match=rf"^{name}: expected a shape of two axes \(in, out\), got "):
        initializer(shape, np.random.default_rng(0))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_what_draws_no_numbers_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"^generator: expected a numpy.random.Generator, such as .*, got 3$"):
        INITIALIZERS.make(name)((2, 3), 3)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_name_spells_what_it_makes(name):
    made = INITIALIZERS.make(name)
    assert made.spelled() == name
    assert made(((4, 3)), np.random.default_rng(0), "float32").shape == (4, 3)
    assert INITIALIZERS.make({"name": name}) == made


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_that_no_memory_holds(name):
    with pytest.raises(ConfigurationError, match=r"weights of shape \(3, 10+\) are more than any memory holds; choose"):
        INITIALIZERS.make(name)((3, 10**20), np.random.default_rng(0), "float32")


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_are_limited_in_all(name):
    initializer = INITIALIZERS.make(name)
    generator = np.random.default_rng(0)
    with weights_to_come(10, "the file"):
        assert initializer((2, 3), generator, "float32").tolist() == [[0] * 3] * 2  # until the file is read
        with pytest.raises(
            ConfigurationError, match=r"weights of shape \(5, 1\) are more than the file holds: 4 are left"
        ):
            initializer((5, 1), generator, "float32")
        assert initializer((2, 2), generator, "float32").shape == (2, 2)
    assert initializer((5, 5), generator, "float32").shape == (5, 5)
