"""Writes docs/settings.md from the declarations of settings: python docs/settings.py."""

from pathlib import Path

from chainrule.experiment import Division, Searching
from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.tasks import INPUTS, TASKS
from chainrule.train import Training

TARGET = Path(__file__).with_name("settings.md")

START = """\
# Settings

Every hyper-parameter is declared once, in the class that reads it: name, type, default, range and help. The constructor
in Python, the option of `chainrule train`, the key in a settings file and in records, and this page come from that
declaration. This page is written by `make docs`; a test keeps it true.

```python
import chainrule

task = chainrule.Classify(inputs=chainrule.Text(ngrams=1))
learner = chainrule.FeedForward(hidden=(64,))
training = chainrule.Training(optimizer=chainrule.SGD(0.1, momentum=0.9), epochs=5)
assert learner.settings()["hidden"] == [64]
```

The same as a settings file, for `chainrule train reviews.csv --config settings.toml --out model`; options of the
command line go before it. Each finished training leaves the file that repeats it in its folder (`settings.toml`).

```toml
seed = 0
engine = "native"

[task]
name = "classify"

[task.inputs]
ngrams = 1

[learner]
name = "ffnn"
hidden = [64]

[training]
epochs = 5
learning_rate = 0.1

[training.optimizer]
name = "sgd"
momentum = 0.9

[data]
train = "reviews.csv"
text = "text"
label = "label"
```

A value that may be none is written `none` on the command line and `"none"` in a file. A list is written `128,64` on the
command line and `[128, 64]` in a file.
"""


def table(title, kind, default):
    """A section: the first line of the class, and a line a setting."""
    lines = [f"### {title}", "", (kind.__doc__ or "").partition("\n")[0], ""]
    declared = [x for x in kind.declared() if x.kinds is None]
    if not declared:
        return [*lines[:-1], "", "It has no settings of its own.", ""]
    lines += ["| setting | option | default | may be | meaning |", "| --- | --- | --- | --- | --- |"]
    for each in declared:
        value = default(each)
        shown = "none" if value is None else each.text(value) or "(none)"
        cells = [f"`{each.name}`", f"`{each.option}`", f"`{shown}`", each.range(), each.help]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*lines, ""]


def text():
    """The page."""
    lines = [START]
    for heading, registry, prefix in (
        ("Tasks (`--task`)", TASKS, "task"),
        ("Inputs (texts, or columns of numbers and categories)", INPUTS, "inputs"),
        ("Learners (`--learner`)", LEARNERS, "learner"),
    ):
        lines += [f"## {heading}", ""]
        for name, kind in registry.items():
            lines += table(f"{prefix} `{name}`", kind, lambda each: each.default)
    lines += ["## Training", ""]
    lines += table("training", Training, lambda each: each.default)
    lines += [
        "What is none here suits the learner:",
        "",
        "| learner | optimizer | schedule | `epochs`, by it | `patience` | `learning_rate` and settings by optimizer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, kind in LEARNERS.items():
        tuned = [f"{k}: " + ", ".join(f"{x} {y:g}" for x, y in v.items()) for k, v in kind.tuned.items()]
        falls = f"{kind.passes}, or {kind.steps:,} steps where these are more"
        epochs = "100" if kind.schedule == "constant" else falls
        cells = [f"`{name}`", kind.optimizer, kind.schedule, epochs, str(kind.patience), "; ".join(tuned)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "SGD is taken for the task `classify` alone: losses of the others have no scale of their own, which matters",
        "to all but Adam. An optimizer that is not the learner's own has the schedule `constant`, and with that there",
        "are 100 epochs at most. How `scale` suits the number of outputs is told in [training.md](training.md).",
    ]
    for heading, registry, prefix in (
        ("Optimizers (`--optimizer`)", OPTIMIZERS, "optimizer"),
        ("Schedules of the learning rate (`--schedule`)", SCHEDULES, "schedule"),
    ):
        lines += ["", f"## {heading}", ""]
        for name, kind in registry.items():
            lines += table(f"{prefix} `{name}`", kind, lambda each: each.default)
        lines.pop()
    lines += ["", "## Studies (`chainrule compare`, `chainrule sweep`)", ""]
    for title, kind in (("division", Division), ("search", Searching)):
        lines += table(f"`[{title}]`", kind, lambda each: each.default)
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
