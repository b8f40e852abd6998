"""The command that looks at pages: which it looks at."""

import contextlib

import pytest

from tests.website import __main__ as command


@pytest.mark.parametrize("words", [["--pictures", "looked", "a.html"], ["a.html", "--pictures", "looked"]])
def test_it_looks_at_the_pages_that_are_named(words, tmp_path, monkeypatch, capsys):
    looked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "chromium", contextlib.nullcontext)
    monkeypatch.setattr(command, "look", lambda browser, page, pictures: looked.append(page.name) or ["a.html: wide"])
    monkeypatch.setattr("sys.argv", ["look", "site", *words])
    assert command.main() == 1
    assert looked == ["a.html"]
    assert "1 pages looked at, 1 complaints" in capsys.readouterr().out
