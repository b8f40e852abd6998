"""Docs run: every fenced example in the README, CONTRIBUTING, docs/ and the page of the examples.

The `python` blocks of a file run one after another in one namespace; the `sh` blocks run as they are (plain commands of
chainrule in this process, as starting one takes longer than most do), in a folder with
`reviews.csv`, `test.csv` and whatever earlier blocks left there. Lines that start with `make` or `pip` set up what is
there already, and are left out. A `console` block shows commands (`$ ...`) and what they print, in which `...` stands
for anything. What a `text` block names must be there: targets of the Makefile, files and folders, or what the block
before it printed. A `toml` block is a settings file that `chainrule train` takes; one that says what varies is
`study.toml` for blocks after it. Code of a processor (`llvm`, `asm`) is shown, as it differs from one to the next.
"""

import contextlib
import csv
import io
import os
import random
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli.main import main
from chainrule.experiment.search.stopping import STOPPING
from chainrule.models import LEARNERS
from chainrule.nn import ACTIVATIONS, INITIALIZERS
from chainrule.optim import SCHEDULES
from chainrule.tasks import TASKS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "papers" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]  # fmt: skip
LANGUAGES = {"python", "sh", "console", "text", "toml", "llvm", "asm"}
SETTING_UP = ("make ", "pip ", "git ")


GOOD, BAD = "warm funny bright tender moving".split(), "dull flat lazy loud endless".split()


def write_reviews(path, rows, seed):
    """A table of short reviews that can be learned from."""
    draw = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for row in range(rows):
            words = draw.choices(GOOD if row % 2 else BAD, k=3) + draw.choices(["a", "film", "the", "end", ","], k=5)
            draw.shuffle(words)
            writer.writerow([" ".join(words), "positive" if row % 2 else "negative"])


def blocks(page):
    """(line, language, text) of each fenced block."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, match.start()) + 2, match[1], match[2]


@pytest.fixture
def registries():
    """Pages that add learners and tasks add them for themselves alone."""
    held = [(registry, dict(registry)) for registry in (LEARNERS, SCHEDULES, STOPPING, TASKS)]
    yield
    for registry, before in held:
        for name in set(registry) - set(before):
            del registry[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run(page, tmp_path, monkeypatch, registries):
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv", rows=240, seed=0)
    write_reviews(tmp_path / "test.csv", rows=60, seed=1)
    namespace, printed = {"__name__": "__main__"}, ""
    for line, language, text in blocks(page):
        where = f"{page.name}, line {line}"
        assert language in LANGUAGES, f"{where}: a block of unknown language {language!r}"
        if language == "python":
            code = "\n" * (line - 1) + text  # so that a traceback shows the page's own line
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, str(page), "exec"), namespace)
            printed = out.getvalue()
        elif language == "sh":
            printed = run_shell(where, "".join(c for c in text.splitlines(True) if not c.startswith(SETTING_UP)))
        elif language == "console":
            for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, flags=re.MULTILINE):
                assert_shown(where, expected, run_shell(where, command, errors=True))
        elif language == "toml" and "[space]" in text:
            Path("study.toml").write_text(text, encoding="utf-8")
        elif language == "toml":
            Path("page.toml").write_text(text, encoding="utf-8")
            run_shell(where, "chainrule train reviews.csv --config page.toml --dry-run")
        elif language == "text":
            check_names(where, text) or assert_shown(where, text, printed)


#: Commands that start processes of their own, or wait for requests.
APART = {"compare", "sweep", "rerun", "watch", "serve", "playground", "puzzle"}


def plain(commands):
    """The words of each line where all are commands of chainrule alone, which then run in this process; else None."""
    lines = commands.replace("\\\n", " ").strip().splitlines()
    if not lines or re.search(r"[|<>;&$`*?~#{}()!]", "".join(re.sub(r"'[^']*'|\"[^\"$`]*\"", "", x) for x in lines)):
        return None
    found = [shlex.split(line) for line in lines]
    return found if all(words[:1] == ["chainrule"] and words[1] not in APART for words in found) else None


def code_of(words):
    """What a command ends with."""
    try:
        return main(words)
    except SystemExit as end:  # so argparse ends, after a help text
        return end.code


def run_shell(where, commands, *, errors=False):
    """What commands print, what they say of errors included where it is asked for; they must end well."""
    if (found := plain(commands)) is not None:
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out if errors else said):
            codes = [code_of(words[1:]) for words in found]
        assert not any(codes), f"{where}:\n{commands}\n{out.getvalue()}{said.getvalue()}"
        return out.getvalue()
    if errors:
        commands = f"{commands} 2>&1"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{where}:\n{commands}\n{done.stdout}{done.stderr}"
    return done.stdout


def assert_shown(where, expected, printed):
    """What a page shows is what was printed; `...` stands for anything."""
    pattern = ".*?".join(map(re.escape, re.split(r"\.\.\.+\n|\.\.\.", expected)))
    assert re.fullmatch(pattern, printed, flags=re.DOTALL), f"{where} shows\n{expected}\nbut it is\n{printed}"


def check_names(where, text):
    """Whether a block names targets of the Makefile, or files and folders; these must be there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", text, flags=re.MULTILINE)
    for target in targets:
        assert f"\n{target}:" in makefile, f"{where}: there is no make {target}"
    folder, names = ROOT, re.findall(r"^( *)([\w/]+/|tests/\S+\.\w+)", text, flags=re.MULTILINE)
    for indent, name in names:
        folder = folder if indent else ROOT
        assert (folder / name).exists(), f"{where}: there is no {name}"
        folder = folder if indent else ROOT / name
    files = re.findall(r"tests/[\w/]+\.\w+", text)
    for name in files:
        assert (ROOT / name).exists(), f"{where}: there is no {name}"
    return bool(targets or names or files)


def test_what_is_not_shown_is_found():
    """The checks of pages find what is wrong."""
    assert_shown("here", "a\n...\nb 0....\n", "a\nx\ny\nb 0.25\n")
    with pytest.raises(AssertionError, match="here shows"):
        assert_shown("here", "a\nb\n", "a\nc\n")
    with pytest.raises(AssertionError, match="there is no make cake"):
        check_names("here", "make cake\n")
    with pytest.raises(AssertionError, match="there is no nowhere/"):
        check_names("here", "src/chainrule/\n  nowhere/   a room\n")
    assert not check_names("here", "accuracy 1\n")


def test_the_page_of_settings_is_that_of_the_declarations():
    settings = runpy.run_path(str(ROOT / "docs" / "settings.py"))
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings["text"](), "run make docs"


def test_the_page_of_losses_is_that_of_the_docstrings():
    losses = runpy.run_path(str(ROOT / "docs" / "losses.py"))
    assert (ROOT / "docs" / "losses.md").read_text(encoding="utf-8") == losses["text"](), "run make docs"


def test_the_page_of_activations_is_made_from_them():
    """But for the digits of float32, which may be others on another machine."""
    made = runpy.run_path(str(ROOT / "docs" / "activations.py"))
    pages = [(ROOT / "docs" / "activations.md").read_text(encoding="utf-8"), made["text"]()]
    held, wanted = ([line for line in page.splitlines() if not line.startswith("| float32")] for page in pages)
    assert held == wanted, "run make docs"
    for name in ACTIVATIONS:
        path = ROOT / "docs" / "pictures" / "activations" / f"{name}.svg"
        assert path.read_text(encoding="utf-8") == made["picture"](name), "run make docs"


def test_the_page_of_initializers_is_made_from_them():
    """What it says of its pictures is so: what keeps its size, what does not, and that no scale kills rectifiers."""
    made = runpy.run_path(str(ROOT / "docs" / "initialisation.py"))
    assert (ROOT / "docs" / "initialisation.md").read_text(encoding="utf-8") == made["text"](), "run make docs"
    for name, picture in made["pictures"]().items():
        path = ROOT / "docs" / "pictures" / "initialisation" / f"{name}.svg"
        assert path.read_text(encoding="utf-8") == picture, "run make docs"
    expected = {"too small": (0, 1e-6), "too large": (1e3, 1e6), "He": (0.5, 2), "orthogonal": (0.5, 2)}
    for choice, (least, most) in expected.items():
        forward, backward = made["sizes"]("relu", choice)
        assert least < forward[-1] < most
        assert least < backward[0] < most
    drawn, dead = made["drawn"], made["dead"]
    he, small = (drawn(INITIALIZERS.make(x)) for x in ("he_normal", made["CHOICES"]["too small"]))
    assert dead(he) == dead(small)
    little, much = (sum(dead(made["stepped"](he, rate))) for rate in made["RATES"])
    assert much > 3 * sum(dead(he)) > 2 * little


def test_the_page_of_puzzles_is_made_from_them():
    made = runpy.run_path(str(ROOT / "docs" / "puzzles.py"))
    assert (ROOT / "docs" / "puzzles.md").read_text(encoding="utf-8") == made["text"](), "run make docs"
    for name, picture in made["pictures"]().items():
        path = ROOT / "docs" / "pictures" / "puzzles" / f"{name}.svg"
        assert path.read_text(encoding="utf-8") == picture, "run make docs"


def test_the_films_are_made_from_their_page():
    """Those of functions bit for bit; of the network, whose products may round otherwise elsewhere, the frames."""
    films = runpy.run_path(str(ROOT / "docs" / "animate.py"))["FILMS"]
    for name, film in films.items():
        held = (ROOT / "docs" / "pictures" / "animate" / f"{name}.svg").read_text(encoding="utf-8")
        made = film().svg
        parts = [held, made] if name != "decisions" else [re.findall("step [0-9]+", text) for text in (held, made)]
        assert parts[0] == parts[1], "run make docs"


def test_the_page_of_optimizers_is_that_of_the_rules():
    optimizers = runpy.run_path(str(ROOT / "docs" / "optimizers.py"))
    assert (ROOT / "docs" / "optimizers.md").read_text(encoding="utf-8") == optimizers["text"](), "run make docs"
    picture = (ROOT / "docs" / "pictures" / "optimizers" / "forms.svg").read_text(encoding="utf-8")
    assert picture == optimizers["pictures"]()["forms"], "run make docs"


def test_what_the_page_says_of_the_three_forms_of_gradient_descent_is_so():
    """Batch always downhill, stochastic far down soonest but unsteady, mini-batches as far down and steadier."""
    descent = runpy.run_path(str(ROOT / "docs" / "optimizers.py"))["descent"]
    batch, several, one = (descent(size)[1] for size in (256, 16, 1))
    assert batch == sorted(batch, reverse=True)
    assert one[64] < several[4] < batch[1]
    assert several[-1] < one[-1] < batch[-1]
    unsteady, steadier = (max(last) - min(last) for last in (one[-256:], several[-16:]))
    assert unsteady > 10 * steadier


def test_every_relative_link_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target} is not there"


def test_the_readme_names_every_folder():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (ROOT / "src" / "chainrule").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"{folder.name}/" in readme, f"README.md does not say what {folder.name}/ is"


def test_the_files_that_the_design_names_are_there():
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", design)
    assert len(named) > 25
    for name in named:
        assert any((base / name).exists() for base in (ROOT / "src" / "chainrule", ROOT)), (
            f"design.md: there is no {name}"
        )
