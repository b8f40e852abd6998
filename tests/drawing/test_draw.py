"""Drawings: what boxes say, where they stand, and what is refused."""

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, backward, draw, tensor, trace
from chainrule.drawing.draw import GRADIENT, VALUE
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.nn import Linear, Sequential
from chainrule.optim import SGD

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing):
    return ET.fromstring(str(drawing))


def boxes(drawing):
    """The groups that are boxes."""
    return [group for group in parsed(drawing).iter(SVG + "g") if group.get("class")]


def texts(drawing, colour=None):
    """The lines of each box, by its title."""
    return {
        group.find(SVG + "text").text: [
            line.text for line in group.iter(SVG + "text") if colour is None or line.get("fill") == colour
        ]
        for group in boxes(drawing)
    }


def rectangles(drawing):
    """Left, top, right and bottom of each box."""
    found = []
    for group in boxes(drawing):
        x, y, width, height = (float(group.find(SVG + "rect").get(key)) for key in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def arrows(drawing):
    """The number of arrow heads, and points along every line."""
    paths = [path.get("d") for path in parsed(drawing).iter(SVG + "path")]
    heads = [d for d in paths if d.endswith("z")]
    points = []
    for d in paths:
        if d.endswith("z"):
            continue
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", d)]
        x0, y0, y1, *curve, end = numbers
        corners = np.array([x0, y1, *curve]).reshape(4, 2)
        t = np.linspace(0, 1, 40)[:, None]
        a, b, c, e = corners
        points += list(a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t**2 * (1 - t) + e * t**3)
        points += [(x0, y) for y in np.linspace(y0, y1, 10)] + [(curve[-2], y) for y in np.linspace(curve[-1], end, 10)]
    return len(heads), points


def square():
    x, a, b = tensor(2.0, name="x"), tensor(3.0, name="a"), tensor(1.0, name="b")
    return (x * a + b) ** 2


def random_graph(nodes, seed, near=14):
    generator = np.random.default_rng(seed)
    pool = [tensor(float(i), name=f"x{i}") for i in range(10)]
    functions = [chainrule.add, chainrule.multiply, chainrule.subtract, chainrule.maximum, chainrule.tanh]
    while len(pool) < nodes:
        function = functions[generator.integers(len(functions))]
        a, b = (pool[i] for i in generator.integers(max(0, len(pool) - near), len(pool), 2))
        pool.append(function(a) if function is chainrule.tanh else function(a, b))
    return pool


def perceptron(x, labels):
    generator = np.random.default_rng(0)
    first = Parameter.of(generator.normal(size=(5, 8)), name="hidden.weight")
    second = Parameter.of(generator.normal(size=(8, 3)), name="output.weight")
    scores = chainrule.log_softmax(chainrule.relu(x @ first) @ second)
    return -chainrule.take_along_axis(scores, labels.reshape(4, 1), axis=1).mean()


def gradient_graph():
    x = tensor(1.5, name="x")
    return chainrule.grad((x * 3 + 1) ** 2, x)


def data():
    return tensor(np.random.default_rng(1).normal(size=(4, 5)), name="x"), tensor([0, 2, 1, 0], name="labels")


def test_values_are_blue_and_gradients_red():
    y = square()
    backward(y)
    drawing = draw(y)
    assert texts(drawing, VALUE) == {
        "x": ["2"], "a": ["3"], "b": ["1"], "multiply": ["6"], "add": ["7"], "constant": ["2"], "power": ["49"]
    }  # fmt: skip
    assert texts(drawing, GRADIENT) == {
        "x": ["42"], "a": ["28"], "b": ["14"], "multiply": ["14"], "add": ["14"], "constant": [], "power": ["1"]
    }  # fmt: skip


def test_shape_and_dtype_are_shown():
    lines = texts(draw(tensor([[1, 2, 3]], "float64", name="x").sum(axis=0)))
    assert lines["x"][1] == "float64 (1, 3)"
    assert texts(draw(tensor(True, name="t")))["t"][1] == "bool scalar"


def test_legend_names_what_is_shown():
    def legend(drawing):
        return [text.text for text in parsed(drawing).findall(SVG + "text") if text.get("fill") in (VALUE, GRADIENT)]

    y = square()
    assert legend(draw(y, gradients=False)) == ["value"]
    backward(y)
    assert legend(draw(y)) == ["value", "gradient"]
    assert legend(draw(y, gradients=False)) == ["value"]
    assert legend(draw(trace(lambda x: x * x, Spec((2,))))) == []


def test_before_backward_a_gradient_is_not_computed_and_never_zero():
    y = square()
    before = texts(draw(y), GRADIENT)
    assert before.pop("constant") == []
    assert list(before.values()) == [["not computed"]] * 6
    assert str(draw(y, gradients=True)) == str(draw(y))
    assert "gradient: not computed" in str(draw(y))
    backward(y)
    assert "not computed" not in str(draw(y))


def test_where_backward_found_none_it_is_not_computed():
    x, apart = tensor(2.0, name="x"), tensor(3.0, name="apart")
    y = x * apart.detach()
    backward(y)
    found = texts(draw([y, apart * 2]), GRADIENT)
    assert (found["x"], found["apart"]) == (["3"], ["not computed"])
    zero = x * 0
    backward(zero)
    assert texts(draw(zero), GRADIENT)["x"] == ["0"]  # a 0 that was found is shown


def test_integers_and_traces_say_nothing_of_gradients():
    assert "not computed" not in str(draw(tensor([1, 2]) + 1))
    assert "not computed" not in str(draw(trace(lambda x: x * x, Spec((2,)))))


def test_gradients_off():
    y = square()
    assert "not computed" not in str(draw(y, gradients=False))
    backward(y)
    assert not any(texts(draw(y, gradients=False), GRADIENT).values())
    assert str(draw(y, gradients=True)) == str(draw(y))


def test_titles_of_leaves_and_settings_of_blocks():
    x = tensor([[1.0, 2.0]], name="x")
    weight = Parameter.of([1.0, 2.0], name="w")
    y = (x * weight * 2 + tensor(1.0)).sum(axis=0, keepdims=True)
    titles = list(texts(draw(y)))
    assert {"x", "parameter w", "constant", "tensor", "sum"} <= set(titles)
    settings = [span.text for span in parsed(draw(y)).iter(SVG + "tspan")]
    assert settings == ["axis=0 keepdims=True"]
    assert [span.text for span in parsed(draw(x.sum(axis=1))).iter(SVG + "tspan")] == ["axis=1"]
    y.name = "total"
    assert "total = sum" in texts(draw(y))


def test_own_kinds_of_leaf_keep_their_colour():
    class Frozen(Parameter):
        __slots__ = ()

    (group,) = boxes(draw(Frozen.of([1.0])))
    assert group.get("class") == "parameter"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 / 3, ["0.3333"]),
        (-0.0, ["0"]),
        (np.float32("nan"), ["nan"]),
        (True, ["true"]),
        (123456, ["123456"]),
        ([1.0, 2.5, -3.0], ["[1, 2.5, -3]"]),
        ([[1.0, 2.0], [3.0, 4.0]], ["[[1, 2],", "[3, 4]]"]),
        ([[1.0], [2.0]], ["[[1], [2]]"]),
        ([1.23456e-7] * 6, ["[1.235e-07, 1.235e-07, 1.235e-07,", "1.235e-07, 1.235e-07, 1.235e-07]"]),
        (np.zeros((0, 3), np.float32), ["no elements"]),
        (np.full(9, 0.5, np.float32), ["all 0.5"]),
        (np.arange(7), ["min 0, max 6"]),
        (np.arange(8) > 4, ["3 of 8 true"]),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], ["mean 4 ± 2", "min 1, max 7"]),
        ([1.0, 1.0, 1.0, 1.0, np.nan, np.inf, -np.inf], ["mean 1 ± 0", "min 1, max 1", "1 NaN, 2 inf"]),
        ([np.nan] * 7, ["7 NaN"]),
        ([3e38, -3e38] * 4, ["mean 0 ± 3e+38", "min -3e+38, max 3e+38"]),
    ],
)  # fmt: skip
def test_values_in_few_words(value, expected):
    assert texts(draw(tensor(value, name="x")), VALUE)["x"] == expected


def test_row_sparse_gradient_says_how_many_rows():
    table = Parameter.of(np.ones((5000, 4)), name="table")
    loss = chainrule.gather(table, [3, 7, 3]).sum()
    backward(loss)
    assert texts(draw(loss), GRADIENT)["parameter table"] == ["3 rows of 5000", "all 1"]
    found = chainrule.gradients(loss, [table])
    assert len(boxes(draw(found))) > 2  # a row-sparse gradient is drawn as its indices and rows


def test_traced_graph_has_shapes_and_no_values():
    graph = trace(perceptron, *data(), names=["x", "labels"])
    drawing = draw(graph)
    assert texts(drawing)["x"] == ["x", "float32 (4, 5)"]
    assert texts(drawing, VALUE)["matmul"] == []
    assert drawing.nodes == len(graph.nodes())


def test_traced_step_shows_its_gradients_and_updates():
    generator = np.random.default_rng(0)
    layers = Sequential(Linear(5, 4, generator=generator), chainrule.tanh, Linear(4, 1, generator=generator))
    table = Parameter.of(np.ones((9, 5)), name="table")
    dense, rows = SGD(0.1), SGD(0.1, lazy=True)
    weights = layers.parameters()
    of_weights, of_table = dense.start(weights), rows.start([table])

    def step(ids):
        loss = (layers(chainrule.gather(table, ids)) ** 2).mean()
        dense.step(weights, chainrule.gradients(loss, weights), of_weights)
        rows.step([table], chainrule.gradients(loss, [table]), of_table)
        return loss

    graph = trace(step, Spec((3,), np.dtype("int64")), names=["ids"])
    drawing = draw(graph)
    found = texts(drawing)
    assert drawing.nodes == len(graph.nodes()) + len(graph.updates)
    assert found["update table"] == ["update table", "3 rows of float32 (9, 5)"]
    assert found["update layers.2.weight"] == ["update layers.2.weight", "float32 (4, 1)"]
    updates = [group for group in boxes(drawing) if group.get("class") == "update"]
    assert len(updates) == len(graph.updates) == 7  # four weights, the table and two counts
    heads, _ = arrows(drawing)
    assert heads == sum(len(node.inputs) for node in graph.nodes()) + len(updates) + 1


def test_boxes_name_layers_and_parameters_by_their_paths():
    generator = np.random.default_rng(0)
    layers = Sequential(Linear(3, 4, generator=generator), Sequential(Linear(4, 2, generator=generator)))
    found = texts(draw(layers(tensor([[1.0, 2.0, 3.0]], name="x"))), "#6b6f76")
    assert {"x", "parameter layers.0.weight", "parameter layers.1.layers.0.bias"} <= set(found)
    lines = [line for box in found.values() for line in box]
    assert "layers.1.layers.0: Linear(4 → 2)" in lines
    alone = texts(draw(Linear(2, 1, generator=generator)([[1.0, 2.0]])), "#6b6f76")
    assert "parameter weight" in alone
    assert "Linear(2 → 1)" in alone["add"]


def test_settings_for_the_compiler_alone_are_not_shown():
    reshaped = tensor([[1.0], [2.0]]).reshape(2)
    assert reshaped.block.aligned
    assert [span.text for span in parsed(draw(reshaped)).iter(SVG + "tspan")] == ["shape=2"]


@pytest.mark.parametrize("name", ["graph.png", "graph.PDF"])
def test_other_kinds_of_files_are_refused(name, tmp_path):
    kind = name[-3:].upper()
    with pytest.raises(ConfigurationError, match=rf"ends in \.svg, got '.*{name}'; .* rsvg-convert turn into {kind}"):
        draw(square()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_unused_input_of_a_traced_graph_is_drawn():
    drawing = draw(trace(lambda x, _: x * 2, Spec((2,)), Spec((3,)), names=["x", "y"]))
    assert texts(drawing)["y"] == ["y", "float32 (3,)"]
    assert "input" in texts(draw(trace(lambda *x: x[0] * 2, Spec((2,)))))


def test_gradient_without_a_value_is_left_out():
    graph = trace(lambda x: (x * x).sum(), Spec((2,)), names=["x"])
    backward(graph.outputs[0])
    assert texts(draw(graph))["x"] == ["x", "float32 (2,)"]


@pytest.mark.parametrize(
    "make",
    [
        square,
        lambda: (lambda x: x * x + x)(tensor(2.0, name="x")),
        lambda: perceptron(*data()),
        gradient_graph,
        lambda: random_graph(200, 3)[-8:],
        lambda: random_graph(120, 4, near=120)[-20:],
        lambda: chainrule.concatenate([tensor([float(i)]) for i in range(25)], 0),
    ],
    ids=["square", "shared", "perceptron", "gradient", "200 nodes", "wide", "25 inputs"],
)
def test_boxes_are_apart_lines_go_around_them_and_every_input_has_an_arrow(make):
    output = make()
    drawing = draw(output)
    placed = rectangles(drawing)
    width, height = (float(parsed(drawing).get(key)) for key in ("width", "height"))
    assert all(x >= 0 and y >= 0 and right <= width and bottom <= height for x, y, right, bottom in placed)
    for i, (x, y, right, bottom) in enumerate(placed):
        for other in placed[i + 1 :]:
            assert other[0] >= right or other[2] <= x or other[1] >= bottom or other[3] <= y
    heads, points = arrows(drawing)
    nodes = chainrule.graph.order.topological_order(output if isinstance(output, list) else [output])
    assert heads == sum(len(node.inputs) for node in nodes)
    corners = np.array(placed)[:, None, :] + np.array([1, 1, -1, -1])
    at = np.array(points)
    inside = (at[:, 0] > corners[..., 0]) & (at[:, 0] < corners[..., 2])
    inside &= (at[:, 1] > corners[..., 1]) & (at[:, 1] < corners[..., 3])
    assert not inside.any()


def test_inputs_stand_above_what_uses_them():
    y = square()
    tops = {title: box[1] for title, box in zip(texts(draw(y)), rectangles(draw(y)), strict=True)}
    assert tops["x"] < tops["multiply"] < tops["add"] < tops["power"]
    assert tops["multiply"] < tops["constant"] < tops["power"]  # a leaf stands next to where it is used


def test_inputs_whose_order_matters_are_named():
    def names(output):
        return sorted(
            text.text
            for text in parsed(draw(output)).findall(SVG + "text")
            if text.get("fill") not in (VALUE, GRADIENT)
        )

    x, y = tensor([1.0, 2.0], name="x"), tensor([3.0, 4.0], name="y")
    assert names(x - y) == ["a", "b"]
    assert names(x * y) == names(x + y) == names(chainrule.exp(x)) == []
    assert names(chainrule.gather(x, [0])) == ["indices", "table"]
    assert names(chainrule.concatenate([x, y, x], 0)) == ["0", "1", "2"]


def test_names_may_hold_anything():
    name = "<b>&\"'\x00\x1b ü 日本語 \ud800 " + "n" * 100
    drawing = draw(tensor(1.0, name=name) * 2)
    (title,) = [title for title in texts(drawing) if title.startswith("<b>&")]
    assert len(title) == 36
    assert title.endswith("…")
    full = next(group.find(SVG + "title").text for group in boxes(drawing) if group.get("class") == "input")
    assert "n" * 100 in full  # the tooltip is not cut
    str(drawing).encode("utf-8")


def test_tooltip_gives_value_and_gradient():
    x = tensor(np.arange(8.0), name="x")
    y = (x * x).sum()
    backward(y)
    tooltip = boxes(draw(y))[0].find(SVG + "title").text
    assert tooltip.splitlines() == [
        "x",
        "float32 of shape (8,)",
        "value: [0, 1, 2, 3, 4, 5, 6, 7]",
        "gradient: [0, 2, 4, 6, 8, 10, 12, 14]",
    ]


def test_drawing_the_same_graph_gives_the_same_text():
    pool = random_graph(100, 5)
    assert str(draw(pool[-3:])) == str(draw(pool[-3:]))


def test_long_chain_is_refused_and_not_a_crash():
    x = tensor(0.5)
    for _ in range(10_000):
        x = chainrule.tanh(x)
    with pytest.raises(
        ConfigurationError, match=r"10001 nodes, and a drawing of more than 500 .* draw an earlier tensor"
    ):
        draw(x)


def test_largest_graph_is_drawn():
    x = tensor(0.5)
    for _ in range(499):
        x = chainrule.tanh(x)
    assert draw(x).nodes == 500


@pytest.mark.parametrize("bad", [3, "x", None, [1, 2], [], np.zeros(3), (tensor(1.0), "x")])
def test_what_is_not_a_tensor_is_refused(bad):
    with pytest.raises(ConfigurationError, match="draw: expected a tensor, a list of tensors or a traced graph, got"):
        draw(bad)


def test_save_writes_the_file_whole(tmp_path):
    drawing = draw(square())
    path = drawing.save(tmp_path / "graph.svg")
    assert path.read_text(encoding="utf-8") == str(drawing)
    assert draw(tensor(1.0)).save(str(path)) == path  # an existing file is replaced
    assert [file.name for file in tmp_path.iterdir()] == ["graph.svg"]


def test_save_explains_a_folder_that_is_missing_or_a_path_that_is_one(tmp_path):
    with pytest.raises(ChainruleError, match=r"no folder .*missing; make it first"):
        draw(square()).save(tmp_path / "missing" / "graph.svg")
    with pytest.raises(ChainruleError, match=r"it is a folder; give the name of a file in it"):
        draw(square()).save(tmp_path)


def test_notebooks_show_drawings_and_tensors():
    y = square()
    assert draw(y)._repr_svg_() == str(draw(y)) == y._repr_svg_()
    assert repr(draw(y)) == "Drawing(7 nodes)"


def test_layout_library_loads_only_for_a_drawing():
    code = "import sys, chainrule; assert 'igraph' not in sys.modules; chainrule.draw; assert 'igraph' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
