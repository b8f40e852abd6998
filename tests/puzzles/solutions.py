"""A right solution of each puzzle, and wrong ones with what is said of them."""

from chainrule.puzzles import PUZZLES


def block(name, arguments, forward, backward):
    """The file of a block."""
    return f"""import chainrule

class {name}(chainrule.Elementwise):
    floating = True
    def forward(self, xp, {arguments}):
        return {forward}
    def backward(self, gradient, output, {arguments}):
        return ({backward})
"""


def gradient(arguments, result):
    """The file of a gradient."""
    return f"import numpy as np\n\ndef gradient(g, {arguments}):\n    return {result}\n"


def function(name, arguments, result, library="chainrule"):
    """The file of a function."""
    return f"import {library}\n\ndef {name}({arguments}):\n    return {result}\n"


def mended(name, answer, before, after):
    """The starting file with an answer, and a line of it exchanged."""
    text = PUZZLES[name].start.replace('wrong = ""', f'wrong = "{answer}"')
    assert before in text
    return text.replace(before, after)


SOFTPLUS = "xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))"
SOFTMAX = "np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)"

RIGHT = {
    "square": block("Square", "x", "x * x", "gradient * 2 * x,"),
    "product": block("Product", "a, b", "a * b", "gradient * b, gradient * a"),
    "quotient": block("Quotient", "a, b", "a / b", "gradient / b, -gradient * output / b"),
    "rectifier": block("Rectifier", "x", "xp.maximum(x, 0)", "chainrule.where(x > 0, gradient, 0),"),
    "logit": block("Logit", "x", "xp.log(x / (1 - x))", "gradient / (x * (1 - x)),"),
    "swish": block(
        "Swish", "x", "x / (1 + xp.exp(-x))", "gradient * (chainrule.sigmoid(x) + output * chainrule.sigmoid(-x)),"
    ),
    "softplus": block("Softplus", "x", SOFTPLUS, "gradient * chainrule.sigmoid(x),"),
    "hypotenuse": block("Hypotenuse", "a, b", "xp.sqrt(a * a + b * b)", "gradient * a / output, gradient * b / output"),
    "sum-gradient": gradient("x", "np.broadcast_to(g, x.shape)"),
    "mean-gradient": gradient("x", "np.full(x.shape, g / x.size)"),
    "bias-gradient": gradient("x, b", "g, g.sum(axis=0)"),
    "linear-gradient": gradient("x, W, b", "g @ W.T, x.T @ g, g.sum(axis=0)"),
    "product-gradient": gradient("x", "g * np.array([np.prod(np.delete(x, i)) for i in range(len(x))])"),
    "maximum-gradient": gradient("x", "np.where(x == x.max(axis=1, keepdims=True), g[:, None], 0)"),
    "look-up-gradient": (
        "import numpy as np\ndef gradient(g, E, ids):\n    found = np.zeros_like(E)\n"
        "    np.add.at(found, ids, g)\n    return found\n"
    ),
    "softmax-gradient": (
        f"import numpy as np\ndef gradient(g, x):\n    y = {SOFTMAX}\n"
        "    return y * (g - (g * y).sum(axis=1, keepdims=True))\n"
    ),
    "cross-entropy-gradient": (
        f"import numpy as np\ndef gradient(g, z, classes):\n    x = z\n    p = {SOFTMAX}\n"
        "    return g * (p - np.eye(z.shape[1])[classes]) / len(z)\n"
    ),
    "direction-gradient": (
        "import numpy as np\ndef gradient(g, x):\n    y = x / np.linalg.norm(x)\n"
        "    return (g - y * (g @ y)) / np.linalg.norm(x)\n"
    ),
    "perceptron": function("perceptron", "x, W, b, V, c", "chainrule.tanh(x @ W + b) @ V + c"),
    "softmax": (
        "import chainrule\ndef softmax(x):\n    e = chainrule.exp(x - x.max(axis=1, keepdims=True))\n"
        "    return e / e.sum(axis=1, keepdims=True)\n"
    ),
    "mean-of-embeddings": function("mean_of_embeddings", "E, ids", "chainrule.gather(E, ids).mean(axis=0)"),
    "dropout": function("dropout", "x, mask, p", "x * mask / (1 - p)"),
    "layer-norm": (
        "import chainrule\ndef layer_norm(x):\n    d = x - x.mean(axis=1, keepdims=True)\n"
        "    return d / chainrule.sqrt((d * d).mean(axis=1, keepdims=True) + 1e-5)\n"
    ),
    "attention": function(
        "attention", "Q, K, V", "chainrule.softmax(Q @ K.T / Q.shape[1] ** 0.5, axis=-1) @ V"
    ),
    "recurrence": (
        "import chainrule\ndef recurrence(x, W, U, h):\n    for k in range(2):\n"
        "        h = chainrule.tanh(x[k] @ W + h @ U)\n    return h\n"
    ),
    "convolution": function("convolution", "x, W", "chainrule.concatenate([x[:-1], x[1:]], axis=1) @ W"),
    "hinge": function("hinge", "scores, signs", "chainrule.maximum(1 - signs * scores, 0).mean()"),
    "binary-cross-entropy": function(
        "binary_cross_entropy", "z, labels", "(chainrule.softplus(z) - labels * z).mean()"
    ),
    "momentum": function("momentum", "theta, g, v", "theta - 0.1 * (0.9 * v + g), 0.9 * v + g", "numpy"),
    "adam": (
        "import numpy as np\ndef adam(theta, g, m, s, t):\n    m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2\n"
        "    change = m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)\n    return theta - 0.1 * change, m, s\n"
    ),
    "wrong-activation": mended("wrong-activation", "Tanh", "gradient * (1 - output),", "gradient * (1 - output**2),"),
    "wrong-pair": mended(
        "wrong-pair", "SquaredError", "gradient * 2 * (a - b), gradient * 2 * (a - b)",
        "gradient * 2 * (a - b), gradient * 2 * (b - a)",
    ),
    "wrong-chain": mended("wrong-chain", "LogOfSquare", "gradient / (x * x + 1),", "gradient * 2 * x / (x * x + 1),"),
    "wrong-gate": mended(
        "wrong-gate", "Forget", "gradient * (1 - chainrule.tanh(b) ** 2)", "gradient * a * (1 - chainrule.tanh(b) ** 2)"
    ),
}  # fmt: skip

#: Puzzle, file, and what is said of it.
WRONG = [
    ("square", block("Square", "x", "x * x", "gradient * x,"), "backward: gradient with respect to x: at"),
    ("square", block("Square", "x", "x + x", "gradient * 2,"), "forward: expected"),
    ("square", block("Sqare", "x", "x * x", "gradient * 2 * x,"), "does not define Square"),
    ("square", "Square = 3\n", "Square is 3; expected a class"),
    ("square", block("Square", "x", "x * x", "gradient * 2 * x"), "expected a tuple"),
    ("product", block("Product", "a, b", "a * b", "gradient * a, gradient * b"), "with respect to a"),
    ("softplus", block("Softplus", "x", "xp.log(1 + xp.exp(x))", "gradient * chainrule.sigmoid(x),"), "expected 1000"),
    ("sum-gradient", gradient("x", "g"), "∂L/∂x: expected shape"),
    ("bias-gradient", gradient("x, b", "g, g"), "∂L/∂b: expected shape"),
    ("bias-gradient", gradient("x, b", "g"), "expected 2 arrays, ∂L/∂x, ∂L/∂b"),
    ("linear-gradient", gradient("x, W", "g"), "takes other arguments; expected def gradient(g, x, W, b)"),
    ("linear-gradient", gradient("x, W, b", "g @ W, x.T @ g, g.sum(axis=0)"), "line 4: ValueError"),
    ("product-gradient", gradient("x", "g * x.prod() / x"), "not finite, for x ="),
    ("look-up-gradient", (
        "import numpy as np\ndef gradient(g, E, ids):\n    found = np.zeros_like(E)\n"
        "    found[ids] += g\n    return found\n"
    ), "∂L/∂E: expected"),
    ("mean-gradient", gradient("x", "np.full(x.shape, g)"), "expected"),
    ("softmax", function("softmax", "x", "chainrule.exp(x) / chainrule.exp(x).sum(axis=1, keepdims=True)"),
     "not finite"),
    ("softmax", function("softmax", "x", "x.numpy()"), "expected a tensor"),
    ("dropout", function("dropout", "x, mask, p", "x * mask"), "dropout: expected"),
    ("attention", function("attention", "Q, K, V", "chainrule.softmax(Q @ K.T, axis=-1) @ V"), "attention: expected"),
    ("perceptron", function("perceptron", "x, W, b, V, c", "chainrule.tanh(x.detach() @ W + b) @ V + c"),
     "no gradient"),
    ("layer-norm", function("layer_norm", "x", "(x - x.mean(axis=0)) / x"), "layer_norm: expected"),
    ("momentum", function("momentum", "theta, g, v", "theta - 0.1 * v, 0.9 * v + g", "numpy"), "new θ: expected"),
    ("adam", "def adam(theta, g, m, s, t)\n    return theta\n", "line 1 is not Python"),
    ("wrong-activation", mended("wrong-activation", "Sigmoid", "import", "import"), "the gradient of Sigmoid is right"),
    ("wrong-activation", mended("wrong-activation", "Tanh", "import", "import"),
     "yes, it is this one, and its gradient"),
    ("wrong-activation", mended("wrong-activation", "Tan", "import", "import"), "expected one of Sigmoid, Tanh"),
]  # fmt: skip
