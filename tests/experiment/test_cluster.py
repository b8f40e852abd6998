"""What workers of all clusters share, tried with some that are in this process."""

import os
import socket

import pytest

from chainrule.errors import ConfigurationError, StorageError
from chainrule.experiment.running import WORKERS, Dask, Processes, Ray, Threads, cluster
from chainrule.experiment.running.cluster import Absence, Cluster, Presence, WorkerLostError, answers, do
from chainrule.version import __version__
from tests.experiment.clusters import Heard, experiment, outcome


class Nearby(Cluster):
    """A cluster that is this process: jobs are done when one asks which are over.

    `deaths` says how many workers die of each job, and `rooms` for how many there is room.
    """

    deaths = 0
    rooms = 2
    asked = ()

    def connect(self):
        self.died = {}
        self.asked = []
        type(self).asked = self.asked

    def room(self):
        return self.rooms

    def give(self, job):
        self.asked.append(job.trial.name)
        return (job, len(self.asked))

    def over(self, given, seconds):
        return given[:1]

    def outcome(self, given):
        job, _ = given
        died = self.died.get(job.trial.name, 0)
        if job.does == "train" and died < self.deaths:
            self.died[job.trial.name] = died + 1
            raise WorkerLostError("it fell silent")
        return do(self.runner, job, self.presence.path, __version__)

    def disconnect(self):
        pass


@pytest.fixture
def nearby(monkeypatch):
    """Workers called "nearby", of a class of their own, so that each test may set what they do."""
    kind = type("Here", (Nearby,), {"name": "nearby", "library": "json", "addresses": "none", "start": "nothing"})
    monkeypatch.setitem(WORKERS, "nearby", kind)
    return kind


@pytest.fixture
def straight(two_classes, tmp_path):
    """What the same study comes to with threads."""
    return outcome(experiment(two_classes).run(tmp_path / "straight", jobs=1))


def test_the_same_runs_as_with_threads(two_classes, tmp_path, nearby, straight):
    study = experiment(two_classes).run(tmp_path / "study", workers="nearby")
    assert outcome(study) == straight
    assert {line["run"] for line in study.tested().values()} == set(straight)
    assert not list((tmp_path / "study").glob(".asks*"))


@pytest.mark.parametrize(("rooms", "jobs", "counts"), [(7, None, {7}), (7, 3, {3})])
def test_who_looks_on_knows_how_many_workers_the_cluster_has(two_classes, tmp_path, nearby, rooms, jobs, counts):
    """And not how many cores this machine has: the time that is left is counted by it."""
    nearby.rooms, heard = rooms, Heard()
    experiment(two_classes, seeds=(0,)).run(tmp_path / "study", workers="nearby", jobs=jobs, onlooker=heard)
    assert heard.counts == counts


def test_jobs_of_dead_workers_are_done_by_others(two_classes, tmp_path, nearby, straight):
    nearby.deaths = 2
    assert outcome(experiment(two_classes).run(tmp_path / "study", workers="nearby")) == straight
    trained = nearby.asked[:12]  # the rest are tests
    assert sorted(trained) == sorted(3 * list(straight))


def test_a_run_that_takes_three_workers_with_it_has_failed(two_classes, tmp_path, nearby):
    nearby.deaths = 3
    lines = experiment(two_classes).run(tmp_path / "study", workers="nearby").ended().values()
    assert {line["state"] for line in lines} == {"failed"}
    assert {line["reason"] for line in lines} == {"3 workers died of it; of the last: it fell silent"}


def test_a_run_folder_that_is_not_seen(two_classes, tmp_path, nearby, monkeypatch):
    monkeypatch.setattr(cluster, "SEEN", 0.0)
    monkeypatch.setattr(cluster, "INTERVAL", 0.0)

    def elsewhere(self, given):
        line = Nearby.outcome(self, given)
        (self.runner.place / "runs" / line["run"]).rename(tmp_path / line["run"])
        return line

    monkeypatch.setattr(nearby, "outcome", elsewhere)
    with pytest.raises(StorageError, match="is not seen here; put the study on a file system that all machines share"):
        experiment(two_classes).run(tmp_path / "study", workers="nearby")


def test_a_cluster_without_workers(two_classes, tmp_path, nearby, monkeypatch):
    monkeypatch.setattr(cluster, "WITHOUT_WORKERS", -1.0)
    nearby.rooms = 0
    with pytest.raises(StorageError, match="nearby: the cluster has had no worker for -1 seconds; start some"):
        experiment(two_classes).run(tmp_path / "study", workers="nearby")


def test_how_runs_go_on_is_read_from_their_records(two_classes, tmp_path, nearby, monkeypatch):
    def copied(self, given):
        line = Nearby.outcome(self, given)
        if line["kind"] == "run":  # as if it were in the middle
            runs = self.runner.place / "runs"
            (runs / line["run"]).rename(runs / f"{line['run']}.partial")
            self._look([given[0]])
            (runs / f"{line['run']}.partial").rename(runs / line["run"])
        return line

    monkeypatch.setattr(nearby, "outcome", copied)
    heard = Heard()
    lines = experiment(two_classes).run(tmp_path / "study", workers="nearby", onlooker=heard).ended()
    assert [told["run"] for told in heard.lines] == list(lines)
    assert {told["epoch"] for told in heard.lines} == {3}
    assert {told["epochs"] for told in heard.lines} == {3}
    assert all(told["valid"]["accuracy"] == lines[told["run"]]["valid"]["accuracy"] for told in heard.lines)


def test_a_worker_elsewhere_refuses_what_it_does_not_see(two_classes, tmp_path):
    class Runner:
        place = tmp_path

    with pytest.raises(StorageError, match="does not see the study; put it on a file system that all machines share"):
        do(Runner(), None, tmp_path / "asks", __version__)
    with pytest.raises(ConfigurationError, match=r"has chainrule .*, and the experiment 9.9; install the same there"):
        do(Runner(), None, tmp_path / "asks", "9.9")


def test_workers_know_when_nobody_asks_any_more(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "GLANCE", 0.0)
    (tmp_path / ".asks.killed.1").touch()
    presence = Presence(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f".asks.{socket.gethostname()}.{os.getpid()}"]
    absence, never = Absence(presence.path), Absence(tmp_path / "no such file")
    assert (absence(), never()) == (False, False)
    presence.end()
    assert (absence(), never()) == (True, False)
    assert not list(tmp_path.iterdir())


def test_only_clusters_have_an_address():
    for kind in (Threads, Processes):
        with pytest.raises(ConfigurationError, match="on this machine; leave the address out, or take --workers dask"):
            kind.require("tcp://10.0.0.1:8786")


@pytest.mark.parametrize("kind", [Dask, Ray])
def test_a_library_that_is_missing(kind, monkeypatch):
    monkeypatch.setattr(kind, "library", "no_such_library")
    with pytest.raises(ConfigurationError, match=rf"needs a library: pip install 'chainrule\[{kind.name}\]'"):
        kind.require(None)


@pytest.mark.parametrize("kind", [Dask, Ray])
@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:9", "127.0.0.1:x", "", ":"])
def test_a_cluster_that_is_not_there(kind, address, monkeypatch):
    monkeypatch.setattr(kind, "library", "json")
    with pytest.raises(ConfigurationError, match=f"nobody answers there; start one \\({kind.start}\\), or leave the"):
        kind.require(address)


def test_who_answers():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert answers(f"127.0.0.1:{port}")
        assert answers(f"tcp://127.0.0.1:{port}")
    assert not answers(f"127.0.0.1:{port}")


def test_the_command_line_says_what_is_wrong(refused, csv_file, tmp_path, monkeypatch):
    monkeypatch.setattr(Dask, "library", "json")
    words = ("compare", csv_file, "--learners", "bow", "--out", tmp_path / "study", "--address", "tcp://127.0.0.1:9")
    assert "got 'tcp://127.0.0.1:9': nobody answers there" in refused(*words, "--workers", "dask")
    assert "leave the address out" in refused(*words)
    assert not (tmp_path / "study").exists()
