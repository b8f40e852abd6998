"""ONNX files as layers: they run and learn on every engine, are written as they were read, drawn, and refused."""

import copy
import pickle
import random
import re
import time

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import chainrule
from chainrule.errors import (
    ChainruleError,
    ConfigurationError,
    DataError,
    DTypeError,
    ModelError,
    ShapeError,
    StorageError,
    UnsupportedError,
)
from chainrule.onnx import OnnxModel, export_model, load, reads
from tests.onnx.models import PAIRS, model_of
from tests.onnx.test_export import CLOSE

ENGINES = ["eager", "native"]
HEAD = '<ir_version: 10, opset_import: ["": 20]> '


def graph(text):
    return OnnxModel(onnx.parser.parse_model(HEAD + text))


def written(text, path):
    onnx.save(onnx.parser.parse_model(HEAD + text), path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


class TestWhatChainruleWrote:
    @pytest.mark.parametrize(("name", "task"), PAIRS)
    def test_it_is_read_and_written_byte_for_byte(self, name, task, path, tmp_path):
        model, examples = model_of(name, task)
        export_model(model, path)
        layer = load(path)
        layer.save(tmp_path / "again.onnx")
        assert path.read_bytes() == (tmp_path / "again.onnx").read_bytes()
        part = examples.slice(0, 6)
        arrays = part.arrays()
        found = layer.run(*[arrays[x] for x in layer.inputs], engine="eager")
        np.testing.assert_allclose(found[0], model.responses(part, engine="eager"), **CLOSE)

    @pytest.mark.parametrize(("name", "task"), [("bow", "classify"), ("lstm", "tag"), ("transformer", "continue")])
    def test_it_runs_compiled_for_other_texts_too(self, name, task, path):
        model, examples = model_of(name, task)
        export_model(model, path)
        layer = load(path)
        for part in (examples.slice(0, 4), examples.slice(3, 9)):
            arrays = part.arrays()
            found = layer.run(*[arrays[x] for x in layer.inputs])
            np.testing.assert_allclose(found[0], model.responses(part, engine="eager"), **CLOSE)

    def test_its_weights_have_the_gradients_of_the_model(self, path):
        model, examples = model_of("lstm", "classify")
        export_model(model, path)
        layer = load(path)
        arrays = examples.slice(0, 5).arrays()
        ids, offsets = arrays["ids"].astype(np.int64), arrays["offsets"]
        of_model = chainrule.grad(model._response(ids, offsets)[:, 0].sum(), model.network.parameters())
        of_layer = chainrule.grad(layer(ids, offsets)[:, 0].sum(), [*layer.weights.values()])
        expected = dict(zip(model.network.named_parameters(), of_model, strict=True))
        for name, gradient in zip(layer.weights, of_layer, strict=True):
            np.testing.assert_allclose(dense(gradient), dense(expected[name]), **CLOSE)

    def test_metadata_is_read(self, path):
        export_model(model_of("bow", "classify")[0], path)
        assert load(path).metadata["chainrule.labels"] == '["n", "p"]'


def dense(gradient):
    return gradient.numpy() if hasattr(gradient, "numpy") else gradient.to_dense().numpy()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_imported_graph_learns(engine):
    generator = np.random.default_rng(0)
    weights = {"w": generator.normal(size=(2, 8)), "v": generator.normal(size=(8, 1))}
    held = [numpy_helper.from_array(x.astype(np.float32), name) for name, x in weights.items()]
    model = onnx.parser.parse_model(
        HEAD + "g (float[n, 2] x) => (float[n, 1] y) { h = MatMul(x, w)  t = Tanh(h)  y = MatMul(t, v) }"
    )
    model.graph.initializer.extend(held)
    layer = OnnxModel(model)
    optimizer = chainrule.Adam(learning_rate=0.05)
    state = optimizer.start(layer.parameters())
    x = generator.normal(size=(64, 2)).astype(np.float32)
    truth = np.sin(x[:, :1]) + x[:, 1:]  # an odd function, as all are that the graph can be

    def step(x, truth):
        loss = ((layer(x) - truth) ** 2).mean()
        optimizer.step(layer.parameters(), chainrule.grad(loss, layer.parameters()), state)
        return loss

    run = chainrule.compile(step) if engine == "native" else step
    losses = [run(chainrule.tensor(x), chainrule.tensor(truth)).item() for _ in range(300)]
    assert losses[-1] < 0.2 * losses[0]


def test_saved_after_training_it_has_the_new_weights(path, tmp_path):
    layer = load(written("g (float[n] x) => (float[n] y) <float a = {2}> { y = Mul(x, a) }", path))
    layer.weights["a"].assign(np.float32(5).reshape(layer.weights["a"].shape))
    layer.save(tmp_path / "new.onnx")
    assert load(tmp_path / "new.onnx").run([1.0])[0].tolist() == [5.0]
    with pytest.raises(StorageError, match="exists already"):
        layer.save(path)


@pytest.mark.parametrize("engine", ENGINES)
class TestWhatDecidesShapes:
    def test_an_input_is_a_part_of_the_program(self, engine):
        layer = graph("g (float[n] x, int64[k] shape) => (float[a, b] y) { y = Reshape(x, shape) }")
        for shape in ([2, 3], [3, 2], [2, 3]):
            assert layer.run(np.arange(6.0), shape, engine=engine)[0].shape == tuple(shape)

    def test_what_is_computed_of_shapes_is_known(self, engine):
        layer = graph(
            "g (float[n, m] x) => (float[k] y) { s = Shape(x)  p = ReduceProd <keepdims = 1> (s)  y = Reshape(x, p) }"
        )
        assert layer.run(np.ones((2, 3)), engine=engine)[0].shape == (6,)
        assert not layer._deciding

    def test_loops_are_written_out(self, engine):
        layer = graph(
            "g (int64 n, float[2] x) => (float[2] y, float[k, 2] all) {"
            " y, all = Loop (n, , x) <body = b (int64 i, bool c, float[2] h) => (bool d, float[2] z, float[2] kept)"
            " { d = Identity(c)  z = Add(h, h)  kept = Identity(z) }> }"
        )
        last, kept = layer.run(3, [1.0, 2.0], engine=engine)
        assert last.tolist() == [8.0, 16.0]
        assert kept.tolist() == [[2.0, 4.0], [4.0, 8.0], [8.0, 16.0]]


def test_it_is_copied_and_pickled():
    layer = graph("g (float[n] x) => (float[n] y) <float a = {2}> { y = Mul(x, a) }")
    layer.run([1.0])
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        other.weights["a"].assign(np.full(other.weights["a"].shape, 5.0))
        assert (other.run([1.0])[0].item(), layer.run([1.0])[0].item()) == (5.0, 2.0)


def test_a_compiled_function_says_which_input_has_to_be_known():
    layer = graph("g (float[n] x, int64[k] shape) => (float[a, b] y) { y = Reshape(x, shape) }")
    with pytest.raises(UnsupportedError, match=r"Reshape .*the shape depends on data, \['shape'\].* as NumPy arrays"):
        chainrule.compile(layer)(np.ones(6, np.float32), np.array([2, 3]))
    inner = chainrule.compile(lambda x: layer(x, np.array([2, 3])))
    assert inner(np.ones(6, np.float32)).shape == (2, 3)


def test_an_operator_of_ones_own():
    @reads("Double", domain="my.domain")
    def double(step, x):
        return x * step.get("times", 2)

    text = '<ir_version: 10, opset_import: ["": 20, "my.domain": 1]> '
    text += "g (float[n] x) => (float[n] y) { y = my.domain.Double <times = 3> (x) }"
    assert OnnxModel(onnx.parser.parse_model(text)).run([1.0, 2.0])[0].tolist() == [3.0, 6.0]


@pytest.mark.parametrize(
    "settings", [{"weight_type": "QUInt8"}, {"weight_type": "QInt8", "reduce_range": True}], ids=str
)
def test_a_model_that_others_quantized(path, tmp_path, settings):
    """As ONNX Runtime computes it; with all of int8, its products end at 16 bits on processors without VNNI."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    model, examples = model_of("transformer", "classify")
    export_model(model, path)
    kind = getattr(quantization.QuantType, settings["weight_type"])
    quantization.quantize_dynamic(path, tmp_path / "q.onnx", **{**settings, "weight_type": kind})
    layer = load(tmp_path / "q.onnx")
    assert "MatMulInteger" in {node.op_type for node in layer.proto().graph.node}
    arrays = examples.arrays()
    given = {name: arrays[name].astype(np.int64) for name in layer.inputs}
    expected = onnxruntime.InferenceSession(tmp_path / "q.onnx").run(None, given)[0]
    for engine in ENGINES:
        assert layer.run(*given.values(), engine=engine)[0] == pytest.approx(expected, abs=1e-5)


def test_functions_of_the_file_are_run():
    text = (
        '<ir_version: 10, opset_import: ["": 20, "own": 1]> g (float[n] x) => (float[n] y)'
        " { y = own.twice <by = 2.0> (x) }"
        ' <domain: "own", opset_import: ["": 20]> twice <by> (a) => (b) { c = Constant <value_float: float = @by> ()'
        " b = Mul(a, c) }"
    )
    assert OnnxModel(onnx.parser.parse_model(text)).run([1.0, 2.0])[0].tolist() == [2.0, 4.0]


class TestDrawing:
    def test_on_the_command_line(self, tmp_path, path, run, refused):
        export_model(model_of("bow", "classify")[0], path)
        out = tmp_path / "graph.svg"
        lines = run("draw", path, "--out", out).out.splitlines()
        assert lines[:3] == [
            "input ids: int64(3,)", "output response: float32(2, 2)", "parameters: 2, 36 numbers"
        ]  # fmt: skip
        assert lines[3].startswith(f"drawing: {out} (")
        assert out.read_text().startswith("<svg")
        assert "there is no input 'x'; there are ids, offsets" in refused("draw", path, "--at", "x=1")
        assert "cannot be read" in refused("draw", tmp_path / "none.onnx")

    def test_inputs_that_decide_shapes_are_given(self, path, run, refused):
        written("g (float[n] x, int64[2] shape) => (float[a, b] y) { y = Reshape(x, shape) }", path)
        assert "the shape depends on data, ['shape']" in refused("draw", path)
        assert "output y: float32(3, 1)" in run("draw", path, "--at", "shape=[3,1]").out

    def test_all_learners_have_a_graph(self):
        for name, task in PAIRS:
            model, _ = model_of(name, task)
            from chainrule.onnx import model_proto

            assert len(OnnxModel(model_proto(model)).graph().nodes()) > 5


class TestBadInput:
    def test_no_file(self, tmp_path):
        with pytest.raises(DataError, match=r"none\.onnx: cannot be read: No such file"):
            load(tmp_path / "none.onnx")

    @pytest.mark.parametrize("content", [b"", b"not an onnx file", b"\x08\x0a", bytes(100)])
    def test_something_else(self, content, path):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is no ONNX file, or damaged"):
            load(path)

    def test_half_a_file(self, path):
        export_model(model_of("bow", "classify")[0], path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DataError, match="damaged"):
            load(path)

    def test_2_gb_and_more(self, path, monkeypatch):
        with path.open("wb") as file:
            file.truncate(2**31)
        with pytest.raises(DataError, match=r"has 2\.1 GB, and an ONNX file has less than 2; save it with its weights"):
            load(path)

    def test_2_gb_of_weights_beside_it(self, path, tmp_path):
        """Refused before one of them is read."""
        with (tmp_path / "w.bin").open("wb") as file:
            file.truncate(2**32)
        weights = [TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2**28]) for name in "ab"]
        for x, told in zip(weights, ({"offset": "0", "length": str(2**30)}, {"length": str(2**30)}), strict=True):
            x.data_location = TensorProto.EXTERNAL
            for key, value in {"location": "w.bin", **told}.items():
                x.external_data.add(key=key, value=value)
        info = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2**28])
        made = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "g", [], [info], weights)
        path.write_bytes(helper.make_model(made).SerializeToString())
        started = time.perf_counter()
        with pytest.raises(DataError, match="its weights take more than 2 GB with those in files beside it"):
            load(path)
        assert time.perf_counter() - started < 1

    def test_an_unknown_operator(self, path):
        with pytest.raises(UnsupportedError, match=r"operator Det of version 20 is not there.*docs/onnx.md"):
            load(written("g (float[n, n] x) => (float y) { y = Det(x) }", path)).run([[1.0]])

    def test_an_operator_of_another_domain(self, path):
        text = '<ir_version: 10, opset_import: ["": 20, "com.corp": 1]> g (float[n] x) => (float[n] y)'
        text += " { y = com.corp.Fast(x) }"
        with pytest.raises(UnsupportedError, match=r"operator com\.corp\.Fast of version 1 is not there"):
            OnnxModel(onnx.parser.parse_model(text)).run([1.0])

    def test_whole_numbers_of_few_bits_that_are_none(self):
        layer = graph("g (int8[n] x) => (int8[n] y) { y = Identity(x) }")
        for wrong in ([128], [-129], [0.5], [2**40]):
            with pytest.raises(DTypeError, match=r"input 'x': expected whole numbers from -128 to 127 \(int8\), got"):
                layer.run(wrong)

    @pytest.mark.parametrize("kind", ["float16", "uint64", "string"])
    def test_a_dtype_that_is_not_there_names_the_operator(self, kind):
        layer = graph(f"g ({kind}[n] x) => ({kind}[n] y) {{ y = Identity(x) }}")
        with pytest.raises(UnsupportedError, match=f"Identity: input 'x' is {kind}, and there are no tensors of that"):
            layer.run([1])

    def test_a_cycle(self, path):
        nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Exp", ["a"], ["b"])]
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "b")]
        proto = helper.make_model(helper.make_graph(nodes, "g", infos[:1], infos[1:]))
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(DataError, match="Add 'a' reads 'b', which a later node gives: the graph has a cycle"):
            load(path)

    def test_what_nothing_gives(self, path):
        with pytest.raises(DataError, match="Exp 'y' reads 'z', which nothing gives"):
            load(written("g (float[n] x) => (float[n] y) { y = Exp(z) }", path))
        with pytest.raises(DataError, match="output 'z' is given by no node"):
            load(written("g (float[n] x) => (float[n] z) { y = Exp(x) }", path))

    def test_external_data(self, path, tmp_path):
        export_model(model_of("bow", "classify")[0], path)
        proto, folder = onnx.load(path), tmp_path / "inside"
        folder.mkdir()
        expected = load(path).run([0], [0, 1])[0]
        onnx.save(proto, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
        assert (load(folder / "m.onnx").run([0], [0, 1])[0] == expected).all()
        (folder / "w.bin").rename(tmp_path / "w.bin")
        with pytest.raises(DataError, match=r"cannot be read from 'w.bin'"):
            load(folder / "m.onnx")
        outside = onnx.load(folder / "m.onnx", load_external_data=False)
        for location in ("../w.bin", str(tmp_path / "w.bin"), ""):
            for x in outside.graph.initializer:
                for entry in x.external_data:
                    entry.value = location if entry.key == "location" else entry.value
            (folder / "m.onnx").write_bytes(outside.SerializeToString())
            with pytest.raises(DataError, match="outside of the folder of the file"):
                load(folder / "m.onnx")

    def test_wrong_arguments(self):
        layer = graph("g (float[n, 2] x, int64[n] i) => (float[n, 2] y) { y = Gather(x, i) }")
        with pytest.raises(ShapeError, match=r"expected 2 inputs \(x, i\), got 1"):
            layer.run([[1.0, 2.0]])
        with pytest.raises(ShapeError, match=r"input 'x': expected shape \(\?, 2\), got \(1, 3\)"):
            layer(np.ones((1, 3), np.float32), [0])
        with pytest.raises(DTypeError, match="input 'i': expected int64, got float64"):
            layer.run([[1.0, 2.0]], [0.5])
        with pytest.raises(ConfigurationError, match="there is no input 'z'"):
            layer.graph({"z": 1})
        with pytest.raises(ConfigurationError, match="there is no engine 'gpu'"):
            layer.run([[1.0, 2.0]], [0], engine="gpu")

    def test_what_cannot_be_computed_names_the_node(self):
        layer = graph("g (float[n] x) => (float[n] y) { y = Transpose <perm = [0, 0]> (x) }")
        with pytest.raises(ChainruleError, match="Transpose 'y'"):
            layer.run([1.0])

    def test_a_loop_of_too_many_steps(self):
        layer = graph(
            "g (int64 n, float x) => (float y) { y = Loop (n, , x) <body = b (int64 i, bool c, float h)"
            " => (bool d, float z) { d = Identity(c)  z = Add(h, h) }> }"
        )
        with pytest.raises(UnsupportedError, match="expected at most 4,096 steps"):
            layer.run(10**9, 1.0)

    @pytest.mark.parametrize(("text", "inputs", "message"), [
        ('g (float[2] x) => (float[2] y) { c = Constant <value_string = "a"> ()  y = Identity(x) }', [[1.0, 2.0]],
         "Constant 'c': expected numbers as its value"),
        ("g (float[2] x) => (float16[2] y) { y = Cast <to = 10> (x) }", [[1.0, 2.0]],
         "Cast 'y': there are no tensors of float16"),
        ("g (float[2] x, bool t) => (float[2] y) { r = Constant <value_float = 0.5> ()  y = Dropout(x, r, t) }",
         [[1.0, 2.0], True], "Dropout 'y': it drops numbers by a generator of its own"),
        ("g (int32[2] x) => (int32[2] y) { a = Constant <value_int = 0> ()  y = CumProd(x, a) }", [[1, 2]],
         "CumProd"),
        ("g (float[1, 1, 2] x) => (float[1, 1, k] y) { y = Resize(x) }", [[[[1.0, 2.0]]]],
         "Resize 'y': expected scales or sizes"),
        ("g (int64 n, float x) => (float y, float[k] z) { y, z = Loop (n, , x) <body = b (int64 i, bool c, float h)"
         " => (bool d, float v, float w) { d = Identity(c)  v = Add(h, h)  w = Add(h, h) }> }", [0, 1.0],
         "Loop 'y': no step runs, and so there is nothing to put together"),
        ("g (float[n] x) => (float[] y, float[n] z) { s = Constant <value_float = 0.0> ()"
         " y, z = Scan <num_scan_inputs = 1, body = b (float h, float v) => (float w, float u)"
         " { w = Add(h, v)  u = Add(h, v) }> (s, x) }", [[]],
         "Scan 'y': no step runs"),
        ('g (float[1, 1, 1] x, float[1, 1, 1] w, float[1, 1, 1] r) => (float[1, 1, 1, 1] y)'
         ' { y = RNN <hidden_size = 1, activations = ["Odd"]> (x, w, r) }', [[[[1.0]]]] * 3,
         "RNN 'y': activation odd is not there; expected one of sigmoid, tanh"),
        ("g (float[0, 1, 1] x, float[1, 1, 1] w, float[1, 1, 1] r) => (float[0, 1, 1, 1] y)"
         " { y = RNN <hidden_size = 1> (x, w, r) }", [np.zeros((0, 1, 1)), [[[1.0]]], [[[1.0]]]],
         "RNN 'y': expected one step at least"),
        ('g (float[2] x, int64[1, 1] i, float[1] u) => (float[2] y) { y = ScatterND <reduction = "mul"> (x, i, u) }',
         [[1.0, 2.0], [[0]], [3.0]], "ScatterND 'y': expected the reduction to be none, add, max or min, got mul"),
        ("g (uint32[2] x) => (uint32[2] y) { y = BitwiseNot(x) }", [[1, 2]], "BitwiseNot 'y': of uint32 there is none"),
        ("g (float[2, 2] x) => (float16[2, 2] y) { y = EyeLike <dtype = 10> (x) }", [[[1.0, 2.0]] * 2],
         "EyeLike 'y': there are no tensors of float16"),
    ])  # fmt: skip
    def test_what_is_asked_for_and_is_not_there_names_the_operator(self, text, inputs, message):
        with pytest.raises(UnsupportedError, match=re.escape(message)):
            graph(text).run(*inputs, engine="eager")

    def test_no_version_of_operators(self, path):
        export_model(model_of("bow", "classify")[0], path)
        proto = onnx.load(path)
        del proto.opset_import[:]
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(DataError, match=r"does not say of which version its operators are \(opset_import\)"):
            load(path)

    def test_what_the_checker_finds(self, path):
        proto = onnx.load(written("g (float[n] x) => (float[n] y) { y = Exp(x) }", path))
        proto.graph.name = ""
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(DataError, match=r"is no sound graph: .*name"):
            load(path)

    def test_a_damaged_initializer(self, path):
        export_model(model_of("bow", "classify")[0], path)
        proto = onnx.load(path)
        proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:-4]
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(DataError, match=r"is damaged|is no sound graph"):
            load(path)

    def test_functions_in_functions(self):
        text = (
            '<ir_version: 10, opset_import: ["": 20, "own": 1]> g (float[n] x) => (float[n] y) { y = own.f (x) }'
            ' <domain: "own", opset_import: ["": 20, "own": 1]> f (a) => (b) { b = own.f(a) }'
        )
        with pytest.raises(ModelError, match="more than 50 deep"):
            OnnxModel(onnx.parser.parse_model(text)).run([1.0])


@pytest.mark.parametrize(("name", "task"), [("ffnn", "classify"), ("lstm", "tag")])
def test_damaged_files_are_refused_or_run(name, task, path):
    """Bytes of a file changed: whatever comes, it is an answer or a message."""
    model, examples = model_of(name, task)
    export_model(model, path)
    content, generator = path.read_bytes(), random.Random(0)
    arrays = examples.slice(0, 3).arrays()
    came = {"answer": 0, "message": 0}
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 3, 10])):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(damaged)
        try:
            layer = load(path)
            layer.run(*[arrays.get(x, np.zeros(1)) for x in layer.inputs], engine="eager")
            came["answer"] += 1
        except ChainruleError:
            came["message"] += 1
    assert min(came.values()) > 10
