"""Workers: which job comes next, what they share, and how many threads each run has."""

import threading

import pytest

import chainrule
from chainrule.experiment import Comparison, Experiment, Trial
from chainrule.experiment.runner import Job
from chainrule.experiment.running import workers as running
from chainrule.experiment.running.processes import Processes
from chainrule.experiment.running.threads import Threads
from chainrule.experiment.turns import longest_first
from chainrule.tasks.codec import Codec
from chainrule.train.trainer import Observer, Trainer

LEARNERS = [chainrule.BagOfWords(), chainrule.FeedForward(dim=4, hidden=(4,))]
TRAINING = chainrule.Training(epochs=2)


def jobs_of(learners, seeds):
    trials = [Trial(chainrule.Classify(), x, TRAINING, seed) for seed in range(seeds) for x in learners]
    return [Job(trial, number) for number, trial in enumerate(trials)]


def test_each_configuration_comes_first_and_then_the_longest():
    jobs = jobs_of(LEARNERS, 3)
    short, long = (job.trial.configuration for job in jobs[:2])
    seconds = {}
    turns = longest_first(jobs, seconds)
    assert [next(turns).number for _ in range(2)] == [0, 1]
    seconds[short] = 1.0
    assert next(turns).number == 3  # the other one has not ended yet, so it takes longer
    seconds[long] = 0.5
    assert next(turns).number == 2
    seconds[long] = 2.0
    assert [job.number for job in turns] == [5, 4]


def test_jobs_keep_their_order_where_each_is_a_configuration_of_its_own():
    jobs = jobs_of([chainrule.FeedForward(dim=dim) for dim in range(1, 6)], 1)
    assert [job.number for job in longest_first(jobs, {})] == [0, 1, 2, 3, 4]
    assert list(longest_first([], {})) == []


class Seeing(Observer):
    """Notes how many threads work on a run."""

    def __init__(self):
        self.seen = []

    def batch_ended(self, trainer, batch, sums):
        self.seen.append(trainer.native_step.threads)


@pytest.mark.parametrize(("jobs", "first"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_cores_are_shared_by_runs(two_classes, tmp_path, monkeypatch, jobs, first):
    monkeypatch.setattr(running, "cores", lambda: 4)
    threads = []
    whole = Trainer.run
    monkeypatch.setattr(Trainer, "run", lambda self: (threads.append(self._threads), whole(self))[1])
    compared = Comparison([(chainrule.Classify(), LEARNERS[0], TRAINING)], tuple(range(jobs)))
    Experiment(two_classes, compared, chainrule.Classify()).run(tmp_path / "study", jobs=jobs)
    assert threads[0] == first


class Waiting:
    """Stands for a runner: the first job ends when it has seen that the others are done."""

    def __init__(self):
        self.threads, self.others_done, self.seen = 0, threading.Event(), {}

    def __call__(self, job, told, ended):
        before = self.threads
        if job == 0:
            self.others_done.wait(10)
            while self.threads == before and not ended():
                pass
        self.seen[job] = self.threads
        return {"job": job}


def test_the_last_run_gets_the_cores_of_those_that_have_ended(monkeypatch):
    monkeypatch.setattr(running, "cores", lambda: 2)
    runner = Waiting()
    with Threads(runner, 2, lambda line: None) as team:
        assert runner.threads == 1
        for job, _ in team.results(iter([0, 1, 2])):
            if job == 2:
                runner.others_done.set()
    assert runner.seen == {0: 2, 1: 1, 2: 1}


class Reporting(Waiting):
    """As before, in processes of which each has a runner of its own."""

    def __call__(self, job, told, ended):
        threads = [self.threads]
        while job == 0 and self.threads == threads[0]:
            assert not ended()
        return {"before": threads[0], "after": self.threads}


def test_processes_are_told_of_cores_too(monkeypatch):
    monkeypatch.setattr(running, "cores", lambda: 2)
    with Processes(Reporting(), 2, lambda line: None) as team:
        lines = dict(team.results(iter([0, 1, 2])))
    assert lines[0] == {"before": 1, "after": 2}


def test_steps_with_other_threads_go_on_to_the_same_bits(two_classes):
    train, valid = two_classes.split(0.8, 0.2, seed=0)

    class Changing(Observer):
        def batch_ended(self, trainer, batch, sums):
            trainer.use_threads(1 + trainer.taken % 2)

    def weights(observers):
        seeing = Seeing()
        run = chainrule.fit(
            LEARNERS[1], train, valid, training=chainrule.Training(epochs=3, batch_size=16, accumulate=2), threads=1,
            observers=[*observers, seeing],
        )  # fmt: skip
        return [x.numpy().tobytes() for x in run.model.network.parameters()], set(seeing.seen)

    alone, one = weights([])
    changing, both = weights([Changing()])
    assert changing == alone
    assert (one, both) == ({1}, {1, 2})


def test_test_rows_are_read_once_for_all_runs(two_classes, tmp_path, monkeypatch):
    counts = []
    encode = Codec.encode
    monkeypatch.setattr(
        Codec, "encode", lambda self, table, **options: (counts.append(len(table)), encode(self, table, **options))[1]
    )
    task = chainrule.Classify()
    compared = Comparison([(task, x, TRAINING) for x in LEARNERS], (0, 1, 2))
    monkeypatch.setattr("chainrule.experiment.experiment.conclude", lambda *given, **options: None)
    study = Experiment(two_classes, compared, task).run(tmp_path / "study", jobs=2)
    assert len(study.tested()) == 6
    assert len(counts) == 2  # rows to stop by and test rows, which both learners read alike
