"""Docs run: every fenced example in the README, CONTRIBUTING and docs/.

The `python` blocks of a file run one after another in one namespace; the `sh` blocks run as they are, in a folder with
`reviews.csv`, `test.csv` and whatever earlier blocks left there. Lines that start with `make` or `pip` set up what is
there already, and are left out. Blocks of other languages are shown, not run.
"""

import csv
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "sh", "text", "toml", "json"}
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv", rows=240, seed=0)
    write_reviews(tmp_path / "test.csv", rows=60, seed=1)
    namespace = {"__name__": "__main__"}
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line, language, text in blocks(page):
        assert language in LANGUAGES, f"{page.name}, line {line}: a block of unknown language {language!r}"
        if language == "python":
            code = "\n" * (line - 1) + text  # so that a traceback shows the page's own line
            exec(compile(code, str(page), "exec"), namespace)
        elif language == "sh":
            commands = "".join(c for c in text.splitlines(keepends=True) if not c.startswith(SETTING_UP))
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{page.name}, line {line}:\n{commands}\n{done.stdout}{done.stderr}"


def test_every_relative_link_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target} is not there"


def test_the_readme_names_every_folder():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (ROOT / "src" / "chainrule").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"{folder.name}/" in readme, f"README.md does not say what {folder.name}/ is"
