"""Milliseconds of one text at a time, forward alone, on one core: chainrule, PyTorch eagerly, and ONNX Runtime.

    python benchmarks/one_text.py [--rounds 15] [--cases bilstm "transformer 12" "transformer 128"]

"bilstm" is a bidirectional LSTM (100 → 128) over 20 tokens; "transformer N" are 6 layers, 384 wide, with 12 heads and
1,536 numbers inside (norms last, GELU), over N tokens. All have the same equations and float32; ONNX Runtime runs what
PyTorch exports, with all of its optimizations. Each system lives in a process of its own that is bound to one core, as
PyTorch beside a session of ONNX Runtime slows it down, and they take turns; the fastest rounds are shown, of the time
of the process itself. Peers: `pip install torch==2.13.0 onnx onnxruntime`.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from functools import partial
from pathlib import Path

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

INPUTS, HIDDEN, LAYERS, SIZE, HEADS, INNER = 100, 128, 6, 384, 12, 1536
CASES = {"bilstm": 20, "transformer 12": 12, "transformer 128": 128}
CALLS = {"bilstm": 100, "transformer 12": 20, "transformer 128": 3}
PACKAGES = {"chainrule": "chainrule", "PyTorch": "torch", "ONNX Runtime": "onnxruntime"}


def text(case):
    """The tokens."""
    import numpy as np

    size = INPUTS if case == "bilstm" else SIZE
    return np.random.default_rng(0).normal(size=(CASES[case], size)).astype(np.float32)


def chainrule_call(case):
    """A compiled function of tokens and offsets."""
    import numpy as np

    import chainrule
    from chainrule import nn

    generator = np.random.default_rng(0)
    if case == "bilstm":
        forward, backward = (nn.LSTM(INPUTS, HIDDEN, backwards=x, generator=generator) for x in (False, True))
        layers = [nn.Bidirectional(forward, backward)]
    else:
        layers = [
            nn.TransformerEncoderLayer(
                SIZE, HEADS, INNER, dropout=0.0, norm_first=False, activation="gelu", generator=generator
            )
            for _ in range(LAYERS)
        ]

    def step(x, offsets):
        for layer in layers:
            x = layer(x, offsets)
        return x[0] if case == "bilstm" else x

    x = text(case)
    return partial(chainrule.compile(step, ragged=True, threads=1), x, np.array([0, len(x)]))


def torch_module(case):
    """The same module of PyTorch, for evaluation."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if case == "bilstm":
        return torch.nn.LSTM(INPUTS, HIDDEN, bidirectional=True, batch_first=True).eval()
    layers = [
        torch.nn.TransformerEncoderLayer(SIZE, HEADS, INNER, dropout=0.0, batch_first=True, activation="gelu")
        for _ in range(LAYERS)
    ]
    return torch.nn.Sequential(*layers).eval()


def torch_call(case):
    """Eagerly, without gradients."""
    import torch

    module, x = torch_module(case), torch.tensor(text(case))[None]

    def call():
        with torch.inference_mode():
            module(x)

    return call


def export(case, path):
    """Write what ONNX Runtime runs."""
    import torch

    torch.backends.mha.set_fastpath_enabled(value=False)  # which has no name in ONNX
    torch.onnx.export(torch_module(case), (torch.tensor(text(case))[None],), path, dynamo=False)


def onnx_call(case, folder):
    """A session on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / f"{case}.onnx", options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: text(case)[None]}
    return partial(session.run, None, given)


def serve(name, cases, folder):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    made = {"chainrule": chainrule_call, "PyTorch": torch_call}.get(name, partial(onnx_call, folder=folder))
    calls = {case: made(case) for case in cases}
    for case, call in calls.items():
        one_round(call, CALLS[case])
    return list(calls), calls, CALLS, one_round


def exporting(line, cases, folder):
    """What a process of its own does before the others start."""
    for case in cases:
        export(case, folder / f"{case}.onnx")
    line.send("done")


def one_round(call, count):
    """Milliseconds a call."""
    started = time.process_time()
    for _ in range(count):
        call()
    return 1e3 * (time.process_time() - started) / count


def main():
    import multiprocessing

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    given = parser.parse_args()
    turns.prepare()
    turns.describe(["chainrule", "torch", "onnxruntime"])
    packages = dict(PACKAGES)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnx", "torch")):
            line, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=exporting, args=(theirs, given.cases, folder))
            process.start()
            theirs.close()
            line.recv()
            process.join()
        else:
            packages.pop("ONNX Runtime")
        lines, calls = turns.started(partial(serve, cases=given.cases, folder=folder), packages)
        order = [(name, case) for case in given.cases for name in calls]
        found = {pair: min(rounds) for pair, rounds in turns.measured(lines, order, given.rounds).items()}
    print(f"{'ms':18}" + "".join(f"{name:>20}" for name in calls))
    for case in given.cases:
        ours = found["chainrule", case]
        print(f"{case:18}" + "".join(f"{found[name, case]:12.3f} {found[name, case] / ours:6.2f}x" for name in calls))
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
