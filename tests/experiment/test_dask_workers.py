"""Studies on a real Dask cluster: two worker processes on this machine, some of which are killed."""

import socket
import threading

import distributed
import pytest

from chainrule.errors import ConfigurationError, StorageError
from chainrule.experiment.running import dask_workers
from tests.experiment.clusters import Heard, Kills, experiment, outcome


@pytest.fixture(scope="module")
def straight(two_classes, tmp_path_factory):
    """What the study comes to with threads."""
    return outcome(experiment(two_classes).run(tmp_path_factory.mktemp("straight") / "study", jobs=1))


def test_a_cluster_that_is_there(two_classes, tmp_path, straight):
    """A worker dies in the middle of a run; later, all of it goes away in the middle of a study."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        where = {"workers": "dask", "address": cluster.scheduler_address}
        heard = Heard()
        study = experiment(two_classes, Kills("ffnn", tmp_path, 1)).run(tmp_path / "study", onlooker=heard, **where)
        assert (tmp_path / "killed-0").exists()
        assert outcome(study) == straight
        assert set(study.tested()) == set(straight)
        assert {line["run"] for line in heard.lines} <= set(straight)

        ends = threading.Thread(target=cluster.close)
        act = Heard(lambda line: ends.ident or ends.start())
        with pytest.raises(StorageError, match="does not answer any more; give the same command again to go on"):
            experiment(two_classes, seeds=range(20)).run(tmp_path / "other", onlooker=act, **where)
        ends.join()
    done = outcome(experiment(two_classes).run(tmp_path / "other"))
    assert {name: held for name, held in done.items() if name in straight} == straight


def test_a_cluster_of_its_own_and_a_run_that_kills_every_worker(two_classes, tmp_path, straight):
    kills = Kills("bow", tmp_path, 1000)
    study = experiment(two_classes, kills, seeds=(0,)).run(tmp_path / "study", workers="dask", jobs=2)
    lines = study.ended()
    bow, ffnn = sorted(lines)
    assert (lines[ffnn]["state"], lines[ffnn]["weights"]) == straight[ffnn]
    assert lines[bow]["state"] == "failed"
    assert lines[bow]["reason"].startswith("3 workers died of it; of the last: tcp://127.0.0.1:")
    assert len(list(tmp_path.glob("killed-*"))) == 3


def test_what_listens_there_is_no_scheduler(two_classes, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_workers, "HANDSHAKE", 1.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match="expected that of the scheduler of a Dask cluster, such as tcp"):
            experiment(two_classes).run(tmp_path / "study", workers="dask", address=address)
