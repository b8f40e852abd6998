"""Ranks meet, agree, and end together. No JAX here: what is tested goes over sockets alone."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from chainrule.errors import ConfigurationError, RankError
from chainrule.xla.ranks import Place, difference, join
from chainrule.xla.watchdog import Line, Watchdog


def free_port():
    """A port of which the next is free, too."""
    while True:
        with socket.create_server(("", 0)) as server:
            port = server.getsockname()[1]
        try:
            with socket.create_server(("", port + 1)):
                return port
        except OSError:
            continue


def together(*functions):
    """What functions give that run at the same time; errors among them."""
    found = [None] * len(functions)

    def call(i):
        try:
            found[i] = functions[i]()
        except RankError as error:
            found[i] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def joined(ranks, wait=10.0):
    """Teams of so many ranks in this process."""
    at = f"127.0.0.1:{free_port()}"
    return together(*[lambda rank=rank: join(Place(at, rank, ranks), wait=wait) for rank in range(ranks)])


def test_told_and_agreed():
    teams = joined(3)
    assert [team.leads for team in teams] == [True, False, False]
    assert together(*[lambda team=team: team.told(team.place.rank + 5) for team in teams]) == [5, 5, 5]
    facts = {"data": "ab12", "seed": 1}
    assert together(*[lambda team=team: team.agree(facts) for team in teams]) == [None] * 3
    for team in teams:
        team.leave()


def test_ranks_that_disagree_are_refused_in_all():
    teams = joined(3)
    facts = [{"seed": 1, "learner": {"size": size}} for size in (3, 3, 4)]
    found = together(*[lambda team=team, own=own: team.agree(own) for team, own in zip(teams, facts, strict=True)])
    for error in found:
        assert isinstance(error, RankError)
        assert "rank 2 has another learner, size: 4, and rank 0 has 3" in str(error)
    assert str(pickle.loads(pickle.dumps(found[0]))) == str(found[0])
    for team in teams:
        team.leave()


def test_difference_names_what_only_one_has():
    assert difference({"a": 1}, {"a": 1, "b": 2}) == "b: 2, and rank 0 has None"


@pytest.mark.parametrize(
    ("coordinator", "rank", "ranks", "message"),
    [
        ("node0", 0, 2, "expected host:port"),
        ("node0:99999", 0, 2, "expected host:port"),
        ("node0:1", 2, 2, "rank: expected 0 to 1"),
        ("node0:1", -1, 2, "rank: expected 0 to 1"),
        ("node0:1", 0, 0, "ranks: expected 1 or more"),
        ("node0:1", True, 2, "rank: expected a whole number"),
    ],
)
def test_places_that_are_none(coordinator, rank, ranks, message):
    with pytest.raises(ConfigurationError, match=message):
        Place(coordinator, rank, ranks)


def test_options_and_environment():
    environment = {"CHAINRULE_COORDINATOR": "node0:9876", "CHAINRULE_RANK": "1", "CHAINRULE_RANKS": "2"}
    assert Place.given(None, None, None, {}) is None
    assert Place.given(None, None, None, environment) == Place("node0:9876", 1, 2)
    assert Place.given(None, "0", None, environment) == Place("node0:9876", 0, 2)
    with pytest.raises(ConfigurationError, match="ranks: is missing; --coordinator"):
        Place.given("node0:9876", "1", None, {})
    with pytest.raises(ConfigurationError, match="rank: expected a whole number"):
        Place.given("node0:9876", "first", "2", {})


def test_rank_0_is_not_there():
    started = time.monotonic()
    with pytest.raises(RankError, match=r"rank 0 is not to be reached at 127\.0\.0\.1:.* is it running"):
        join(Place(f"127.0.0.1:{free_port()}", 1, 2), wait=0.5)
    assert time.monotonic() - started < 5


def test_a_host_that_is_none():
    with pytest.raises(RankError, match=r"there is no host 'no-such-host\.invalid'"):
        join(Place("no-such-host.invalid:9876", 1, 2), wait=5.0)


def test_port_in_use():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(RankError, match=f"cannot listen at port {port}: .* choose another"):
            join(Place(f"127.0.0.1:{port}", 0, 2), wait=0.5)


def test_a_rank_that_does_not_come():
    at = f"127.0.0.1:{free_port()}"
    found = together(*[lambda rank=rank: join(Place(at, rank, 3), wait=1.0) for rank in (0, 2)])
    assert all("rank 1 of 3 did not come" in str(error) for error in found)


def test_ranks_that_count_differently():
    at = f"127.0.0.1:{free_port()}"
    found = together(lambda: join(Place(at, 0, 2), wait=5.0), lambda: join(Place(at, 1, 3), wait=5.0))
    assert all("rank 1 was told of 3 ranks, and rank 0 of 2" in str(error) for error in found)


def test_two_processes_of_one_rank():
    at = f"127.0.0.1:{free_port()}"
    found = together(*[lambda rank=rank: join(Place(at, rank, 3), wait=5.0) for rank in (0, 1, 1)])
    assert sum("two processes are rank 1" in str(error) for error in found) >= 2


def test_something_else_answers():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]

        def answer():
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(RankError, match="is not rank 0 of a training"):
            join(Place(f"127.0.0.1:{port}", 1, 2), wait=2.0)


@pytest.fixture
def watched():
    """Makes two watchdogs that look after each other, and what they end with."""
    made = []
    yield lambda **seconds: pair(made, **seconds)
    for watchdog in made:
        watchdog.leave("")
        for line in watchdog.lines.values():
            line.close()


def pair(made, **seconds):
    ends = {0: [], 1: []}
    ours, theirs = socket.create_server(("127.0.0.1", 0)), socket.socket()
    theirs.connect(ours.getsockname())
    lines = {1: Line(ours.accept()[0])}, {0: Line(theirs)}
    ours.close()
    found = [Watchdog(rank, lines[rank], end=ends[rank].append, beat=0.05, **seconds) for rank in (0, 1)]
    for watchdog in found:
        watchdog.start()
    made += found
    return found, ends


def waited(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_a_rank_that_is_a_step_behind_for_long_is_stuck(watched):
    (zero, one), ends = watched(behind=0.4)
    for watchdog in (zero, one):
        watchdog.begun()
    time.sleep(0.7)
    assert not any(ends.values())  # both wait, for what comes next
    zero.begun()
    assert waited(lambda: ends[0] and ends[1])
    assert all("rank 1 is stuck after step 1" in message for message in ends[0] + ends[1])


def test_a_rank_that_is_busy_may_be_behind(watched):
    (zero, one), ends = watched(behind=0.3)
    with one.busy():
        zero.begun()
        time.sleep(0.8)
        assert not any(ends.values())
        one.begun()
    time.sleep(0.5)
    assert not any(ends.values())


def test_farewells(watched):
    (_, one), ends = watched(grace=0.3)
    one.leave("")
    one.lines[0].close()
    time.sleep(0.5)
    assert not ends[0]
    (_, one), ends = watched(grace=0.3)
    one.leave("the loss became nan")
    one.lines[0].close()
    assert not ends[0]
    assert waited(lambda: ends[0])
    assert "rank 1 ended: the loss became nan" in ends[0][0]


RANK = """
import sys, time
from chainrule.xla import watchdog
watchdog.SILENT = 2.0
from chainrule.xla.ranks import Place, join
team = join(Place(sys.argv[1], int(sys.argv[2]), 3))
team.watchdog.silent = 2.0
print("joined", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
def test_all_end_when_a_rank_is_killed_or_stopped(sent):
    at = f"127.0.0.1:{free_port()}"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": dict(os.environ)}
    ranks = [subprocess.Popen([sys.executable, "-c", RANK, at, str(rank)], **options) for rank in range(3)]
    try:
        assert [rank.stdout.readline() for rank in ranks] == ["joined\n"] * 3
        started = time.monotonic()
        ranks[2].send_signal(sent)
        for rank in ranks[:2]:
            _, said = rank.communicate(timeout=30)
            assert rank.returncode == 2
            assert ("rank 2 was killed" if sent == signal.SIGKILL else "rank 2 has not answered") in said
        assert time.monotonic() - started < 20
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
