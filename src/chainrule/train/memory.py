"""Memory: what a training will take, and what the machine has, before it is taken."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from chainrule.data.layout import Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.models import Learner
from chainrule.optim import Optimizer
from chainrule.tasks import Task
from chainrule.train.grouping import grouped
from chainrule.train.training import Training

#: What steps, validation and the writing of files take at most beside the arrays that are counted.
BESIDE = 200 * 2**20
#: Options of learners and what makes a small network of each.
SMALL = {"--dim": "100", "--hidden": "64"}
#: Where Linux says how much a group of processes, such as a container, may hold, and how much it holds; and what it
#: calls the part of this that only repeats files, and is given up first.
GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


@dataclass(frozen=True)
class Memory:
    """The bytes that a training will take, known when the table has been read.

    Attributes:
        held: by the process so far: programs, texts, vocabulary and ids.
        before: the most that it held so far.
        weights: the parameters.
        optimizer: what the optimizer remembers of them.
        best: the best weights so far.
        beside: what steps take at most beside these.
        vectors: of texts, which a frozen encoder gives once.
    """

    held: int
    before: int
    weights: int
    optimizer: int
    best: int
    beside: int = BESIDE
    vectors: int = 0

    @property
    def trained(self) -> int:
        """What training takes: weights, what is remembered of them, the best ones, and vectors."""
        return self.weights + self.optimizer + self.best + self.vectors

    @property
    def more(self) -> int:
        """What training takes in addition to what is held."""
        return self.trained + self.beside

    @property
    def peak(self) -> int:
        """The most that the process will hold."""
        return max(self.before, self.held + self.more)

    def with_vectors(self, size: int) -> Memory:
        """The same with vectors of so many bytes.

        Raises:
            ConfigurationError: for more than the machine has left.
        """
        memory, free = replace(self, vectors=size), free_memory()
        if free is not None and memory.more > free:
            raise ConfigurationError(
                f"this training takes {in_words(memory.more)} of memory more than is held now, and {in_words(free)} "
                f"are free; it takes {memory}; take fewer rows, or a machine with more memory"
            )
        return memory

    def __str__(self) -> str:
        vectors = f"vectors of the frozen encoder {in_words(self.vectors)}, " if self.vectors else ""
        return (
            f"at most {in_words(self.peak)}: {in_words(self.held)} so far, weights {in_words(self.weights)}, what the "
            f"optimizer remembers {in_words(self.optimizer)}, best weights {in_words(self.best)}, {vectors}and for "
            f"steps {in_words(self.beside)}"
        )


def memory_of(learner: Learner, task: Task, training: Training, sizes: Sizes) -> Memory:
    """What a training with these settings will take from here on.

    Arrays of a network grow in proportion to the entries of its tables. So two networks with few entries are built, and
    tell what one with all of them takes.

    Raises:
        ConfigurationError: for more than the machine has left, with what would fit.
    """
    training = training.resolved(learner)
    least = min(sizes.entries, 2)
    try:
        small = _bytes(learner, task, training, replace(sizes, entries=least))
        larger = _bytes(learner, task, training, replace(sizes, entries=least + 1)) if sizes.entries > least else small
    except MemoryError as error:
        raise ConfigurationError(
            f"even with {least} entries the network takes more memory than is free ({error}); take a smaller one"
            f"{_smaller(learner, ' (such as {})')}"
        ) from error
    weights, remembered = (a + (b - a) * (sizes.entries - least) for a, b in zip(small, larger, strict=True))
    now, most = _held()
    memory = Memory(now, most, weights, remembered, weights)
    free = free_memory()
    if free is not None and memory.more > free:
        raise ConfigurationError(_too_little(learner, memory, free, sizes))
    return memory


def _too_little(learner: Learner, memory: Memory, free: int, sizes: Sizes) -> str:
    """What is said of a training that takes more memory than is free."""
    entries = int(sizes.entries * max(free - memory.beside, 0) / (memory.more - memory.beside))
    advice = "take a smaller network, or a machine with more memory"
    if entries > 1:
        fewer = f"(--max-vocabulary {entries}, or maximum_size={entries} of Text)"
        if sizes.hashed:
            fewer = f"and rows of hashed n-grams together (--hashed-ngrams, or hashed_ngrams of Text: {sizes.hashed:,})"
        advice = f"take at most {entries:,} entries {fewer}{_smaller(learner, ', or smaller ones ({})')}"
    return (
        f"this training takes {in_words(memory.more)} of memory more than is held now, and {in_words(free)} are free; "
        f"it takes {memory}; {advice}"
    )


def _smaller(learner: Learner, said: str) -> str:
    """A phrase with the options that make a network of this learner small; of a learner without such, nothing."""
    options = [f"{option} {value}" for option, value in SMALL.items() if hasattr(learner, option.removeprefix("--"))]
    return said.format(" ".join(options)) if options else ""


def free_memory() -> int | None:
    """The bytes that this process may still take, or None where the system does not tell."""
    found = list(_left())
    return min(found) if found else None


def machine_bytes() -> int | None:
    """The bytes of memory that the machine has, or None where the system does not tell."""
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def in_words(size: int) -> str:
    """A number of bytes: "1.25 GB", "17 MB"."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _bytes(learner: Learner, task: Task, training: Training, sizes: Sizes) -> tuple[int, int]:
    """The bytes of the parameters of a network of these sizes, and of what steps remember of them."""
    network = learner.network(sizes, task.answers, np.random.default_rng(0))
    named = network.named_parameters()
    parameters, optimizer = list(named.values()), training.optimizer
    groups = (
        grouped((*network.groups(), *training.groups), optimizer, named) if isinstance(optimizer, Optimizer) else []
    )
    states = [group.optimizer.start([named[name] for name in group.names]) for group in groups]
    weights = sum(x.spec.size * x.dtype.itemsize for x in parameters)
    remembered = sum(array.nbytes for state in states for array in state.arrays().values())
    copies = (training.average is not None) + (training.accumulate > 1)  # averages, and sums of gradients
    return weights, remembered + copies * weights


def _held() -> tuple[int, int]:
    """The bytes that this process holds, and the most that it held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"), most
    return most, most


def _left() -> Iterator[int]:
    """What each of those who limit this process leaves to it: the machine, and the groups that it is in."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
    for folder, limit, usage, of_files in GROUPS:
        with suppress(OSError, ValueError, KeyError):  # there is no such group, or it has no limit ("max")
            most, held = (int(Path(folder, name).read_text()) for name in (limit, usage))
            parts = dict(line.split() for line in Path(folder, "memory.stat").read_text().splitlines())
            yield max(most - held + int(parts[of_files]), 0)
