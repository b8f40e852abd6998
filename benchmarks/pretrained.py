"""Milliseconds of sentence embeddings on one core, whole texts in and vectors out, beside PyTorch and others.

    python benchmarks/pretrained.py FOLDER [--rounds 7] [--cases "1 x 12" "1 x 128" "32 x 128" lengths]
    python benchmarks/pretrained.py FOLDER --agreement 1000

FOLDER is of sentence-transformers, such as MiniLM (`make minilm` puts it into .data/minilm). "32 x 128" are 32 texts of
128 tokens; "lengths" are 64 texts of 5 to 250 tokens, most of them short, which PyTorch and ONNX Runtime fill up to the
longest of their batch of 32, sorted by length. All have the same numbers in float32, and the same tokenizer. ONNX
Runtime runs what PyTorch exports, with all of its optimizations. CTranslate2 has weights and products in int8, which
is another computation: with --agreement, the least cosine with PyTorch's vectors is printed. Each system lives in a
process of its own that is bound to one core, and they take turns; the fastest rounds are shown, of the time of the
process itself.

With --agreement, the largest difference is printed between chainrule's vectors and those that transformers and PyTorch
give, over so many texts of 1 to 600 tokens, cut as the folder says. Peers: `pip install torch==2.13.0 transformers
onnx onnxruntime ctranslate2`.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

CALLS = {"1 x 12": 20, "1 x 128": 3, "32 x 128": 1, "lengths": 1}
PACKAGES = {
    "chainrule": "chainrule",
    "PyTorch": "transformers",
    "ONNX Runtime": "onnxruntime",
    "CTranslate2 int8": "ctranslate2",
}
BATCH = 32


def lengths_of(case):
    """Tokens of each text."""
    import numpy as np

    if case == "lengths":
        return np.random.default_rng(0).lognormal(3.2, 0.8, 64).clip(5, 250).astype(int)
    texts, tokens = map(int, case.split(" x "))
    return [tokens] * texts


def written(folder, lengths, seed=0):
    """Texts of so many tokens: of words that are one piece each, and of the two that begin and end a text."""
    import numpy as np

    from chainrule.encoders import PretrainedTokenizer

    tokenizer, generator = PretrainedTokenizer.of_folder(folder), np.random.default_rng(seed)
    likely = ["the", "of", "and", "film", "house", "water", "music", "story", "was", "good", "never", "people", "city"]
    likely = [word for word in likely if tokenizer.ids([word])[0].lengths[0] == 3]
    return [" ".join(generator.choice(likely, max(1, n - 2))) for n in lengths]


def chainrule_encoder(folder):
    """Our sentence embeddings."""
    from chainrule.encoders import SentenceEncoder

    return partial(SentenceEncoder.of_folder(folder).encode, threads=1)


class Peer:
    """Sentence embeddings by hand, as sentence-transformers computes them: by the mean over tokens, of length 1."""

    def __init__(self, folder):
        import tokenizers

        from chainrule.encoders.sentence import read_sentence_settings

        inner, settings = read_sentence_settings(folder)
        if settings.poolings != ("mean",):
            sys.exit(f"{folder}: the peers pool by the mean alone")
        self.folder, self.normalised = str(inner), settings.normalised
        self.tokenizer = tokenizers.Tokenizer.from_file(str(inner / "tokenizer.json"))
        self.tokenizer.enable_truncation(settings.longest or 512)
        self.tokenizer.enable_padding()

    def __call__(self, texts):
        """Vectors, batch by batch of like lengths."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = [None] * len(texts)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            encoded = self.tokenizer.encode_batch([texts[place] for place in places])
            ids, mask = (np.array([getattr(x, name) for x in encoded]) for name in ("ids", "attention_mask"))
            for place, vector in zip(places, self.vectors(ids, mask), strict=True):
                found[place] = vector
        return np.stack(found)

    def pooled(self, hidden, mask):
        """The means of what is no filling."""
        import numpy as np

        weights = mask[:, :, None].astype(np.float32)
        y = (hidden * weights).sum(1) / weights.sum(1)
        return y / np.linalg.norm(y, axis=1, keepdims=True) if self.normalised else y


class PyTorch(Peer):
    """By transformers."""

    def __init__(self, folder):
        import torch
        import transformers

        super().__init__(folder)
        torch.set_num_threads(1)
        transformers.utils.logging.disable_progress_bar()
        self.model = transformers.AutoModel.from_pretrained(self.folder).eval()

    def vectors(self, ids, mask):
        """By the model as it is."""
        import torch

        with torch.inference_mode():
            output = self.model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask))
        return self.pooled(output.last_hidden_state.numpy(), mask)


class OnnxRuntime(Peer):
    """A session on one thread, of the exported encoder."""

    def __init__(self, folder, path):
        import onnxruntime

        super().__init__(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def vectors(self, ids, mask):
        """By the session."""
        (hidden,) = self.session.run(None, {"ids": ids, "mask": mask})
        return self.pooled(hidden, mask)


class CTranslate2(Peer):
    """Its encoder with weights and products in int8; all else is in float32."""

    def __init__(self, folder, path):
        import ctranslate2

        super().__init__(folder)
        place = f"{path}.int8"
        ctranslate2.converters.TransformersConverter(self.folder).convert(place, quantization="int8", force=True)
        self.model = ctranslate2.Encoder(place, compute_type="int8", intra_threads=1, inter_threads=1)

    def vectors(self, ids, mask):
        """By the lists of ids; it fills them up itself."""
        import numpy as np

        rows = [row[: int(length)].tolist() for row, length in zip(ids, mask.sum(1), strict=True)]
        return self.pooled(np.array(self.model.forward_batch(rows).last_hidden_state), mask)


def exporting(line, folder, path):
    """What a process of its own does before the others start."""
    import torch

    model = PyTorch(folder).model
    model.set_attn_implementation("eager")

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.requires_grad_(False)

        def forward(self, ids, mask):
            """The vectors of tokens."""
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    given = (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64))
    axes = {name: {0: "batch", 1: "length"} for name in ("ids", "mask", "hidden")}
    torch.onnx.export(
        Hidden(), given, path, input_names=["ids", "mask"], output_names=["hidden"], dynamic_axes=axes, dynamo=False
    )
    line.send("done")


def serve(name, folder, path, cases):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    kinds = {
        "chainrule": chainrule_encoder,
        "PyTorch": PyTorch,
        "ONNX Runtime": partial(OnnxRuntime, path=path),
        "CTranslate2 int8": partial(CTranslate2, path=path),
    }
    made = kinds[name](folder)
    calls = {case: partial(made, written(folder, lengths_of(case))) for case in cases}
    for case, call in calls.items():
        one_round(call, CALLS[case])
    return list(calls), calls, CALLS, one_round


def one_round(call, count):
    """Milliseconds a call."""
    started = time.process_time()
    for _ in range(count):
        call()
    return 1e3 * (time.process_time() - started) / count


def exported(folder, path):
    """Whether PyTorch wrote what ONNX Runtime runs."""
    import multiprocessing

    if not all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnx", "torch", "transformers")):
        return False
    line, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=exporting, args=(theirs, folder, path))
    process.start()
    theirs.close()
    try:
        return line.recv() == "done"
    except EOFError:
        print("PyTorch could not export the encoder, so that ONNX Runtime is left out")
        return False
    finally:
        process.join()


def agreement(folder, count, seed):
    """The largest difference between our vectors and PyTorch's."""
    import numpy as np

    lengths = np.random.default_rng(seed).integers(1, 601, count)
    texts = written(folder, lengths + 2, seed)
    told = []
    ours, theirs = chainrule_encoder(folder)(texts, told=told.append), PyTorch(folder)(texts)
    print(f"{count} texts of {lengths.min()} to {lengths.max()} tokens; {told[0] if told else 'none was cut'}")
    print(f"largest difference: {np.abs(ours - theirs).max():.2e}, of numbers up to {np.abs(theirs).max():.2f}")
    if importlib.util.find_spec("ctranslate2"):
        with tempfile.TemporaryDirectory() as place:
            whole = CTranslate2(folder, f"{place}/encoder")(written(folder, lengths + 2, seed))
        print(
            f"CTranslate2 in int8: difference up to {np.abs(whole - theirs).max():.2e}, cosine at least "
            f"{(whole * theirs).sum(1).min():.4f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="+", choices=CALLS, default=list(CALLS))
    parser.add_argument("--agreement", type=int, metavar="TEXTS")
    parser.add_argument("--seed", type=int, default=0, help="of the texts of --agreement")
    given = parser.parse_args()
    turns.prepare()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if given.agreement:
        agreement(given.folder, given.agreement, given.seed)
        return
    turns.describe(["chainrule", "torch", "transformers", "onnxruntime"])
    packages = dict(PACKAGES)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "encoder.onnx"
        if not exported(given.folder, path):
            packages.pop("ONNX Runtime")
        made = partial(serve, folder=given.folder, path=path, cases=given.cases)
        lines, calls = turns.started(made, packages)
        order = [(name, case) for case in given.cases for name in calls]
        found = {pair: min(rounds) for pair, rounds in turns.measured(lines, order, given.rounds).items()}
    print(f"{'ms':12}" + "".join(f"{name:>20}" for name in calls))
    for case in given.cases:
        ours = found["chainrule", case]
        print(f"{case:12}" + "".join(f"{found[name, case]:12.2f} {found[name, case] / ours:6.2f}x" for name in calls))
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
