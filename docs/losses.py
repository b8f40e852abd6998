"""Writes docs/losses.md from the docstrings of all losses: python docs/losses.py."""

import inspect
import re
from pathlib import Path

from chainrule import nn
from chainrule.nn import LOSSES, losses

TARGET = Path(__file__).with_name("losses.md")
#: PyTorch's names, in torch.nn.functional.
PYTORCH = {
    "binary_cross_entropy": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "cosine_embedding": "cosine_embedding_loss",
    "cross_entropy": "cross_entropy",
    "gaussian_nll": "gaussian_nll_loss",
    "huber": "huber_loss",
    "kl_divergence": "kl_div",
    "margin_ranking": "margin_ranking_loss",
    "mean_absolute_error": "l1_loss",
    "mean_squared_error": "mse_loss",
    "multi_label_soft_margin": "multilabel_soft_margin_loss",
    "multi_margin": "multi_margin_loss",
    "nll": "nll_loss",
    "poisson_nll": "poisson_nll_loss",
    "smooth_l1": "smooth_l1_loss",
    "triplet_margin": "triplet_margin_loss",
}
TASKS = {"numbers": "regress", "classes": "classify", "labels": "multi-label"}

START = """\
# Losses

How far predictions are from the truth. Each is a function of `chainrule.nn`: `help(chainrule.nn.huber)` says more.
All take `reduction="mean"`, `"sum"` or `"none"`. Shapes are checked always, and values, such as labels that are no
classes or targets of `hinge` other than -1 and 1, where they are known: eagerly. This page is written by `make docs`; a
test keeps it true.

```python
import chainrule
from chainrule.nn import cross_entropy

logits = chainrule.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
by_id = cross_entropy(logits, [0, 1], class_weights=[1.0, 2.0, 1.0], label_smoothing=0.1)
one_hot = cross_entropy(logits, [[1, 0, 0], [0, 1, 0]])
assert cross_entropy(logits, [0, -1], ignore=-1).item() > 0 and one_hot.shape == by_id.shape == ()
task = chainrule.Regress(criterion="huber:delta=2")
assert task.criterion == "huber:delta=2.0"
```
"""

MIDDLE = """\
## Losses of tasks (`--loss`)

A loss with its settings after a colon, such as `--loss quantile:share=0.9`; in Python and in files the setting is
`criterion`. A task refuses those that are not for its targets. Losses of `regress` are of deviations from the mean, so
that `delta` is in standard deviations of the target; those of `multi-label` are summed over the labels of a row.
(PyTorch's multi-label soft margin is the mean of `bce` over them.)

| loss | tasks | settings | |
| --- | --- | --- | --- |
"""


def section(module):
    """The losses of a file, a line each."""
    doc = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    lines = [f"## {doc}", "", "| loss | equation | targets | PyTorch |", "| --- | --- | --- | --- |"]
    for name, function in vars(module).items():
        if name not in losses.__all__ or getattr(function, "__module__", "") != module.__name__:
            continue
        text = inspect.cleandoc(function.__doc__)
        equation = text.partition("\n\n")[0].replace("\n", " ")
        shown = re.search(r"\n\n {4}(L.*?)\n\n", text, flags=re.DOTALL)
        equation = f"{equation} {' '.join(shown[1].split())}" if shown else equation
        listed = re.findall(r"^ {4}(targets|labels|counts|negatives): (.*(?:\n {8}.*)*)", text, flags=re.MULTILINE)
        targets = "; ".join(f"`{key}`: {' '.join(value.split())}" for key, value in listed)
        torch = f"`torch.nn.functional.{PYTORCH[name]}`" if name in PYTORCH else ""
        cells = [f"`{name}`", equation.rstrip("."), targets.rstrip("."), torch]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |")
    return [*lines, ""]


def text():
    """The page."""
    lines = [START]
    for name in ("classes", "binary", "numbers", "pairs"):
        lines += section(getattr(nn.losses, name))
    lines.append(MIDDLE.rstrip("\n"))
    for name, kind in LOSSES.items():
        fits = [task for targets, task in TASKS.items() if getattr(kind, targets) is not None]
        settings = [f"`{x.name}`: {x.help} ({x.text(x.default)})" for x in kind.declared()]
        first = (kind.__doc__ or "").partition("\n")[0].rstrip(".")
        lines.append(f"| `{name}` | {', '.join(fits)} | {'; '.join(settings)} | {first} |")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
