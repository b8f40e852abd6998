"""Studies on a real Ray cluster on this machine, where the library is installed."""

import pytest

from tests.experiment.clusters import Kills, experiment, outcome

pytest.importorskip("ray", reason="the library ray is not installed (pip install 'chainrule[ray]')")


# What the library leaves open of its own when it ends is no fault of ours.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_of_its_own_where_a_worker_dies(two_classes, tmp_path):
    straight = outcome(experiment(two_classes).run(tmp_path / "straight", jobs=1))
    study = experiment(two_classes, Kills("ffnn", tmp_path, 1)).run(tmp_path / "study", workers="ray", jobs=2)
    assert outcome(study) == straight
    assert (tmp_path / "killed-0").exists()
    assert set(study.tested()) == set(straight)
