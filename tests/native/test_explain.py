"""Each stage of the way to machine code can be read, whether kernels were compiled or came from the disk."""

import re

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gradients
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.native import build, program
from chainrule.native.llvm.machine import fused
from chainrule.native.running import kernels
from chainrule.optim import SGD


def called(function, *arguments):
    run = chainrule.compile(function)
    run(*arguments)
    return run


@pytest.fixture
def layer():
    """A product, then a kernel that two steps share but for what they compute on, and another one."""
    x, w = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
    return called(lambda x, w: [chainrule.exp(x @ w), chainrule.exp(w), (x * 2).sum()], x, w)


FUNCTIONS = ["step_0_product", "step_1_map", "step_3_reduce"]


def test_what_is_named_is_listed_by_name():
    weight = chainrule.Parameter.of([1.0, 2.0])
    weight.name = "weight"
    rule = chainrule.SGD(0.1, momentum=0.9)
    state = rule.start([weight])

    def step(data, *rest):
        loss = (weight * data * rest[0]).sum()
        rule.step([weight], chainrule.gradients(loss, [weight]), state)
        return loss

    run = called(step, [1.0, 2.0], [3.0, 4.0])
    assert "= input data" in run.explain("graph")
    assert "= mutable weight.velocity" in run.explain("graph")
    assert "weight.velocity: float32[2]" in run.explain("loops")
    assert "data: float32[2]" in run.explain("loops")


def test_the_graph_is_the_one_after_the_passes():
    run = called(lambda x: (x * 1) ** 2, [1.0, 2.0])
    assert run.explain("graph") == "%0: float32(2,) = input x\n%1: float32(2,) = multiply %0 %0\nreturn %1"


def test_the_graph_has_the_updates():
    weight = Parameter.of([1.0], name="weight")
    rule = SGD(0.5)
    state = rule.start([weight])

    def step(x):
        loss = (weight * x).sum()
        rule.step([weight], gradients(loss, [weight]), state)
        return loss

    first, *_, update, _, _ = called(step, [1.0]).explain("graph").splitlines()
    assert first == "%0: float32(1,) = parameter weight"
    assert update.startswith("update %0 = %")


def test_the_loops_are_the_listing(layer):
    assert layer.explain("loops") == layer.listing()
    assert "kernel map(" in layer.explain("loops")


def test_llvm_has_a_function_for_each_kernel_and_product(layer):
    text = layer.explain("llvm")
    assert re.findall(r'^define i64 @"(\w+)"', text, re.MULTILINE) == FUNCTIONS
    assert "target triple" in text
    assert ("llvm.fma" in text) == fused()  # of exp
    assert text.count("alloca") > 0  # LLVM's own passes, which would move it to a register, have not run


def test_assembly_has_them_too(layer):
    text = layer.explain("assembly")
    assert re.findall(r"^\s*\.globl\s+_?(step\w+)", text, re.MULTILINE) == FUNCTIONS
    assert "define" not in text
    assert len(re.findall(r"^\s+ret", text, re.MULTILINE)) >= len(FUNCTIONS)


def test_reading_changes_nothing(layer):
    before = layer.stats()
    for stage in ("graph", "loops", "llvm", "assembly"):
        assert layer.explain(stage) == layer.explain(stage)
    assert layer.stats() == before


def test_kernels_from_the_disk_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    texts = []
    for compiled in (True, False):
        own = kernels._Kernels()
        for module in (build, program):
            monkeypatch.setattr(module, "KERNELS", own)
        run = called(lambda x: chainrule.exp(x) * 2, [1.0, 2.0])
        assert (own.compiled > 0) == compiled
        texts.append([run.explain(stage) for stage in ("loops", "llvm", "assembly")])
    assert texts[0] == texts[1]


@pytest.mark.filterwarnings("ignore:compile. block")
def test_blocks_in_numpy_have_no_code():
    class Reversed(chainrule.Block):
        differentiable = False

        def infer(self, x):
            return x

        def forward(self, xp, x):
            return x[::-1]

    run = called(lambda x: Reversed()(x), [1.0, 2.0])
    assert "call NumPy" in run.explain("loops")
    assert "define" not in run.explain("llvm")
    assert "step" not in run.explain("assembly")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("assembler", "there is no stage 'assembler'; did you mean 'assembly'? expected one of graph, loops, llvm, "),
        ("loop", "did you mean 'loops'?"),
        ("LLVM", "there is no stage 'LLVM'; expected one of"),
        (3, "there is no stage 3; expected one of graph, loops, llvm, assembly"),
    ],
)
def test_another_stage_is_refused(layer, stage, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        layer.explain(stage)


def test_before_the_first_call_there_is_nothing_to_read():
    with pytest.raises(ChainruleError, match="explain: the function has not been called yet"):
        chainrule.compile(lambda x: x).explain("graph")


def test_listings_name_buffers_by_their_tensors():
    names = ["layers.0.weight", "i0", "my bias", "my bias", None]
    held = [chainrule.Parameter.of(np.ones((3, 3)), name=name) for name in names]
    compiled = chainrule.compile(
        lambda x: chainrule.tanh(x * held[0] + held[1] * held[2] - held[3] * held[4]) @ held[0]
    )
    compiled(np.ones((3, 3)))
    listing = compiled.explain("loops")
    header = listing[listing.index("kernel map(") :].partition("\n")[0]
    found = re.findall(r"([\w.]+): float32", header)
    assert {"layers.0.weight", "my_bias"} < set(found)
    assert len(set(found)) == len(found) == 7
    assert sum(name.startswith(("i0_b", "my_bias_b")) for name in found) == 2
    assert "layers.0.weight[i0, i1]" in listing
    assert "@ layers.0.weight: float32(3, 3)" in listing
