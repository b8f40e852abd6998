"""Ranks: processes that train one model together, each on a machine or a device of its own.

Every rank runs the same program over the same rows with the same seed, and the devices of all are one mesh
(`chainrule.xla.mesh`). What goes between the devices is XLA's matter. What the processes say to one another is here, in
lines of JSON over TCP with rank 0 in the middle: who is there, whether all have the same data and settings, what rank 0
decided, and each second that all are alive (`chainrule.xla.watchdog`).

Two ports of rank 0 are needed: the one that users give, which is for this, and the next, which is for JAX.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, RankError, shortened
from chainrule.version import __version__
from chainrule.xla.watchdog import Line, Watchdog

#: What the environment may say in the place of options.
VARIABLES = {"coordinator": "CHAINRULE_COORDINATOR", "rank": "CHAINRULE_RANK", "ranks": "CHAINRULE_RANKS"}
#: Seconds in which all ranks must have come.
WAIT = 30.0
#: Seconds from one attempt to reach rank 0 to the next.
AGAIN = 0.2


@dataclass(frozen=True)
class Place:
    """Which of how many ranks a process is, and where rank 0 is.

    Args:
        coordinator: "host:port" of rank 0; the port and the next one must be free there.
        rank: of this process, from 0.
        ranks: how many there are.

    Raises:
        ConfigurationError: for a coordinator that is no host and port, or a rank that is none of the ranks.

    Example:
        >>> Place("node0:9876", 1, 2).address
        ('node0', 9876)
        >>> Place("node0:9876", 2, 2)
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: rank: expected 0 to 1, as there are 2 ranks, got 2
    """

    coordinator: str
    rank: int
    ranks: int

    def __post_init__(self) -> None:
        for name, value in (("ranks", self.ranks), ("rank", self.rank)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigurationError(f"{name}: expected a whole number, got {shortened(value)}")
        if self.ranks < 1:
            raise ConfigurationError(f"ranks: expected 1 or more, got {self.ranks}")
        if not 0 <= self.rank < self.ranks:
            raise ConfigurationError(
                f"rank: expected 0 to {self.ranks - 1}, as there are {self.ranks} ranks, got {self.rank}"
            )
        host, _, port = str(self.coordinator).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65535:
            raise ConfigurationError(
                f"coordinator: expected host:port of rank 0, such as node0:9876, with a port of 1 to 65534, got "
                f"{shortened(self.coordinator)}"
            )

    @property
    def address(self) -> tuple[str, int]:
        """Where rank 0 listens."""
        host, _, port = self.coordinator.rpartition(":")
        return host, int(port)

    @classmethod
    def given(
        cls, coordinator: str | None, rank: str | int | None, ranks: str | int | None, environment: Mapping[str, str]
    ) -> Place | None:
        """The place that options and else the environment say; None where they say nothing of ranks.

        Raises:
            ConfigurationError: where a part is missing, or is none.
        """
        named = {"coordinator": coordinator, "rank": rank, "ranks": ranks}
        found = {name: environment.get(VARIABLES[name]) if x is None else x for name, x in named.items()}
        missing = [name for name, x in found.items() if x is None]
        if len(missing) == len(found):
            return None
        if missing:
            raise ConfigurationError(
                f"{missing[0]}: is missing; --coordinator HOST:PORT, --rank I and --ranks N (or "
                f"{', '.join(VARIABLES.values())}) go together"
            )
        numbers = {}
        for name in ("rank", "ranks"):
            text = str(found[name])
            if not text.isdecimal() or len(text) > 6:
                raise ConfigurationError(f"{name}: expected a whole number of 0 or more, got {shortened(found[name])}")
            numbers[name] = int(text)
        return cls(str(found["coordinator"]), **numbers)


class Team:
    """The ranks that train together, as one of them sees it; made by `join`.

    Attributes:
        place: of this process.
        watchdog: ends this process when another has ended or does not answer.
    """

    def __init__(self, place: Place, lines: Mapping[int, Line], watchdog: Watchdog) -> None:
        self.place = place
        self._lines = dict(lines)
        self.watchdog = watchdog

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which alone writes files."""
        return self.place.rank == 0

    def told(self, value: Any = None) -> Any:
        """What rank 0 says, in every rank; all must ask at the same point of the program.

        Args:
            value: what rank 0 says, as JSON has it; the others' is not looked at.
        """
        if self.leads:
            for line in self._lines.values():
                line.say({"told": value})
            return value
        return self._heard(0, "told")

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Refuse to go on unless all ranks have the same facts, such as fingerprints of data and settings.

        Raises:
            RankError: in every rank; it names what differs, and where.
        """
        own = json.loads(json.dumps(facts))
        if not self.leads:
            self._lines[0].say({"facts": own})
            problem = self._heard(0, "agreed")
        else:
            found = {rank: self._heard(rank, "facts") for rank in self._lines}
            different = (
                f"rank {rank} has another {difference(own, theirs)}" for rank, theirs in found.items() if theirs != own
            )
            problem = next(different, None)
            for line in self._lines.values():
                line.say({"agreed": problem})
        if problem is not None:
            raise RankError(f"{problem}; all ranks need the same data, settings and versions")

    def leave(self, reason: str = "") -> None:
        """Say that this rank ends, and why if it ends early: then the others end, too."""
        self.watchdog.leave(reason)
        if not reason:
            for line in self._lines.values():
                line.close()

    def _heard(self, rank: int, kind: str) -> Any:
        """What a rank says next; that it ended is the watchdog's matter, and this one's where nobody watches."""
        while True:
            try:
                said = self._lines[rank].heard.get(timeout=1.0)
            except queue.Empty:
                continue
            if kind in said:
                return said[kind]
            raise RankError(f"rank {rank} ended: {said.get('left') or 'its training is over'}")


def difference(ours: Any, theirs: Any, path: str = "") -> str:
    """The first thing that differs, in words.

    Example:
        >>> difference({"seed": 1, "learner": {"size": 3}}, {"seed": 1, "learner": {"size": 4}})
        'learner, size: 4, and rank 0 has 3'
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *theirs]:
            if ours.get(key) != theirs.get(key):
                return difference(ours.get(key), theirs.get(key), f"{path}, {key}" if path else str(key))
    return f"{path}: {shortened(theirs)}, and rank 0 has {shortened(ours)}"


def join(place: Place, *, wait: float = WAIT) -> Team:
    """Meet the other ranks.

    Args:
        place: of this process.
        wait: seconds in which all must have come.

    Raises:
        RankError: when rank 0 cannot be reached, a port is in use, a rank comes twice or does not come, or the ranks
            count differently or are of other versions.
    """
    until = time.monotonic() + wait
    lines = _gathered(place, until, wait) if place.rank == 0 else {0: _reached(place, until, wait)}
    watchdog = Watchdog(place.rank, lines)
    watchdog.start()
    return Team(place, lines, watchdog)


#: The team of this process, while it trains with others: as JAX's own set of processes, there is one.
_joined: list[Team] = []


def current_team() -> Team | None:
    """The ranks that this process trains with; None where it trains alone."""
    return _joined[-1] if _joined else None


@contextmanager
def together(place: Place, *, wait: float = WAIT) -> Iterator[Team | None]:
    """Train with other ranks meanwhile: `fit(..., engine="xla")` in each, with the same data and settings.

    A process that has computed by JAX before cannot join, as its devices are known by then.

    Args:
        place: of this process.
        wait: seconds in which all must have come.

    Raises:
        RankError: as `join`.

    Example (one rank alone has nobody to meet):
        >>> with together(Place("localhost:9876", 0, 1)) as team:
        ...     print(team)
        None
    """
    if place.ranks == 1:
        yield None
        return
    team = join(place, wait=wait)
    try:
        with team.watchdog.busy():
            _begin_jax(place, wait)
        _joined.append(team)
        yield team
    except BaseException as error:
        team.leave(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        raise
    else:
        team.leave()
    finally:
        _joined.clear()


def _begin_jax(place: Place, wait: float) -> None:
    """Make one set of devices of those of all ranks.

    Raises:
        RankError: when JAX cannot.
    """
    import jax

    host, port = place.address
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            coordinator_address=f"{host}:{port + 1}",
            num_processes=place.ranks,
            process_id=place.rank,
            initialization_timeout=max(int(wait), 1),
        )
    except (RuntimeError, ValueError) as error:
        line = str(error).strip().splitlines()[0][:200]
        raise RankError(
            f"coordinator: JAX does not come together at port {port + 1} of {host}, the one after the coordinator's: "
            f"{line}"
        ) from error


def _hello(place: Place) -> dict[str, Any]:
    return {"rank": place.rank, "ranks": place.ranks, "chainrule": __version__, "process": os.getpid()}


def _gathered(place: Place, until: float, wait: float) -> dict[int, Line]:
    """The lines to all other ranks, in rank 0."""
    host, port = place.address
    lines: dict[int, Line] = {}
    try:
        server = socket.create_server(("", port), backlog=place.ranks, reuse_port=False)
    except OSError as error:
        raise RankError(
            f"coordinator: cannot listen at port {port}: {error.strerror or error}; choose another, for all ranks"
        ) from error
    with server:
        while len(lines) < place.ranks - 1:
            server.settimeout(max(until - time.monotonic(), 0.01))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                missing = [str(rank) for rank in range(1, place.ranks) if rank not in lines]
                reason = (
                    f"rank {', '.join(missing)} of {place.ranks} did not come to {host}:{port} within {wait:g} seconds"
                )
                for line in lines.values():
                    line.refuse(reason)
                raise RankError(f"{reason}; start all ranks at about the same time") from None
            line = Line(connection)
            said = line.first(min(max(until - time.monotonic(), 0.1), 5.0))
            problem = _refused(place, said, lines)
            if problem is None and said is not None:
                lines[said["rank"]] = line
            else:
                line.refuse(str(problem))
                if said is not None and problem is not None:
                    for other in lines.values():
                        other.refuse(problem)
                    raise RankError(problem)
    for line in lines.values():
        line.say({"welcome": True})
    return lines


def _refused(place: Place, said: dict[str, Any] | None, lines: Mapping[int, Line]) -> str | None:
    """Why whoever came is not one of the ranks; None where it is."""
    if said is None or not isinstance(said.get("rank"), int):
        return "this is no rank of a training"
    rank, ranks = said["rank"], said.get("ranks")
    if ranks != place.ranks:
        return f"ranks: rank {rank} was told of {shortened(ranks)} ranks, and rank 0 of {place.ranks}"
    if said.get("chainrule") != __version__:
        return f"rank {rank} runs chainrule {shortened(said.get('chainrule'))}, and rank 0 {__version__}"
    if rank in lines or not 0 < rank < place.ranks:
        return f"rank: two processes are rank {rank}; each of 0 to {place.ranks - 1} is one process's"
    return None


def _reached(place: Place, until: float, wait: float) -> Line:
    """The line to rank 0, in another rank."""
    host, port = place.address
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=max(min(until - time.monotonic(), 5.0), 0.1))
            break
        except socket.gaierror as error:
            raise RankError(f"coordinator: there is no host {shortened(host)}: {error.strerror or error}") from error
        except OSError as error:
            if time.monotonic() + AGAIN > until:
                raise RankError(
                    f"coordinator: rank 0 is not to be reached at {host}:{port} in {wait:g} seconds "
                    f"({error.strerror or error}); is it running, and is the port open?"
                ) from error
        time.sleep(AGAIN)
    line = Line(connection)
    line.say(_hello(place))
    said = line.first(max(until - time.monotonic(), 0.1) + 5.0)
    if said is None or "refused" in said:
        line.close()
    if said is None:
        raise RankError(f"coordinator: what answers at {host}:{port} is not rank 0 of a training, or ended")
    if "refused" in said:
        raise RankError(str(said["refused"]))
    return line
