"""Graphs of ONNX, node by node: rules of operators, functions of the file, and functions that ONNX defines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from chainrule.errors import ChainruleError, ModelError, UnsupportedError, shortened
from chainrule.graph.tensor import Tensor
from chainrule.onnx.library import library
from chainrule.onnx.reading.narrow import Narrow
from chainrule.onnx.reading.step import RULES, TAKES_ARRAYS, Step, Value, held, rule_for
from chainrule.settings import suggestion

#: A function inside a function, and graphs in graphs, at most so deep.
MOST_DEPTH = 50
#: Inputs of the whole graph.
Origin: TypeAlias = frozenset[str]
NOTHING: Origin = frozenset()
#: Operators that read the shape of a value, and not its numbers.
OF_SHAPES = frozenset({"Shape", "Size"})


class Runner:
    """Computes the graph of a file.

    Args:
        proto: the message of the library `onnx`.
    """

    def __init__(self, proto: Any) -> None:
        self._graph = proto.graph
        self._versions = {x.domain: x.version for x in proto.opset_import}
        self._functions = {(x.domain, x.name): x for x in proto.functions}
        self._inputs = {x.name for x in proto.graph.input} - {x.name for x in proto.graph.initializer}

    def run(self, given: Mapping[str, Value]) -> list[Value]:
        """The outputs, from the values of inputs and initializers."""
        scope = _Scope(self._versions, self._functions, 0)
        return scope.graph(self._graph, given, {name: frozenset([name]) for name in self._inputs})[0]


def reads_of(node: Any) -> list[str]:
    """The names that a node reads, and graphs inside of it."""
    return [*node.input, *_read_inside(node)]


def _read_inside(node: Any) -> Iterable[str]:
    """What graphs inside of a node read."""
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield from inner.input
                yield from _read_inside(inner)
            yield from (x.name for x in graph.output)


class _Scope:
    """Where nodes are computed: the versions of operators, and the functions there are."""

    def __init__(self, versions: Mapping[str, int], functions: Mapping[tuple[str, str], Any], depth: int) -> None:
        self.versions, self.functions, self.depth = versions, functions, depth
        if depth > MOST_DEPTH:
            raise ModelError(f"functions or graphs stand in each other more than {MOST_DEPTH} deep")

    def graph(
        self, graph: Any, given: Mapping[str, Value], origins: Mapping[str, Origin]
    ) -> tuple[list[Value], list[Origin]]:
        """The outputs of a graph, and what they are computed from."""
        values, origins = dict(given), dict(origins)
        for x in graph.initializer:
            if x.name not in values:
                values[x.name] = held(library("numpy_helper").to_array(x))
        self.nodes(graph.node, values, origins, {})
        names = [x.name for x in graph.output]
        return [_found(values, name) for name in names], [origins.get(name, NOTHING) for name in names]

    def nodes(
        self, nodes: Iterable[Any], values: dict[str, Value], origins: dict[str, Origin], outer: Mapping[str, Any]
    ) -> None:
        """Compute nodes one after the other.

        Args:
            nodes: inputs before outputs.
            values: by their names; what is computed is added.
            origins: of the values, the inputs of the whole graph whose numbers they are computed from; the same.
            outer: attributes of the function that they are in.
        """
        for node in nodes:
            try:
                results = self._node(node, values, origins, outer)
            except ChainruleError as error:
                raise _located(error, node) from error
            except Exception as error:  # attributes and constants may be anything
                found = f"cannot be computed: {type(error).__name__}: {shortened(str(error))}"
                raise _located(ModelError(found), node) from error
            read = reads_of(node) if node.op_type not in OF_SHAPES else []
            origin = NOTHING.union(*(origins.get(name, NOTHING) for name in read))
            for name, result in zip(node.output, results, strict=False):
                if name:
                    values[name], origins[name] = result, origin

    def _node(
        self, node: Any, values: Mapping[str, Value], origins: Mapping[str, Origin], outer: Mapping[str, Any]
    ) -> Sequence[Value]:
        inputs = [_found(values, name) if name else None for name in node.input]
        known = [origins.get(name, NOTHING) for name in node.input]
        domain = "" if node.domain == "ai.onnx" else node.domain
        attributes = self._attributes(node, outer)
        own = self.functions.get((node.domain, node.op_type))
        if own is not None:
            return self._function(own, inputs, known, attributes)
        version = self.versions.get(node.domain, self.versions.get(domain, 1))
        rule = rule_for(domain, node.op_type, version)
        if rule is None:
            return self._defined(node, domain, version, inputs, known, attributes)

        def inside(graph: Any, arguments: Sequence[Value]) -> list[Value]:
            scope = _Scope(self.versions, self.functions, self.depth + 1)
            names = [x.name for x in graph.input]
            every = NOTHING.union(*known)
            given = {**values, **dict(zip(names, arguments, strict=True))}
            return scope.graph(graph, given, {**origins, **dict.fromkeys(names, every)})[0]

        name = node.name or (node.output[0] if node.output else "")
        step = Step(node.op_type, version, name, len(node.output), attributes, inside, known)
        foreign = next((x for x in inputs if x is not None and not isinstance(x, Tensor)), None)
        if foreign is None or rule in TAKES_ARRAYS:
            results = rule(step, *inputs)
            return results if isinstance(results, list | tuple) else [results]
        dtypes = _dtypes(domain, node, version, inputs)
        if any(not isinstance(x, Tensor | Narrow | None) for x in inputs) or dtypes is None:
            raise step.refuse(f"there are no tensors of {foreign.dtype}")
        results = rule(step, *[x.numbers if isinstance(x, Narrow) else x for x in inputs])
        results = results if isinstance(results, list | tuple) else [results]
        pairs = zip(results, dtypes, strict=False)
        return [Narrow.wrapped(x, dtype) if dtype is not None and isinstance(x, Tensor) else x for x, dtype in pairs]

    def _attributes(self, node: Any, outer: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes by their names; those of the function around it in the place of references."""
        found = {}
        value = library("helper").get_attribute_value
        for x in node.attribute:
            if x.ref_attr_name:
                if x.ref_attr_name in outer:
                    found[x.name] = outer[x.ref_attr_name]
            else:
                found[x.name] = value(x)
        return found

    def _function(
        self, function: Any, inputs: Sequence[Value], origins: Sequence[Origin], attributes: Mapping[str, Any]
    ) -> list[Value]:
        """The outputs of a function: its nodes, in a scope of their own."""
        versions = {**self.versions, **{x.domain: x.version for x in function.opset_import}}
        defaults = {x.name: library("helper").get_attribute_value(x) for x in function.attribute_proto}
        values: dict[str, Value] = dict.fromkeys(function.input)
        values |= dict(zip(function.input, inputs, strict=False))
        known = dict(zip(function.input, origins, strict=False))
        scope = _Scope(versions, self.functions, self.depth + 1)
        scope.nodes(function.node, values, known, {**defaults, **attributes})
        return [values.get(name) for name in function.output]

    def _defined(
        self,
        node: Any,
        domain: str,
        version: int,
        inputs: Sequence[Value],
        origins: Sequence[Origin],
        attributes: Mapping[str, Any],
    ) -> list[Value]:
        """The outputs of an operator that ONNX defines by others."""
        onnx = library()
        try:
            schema = onnx.defs.get_schema(node.op_type, version, domain)
        except onnx.defs.SchemaError:
            schema = None
        function = None
        if schema is not None:
            defaults = {
                name: library("helper").get_attribute_value(x.default_value)
                for name, x in schema.attributes.items()
                if x.default_value.name
            }
            attributes = {**defaults, **attributes}
            function = _body(schema, node, version, inputs, attributes)
        if function is None:
            near = suggestion(node.op_type, sorted(name for where, name in RULES if where == domain))
            raise UnsupportedError(
                f"operator {domain + '.' if domain else ''}{node.op_type} of version {version} is not there{near}; "
                f"there are {len(RULES)} (docs/onnx.md), and what ONNX defines by them"
            )
        return self._function(function, inputs, origins, attributes)


def _dtypes(domain: str, node: Any, version: int, inputs: Sequence[Value]) -> list[Any] | None:
    """The dtype of each output that is of few bits, as that of inputs of the same type is; None where that is open."""
    schema = library("defs").get_schema(node.op_type, version, domain)
    if domain or schema.inputs[-1].is_homogeneous is False:
        return None
    names = [x.type_str for x in schema.inputs]
    names += names[-1:] * (len(inputs) - len(names))
    held = {name: x.dtype for name, x in zip(names, inputs, strict=False) if isinstance(x, Narrow)}
    outputs = [x.type_str for x in schema.outputs]
    return [held.get(name) for name in outputs + outputs[-1:] * (len(node.output) - len(outputs))]


def _body(schema: Any, node: Any, version: int, inputs: Sequence[Value], attributes: Mapping[str, Any]) -> Any:
    """The function that defines an operator; None where there is none."""
    onnx = library()
    versions = [x for x in schema.function_opset_versions if x <= version]
    if versions:
        function = onnx.FunctionProto()
        function.ParseFromString(schema.get_function_with_opset_version(max(versions)))
        return function
    versions = [x for x in schema.context_dependent_function_opset_versions if x <= version]
    if not versions:
        return None
    helper = onnx.helper
    whole = helper.make_node(node.op_type, list(node.input), list(node.output), domain=node.domain, **attributes)
    types = []
    for x in inputs:
        if x is None:
            types.append(onnx.TypeProto().SerializeToString())
            continue
        kind = helper.np_dtype_to_tensor_dtype(x.dtype)
        types.append(helper.make_tensor_type_proto(kind, list(x.shape)).SerializeToString())
    made = schema.get_context_dependent_function_with_opset_version(max(versions), whole.SerializeToString(), types)
    if not made:
        return None
    function = onnx.FunctionProto()
    function.ParseFromString(made)
    return function


def _found(values: Mapping[str, Value], name: str) -> Value:
    if name not in values:
        raise ModelError(f"value '{name}' is read, and nothing gives it")
    return values[name]


def _located(error: ChainruleError, node: Any) -> ChainruleError:
    """The error with the node that it came from, once."""
    if not vars(error).get("node"):
        named = f"{node.op_type} '{node.name or ', '.join(node.output)}'"
        if not str(error).startswith((node.op_type, "operator ")):
            error.args = (f"{named}: {error}",)
        vars(error)["node"] = named
    return error
