"""The command line as a process: streams, pipes, signals, full disks."""

import os
import re
import resource
import select
import shlex
import signal
import subprocess
import sys
import time

import pytest

import chainrule
from chainrule.report import read_record
from tests.samples import command_line, make_rows, timeless, weights, write_rows

PATIENCE = 60  # seconds after which something that should have happened has not


def read_line(stream):
    """A line, or a failure where a process would wait for ever."""
    assert select.select([stream], [], [], PATIENCE)[0], "no answer"
    return stream.readline().decode()


def wait_until(true, process):
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.01)


def finish(process, data=None):
    out, error = process.communicate(data, timeout=PATIENCE)
    return process.returncode, out.decode(), error.decode()


def test_version(start):
    assert finish(start("--version")) == (0, f"chainrule {chainrule.__version__}\n", "")


def test_an_error_is_one_line_and_exit_code_2(start, tmp_path):
    code, out, error = finish(start("predict", tmp_path / "missing", "good"))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"chainrule: error: .*missing: there is no such folder; .*\n", error)


def test_a_line_is_answered_before_the_next_is_written(start, saved):
    process = start("predict", saved["ffnn"], bufsize=0)
    for text in ("a good lovely film", "", "awful"):
        process.stdin.write(f"{text}\n".encode())
        assert read_line(process.stdout).endswith(f"\t{text}\n")
    assert finish(process) == (0, "", "")


def test_a_reader_that_has_seen_enough(start, saved, tmp_path):
    """As in `chainrule predict model --file lines.txt | head -1`."""
    lines = tmp_path / "lines.txt"
    lines.write_text("good fun\n" * 50_000)
    process = start("predict", saved["bow"], "--file", lines)
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, check=True)
    process.stdout.close()
    assert head.stdout.startswith(b"positive\t")
    process.stdout = None
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == b""


def test_a_reader_of_progress_that_has_seen_enough(start, csv_file, tmp_path):
    """As in `chainrule train ... 2>&1 | head -1`: the model is made all the same."""
    process = start("train", csv_file, "--out", tmp_path / "model", *command_line("bow"))
    process.stderr.close()
    process.stderr = None
    assert process.wait(PATIENCE) == 0
    assert len(read_record(tmp_path / "model" / "record.jsonl")) == 5


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_output_that_cannot_be_written(start, saved):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        code, _, error = finish_error(start("predict", saved["bow"], "good", stdout=full))
    assert code == 2
    assert error == "chainrule: error: [Errno 28] No space left on device\n"


def finish_error(process):
    _, error = process.communicate(timeout=PATIENCE)
    return process.returncode, None, error.decode()


@pytest.mark.parametrize("json", [True, False])
def test_output_that_is_not_unicode(saved, json):
    words = [sys.executable, "-m", "chainrule", "predict", str(saved["bow"]), "good 🎉", *(["--json"] if json else [])]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(words, env=environment, capture_output=True, check=True, timeout=PATIENCE)
    assert (b'"good \\ud83c\\udf89"' if json else b"good \\U0001f389") in result.stdout
    assert result.stderr == b""


# Signals


@pytest.fixture
def slow_file(tmp_path):
    """Texts enough that an epoch of batches of one text takes a while."""
    return write_rows(tmp_path / "texts.csv", make_rows(3000))


def names(folder):
    return sorted(file.name for file in folder.iterdir())


SIGNALS = pytest.mark.parametrize(("sent", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_a_signal_after_the_first_epoch_keeps_the_best_model(start, tmp_path, sent, expected):
    table = write_rows(tmp_path / "texts.csv", make_rows(600))
    options = command_line("ffnn", epochs=100_000, patience=100_000)
    process = start("train", table, "--out", tmp_path / "model", *options)
    while not read_line(process.stderr).startswith("epoch 2:"):
        pass
    time.sleep(0.05)  # into the middle of the next
    process.send_signal(sent)
    code, out, error = finish(process)
    assert code == expected
    assert "Traceback" not in error
    assert error.endswith(f"chainrule: interrupted: the best model so far is saved in {tmp_path / 'model'}\n")
    assert f"model           {tmp_path / 'model'}\n" in out
    assert names(tmp_path) == ["model", "texts.csv"]
    assert names(tmp_path / "model") == [
        "curve.svg", "model.json", "model.safetensors", "record.jsonl", "settings.toml", "vocabulary.txt"
    ]  # fmt: skip
    record = read_record(tmp_path / "model" / "record.jsonl")
    assert record[-1]["reason"] == "interrupted"
    best = record[record[-1]["best_epoch"]]
    assert best["valid_loss"] == min(line["valid_loss"] for line in record if line["kind"] == "epoch")
    _, valid = chainrule.read_table(table).split(90, 10, seed=0)
    model = chainrule.Model.load(tmp_path / "model")
    assert chainrule.evaluate(model, valid).loss == pytest.approx(best["valid_loss"])


@SIGNALS
def test_a_signal_before_the_first_epoch_ends_leaves_nothing(start, slow_file, tmp_path, sent, expected):
    process = start("train", slow_file, "--out", tmp_path / "model", *command_line("bow", batch_size=1))
    wait_until((tmp_path / "model.partial" / "record.jsonl").exists, process)
    process.send_signal(sent)
    code, out, error = finish(process)
    assert (code, out) == (expected, "")
    memory, *rest = error.splitlines()
    assert memory.startswith("memory: at most ")
    assert rest == ["stopped after epoch 0: interrupted", "chainrule: interrupted"]
    assert names(tmp_path) == ["texts.csv"]


LOADING = """
import os, signal, sys

module, sent = sys.argv.pop(1), int(sys.argv.pop(1))

class Interrupt:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), sent)

sys.meta_path.insert(0, Interrupt())
from chainrule_cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("--help", []),
        ("--version", []),
        ("predict --help", []),
        ("train --help", ["numpy", "polars", "safetensors"]),  # tasks and models declare its options
        ("predict MODEL 'so good'", ["numpy", "safetensors"]),
        ("draw x*2 --at x=1", ["numpy"]),
        (  # no bars, as standard error is no terminal
            "train TABLE --out OUT --learner bow --epochs 1",
            ["chainrule.data.read", "llvmlite", "numpy", "polars", "safetensors", "scipy"],
        ),
    ],
)
def test_a_command_loads_what_it_needs(saved, csv_file, tmp_path, command, needed):
    """None waits for libraries that others need to read tables, compile or draw; help waits for none at all."""
    places = {"MODEL": saved["bow"], "TABLE": csv_file, "OUT": tmp_path / "model"}
    words = [str(places.get(word, word)) for word in shlex.split(command)]
    code = """
import sys
from chainrule.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
slow = {"numpy", "polars", "llvmlite", "igraph", "scipy", "sklearn", "safetensors", "tqdm", "chainrule.data.read"}
print(sorted(slow & set(sys.modules)))
"""
    process = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert process.stdout.splitlines()[-1] == str(needed)


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("chainrule", "predict"),
        ("numpy", "predict"),
        ("chainrule.cli.main", "predict"),
        ("polars", "train"),
        ("chainrule.cli.configuration", "train"),
    ],
)
@SIGNALS
def test_a_signal_while_the_command_is_loading(saved, csv_file, module, command, sent, expected):
    """`train` loads more than the others before it knows its options."""
    words = {"predict": [saved["bow"], "good"], "train": [csv_file, "--out", "model"]}[command]
    process = subprocess.run(
        [sys.executable, "-c", LOADING, module, str(int(sent)), command, *map(str, words)],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (process.returncode, process.stdout) == (expected, b"")
    assert process.stderr == b"chainrule: interrupted\n"


@SIGNALS
def test_a_signal_while_predicting(start, saved, sent, expected):
    process = start("predict", saved["bow"], bufsize=0)
    process.stdin.write(b"good\n")
    read_line(process.stdout)
    process.send_signal(sent)
    assert finish(process) == (expected, "", "chainrule: interrupted\n")


def test_a_signal_that_a_parent_has_ignored_stays_so(start, saved):
    def ignore():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    process = start("predict", saved["bow"], bufsize=0, preexec_fn=ignore)
    process.stdin.write(b"good\n")
    read_line(process.stdout)
    process.send_signal(signal.SIGTERM)
    process.stdin.write(b"bad\n")
    assert read_line(process.stdout).endswith("\tbad\n")
    assert finish(process) == (0, "", "")


def test_a_second_training_is_told_of_the_first(start, run, slow_file, tmp_path):
    """And the first goes on."""
    words = ["train", slow_file, "--out", tmp_path / "model", *command_line("bow", batch_size=1, epochs=1)]
    process = start(*words)
    wait_until((tmp_path / "model.partial" / "record.jsonl").exists, process)
    for more in ([], ["--resume"]):
        result = run(*words, *more)
        assert (result.code, result.out) == (2, "")
        assert result.error == (
            f"chainrule: error: {tmp_path / 'model.partial'}: another process is training there; wait for its end, or "
            f"choose another name\n"
        )
    assert process.poll() is None
    assert finish(process)[0] == 0


def test_a_training_that_has_ended_is_answered_and_its_curve_drawn(run, csv_file, tmp_path):
    """As after a kill between the folder's name and the drawing."""
    words = ["train", csv_file, "--out", tmp_path / "model", "--quiet", *command_line("bow")]
    first = run(*words)
    curve = tmp_path / "model" / "curve.svg"
    drawn = curve.read_bytes()
    curve.unlink()
    again = run(*words, "--resume")
    assert (again.code, again.out) == (0, first.out)
    assert again.error == f"chainrule: {tmp_path / 'model'} holds this training already, which ended: all epochs done\n"
    assert curve.read_bytes() == drawn
    curve.write_bytes(b"mine")
    assert run(*words, "--resume").code == 0
    assert curve.read_bytes() == b"mine"


def test_a_training_that_was_interrupted_is_answered(start, run, tmp_path):
    """It has ended too: its best model is what there is."""
    table = write_rows(tmp_path / "texts.csv", make_rows(60))
    words = ["train", table, "--out", tmp_path / "model", *command_line("bow", epochs=100_000, patience=100_000)]
    process = start(*words)
    while not read_line(process.stderr).startswith("epoch 2:"):
        pass
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    result = run(*words, "--resume")
    assert result.code == 0
    ended = f"chainrule: {tmp_path / 'model'} holds this training already, which ended: interrupted"
    assert result.error.splitlines()[0] == ended


def test_killed_and_resumed(start, run, tmp_path):
    """In one process and then another, and the same bits as in this one."""
    table = write_rows(tmp_path / "texts.csv", make_rows(600))
    words = ["train", table, *command_line("ffnn", epochs=8, patience=8)]
    process = start(*words, "--out", tmp_path / "model", often=True)
    while not read_line(process.stderr).startswith("epoch 2:"):
        pass
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert names(tmp_path) == ["model.partial", "texts.csv"]
    result = run(*words, "--out", tmp_path / "model")
    assert result.code == 2
    assert "go on with it by --resume" in result.error
    result = run(*words, "--out", tmp_path / "model", "--resume")
    assert result.code == 0
    assert not result.error.startswith("epoch 1:")
    run(*words, "--out", tmp_path / "straight")
    assert weights(tmp_path / "model") == weights(tmp_path / "straight")
    resumed, straight = (read_record(tmp_path / name / "record.jsonl") for name in ("model", "straight"))
    assert timeless(resumed) == timeless(straight)
    assert names(tmp_path) == ["model", "straight", "texts.csv"]


def test_killed_before_the_first_checkpoint(start, run, tmp_path):
    """Which comes after a minute: it begins anew, says so, and gives the same bits."""
    table = write_rows(tmp_path / "texts.csv", make_rows(600))
    words = ["train", table, *command_line("bow", epochs=8, patience=8)]
    process = start(*words, "--out", tmp_path / "model")
    while not read_line(process.stderr).startswith("epoch 2:"):
        pass
    process.kill()
    process.wait()
    assert "go on with it by --resume" in run(*words, "--out", tmp_path / "model").error
    result = run(*words, "--out", tmp_path / "model", "--resume")
    assert result.code == 0
    assert result.error.splitlines()[0] == (
        f"chainrule: {tmp_path / 'model.partial'} holds no checkpoint, of which the first is written after about a "
        f"minute: training starts from the beginning"
    )
    run(*words, "--out", tmp_path / "straight")
    assert weights(tmp_path / "model") == weights(tmp_path / "straight")
    assert names(tmp_path) == ["model", "straight", "texts.csv"]


# Full disks


def limit(size):
    """No file may grow beyond this many bytes, which Python is told as an error and not by a signal."""

    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return apply


@pytest.mark.parametrize("size", [100, 4096])
def test_a_disk_that_is_full(start, csv_file, tmp_path, size):
    """Already for the record, or not before the checkpoint."""
    (tmp_path / "notes.txt").write_text("mine")
    words = ["train", csv_file, "--out", tmp_path / "model", *command_line("ffnn")]
    process = start(*words, often=True, preexec_fn=limit(size))
    code, out, error = finish(process)
    assert (code, out) == (2, "")
    file = "record.jsonl" if size == 100 else "checkpoint.safetensors"
    message = f"chainrule: error: cannot write {tmp_path / 'model.partial' / file}: File too large"
    assert error.splitlines()[-1].startswith(message)
    assert "Traceback" not in error
    assert names(tmp_path) == ["notes.txt", "texts.csv"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_disk_that_is_full_when_a_training_goes_on(start, run, csv_file, tmp_path):
    """What was there, its checkpoint, is unchanged."""
    words = ["train", csv_file, "--out", tmp_path / "model", "--quiet"]
    options = command_line("bow", epochs=100_000, patience=100_000)
    process = start(*words, *options, often=True)
    checkpoint = tmp_path / "model.partial" / "checkpoint.safetensors"
    wait_until(checkpoint.exists, process)
    process.kill()
    process.wait()
    before = checkpoint.read_bytes()
    code, out, error = finish(start(*words, *options, "--resume", often=True, preexec_fn=limit(len(before) // 2)))
    assert (code, out) == (2, "")
    # The record may be what no longer fits, when many epochs passed before the training was killed.
    assert "File too large; " in error
    assert "; mend that and go on by --resume" in error or "File too large; mend that and go on by --resume" in error
    assert checkpoint.read_bytes() == before
    assert names(tmp_path) == ["model.partial", "texts.csv"]


@pytest.mark.parametrize("closing", ["<&-", ">&-"])
def test_a_stream_that_was_closed_before_the_start(saved, closing):
    """As a service manager may start a program."""
    texts = "" if closing == "<&-" else "good"
    command = f'"{sys.executable}" -m chainrule predict "{saved["bow"]}" {texts} {closing}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE)
    if closing == ">&-":
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    else:
        assert done.returncode == 2
        assert (
            done.stderr
            == "chainrule: error: standard input is closed; give texts or --file FILE, or send lines to it\n"
        )
