"""Our functions as PyTorch calls its own: what its samples are run with.

Each entry of `OPERATORS` takes the arguments that a sample of PyTorch has and calls our function with them. Arguments
that ours does not have raise `Beyond` with what they ask for; `BEYOND` says which these are, function by function.
"""

from collections.abc import Sequence

import numpy as np

import chainrule as cr


class Beyond(Exception):  # noqa: N818  (it is no error)
    """A sample asks for something that our function does not do."""


SCALAR, DTYPE = "an axis of a scalar", "another dtype of the result"


def axes(dim):
    return tuple(dim) if isinstance(dim, Sequence) else dim


def plain(function):
    """A function whose arguments are PyTorch's."""
    return lambda *tensors: function(*tensors)


def scaled(function):
    """`add` or `subtract`, where PyTorch multiplies the second by `alpha`."""
    return lambda a, b, alpha=1: function(a, b if alpha == 1 else cr.multiply(b, alpha))


def divided(a, b, rounding_mode=None):
    if rounding_mode == "trunc":
        raise Beyond("rounding towards 0")
    return cr.floor_divide(a, b) if rounding_mode == "floor" else cr.divide(a, b)


def reduced(function, nothing_is_all=False):
    """A reduction over axes; none may mean no axes or all of them."""

    def call(x, dim=None, keepdim=False, dtype=None):
        if dtype is not None:
            raise Beyond(DTYPE)
        everything = dim is None or (nothing_is_all and isinstance(dim, Sequence) and not dim)
        if not everything and not x.shape:
            raise Beyond(SCALAR)
        return function(x, None if everything else axes(dim), keepdim)

    return call


def placed(function):
    """argmax or argmin, of PyTorch also over all elements."""

    def call(x, dim=None, keepdim=False):
        flat = dim is None or not x.shape
        result = function(x.reshape(x.spec.size), 0) if flat else function(x, dim)
        if not keepdim:
            return result
        return cr.reshape(result, [1] * x.spec.rank) if flat else cr.expand(result, dim)

    return call


def spread(function):
    def call(x, dim=None, unbiased=None, correction=1, keepdim=False):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None:
            correction = int(unbiased)
        everything = dim is None or (isinstance(dim, Sequence) and not dim)
        if not everything and not x.shape:
            raise Beyond(SCALAR)
        chosen = None if everything else axes(dim)
        return function(x, chosen, keepdim, correction=1 if correction is None else correction)

    return call


def scaled_to_one(function):
    def call(x, dim, dtype=None):
        if dtype is not None:
            raise Beyond(DTYPE)
        if not x.shape:
            raise Beyond(SCALAR)
        if x.shape[dim] == 0:
            raise Beyond("an empty axis")
        return function(x, dim)

    return call


def logsumexp(x, dim, keepdim=False):
    if not isinstance(dim, int):
        if len(dim) != 1:
            raise Beyond("several axes")
        (dim,) = dim
    if not x.shape:
        raise Beyond(SCALAR)
    if x.shape[dim] == 0:
        raise Beyond("an empty axis")
    return cr.logsumexp(x, dim, keepdim)


def along(function):
    """A function along an axis, which PyTorch allows a scalar to have."""

    def call(x, dim=-1, descending=False, stable=False):
        if not x.shape:
            raise Beyond(SCALAR)
        return function(x, dim, descending)

    return call


def sort(x, dim=-1, descending=False, stable=False):
    if not x.shape:
        raise Beyond(SCALAR)
    return cr.sort(x, dim, descending), cr.argsort(x, dim, descending)


def topk(x, k, dim=-1, largest=True, sorted=True):
    if not x.shape:
        raise Beyond(SCALAR)
    return cr.topk(x, k, dim, largest)


def cumsum(x, dim, dtype=None):
    if dtype is not None:
        raise Beyond(DTYPE)
    if not x.shape:
        raise Beyond(SCALAR)
    return cr.cumsum(x, dim)


def clamp(x, min=None, max=None):
    return cr.clamp(x, min, max)


def arange(*numbers, dtype=None, device=None, requires_grad=False, **settings):
    if settings:
        raise Beyond("a layout or an output that is given")
    if dtype == "int64" and any(isinstance(x, float) for x in numbers):
        raise Beyond("integers from numbers with fractions, which PyTorch cuts off first")
    return cr.arange(*numbers, dtype=dtype)


def iota(*numbers, **settings):
    if len(numbers) != 1 or not isinstance(numbers[0], int) or settings:
        raise Beyond("other numbers than 0, 1, 2, ...")
    return cr.iota(numbers[0]).astype("int64")


def full(shape, value, dtype=None, device=None):
    return cr.full(shape, value, dtype)


def filled(function):
    def call(*shape, dtype=None, device=None, layout=None, requires_grad=False):
        given = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
        return function(given, dtype or "float32")

    return call


def broadcast_to(x, shape):
    return cr.broadcast_to(x, shape)


def cast(x, *arguments, dtype=None, **settings):
    dtypes = [a for a in arguments if isinstance(a, str)] + ([dtype] if dtype else [])
    others = [a for a in arguments if isinstance(a, cr.Tensor)]
    if not dtypes and not others:
        raise Beyond("another device or layout alone")
    wanted = dtypes[0] if dtypes else others[0].dtype.name
    if wanted not in ("float32", "float64", "int32", "int64", "uint32", "bool"):
        raise Beyond("a dtype that tensors do not have")
    return cr.cast(x, wanted)


def joined(function):
    return lambda tensors, dim=0: function(tensors, dim)


def concatenate(*tensors, dim=0):
    held = tensors[0] if not isinstance(tensors[0], cr.Tensor) else tensors
    dim = tensors[1] if held is not tensors and len(tensors) > 1 else dim
    if len({x.spec.rank for x in held}) > 1:
        raise Beyond("an empty tensor of another rank")
    return cr.concatenate(held, dim)


def getitem(x, key):
    return x[key]


def sign(x):
    if x.dtype == bool:
        raise Beyond("a sign of booleans")
    return cr.sign(x)


def one_hot(indices, num_classes=-1):
    if num_classes < 0:
        raise Beyond("as many classes as the largest index asks for")
    return cr.one_hot(indices, num_classes).astype("int64")


def pad(x, widths, mode="constant", value=None):
    if mode != "constant":
        raise Beyond("margins with numbers of x")
    if any(width < 0 for width in widths):
        raise Beyond("margins below 0, which cut")
    pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    return cr.pad(x, [(0, 0)] * (x.spec.rank - len(pairs)) + pairs, value or 0)


def repeat(x, repeats, dim=None, output_size=None):
    counts = repeats.tolist() if isinstance(repeats, np.ndarray) else repeats
    return cr.repeat(x, counts, dim if x.shape else None)


def reshape(x, shape):
    return cr.reshape(x, shape)


def roll(x, shifts=0, dims=None):
    if not x.shape:
        raise Beyond(SCALAR)
    given = None if dims == () else axes(dims)
    return cr.roll(x, shifts[0] if given is None and isinstance(shifts, Sequence) else shifts, given)


def rounded(x, decimals=0):
    if decimals:
        raise Beyond("rounding to decimals")
    return cr.round(x)


def index_add(x, dim, index, source, alpha=1):
    if not x.shape or not source.shape:
        raise Beyond(SCALAR)
    order = (dim % x.spec.rank, *(i for i in range(x.spec.rank) if i != dim % x.spec.rank))
    rows = cr.transpose(source, order) * alpha
    added = cr.scatter_add(rows, index if index.shape else cr.reshape(index, 1), x.shape[dim])
    return x + cr.transpose(added, [order.index(i) for i in range(x.spec.rank)])


def softplus(x, beta=1, threshold=20):
    return cr.softplus(x, beta, threshold)


def renamed(function, **names):
    """A function whose settings have other names in PyTorch."""
    return lambda x, *settings, inplace=False, **given: function(
        x, *settings, **{names.get(name, name): value for name, value in given.items()}
    )


def prelu(x, weight):
    if weight.spec.size == 1:
        return cr.prelu(x, cr.reshape(weight, ()))
    return cr.prelu(x, cr.reshape(weight, (weight.spec.size, *[1] * (x.spec.rank - 2))))


def hard_tanh(x, min_val=-1, max_val=1, inplace=False):
    if not x.spec.floating:
        raise Beyond("limits cut to integers")
    return cr.hard_tanh(x, min_val, max_val)


def glu(x, dim=-1):
    return cr.glu(x, dim)


def split(x, sizes, dim=0):
    return cr.split(x, sizes, dim)


def squeeze(x, dim=None):
    if dim is None or not isinstance(dim, int):
        raise Beyond("several axes")
    if not x.shape or x.shape[dim] != 1:
        raise Beyond("an axis of another size, which stays")
    return cr.squeeze(x, dim)


def take_along(x, indices, dim=None):
    if dim is None:
        x, indices, dim = (*(cr.reshape(t, t.spec.size) for t in (x, indices)), 0)
    if x.spec.rank != indices.spec.rank or any(
        a != b for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True)) if i != dim % max(x.spec.rank, 1)
    ):
        raise Beyond("shapes that are broadcast")
    return cr.take_along_axis(x, indices, dim)


def tile(x, counts):
    return cr.tile(x, counts)


def transpose(x, dims):
    return cr.transpose(x, dims) if x.shape else x


def triangle(function):
    return lambda x, diagonal=0: function(x, diagonal)


def update_at(x, indices, values, accumulate=False):
    if accumulate:
        raise Beyond("values that are added")
    return cr.update_at(x, tuple(indices), values)


def where(a, condition, b):
    return cr.where(condition, a, b)


def einsum(tensors, equation):
    return cr.einsum(equation, *tensors)


#: Our function: how it is called with the arguments of PyTorch's samples.
OPERATORS = {
    "absolute": plain(cr.absolute), "add": scaled(cr.add), "all": reduced(cr.all), "any": reduced(cr.any),
    "arange": arange, "argmax": placed(cr.argmax), "argmin": placed(cr.argmin), "argsort": along(cr.argsort),
    "broadcast_to": broadcast_to, "cast": cast, "ceil": plain(cr.ceil), "clamp": clamp, "concatenate": concatenate,
    "cos": plain(cr.cos), "cumsum": cumsum, "divide": divided, "einsum": einsum, "equal": plain(cr.equal),
    "erf": plain(cr.erf), "exp": plain(cr.exp), "exp2": plain(cr.exp2), "expand": plain(cr.expand),
    "expm1": plain(cr.expm1), "floor": plain(cr.floor), "floor_divide": plain(cr.floor_divide), "full": full,
    "gather": plain(cr.gather), "greater": plain(cr.greater), "greater_equal": plain(cr.greater_equal),
    "identity": lambda x, memory_format=None: cr.identity(x), "index": getitem, "iota": iota,
    "isfinite": plain(cr.isfinite), "isnan": plain(cr.isnan), "less": plain(cr.less),
    "less_equal": plain(cr.less_equal), "log": plain(cr.log), "log10": plain(cr.log10), "log1p": plain(cr.log1p),
    "log2": plain(cr.log2), "log_softmax": scaled_to_one(cr.log_softmax), "logical_and": plain(cr.logical_and),
    "logical_not": plain(cr.logical_not), "logical_or": plain(cr.logical_or), "logical_xor": plain(cr.logical_xor),
    "logsumexp": logsumexp, "matmul": plain(cr.matmul), "max": reduced(cr.max, nothing_is_all=True),
    "maximum": plain(cr.maximum), "mean": reduced(cr.mean, nothing_is_all=True),
    "min": reduced(cr.min, nothing_is_all=True), "minimum": plain(cr.minimum), "multiply": plain(cr.multiply),
    "negative": plain(cr.negative), "not_equal": plain(cr.not_equal), "one_hot": one_hot, "ones": filled(cr.ones),
    "pad": pad, "power": plain(cr.power), "prod": reduced(cr.prod), "reciprocal": plain(cr.reciprocal),
    "relu": lambda x, inplace=False: cr.relu(x), "remainder": plain(cr.remainder), "repeat": repeat,
    "reshape": reshape, "roll": roll, "round": rounded, "rsqrt": plain(cr.rsqrt), "scatter_add": index_add,
    "sigmoid": plain(cr.sigmoid), "sign": sign, "sin": plain(cr.sin), "softmax": scaled_to_one(cr.softmax),
    "softplus": softplus, "sort": sort, "split": split, "sqrt": plain(cr.sqrt), "square": plain(cr.square),
    "squeeze": squeeze, "stack": joined(cr.stack), "std": spread(cr.std), "subtract": scaled(cr.subtract),
    "sum": reduced(cr.sum, nothing_is_all=True), "take_along_axis": take_along, "tan": plain(cr.tan),
    "tanh": plain(cr.tanh), "tile": tile, "topk": topk, "transpose": transpose, "tril": triangle(cr.tril),
    "triu": triangle(cr.triu), "update_at": update_at, "var": spread(cr.var), "where": where,
    "zeros": filled(cr.zeros),
    "celu": renamed(cr.celu), "elu": renamed(cr.elu), "gelu": renamed(cr.gelu), "glu": glu,
    "hard_swish": renamed(cr.hard_swish),
    "hard_tanh": hard_tanh,
    "leaky_relu": renamed(cr.leaky_relu, negative_slope="slope"), "log_sigmoid": plain(cr.log_sigmoid),
    "mish": renamed(cr.mish), "prelu": prelu, "relu6": renamed(cr.relu6), "selu": renamed(cr.selu),
    "silu": renamed(cr.silu), "softsign": plain(cr.softsign),
}  # fmt: skip

#: What samples ask for that our functions do not do, for which they are left out, and samples of which functions do.
BEYOND = {
    SCALAR: ("all any argsort cumsum log_softmax logsumexp max mean min prod roll scatter_add softmax sort sum topk"),
    DTYPE: "cumsum log_softmax prod softmax",
    "a dtype that tensors do not have": "cast",
    "a sign of booleans": "sign",
    "a layout or an output that is given": "arange",
    "an axis of another size, which stays": "squeeze",
    "an empty axis": "log_softmax softmax",
    "an empty tensor of another rank": "concatenate",
    "as many classes as the largest index asks for": "one_hot",
    "integers from numbers with fractions, which PyTorch cuts off first": "arange",
    "limits cut to integers": "hard_tanh",
    "margins below 0, which cut": "pad",
    "margins with numbers of x": "pad",
    "other numbers than 0, 1, 2, ...": "iota",
    "rounding to decimals": "round",
    "rounding towards 0": "divide",
    "several axes": "logsumexp squeeze",
    "shapes that are broadcast": "take_along_axis",
    "values that are added": "update_at",
}
#: Tensors that decide the shape of a result, which a traced function has to know: a place of the sample's, or a dtype.
STRUCTURAL = {"index": "b", "update_at": "b", "repeat": "i"}
#: Where a sample's axis is, for results that are positions of equal elements: number of the result, and the axis.
POSITIONS = {
    "argsort": lambda x, dim=-1, descending=False, stable=False: (0, dim, stable),
    "sort": lambda x, dim=-1, descending=False, stable=False: (1, dim, stable),
    "topk": lambda x, k, dim=-1, *order, **settings: (1, dim, False),
}
#: Functions whose counterpart is not run on samples, and why.
ELSEWHERE = {
    "attend": "its texts are flat; tests/blocks/test_attention.py",
    "dropout": "it is random; tests/blocks/test_chance.py",
    "hard_sigmoid": "PyTorch's slope is 1 / 6 rounded to float32; tests/blocks/test_blocks_torch.py",
    "random_integers": "it is random; tests/blocks/test_chance.py",
    "random_normal": "it is random; tests/blocks/test_chance.py",
    "unstack": "its results are as many as an axis is long; tests/blocks/test_pieces.py",
}
