"""Random programs that change what they read: eager and compiled read and leave the same numbers, call after call.

A program is the text of a step: it reads leaves before and after they change, assigns, takes steps of several
optimizers and gradients of what was read before and after. Between calls the host writes its buffers again, reads some
leaves and changes others, and holds graphs of its own. A program that fails is printed as Python.

The test runs the same 20 programs every time. `make programs` runs more; any of them again:

    python -m tests.native.test_random_programs --programs 2000 --first 0
"""

import argparse
import collections
import sys
import time

import numpy as np
import pytest

import chainrule
from chainrule import Mutable, Parameter
from chainrule.optim import SGD, Adam

ROWS, WIDTH = 6, 3
#: What a program may use by name.
NAMES = {
    name: getattr(chainrule, name)
    for name in "assign gather grad gradients relu sin softmax stop_gradient tanh tensor where".split()
}
RULES = [
    "SGD(0.1)",
    "SGD(0.1, momentum=0.9)",
    "SGD(0.1, momentum=0.9, lazy=True)",
    "SGD(0.1, lazy=True)",
    "Adam(0.05, epsilon=1e-2)",
    "Adam(0.05, epsilon=1e-2, lazy=True)",
]
#: The leaves by name: their shapes, and whether they are parameters.
LEAVES = {
    "table": ((ROWS, WIDTH), True),
    "other": ((ROWS, WIDTH), True),
    "w": ((WIDTH,), True),
    "v": ((WIDTH,), True),
    "matrix": ((WIDTH, WIDTH), True),
    "mean": ((WIDTH,), False),
    "level": ((), False),
}
PARAMETERS = [name for name, (_, learned) in LEAVES.items() if learned]


class Program:
    """The text of a step, and of what the host does between its calls."""

    def __init__(self, number):
        self.draws = np.random.default_rng([7, number])
        self.number = number
        self.dtype = self.choose(["float64", "float64", "float32"])
        self.batch = 4000 if self.chance(0.1) else int(self.draws.integers(1, 5))  # large arguments are not copied
        self.optimizers = [(self.choose(RULES), self.some(PARAMETERS)) for _ in range(int(self.draws.integers(1, 4)))]
        self.lines = []
        self.used = collections.Counter()
        self.known = {"rows": ["x"], "vector": [], "scalar": ["rate"]}
        self.losses = []
        self.loss()
        kinds = [self.value] * 3 + [self.step] * 4 + [self.loss] * 3 + [self.assign] * 3
        kinds += [self.gradient] * 2 + [self.memory, self.cut]
        for _ in range(int(self.draws.integers(3, 12))):
            self.choose(kinds)()
        results = [self.choose(self.known[kind]) for kind in self.known for _ in range(2) if self.known[kind]]
        results += self.some(list(LEAVES))[:2] + self.losses[-1:]
        self.results = results
        self.lines.append(f"return [{', '.join(results)}]")
        self.calls = [self.between() for _ in range(int(self.draws.integers(3, 7)))]

    def chance(self, share):
        return bool(self.draws.random() < share)

    def choose(self, options):
        return options[int(self.draws.integers(len(options)))]

    def some(self, options):
        count = int(self.draws.integers(1, len(options) + 1))
        return [options[i] for i in self.draws.permutation(len(options))[:count]]

    def define(self, kind, text):
        name = f"{kind}{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.known[kind].append(name)
        return name

    def rows(self):
        """A small term of one row for each example."""
        table = self.choose(["table", "table", "other"])
        forms = [
            f"gather({table}, ids)", f"gather({table}, ids)", f"gather({table}, (ids + 1) % {ROWS})",
            "x", "x @ matrix", self.choose(self.known["rows"]), f"gather({table} * {self.scalar()}, ids)",
        ]  # fmt: skip
        return self.choose(forms)

    def vector(self):
        forms = ["w", "v", "mean", "matrix[0]", "table[1]", "other.mean(axis=0)", f"({self.choose(['w', 'v'])} ** 2)"]
        return self.choose([*forms, *self.known["vector"]])

    def scalar(self):
        return self.choose(["level", "w.mean()", "matrix.mean()", "tanh(v).sum()", *self.known["scalar"]])

    def of(self, shape):
        """An expression of a shape."""
        if shape == (WIDTH,):
            return f"tanh({self.vector()} * {self.scalar()} + {self.choose(['0.3', self.vector()])})"
        if shape == ():
            return f"tanh({self.scalar()} + {self.vector()}.mean())"
        return f"tanh({self.vector()} * {self.scalar()} + {'matrix' if shape[0] == WIDTH else 'table'})"

    def value(self):
        if self.chance(0.5):
            self.define("rows", f"tanh({self.rows()} * {self.vector()} + {self.rows()})")
        else:
            self.define("vector", self.choose([self.of((WIDTH,)), f"tanh({self.rows()}).mean(axis=0)"]))

    def loss(self):
        inner = f"{self.rows()} * {self.vector()} + {self.choose([self.rows(), self.vector(), self.scalar()])}"
        function = self.choose(["tanh", "sin", "softmax"])
        self.losses.append(self.define("scalar", f"({function}({inner}) ** 2).mean()"))

    def step(self):
        index = int(self.draws.integers(len(self.optimizers)))
        _, names = self.optimizers[index]
        listed = f"[{', '.join(names)}]"
        loss = self.choose(self.losses)
        if self.chance(0.3):
            loss = f"{loss} + {self.choose(self.losses)}"
        rate = self.choose(["", "", ", learning_rate=lambda n: 0.1 / n", ", learning_rate=rate"])
        self.lines.append(
            f"optimizers[{index}].step({listed}, gradients({loss}, {listed}, unused='zeros'), states[{index}]{rate})"
        )
        self.used["step"] += 1

    def assign(self):
        name = self.choose(list(LEAVES))
        shape, _ = LEAVES[name]
        value = self.of(shape)
        if self.chance(0.3):
            value = f"grad({self.choose(self.losses)}, {name}, unused='zeros')"
        elif self.chance(0.3):
            value = f"0.9 * {name} + 0.1 * {value}"
        self.lines.append(f"assign({name}, {value})")
        self.used["assign"] += 1

    def gradient(self):
        """A gradient, also of one: of what was read before and after changes."""
        name = self.choose(["w", "v", "mean"])
        loss = " + ".join(self.choose(self.losses) for _ in range(2))
        found = f"grad({loss}, {name}, unused='zeros')"
        if self.chance(0.4):
            found = f"grad(({found} ** 2).sum() + level * 0, {name}, unused='zeros')"
        self.define("vector", found)
        self.used["gradient"] += 1

    def memory(self):
        """What an optimizer remembers, read inside of the step."""
        index = int(self.draws.integers(len(self.optimizers)))
        rule, names = self.optimizers[index]
        slot = "mean" if rule.startswith("Adam") else "velocity" if "momentum" in rule else None
        if slot is None:
            self.define("scalar", f"states[{index}].count.astype('{self.dtype}') * 0.01")
        else:
            self.define("scalar", f"states[{index}].slots[{int(self.draws.integers(len(names)))}]['{slot}'].mean()")

    def cut(self):
        name = self.choose(["w", "v", "mean"])
        cut = self.choose(["stop_gradient({0})", "{0}.detach()", "(tanh({0}) * 1).detach()"])
        self.define("vector", cut.format(name))

    def between(self):
        """What the host does before a call."""
        name = self.choose(list(LEAVES))
        size = self.choose([self.batch] * 4 + [self.batch + 1])
        lines = [f"resize({size})"] if size != self.batch else []
        if self.chance(0.9):
            lines.append("fill()")
        for text, share in [
            (f"{name}.assign({name}.value * 0.5)", 0.2),
            (f"read.append({name}.value.copy())", 0.3),
            (f"held.append(((tanh({name}) ** 2).sum(), {name}))", 0.3),
            ("read.append([grad(y, leaf).value for y, leaf in held])", 0.2),
            ("held.clear()", 0.1),
            ("states[0].load(states[0].arrays())", 0.1),
            ("states[0].step = 1", 0.05),
            ("x[...] = results[0].value", 0.1),
        ]:
            if self.chance(share):
                lines.append(text)
        return lines

    def __str__(self):
        rules = [f"{rule}.start([{', '.join(names)}])" for rule, names in self.optimizers]
        calls = ["; ".join(lines) for lines in self.calls]
        step = [
            "def step(x, ids, rate):",
            f"    x = x.astype('{self.dtype}')",
            f"    rate = rate.astype('{self.dtype}')",
        ]
        step += [f"    {line}" for line in self.lines]
        return "\n".join([f"# program {self.number}, {self.dtype}, {self.batch} rows", *rules, *step, *calls])

    def run(self, engine):
        """All that is seen of the program: results of calls, what was read between them, and the leaves at the end."""
        draws = np.random.default_rng([8, self.number])
        made = {
            name: (Parameter if learned else Mutable).of(draws.uniform(-1, 1, shape), dtype=self.dtype, name=name)
            for name, (shape, learned) in LEAVES.items()
        }
        optimizers = [eval(rule, {"SGD": SGD, "Adam": Adam}) for rule, _ in self.optimizers]
        states = [
            rule.start([made[name] for name in names])
            for rule, (_, names) in zip(optimizers, self.optimizers, strict=True)
        ]
        scope = {**NAMES, **made, "optimizers": optimizers, "states": states, "read": [], "held": []}
        text = [f"    {line}" for line in self.lines]
        head = [f"    x, rate = x.astype('{self.dtype}'), rate.astype('{self.dtype}')"]
        exec("\n".join(["def step(x, ids, rate):", *head, *text]), scope)
        step, read = engine(scope["step"]), scope["read"]

        def resize(size):
            scope["x"], scope["ids"] = np.zeros((size, WIDTH), np.float32), np.zeros(size, np.int64)
            fill()

        def fill():
            scope["x"][...] = draws.uniform(-1, 1, scope["x"].shape)
            scope["ids"][...] = draws.integers(0, ROWS, scope["ids"].shape)

        scope |= {"resize": resize, "fill": fill, "results": []}
        resize(self.batch)
        kept = []
        for lines in self.calls:
            for line in lines:
                if line.startswith("x[...]") and (not kept or kept[-1][0].shape != scope["x"].shape):
                    continue
                exec(line, scope)
            scope["results"] = step(scope["x"], scope["ids"], np.float32(0.05))
            read.append([x.numpy().copy() for x in scope["results"]])
            kept.append(scope["results"])
        # Later calls leave earlier results as they are. An eager step that returns a leaf gives the leaf itself.
        read += [
            [x.numpy() for x, name in zip(results, self.results, strict=True) if name not in LEAVES] for results in kept
        ]
        read += [[grad.value for grad in [chainrule.grad(y, leaf) for y, leaf in scope["held"]]]]
        read += [[leaf.value for leaf in made.values()]]
        read += [[state.arrays()[name] for name in sorted(state.arrays())] for state in states]
        return read


def eagerly(function):
    return lambda *arguments: function(*map(chainrule.tensor, arguments))


def flat(seen):
    for x in seen:
        yield from flat(x) if isinstance(x, list) else [x]


def check(program):
    """Both engines see the same numbers, but for rounding."""
    tolerance = 1e-7 if program.dtype == "float64" else 3e-3
    expected, found = list(flat(program.run(eagerly))), list(flat(program.run(chainrule.compile)))
    assert len(expected) == len(found)
    for position, (x, y) in enumerate(zip(found, expected, strict=True)):
        assert np.isfinite(y).all(), "a program is to stay finite"
        np.testing.assert_allclose(
            x, y, rtol=tolerance, atol=tolerance, err_msg=f"{position} of {len(found)}\n{program}"
        )


def run(first, count, seconds=float("inf")):
    """Check programs; their numbers that failed."""
    failed, begin = [], time.monotonic()
    for number in range(first, first + count):
        if time.monotonic() - begin > seconds:
            sys.stdout.write(f"stopped before program {number}\n")
            break
        program = Program(number)
        try:
            check(program)
        except Exception as error:  # noqa: BLE001  (all failures are reported)
            failed.append(number)
            sys.stdout.write(f"program {number}: {type(error).__name__}: {str(error)[:1500]}\n{program}\n\n")
            sys.stdout.flush()
    return failed


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_compiled_equals_eager(first):
    for number in range(first, first + 10):
        check(Program(number))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    given = parser.parse_args()
    failures = run(given.first, given.programs, given.seconds)
    sys.stdout.write(f"{len(failures)} failed: {failures}\n")
    sys.exit(bool(failures))
