"""Folders of made-up studies, which are as `chainrule compare` and `chainrule sweep` write them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np

#: How good learners are, by name; others are worse.
SKILL = {"bow": 0.78, "ffnn": 0.765, "cnn": 0.76, "lstm": 0.74, "transformer": 0.72}
SIZES = {"bow": 40_000, "ffnn": 1_200_000, "cnn": 1_350_000, "lstm": 1_700_402, "transformer": 2_100_000}
LABELS = ("negative", "positive")
SPACE = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "logarithmic"},
    "learner.dim": {"choices": [50, 100, 200]},
    "learner.activation": {"choices": ["relu", "tanh", "gelu"]},
}
GRAPH = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40" style="width:120px"><rect width="100" height="20" '
    'x="5" y="5" fill="none" stroke="gray"/><text x="12" y="20">embeddings</text></svg>'
)
TRAINING = {
    "optimizer": {"name": "adam", "lazy": False, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08}, "learning_rate": 0.01,
    "schedule": {"name": "constant"}, "clip": None, "clip_value": None, "l1": 0.0, "l2": 0.0, "proximal": False,
    "max_norm": None, "average": None, "average_from": 1, "penalize": [], "groups": [], "batch_size": 64,
    "accumulate": 1, "epochs": 20, "patience": 3, "every": None, "diagnostics": True,
}  # fmt: skip
INPUTS = {
    "name": "text", "lowercase": True, "ngrams": 2, "minimum_count": 1, "minimum_ngram_count": 2,
    "maximum_size": 200_000, "hashed_ngrams": None, "characters": "auto", "minimum_character_count": 2,
    "term_frequency": "log",
}  # fmt: skip
TEXTS = (
    "The plot is a mess, and yet this is a film that I would see again.",
    "It is not the worst film of the year, but it was close to that.",
    "A warm and funny story of the kind that we have too few of.",
)


class Folder:
    """A made-up study, written to a folder.

    Args:
        path: new.
        learners: names, or settings with a name.
        seeds: how many.
        folds: parts of the table.
        trials: of a search, of one seed each; 0 for none. The best of each learner are finalists.
        labels: of the texts; () for a regression.
        rows: of test.
        texts: of the examples.
        epochs: of a run.
        failing: learners whose last seed fails.
        records: whether runs have records; a study of thousands is written faster without.
        judged: whether the finalists were judged on test rows.
        seed: of what is drawn.
    """

    def __init__(
        self, path, learners=("bow", "ffnn", "cnn"), *, seeds=3, folds=None, trials=0, labels=LABELS, rows=120,
        texts=TEXTS, epochs=6, failing=(), records=True, judged=True, seed=0,
    ):  # fmt: skip
        self.path, self.labels, self.rows, self.texts, self.epochs = Path(path), tuple(labels), rows, texts, epochs
        self.learners = [x if isinstance(x, dict) else {"name": x, "dim": 100, "activation": "relu"} for x in learners]
        self.folds, self.trials, self.failing = folds, trials, set(failing)
        self.seeds = list(range(1, seeds + 1)) if trials else list(range(seeds))  # a search itself has seed 0
        self.records, self.judged, self.draws = records, judged, np.random.default_rng(seed)
        self.measure = "accuracy" if self.labels else "rmse"
        self.task = {"name": "classify" if self.labels else "regress", "inputs": INPUTS}
        self.truth = self.draws.integers(0, max(len(self.labels), 1), rows)
        self.ease = self.draws.normal(size=rows)
        self.lines = []
        self.number = 0

    def write(self):
        """Write it all; the path."""
        (self.path / "runs").mkdir(parents=True)
        self._dump("study.json", self.description())
        self._search() if self.trials else self._compare()
        (self.path / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.lines), "utf-8")
        return self.path

    def description(self):
        parts = self.folds or 1
        search = {
            "method": "random", "space": SPACE, "trials": self.trials, "seed": 0, "stopping": "median",
            "finalists": 1,
        }  # fmt: skip
        return {
            "kind": "study", "format": 1, "time": "2026-11-27T03:00:23+00:00",
            "versions": {"chainrule": "0.2.0", "python": "3.11.7", "numpy": "2.4.6", "polars": "2.1.0"},
            "machine": {"system": "Linux", "processor": "AMD EPYC", "cores": 2, "memory": 8_000_000_000},
            "command": ["chainrule", "compare", "reviews.csv", "--learners", "bow,ffnn", "--out", "study"],
            "data": {
                "name": "reviews.csv", "files": ["reviews.csv"], "columns": {"text": "text", "label": "label"},
                "rows": 10 * self.rows, "fingerprint": hashlib.sha256(b"reviews").hexdigest(),
                "labels": dict.fromkeys(self.labels, 5 * self.rows), "duplicates": 3,
            },
            "parts": {
                "seed": 0, "valid": 0.1, "test": 0.1, "folds": self.folds, "repeats": 1,
                "rows": [
                    {"train": 8 * self.rows, "valid": self.rows, "test": self.rows, "near_duplicates": 2}
                ] * parts,
            },
            "task": self.task,
            "language": None,
            "measure": {"name": self.measure, "higher": bool(self.labels), "title": self.measure},
            "seeds": self.seeds, "search": search if self.trials else None,
            "learners": [x["name"] for x in self.learners],
        }  # fmt: skip

    def _compare(self):
        finalists = [self._configuration(learner, self._training(0.01)) for learner in self.learners]
        found = [self._finals(each) for each in finalists]
        self._winner([run for runs in found for run in runs])

    def _search(self):
        tried = {}
        for number in range(self.trials):
            learner = dict(self.learners[number % len(self.learners)])
            learner |= {name: str(self.draws.choice(SPACE[f"learner.{name}"]["choices"])) for name in ("activation",)}
            learner["dim"] = int(self.draws.choice(SPACE["learner.dim"]["choices"]))
            rate = 10 ** self.draws.uniform(-4, -1)
            configuration = self._configuration(learner, self._training(float(f"{rate:.3g}")))
            if any(configuration["configuration"] == line["configuration"] for line in self.lines):
                continue  # it was drawn before
            run = self._run(configuration, 0, 0, "search", "stopped" if self.draws.random() < 0.1 else "finished")
            if run["state"] == "finished":
                tried.setdefault(learner["name"], []).append((run["valid"][self.measure], configuration))
        best = [sorted(x, key=lambda pair: pair[0], reverse=bool(self.labels))[0][1] for x in tried.values()]
        self._winner([run for each in best for run in self._finals(each)])

    def _training(self, rate):
        return {**TRAINING, "learning_rate": rate}

    def _configuration(self, learner, training):
        digits = hashlib.sha256(json.dumps([learner, training, self.task]).encode()).hexdigest()[:8]
        return {"configuration": digits, "learner": learner, "training": training, "task": self.task}

    def _finals(self, configuration):
        runs = []
        for part in range(self.folds or 1):
            for seed in self.seeds:
                fails = configuration["learner"]["name"] in self.failing and seed == self.seeds[-1]
                runs.append(self._run(configuration, seed, part, "final", "failed" if fails else "finished"))
        return runs

    def _run(self, configuration, seed, part, stage, state):
        name, self.number = configuration["learner"]["name"], self.number + 1
        there = f"{_plain(name)}-{configuration['configuration']}-seed{seed}" + (f"-part{part}" if part else "")
        skill = SKILL.get(name, 0.7) - 0.01 * abs(math.log10(configuration["training"]["learning_rate"]) + 2)
        skill += 0.005 * (configuration["learner"].get("activation") == "gelu")
        reached = min(max(skill + self.draws.normal() * 0.006, 0.01), 0.99)
        run = {
            "kind": "run",
            "run": there,
            "number": self.number, **configuration, "stage": stage, "seed": seed, "part": part, "state": state,
            "reason": "no better validation loss for 3 epochs", "valid": self._measures(reached),
            "epochs": self.epochs, "best_epoch": self.epochs - 2, "seconds": round(3 * self.draws.uniform(0.9, 1.1), 2),
            "parameters": SIZES.get(name, 1000), "memory": 120_000_000, "findings": [], "time": "2026-11-27T03:00:23",
        }  # fmt: skip
        if self.draws.random() < 0.3:
            run["findings"] = ["overfitting: validation loss has risen by 20 % since epoch 4; stop earlier"]
        if state == "failed":
            run |= {"reason": "the loss is NaN at step 12 of epoch 1", "valid": None, "best_epoch": None, "epochs": 1}
        self.lines.append(run)
        if self.records and state != "failed":
            self._record(run, reached)
        if stage == "final" and state == "finished":
            self._judge(run, reached - 0.01)
        return run

    def _measures(self, reached):
        if self.labels:
            return {"loss": 1.3 * (1 - reached), "accuracy": reached, "macro_f1": reached - 0.01}
        return {"loss": 1 - reached, "rmse": 1 - reached, "r2": reached}

    def _record(self, run, reached):
        lines = [{"kind": "run", "seed": run["seed"], "parameters": run["parameters"]}]
        for epoch in range(1, run["epochs"] + 1):
            now = reached - 0.3 * math.exp(-epoch) - (0.01 if epoch == run["epochs"] else 0)
            valid = {f"valid_{name}": x for name, x in self._measures(now).items()}
            train = {f"train_{name}": x for name, x in self._measures(min(now + 0.02 * epoch, 0.99)).items()}
            lines.append({"kind": "epoch", "epoch": epoch, "step": 10 * epoch, **train, **valid, "seconds": epoch / 2})
        lines.append({"kind": "end", "reason": run["reason"], "best_epoch": run["best_epoch"], "findings": []})
        folder = self.path / "runs" / run["run"]
        folder.mkdir()
        (folder / "record.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    def _judge(self, run, reached):
        if not self.judged:
            return
        test = self._measures(reached)
        self.lines.append({"kind": "test", "run": run["run"], "test": test})
        sure = 1 / (1 + np.exp(-2 * self.ease + self.draws.normal(size=self.rows) * 0.5))
        confidence = 0.5 + 0.5 * sure
        right = self.draws.random(self.rows) < np.clip(reached * (0.8 + 0.4 * sure), 0, 1)
        evaluation = {"examples": self.rows, **test}
        scores = [float(x) for x in right]
        if self.labels:
            wrong = (self.truth + 1 + self.draws.integers(0, max(len(self.labels) - 1, 1), self.rows)) % len(
                self.labels
            )
            counts = np.zeros((len(self.labels),) * 2, int)
            np.add.at(counts, (self.truth, np.where(right, self.truth, wrong)), 1)
            evaluation["calibration_error"] = 0.05
            evaluation["classes"] = {
                label: {
                    "precision": float(counts[i, i] / max(counts[:, i].sum(), 1)),
                    "recall": float(counts[i, i] / max(counts[i].sum(), 1)),
                    "f1": float(2 * counts[i, i] / max(counts[:, i].sum() + counts[i].sum(), 1)),
                    "support": int(counts[i].sum()),
                }
                for i, label in enumerate(self.labels)
            }  # fmt: skip
            evaluation["confusion"] = {"labels": list(self.labels), "counts": counts.tolist()}
        else:
            scores = [round(-abs(x), 6) for x in self.draws.normal(size=self.rows).tolist()]
        folder = self.path / "runs" / run["run"]
        folder.mkdir(exist_ok=True)
        self._dump(folder / "test.json", {
            "rows": self.rows, "evaluation": evaluation, "scores": scores,
            "score": "right" if self.labels else "minus the absolute error",
            "confidence": [round(x, 6) for x in confidence.tolist()] if self.labels else None,
        })  # fmt: skip

    def _winner(self, runs):
        finished = [run for run in runs if run["state"] == "finished"]
        if not finished:
            return
        best = (max if self.labels else min)(finished, key=lambda run: run["valid"][self.measure])
        examples = []
        for row, text in enumerate(self.texts):
            words = text.split()
            pushes = self.draws.normal(size=len(words)).tolist()
            examples.append({
                "row": row, "text": text, "truth": self.labels[0] if self.labels else 1.5,
                "answer": self.labels[-1] if self.labels else 2.5,
                "confidence": 0.97 - 0.1 * row if self.labels else None,
                "kind": "confidently wrong" if row % 2 == 0 else "hardest",
                "words": [[word, push] for word, push in zip(words, pushes, strict=True)],
            })  # fmt: skip
        self._dump("winner.json", {
            "configuration": best["configuration"], "run": best["run"], "learner": best["learner"]["name"],
            "examples": examples, "summary": "layer       parameters\nembeddings  40,000\noutput          202",
            "graph": GRAPH,
        })  # fmt: skip

    def _dump(self, name, content):
        (self.path / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _plain(name):
    """A name as folders have it."""
    return "".join(x if x.isalnum() else "_" for x in name)[:40]
