"""Draw a computational graph as SVG: every node with its forward value in blue and its gradient in red."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from chainrule.dataclasses import dataclass
from chainrule.drawing.layout import MARGIN, Layout
from chainrule.drawing.paths import paths_in_layers
from chainrule.drawing.text import excerpt, numbers, printable, shortened, text_width
from chainrule.errors import ConfigurationError
from chainrule.files import write_file
from chainrule.graph.autodiff import Gradient
from chainrule.graph.leaves import Constant, Parameter
from chainrule.graph.order import topological_order
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update

#: A picture of more boxes than this cannot be read.
MAXIMUM_NODES = 500

VALUE, GRADIENT, INK, GREY, LINE, PAPER = "#1450b4", "#c4161c", "#1a1a1a", "#6b6f76", "#5b6068", "#fdfdfc"
#: What is said of a gradient that `backward` has not found: a 0 would be a number that it could have found.
NOT_COMPUTED = "not computed"
#: Fill of a box by the kind of its node.
FILLS = {"operation": "#ffffff", "input": "#e8effa", "parameter": "#fbf3d9", "constant": "#f0f0ee",
         "update": "#e3f2e1"}  # fmt: skip
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"

TITLE_SIZE, TEXT_SIZE, LABEL_SIZE = 13.0, 11.0, 9.5
BOLD = 1.12  # how much wider bold text is, as titles are
WIDEST = 1.1  # how much wider than usual the letters of some of the fonts are
LINE_HEIGHT, PADDING, ARROW_GAP = 15.0, 9.0, 16.0


@dataclass(frozen=True, repr=False)
class Drawing:
    """A picture of a graph; notebooks show it by themselves, `str` gives the SVG text.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor(2.0, name="x")
        >>> str(chainrule.draw(x * x + x))[:4]
        '<svg'
    """

    svg: str
    nodes: int

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({self.nodes} nodes)"

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write the SVG to a file, whole or not at all, and return its path.

        Raises:
            ConfigurationError: for a name of another kind of file, such as .png.
            StorageError: when the folder does not exist, the path is one, or it cannot be written.
        """
        suffix = Path(path).suffix
        if suffix.lower() not in ("", ".svg"):
            raise ConfigurationError(
                f"draw: expected a file name that ends in .svg, got {str(path)!r}; a drawing is written as SVG, which "
                f"browsers show and programs such as rsvg-convert turn into {suffix[1:].upper()}"
            )
        write_file(path, self.svg)
        return Path(path)


def draw(
    output: Tensor | RowSparse | Graph | Sequence[Tensor | RowSparse], *, gradients: bool | None = None
) -> Drawing:
    """The graph that leads to an output, as a drawing.

    A box gives an operation and its settings, or a leaf's name; its shape and dtype; its value in blue; and its
    gradient in red, or "not computed" where `backward` has not found one. Up to six numbers are shown in full, larger
    arrays as mean ± standard deviation, minimum and maximum. The tooltip of a box says more. The nodes of a traced
    graph have neither value nor gradient, so none is shown; of a traced step, a green box shows each update of a leaf.
    What a layer returned names the layer by its path in the outermost one, and a parameter's name is its path.

    Args:
        output: a tensor, several, or a traced graph. A gradient is a tensor too, and so are its graph's nodes.
        gradients: show gradients, and where there is none that it is not computed; None does so unless the graph was
            traced.

    Raises:
        ConfigurationError: for something that is not a tensor, or a graph of more than 500 nodes.

    Example:
        >>> import chainrule
        >>> x, a = chainrule.tensor(2.0, name="x"), chainrule.tensor(3.0, name="a")
        >>> y = x * a
        >>> chainrule.backward(y)
        >>> drawing = chainrule.draw(y)
        >>> drawing
        Drawing(3 nodes)
    """
    outputs, inputs = _ends(output)
    updates = output.updates if isinstance(output, Graph) else ()
    changed = [x for update in updates for x in (update.value, update.rows) if x is not None]
    nodes = topological_order([*outputs, *inputs, *changed])
    count = len(nodes) + len(updates)
    if count > MAXIMUM_NODES:
        raise ConfigurationError(
            f"draw: the graph has {count} nodes, and a drawing of more than {MAXIMUM_NODES} cannot be read; "
            f"draw an earlier tensor or a smaller model, or print the graph: print(chainrule.trace(...))"
        )
    ran = any(x.value is not None for x in outputs) or any(node.gradient is not None for node in nodes)
    shown = ran if gradients is None else gradients
    paths = paths_in_layers(nodes)
    given, returned = set(inputs), set(outputs)
    boxes = [_box(node, node in given, node in returned, shown, paths) for node in nodes]
    boxes += [_update_box(update, paths) for update in updates]
    where = {node: i for i, node in enumerate(nodes)}
    sources = [[where[x] for x in node.inputs] for node in nodes]
    sources += [[where[x] for x in (update.value, update.rows) if x is not None] for update in updates]
    layout = Layout([box.width for box in boxes], [box.height for box in boxes], sources)
    legend = [("value", VALUE)] if any(node.value is not None for node in nodes) else []
    legend += [("gradient", GRADIENT)] * any(colour == GRADIENT for box in boxes for _, colour in box.lines)
    return Drawing(_svg(boxes, layout, legend), count)


def _ends(output: Any) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """The tensors to draw from, and the inputs of a traced graph (drawn even if nothing uses them)."""
    if isinstance(output, Graph):
        return list(output.outputs), output.inputs
    given = [output] if isinstance(output, Tensor | RowSparse) else output
    if not isinstance(given, list | tuple) or not all(isinstance(x, Tensor | RowSparse) for x in given) or not given:
        raise ConfigurationError(
            f"draw: expected a tensor, a list of tensors or a traced graph, got {type(output).__name__}"
            + (" with something else in it, or empty" if isinstance(given, list | tuple) else "")
        )
    return [part for x in given for part in ((x,) if isinstance(x, Tensor) else (x.indices, x.rows))], ()


# What a box says.


@dataclass
class _Box:
    """One node's text, and where it stands."""

    kind: str
    lines: list[tuple[str, str]]  # text and colour; the first is the title
    settings: str
    inputs: list[str]  # names of the inputs, where their order matters
    tooltip: str
    result: bool
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self) -> None:
        title = text_width(self.lines[0][0], BOLD * TITLE_SIZE) + text_width(
            self.settings and f"  {self.settings}", TEXT_SIZE
        )
        arrows = sum(text_width(name, LABEL_SIZE) + ARROW_GAP for name in self.inputs)
        lines = (text_width(text, WIDEST * TEXT_SIZE) for text, _ in self.lines)
        self.width = max(title, arrows, *lines) + 2 * PADDING
        self.height = LINE_HEIGHT * len(self.lines) + 2 * PADDING - 2


def _update_box(update: Update, paths: Mapping[object, str]) -> _Box:
    """What a step does to a leaf."""
    target = update.target
    name = paths.get(target) or target.name
    title = f"update {name}" if name else "update"
    spec = f"{target.dtype.name} {target.shape or 'scalar'}"
    rows = "" if update.rows is None else f"{update.rows.shape[0]} rows"
    lines = [(printable(shortened(title)), INK), (shortened(f"{rows} of {spec}" if rows else spec), GREY)]
    return _Box("update", lines, "", ["value", "rows"] if rows else [], printable(f"{title}\n{spec}"), True)


def _box(node: Tensor, is_input: bool, is_output: bool, gradients: bool, paths: Mapping[object, str]) -> _Box:
    kind, name = "input", paths.get(node) or node.name
    if node.block is not None:
        kind = "operation"
        title = f"{node.name} = {node.block.name}" if node.name else node.block.name
    elif isinstance(node, Parameter | Constant):
        kind = type(node).__name__.lower()
        kind = kind if kind in FILLS else "parameter" if isinstance(node, Parameter) else "constant"
        title = f"{kind} {name}" if name else kind
    else:
        title = name or ("input" if is_input else "tensor")
    settings = _settings(node)
    lines = [(title, INK), (f"{node.dtype.name} {node.shape or 'scalar'}", GREY)]
    lines += [(f"{paths[layer]}: {layer!r}" if paths[layer] else repr(layer), GREY) for layer in node.layers]
    full = [f"{title} {settings}".strip(), f"{node.dtype.name} of shape {node.shape}"]
    if node.value is not None:
        lines += [(line, VALUE) for line in numbers(node.value)]
        full.append(f"value: {excerpt(node.value)}")
    if gradients and node.gradient is None and node.spec.floating and not isinstance(node, Constant):
        lines.append((NOT_COMPUTED, GRADIENT))
        full.append(f"gradient: {NOT_COMPUTED}")
    if gradients and node.gradient is not None:
        lines += [(line, GRADIENT) for line in _gradient(node.gradient)]
        part = node.gradient if isinstance(node.gradient, Tensor) else node.gradient.rows
        if part.value is not None:
            full.append(f"gradient: {excerpt(part.value)}")
    clean = [(printable(shortened(text)), colour) for text, colour in lines]
    names = [printable(name) for name in _input_names(node)]
    return _Box(kind, clean, printable(shortened(settings)), names, printable("\n".join(full)), is_output)


def _settings(node: Tensor) -> str:
    """The settings of a node's block that are shown and not at their default: `axis=0`."""
    if node.block is None:
        return ""
    parts = []
    declared = node.block.__dataclass_fields__
    for key, value in vars(node.block).items():
        if key in declared and not declared[key].repr:
            continue  # it only tells the compiler something
        if repr(value) == repr(getattr(type(node.block), key, inspect.Parameter.empty)):
            continue
        single = isinstance(value, tuple) and len(value) == 1
        parts.append(f"{key}={value[0] if single else value}")
    return " ".join(parts)


def _gradient(gradient: Gradient) -> list[str]:
    if isinstance(gradient, Tensor):
        return [] if gradient.value is None else numbers(gradient.value)
    rows = [f"{gradient.indices.shape[0]} rows of {gradient.shape[0]}"]
    return rows if gradient.rows.value is None else rows + numbers(gradient.rows.value)


# The picture.


def _svg(boxes: Sequence[_Box], layout: Layout, legend: Iterable[tuple[str, str]]) -> str:
    width, height = f"{max(layout.width, 180):.0f}", f"{layout.height:.0f}"
    root = ET.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", width=width, height=height, viewBox=f"0 0 {width} {height}"
    )
    root.set("role", "img")
    root.set("font-family", FONT)
    root.set("font-size", f"{TEXT_SIZE:g}")
    ET.SubElement(root, "title").text = f"Computational graph of {len(boxes)} nodes"
    ET.SubElement(root, "rect", width=width, height=height, rx="8", fill=PAPER)
    x = MARGIN
    for text, colour in legend:
        ET.SubElement(root, "circle", cx=f"{x + 4:.1f}", cy=f"{MARGIN:.1f}", r="4", fill=colour)
        _text(root, text, x + 13, MARGIN + 4, colour)
        x += text_width(text, TEXT_SIZE) + 32
    lines = ET.SubElement(root, "g", fill="none", stroke=LINE)
    lines.set("stroke-width", "1.2")
    lines.set("stroke-linecap", "round")
    heads = ET.SubElement(root, "g", fill=LINE)
    for s, t in layout.segments:
        _edge(lines, layout, boxes, s, t, layout.x[t], layout.bottom[layout.layer[t]])
    for v, box in enumerate(boxes):
        _arrivals(root, lines, heads, layout, boxes, v)
        _draw_box(root, box, layout.x[v], layout.y[v])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _arrivals(
    root: ET.Element,
    lines: ET.Element,
    heads: ET.Element,
    layout: Layout,
    boxes: Sequence[_Box],
    v: int,
) -> None:
    """The arrows into a box: side by side along its top, in the order their edges come in."""
    box, given = boxes[v], layout.arrivals[v]
    order = sorted(range(len(given)), key=lambda k: (layout.x[given[k]], k))
    step = min(34.0, (box.width - 2 * PADDING) / max(len(given), 1))
    places = [0.0]
    for k in order[:-1]:  # the first name stands to the left of its arrow, the others to the right, before the next
        aside = text_width(box.inputs[k], LABEL_SIZE) + ARROW_GAP if box.inputs and len(places) > 1 else 0.0
        places.append(places[-1] + max(step, aside))
    top = layout.y[v] - box.height / 2
    for k, place in zip(order, places, strict=False):
        x = layout.x[v] + place - places[-1] / 2
        _edge(lines, layout, boxes, given[k], v, x, top - 6)
        ET.SubElement(heads, "path", d=f"M{x - 3.5:.1f} {top - 8:.1f}h7L{x:.1f} {top:.1f}z")
        if box.inputs:
            aside, anchor = (6, "start") if place else (-6, "end")
            _text(root, box.inputs[k], x + aside, top - 4, GREY, size=LABEL_SIZE, anchor=anchor)


def _input_names(node: Tensor) -> list[str]:
    """What the block calls its inputs, where their order matters."""
    if node.block is None or len(node.inputs) < 2 or node.block.commutative:
        return []
    declared = list(inspect.signature(node.block.backward).parameters.values())[2:]
    if any(p.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for p in declared) or len(declared) != len(
        node.inputs
    ):
        return [str(k) for k in range(len(node.inputs))]
    return [p.name for p in declared]


def _edge(lines: ET.Element, layout: Layout, boxes: Sequence[_Box], s: int, t: int, x: float, end: float) -> None:
    """A line from a vertex to (x, end) in the layer below: it moves sideways only between the layers."""
    start = layout.x[s]
    leaves = layout.y[s] + boxes[s].height / 2 if s < len(boxes) else layout.bottom[layout.layer[s]]
    low, high = layout.bottom[layout.layer[s]], layout.top[layout.layer[t]] - 8
    middle = (low + high) / 2
    path = f"M{start:.1f} {leaves:.1f}V{low:.1f}C{start:.1f} {middle:.1f} {x:.1f} {middle:.1f} {x:.1f} {high:.1f}"
    ET.SubElement(lines, "path", d=f"{path}V{end:.1f}")


def _draw_box(root: ET.Element, box: _Box, x: float, y: float) -> None:
    group = ET.SubElement(root, "g")
    group.set("class", box.kind)
    ET.SubElement(group, "title").text = box.tooltip
    top = y - box.height / 2
    rounding = "6" if box.kind == "operation" else "14"
    shape = {"x": x - box.width / 2, "y": top, "width": box.width, "height": box.height}
    outline = ET.SubElement(group, "rect", {key: f"{number:.1f}" for key, number in shape.items()})
    outline.set("rx", rounding)
    outline.set("fill", FILLS[box.kind])
    outline.set("stroke", INK if box.result else LINE)
    outline.set("stroke-width", "2" if box.result else "1")
    for i, (text, colour) in enumerate(box.lines):
        element = _text(group, text, x, top + PADDING + 9 + i * LINE_HEIGHT, colour, anchor="middle")
        if i == 0:
            element.set("font-size", f"{TITLE_SIZE:g}")
            element.set("font-weight", "bold")
            if box.settings:
                span = ET.SubElement(element, "tspan", dx="5")
                span.set("font-size", f"{TEXT_SIZE:g}")
                span.set("font-weight", "normal")
                span.text = box.settings


def _text(
    parent: ET.Element, text: str, x: float, y: float, colour: str, size: float = 0.0, anchor: str = ""
) -> ET.Element:
    element = ET.SubElement(parent, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
    if size:
        element.set("font-size", f"{size:g}")
    if anchor:
        element.set("text-anchor", anchor)
    element.text = text
    return element
