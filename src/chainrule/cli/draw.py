"""`chainrule draw`: the value, the gradients and the picture of an expression; or the picture of an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.printing import show
from chainrule.errors import ConfigurationError, shortened

if TYPE_CHECKING:
    from chainrule.graph.spec import Array
    from chainrule.graph.tensor import Tensor

EXAMPLES = """examples:
  chainrule draw "(x*a+b)**2" --at x=2 a=3 b=1 --out graph.svg
  chainrule draw "sum(softmax(x @ [[1, 0], [0, 2]]))" --at "x=[1, 2]"
  chainrule draw model.onnx --out graph.svg
  chainrule draw --at x=2 -- "-x**2"          (after -- an expression may start with a minus sign)
"""


def add_parser(subparsers: argparse._SubParsersAction[Any], arguments: list[str]) -> None:  # noqa: ARG001
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "draw",
        help="draw an expression's graph with values and gradients, or that of an ONNX file",
        description="Evaluate an expression, find the gradient of the result for every name in it, and draw its graph; "
        "or draw the graph of an ONNX file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "expression",
        help="numbers, names, + - * / ** @, comparisons and functions such as exp, log, sum, softmax; quote it. Or a "
        "file that ends in .onnx",
    )
    parser.add_argument(
        "--at",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="the value of each name: a number or a bracketed list of numbers, such as x=2 or x=[1,2,3]",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.svg", help="where to write the drawing; without it, none is made"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, differentiate, draw and print.

    Raises:
        ChainruleError: for an expression, a value or a file that cannot be used.
    """
    from chainrule.drawing.expression import parse
    from chainrule.graph.autodiff import backward
    from chainrule.graph.order import topological_order

    out: Path | None = arguments.out
    if out is not None:
        _require_free(out, arguments.force)
    if arguments.expression.endswith(".onnx"):
        _draw_model(arguments.expression, _values(arguments.at), out)
        return
    result = parse(arguments.expression, _values(arguments.at))
    leaves = {node.name: node for node in topological_order([result]) if node.name}
    differentiable = result.shape == () and result.spec.floating
    if differentiable:
        backward(result)
    show(f"value: {_text(result.numpy())}")
    if differentiable:
        for name, leaf in leaves.items():
            show(f"gradient of {name}: {_gradient(leaf)}")
    elif leaves:
        found = f"it has shape {result.shape}: sum(...) makes one" if result.shape else f"it holds {result.dtype.name}"
        show(f"no gradients: they need a floating-point scalar, and the result is none: {found}")
    if out is not None:
        from chainrule.drawing.draw import draw  # the layout library loads only for a drawing

        drawing = draw(result, gradients=differentiable)
        show(f"drawing: {drawing.save(out)} ({drawing.nodes} nodes)")


def _draw_model(path: str, values: dict[str, Array], out: Path | None) -> None:
    """The inputs, outputs and parameters of an ONNX file, and its graph, for the values of some inputs."""
    from chainrule.onnx import load

    model = load(path)
    graph = model.graph(values)
    for leaf in graph.inputs:
        show(f"input {leaf.name}: {leaf.spec}")
    for name, x in zip(model.outputs, graph.outputs, strict=True):
        show(f"output {name}: {x.spec}")
    parameters = model.parameters()
    show(f"parameters: {len(parameters)}, {sum(x.spec.size for x in parameters):,} numbers")
    if out is not None:
        from chainrule.drawing.draw import draw

        drawing = draw(graph)
        show(f"drawing: {drawing.save(out)} ({drawing.nodes} nodes)")


def _require_free(out: Path, force: bool) -> None:
    """Refuse a file that cannot be written, before anything is computed."""
    if not out.name:
        raise ConfigurationError(f"--out {shortened(str(out))}: expected the name of a file, such as graph.svg")
    if out.suffix != ".svg":
        raise ConfigurationError(
            f"--out {out}: drawings are SVG files; expected a name such as {out.with_suffix('.svg')}"
        )
    if not out.parent.is_dir():
        raise ConfigurationError(f"--out {out}: there is no folder {out.parent}; create it, or write elsewhere")
    if out.exists() and not force:
        raise ConfigurationError(f"--out {out}: the file exists; choose another name, or add --force to overwrite it")


def _values(given: list[str]) -> dict[str, Array]:
    """The values of `--at`, by name."""
    from chainrule.drawing.expression import parse_number

    values: dict[str, Array] = {}
    for text in given:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not (equals and name and number):
            example = "expected NAME=VALUE without spaces, such as x=2 or x=[1,2,3]"
            raise ConfigurationError(f"--at {shortened(text)}: {example}")
        if name in values:
            raise ConfigurationError(f"--at {shortened(text)}: {name} has a value already; give each name once")
        try:
            values[name] = parse_number(number)
        except ConfigurationError as error:
            raise ConfigurationError(f"--at {shortened(text)}: {error}") from None
    return values


def _gradient(leaf: Tensor) -> str:
    from chainrule.graph.tensor import Tensor

    if not isinstance(leaf.gradient, Tensor):
        return "none (no differentiable path leads from it to the result)"
    return _text(leaf.gradient.numpy())


def _text(array: Array) -> str:
    import numpy as np

    if array.shape == ():
        return f"{array.item():.6g}" if array.dtype.kind == "f" else str(array.item())
    return np.array2string(array, precision=6, separator=", ", threshold=50)
