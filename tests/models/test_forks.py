"""Models in forked processes: Polars' threads do not survive a fork, and nothing may wait for them."""

import json
import subprocess
import sys
import textwrap

#: Seconds after which a process hangs for sure; it takes a few.
PATIENCE = 240

SETUP = """
import json, multiprocessing, os, sys, warnings
warnings.simplefilter("ignore")  # Python and Polars warn of forks
import numpy as np
import polars as pl
import chainrule
from chainrule import BagOfWords, Classify, LinearModel, Model, MultiLabel, Regress, Table, Text, Training

texts = [f"good fun {i % 7}" if i % 2 else f"bad dull {i % 5}" for i in range(120)]
labels = ["p" if i % 2 else "n" for i in range(120)]
table = Table.from_lists(texts, labels)
few = Training(epochs=2)
model = chainrule.fit(BagOfWords(), table, table, training=few).model
model.predict(["good"] * 5000)
pl.DataFrame({"a": texts}).lazy().group_by("a").len().sort("a").collect()  # the threads are there
probabilities = model.predict_probabilities(texts)
fork = multiprocessing.get_context("fork")

def weights(*arguments, **further):
    run = chainrule.fit(*arguments, training=few, **further)
    return [x.numpy().tolist() for x in run.model.network.parameters()]
"""


def in_a_process(code):
    """What the last line of a program, which is JSON, says."""
    program = SETUP + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_predictions_in_a_pool():
    """Few and many texts, in every form, after a fork that came after a prediction."""
    found = in_a_process("""
    forms = [["good fun", "bad"], texts * 50, tuple(texts), pl.Series(texts), np.array(texts), table]
    with fork.Pool(2) as pool:
        found = pool.map(model.predict, forms)
        same = pool.map(model.predict_probabilities, [texts] * 2)
    print(json.dumps([
        found == [model.predict(form) for form in forms], all(np.allclose(x, probabilities, atol=1e-6) for x in same)
    ]))
    """)
    assert found == [True, True]


def test_a_server_that_loads_before_it_forks(tmp_path):
    """As gunicorn's preload: load, predict, fork; each child predicts and evaluates, and so does the parent."""
    found = in_a_process(f"""
    model.save({str(tmp_path / "model")!r})
    loaded = Model.load({str(tmp_path / "model")!r})
    loaded.predict(["good"])
    children = []
    for _ in range(2):
        reading, writing = os.pipe()
        if not os.fork():
            again = Model.load({str(tmp_path / "model")!r})
            right = loaded.evaluate(table).measures["accuracy"]
            answer = [loaded.predict(texts), again.predict(texts * 40)[:120], right]
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            children.append(json.load(stream))
    print(json.dumps([children, [loaded.predict(texts), model.predict(texts), 1.0]]))
    """)
    children, parent = found
    assert children == [parent, parent]


def test_trainings_in_a_pool():
    """Every task and kind of inputs, with and without a split, to the same bits as in the parent; in a folder too."""
    found = in_a_process("""
    several = Table.from_lists(texts, [[label, "x"] if i % 3 else [label] for i, label in enumerate(labels)])
    numbers = Table.from_lists(texts, [float(label == "p") for label in labels], target="number")
    frame = pl.DataFrame({"n": np.arange(120) % 7.0, "c": labels, "label": labels})
    columns = Table.from_frame(frame, numbers=["n"], categories=["c"])
    global jobs
    jobs = [
        lambda: weights(BagOfWords(), table),
        lambda: weights(BagOfWords(), table, table, task=Classify(inputs=Text(characters="2-3", ngrams=3))),
        lambda: weights(BagOfWords(), several, task=MultiLabel()),
        lambda: weights(BagOfWords(), numbers, task=Regress()),
        lambda: weights(LinearModel(), columns),
    ]
    global job
    def job(number):
        return jobs[number]()
    with fork.Pool(2) as pool:
        found = pool.map(job, range(len(jobs)))
    print(json.dumps([x == job() for job, x in zip(jobs, found)]))
    """)
    assert found == [True] * 5


def test_tables_in_a_pool(tmp_path):
    """Read, made of lists and frames, split and saved as a model, all in the child; errors of it come through."""
    (tmp_path / "rows.csv").write_text("text,label\n" + "good,p\nbad,n\n" * 20, encoding="utf-8")
    found = in_a_process(f"""
    from chainrule.errors import DataError
    def work(number):
        read = chainrule.read_table({str(tmp_path / "rows.csv")!r})
        made = Table.from_lists(["good", "bad"] * 20, ["p", "n"] * 20)
        framed = Table.from_frame(pl.DataFrame({{"text": made.texts, "label": made.labels}}))
        same = read.fingerprint() == made.fingerprint() == framed.fingerprint()
        folder = {str(tmp_path)!r} + f"/model{{number}}"
        run = chainrule.fit(BagOfWords(), read, training=few, folder=folder)
        try:
            chainrule.read_table("missing.csv")
        except DataError as error:
            return [same, Model.load(folder).predict(["good"]), str(error)]
    with fork.Pool(2) as pool:
        print(json.dumps(pool.map(work, range(2))))
    """)
    for same, answers, message in found:
        assert same
        assert answers == ["p"]
        assert "missing.csv" in message


def test_joblib():
    found = in_a_process("""
    import joblib
    from sklearn.model_selection import cross_val_score
    from chainrule.sklearn import ChainruleClassifier
    seen = []
    for backend in ("multiprocessing", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            found = joblib.Parallel()(joblib.delayed(model.predict)(some) for some in (texts, texts[:3]))
            classifier = ChainruleClassifier(learner=BagOfWords(), training=Training(epochs=5))
            scores = cross_val_score(classifier, texts, labels, cv=2)
        seen += [found == [model.predict(texts), model.predict(texts[:3])], scores.min()]
    print(json.dumps(seen))
    """)
    assert found == [True, 1.0] * 2


def test_without_a_process_that_helps_it_says_what_to_do():
    found = in_a_process("""
    from chainrule.errors import ConfigurationError
    reading, writing = os.pipe()
    if not os.fork():
        sys.executable = "/nowhere/python"
        try:
            table.split(1, 1, seed=0)
        except ConfigurationError as error:
            os.write(writing, json.dumps([str(error), model.predict(["good"])]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        print(stream.read())
    """)
    message, answers = found
    assert message.startswith(
        "this process was forked from one that had loaded Polars, whose threads it lacks, and no "
    )
    assert "start processes with multiprocessing.get_context('spawn')" in message
    assert answers == ["p"]


def test_few_texts_need_no_polars(tmp_path):
    """Neither to load a model nor to predict; so a fork after that has nothing to lose."""
    in_a_process(f"model.save({str(tmp_path / 'model')!r}); print(1)")
    program = f"""
    import sys
    from chainrule.models import Model
    model = Model.load({str(tmp_path / "model")!r})
    answers = model.predict(["good fun", "bad", "dull ’ naïve ไทย 👍"]), model.predict_probabilities(["good"]).shape
    print(answers, "polars" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "(['p', 'n', 'n'], (1, 2)) False\n"


def test_word_vectors_in_a_pool(tmp_path):
    """Learned, written as text and read again, after a fork."""
    found = in_a_process(f"""
    from chainrule.vectors import WordTraining, learn_vectors, read_vectors

    def job(number):
        path = f"{tmp_path!s}/{{number}}.txt"
        learned = learn_vectors(texts, WordTraining(dim=4, epochs=1), seed=1)
        learned.save(path)
        return [learned.matrix.tolist(), read_vectors(path).matrix.tolist()]

    with fork.Pool(2) as pool:
        found = pool.map(job, [1, 2])
    print(json.dumps([x == y for pair in found for x, y in (pair, (pair[0], job(3)[0]))]))
    """)
    assert found == [True] * 4
