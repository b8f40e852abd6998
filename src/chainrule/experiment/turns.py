"""Turns: in which order jobs are begun, so that no long one is left for the end, when other workers are done."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from chainrule.experiment.runner import Job


def longest_first(jobs: Iterable[Job], seconds: Mapping[str, float]) -> Iterator[Job]:
    """Jobs in the order in which they are begun: one of each configuration, then always one of the longest.

    How long a configuration takes is what one of its runs took; while none has ended, it counts as the longest. The
    order changes when runs end and nothing else, as no job depends on another.

    Args:
        jobs: in the order of their numbers, which decides among equals.
        seconds: what is known, by configuration; it may grow meanwhile.

    Example:
        >>> import chainrule
        >>> from chainrule.experiment import Trial
        >>> learners = chainrule.BagOfWords(), chainrule.FeedForward()
        >>> trials = [Trial(chainrule.Classify(), x, chainrule.Training(), seed) for seed in (0, 1) for x in learners]
        >>> known = {trials[0].configuration: 1.0, trials[1].configuration: 5.0}
        >>> [job.trial.name[:4] for job in longest_first([Job(x, n) for n, x in enumerate(trials)], known)]
        ['bow-', 'ffnn', 'ffnn', 'bow-']
    """
    waiting: dict[str, deque[Job]] = {}
    for job in jobs:
        waiting.setdefault(job.trial.configuration, deque()).append(job)
    for held in waiting.values():
        yield held.popleft()
    while left := [name for name, held in waiting.items() if held]:
        yield waiting[max(left, key=lambda name: seconds.get(name, math.inf))].popleft()
