"""What the diagnostics of trainings find in a training of the playground, in its words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.playground.look import saturated
from chainrule.playground.run import Run
from chainrule.train.diagnostics import findings

#: What each finding means here, and which control to try.
ADVICE = {
    "diverging": "Diverging: the loss grows where it should fall. The learning rate is too high: try a tenth of it.",
    "oscillating": "Oscillating: the test loss goes up and down from pass to pass. Lower the learning rate, or take "
    "more points a step.",
    "loss not decreasing": "Not learning: the loss is no better than that of an answer that looks at no point. Try "
    "another learning rate, more units, another function or other inputs.",
    "decreasing too slowly": "Slow: the loss falls steadily, and by little. Raise the learning rate.",
    "overfitting": "Overfitting: the test loss rises while the training loss falls. More training points, fewer units "
    "or a penalty (L2) help.",
    "underfitting": "Underfitting: both losses stay high. More units, other inputs or a smaller penalty help.",
    "converged": "Settled: the training loss changes by next to nothing any more.",
    "saturated units": "Saturated: most units are at their limits for most points, where their slope is next to 0, so "
    "that they learn slowly. Lower the learning rate, or take relu.",
    "vanishing gradients": "Vanishing gradients: at the start, those of the first layer were less than a thousandth of "
    "those of the last. Take relu or tanh, fewer layers, or larger first weights.",
    "exploding gradients": "Exploding gradients: they were far larger than such a loss makes them. Lower the learning "
    "rate, or take smaller first weights.",
}
#: Lines of the course that the diagnostics look at.
MOST_LINES = 60

Line = dict[str, Any]


def advice(run: Run) -> list[str]:
    """Sentences on what the course of a training shows; none before a pass has ended.

    Example:
        >>> from chainrule.playground.setup import Setup
        >>> run = Run(Setup(data="circles", hidden=(), engine="eager"))
        >>> run.advance(150)
        >>> advice(run)[0][:13]
        'Not learning:'
    """
    names = ["diverging"] if run.stopped else [found.name for found in findings(_record(run))]
    return [ADVICE[name] for name in names if name in ADVICE]


def baseline(run: Run) -> float:
    """The training loss of the best answer that looks at no point: the share of each class, or the mean."""
    answers = run.answers[: run.points.train]
    if not run.points.classes:
        return float(np.var(answers, dtype=np.float64))
    shares: list[float] = (np.bincount(answers.astype(int)) / len(answers)).tolist()
    return -sum(share * math.log(share) for share in shares if share)


def thinned(run: Run, most: int) -> list[tuple[int, float, float]]:
    """The losses after passes, so few of them that there are at most so many, equally far apart; the first, too."""
    apart = 1 << max(0, math.ceil(math.log2(len(run.losses) / most)))
    return run.losses[::apart]


def _record(run: Run) -> list[Line]:
    """The course of a training, as a record holds it."""
    start, *losses = thinned(run, MOST_LINES)
    lines: list[Line] = [{"kind": "run", "training": {"learning_rate": run.setup.learning_rate}}]
    lines += [
        {"kind": "epoch", "epoch": step // run.steps_of_pass, "train_loss": train, "valid_loss": test,
         "learning_rate": run.setup.learning_rate}
        for step, train, test in losses if math.isfinite(train) and math.isfinite(test)
    ]  # fmt: skip
    if len(lines) > 1:
        lines[1]["observed"] = {"start": start[1], "gradients": run.first_gradients}
    seen = {"layers": saturated(run)}
    return [*lines, {"kind": "end", "reason": "", "observed": seen, "baseline": {"loss": baseline(run)}}]
