"""Where the files of a training are that several ranks make: rank 0 keeps them, and the others know of them."""

from __future__ import annotations

from pathlib import Path

from chainrule.errors import ConfigurationError
from chainrule.models import Model
from chainrule.train.checkpoint import read_content, restore
from chainrule.train.record import Line, Record, comparable, read_lines, require_same
from chainrule.train.run_folder import CHECKPOINT, RECORD, RunFolder, partial_of
from chainrule.train.trainer import Trainer
from chainrule.xla.ranks import Team


class FollowedFolder(RunFolder):
    """The folder of a training in a rank other than 0: it reads a checkpoint to go on from, and writes nothing.

    Args:
        folder: as of rank 0; all ranks must see the same files there where they go on from a checkpoint.
        told: what rank 0 found there.
    """

    def __init__(self, folder: Path, told: dict[str, bool]) -> None:
        self.folder, self.partial = folder, partial_of(folder)
        self.checkpoint = self.partial / CHECKPOINT
        self.ended, self.going_on = told["ended"], told["going_on"]
        self._lock = None

    def open_record(self, trainer: Trainer, start: Line) -> Record:
        """The record, in memory alone, and the trainer put where the checkpoint was, if there is one."""
        if not self.going_on:
            return Record([start])
        content = restore(trainer, self.checkpoint, start)
        return Record([content["first_line"], *content["epochs"]])

    def ended_record(self, start: Line) -> Record:
        """The record of the training that has ended there."""
        path = self.folder / RECORD
        lines = read_lines(path)
        require_same(lines[0], start, path)
        return Record(lines)

    def finish(self, model: Model, record: Record) -> None:
        """Nothing: rank 0 writes the model."""


def place_of(folder: Path | None, resume: bool, team: Team | None) -> RunFolder | None:
    """Where a training keeps its files; None where it keeps none.

    Raises:
        ConfigurationError: when rank 0 was given a folder, and this rank none.
        StorageError: as `RunFolder`, in rank 0.
    """
    if team is None:
        return None if folder is None else RunFolder(folder, resume=resume)
    if team.leads:
        place = None if folder is None else RunFolder(folder, resume=resume)
        team.told(None if place is None else {"ended": place.ended, "going_on": place.going_on})
        return place
    told = team.told()
    if told is None:
        return None
    if folder is None:
        raise ConfigurationError("folder: rank 0 has one, and this rank none; give all ranks the same (--out)")
    return FollowedFolder(folder, told)


def agree(team: Team, place: RunFolder | None, start: Line) -> None:
    """Refuse to train with ranks of other data, settings or versions, or that go on from another checkpoint.

    Args:
        team: the ranks.
        place: of the files.
        start: the first line of the record: fingerprints of the data, and all settings.

    Raises:
        RankError: in all ranks.
        ModelError: when a rank cannot read the checkpoint.
    """
    position = None if place is None or not place.going_on else read_content(place.checkpoint)["position"]
    team.agree({**comparable(start), "versions": start["versions"], "checkpoint": position})
    team.watchdog.advice = "go on by --resume (resume=True) with as many ranks as are left, if there is a checkpoint"
