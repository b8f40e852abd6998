"""`chainrule animate`: films that are written, and what is refused."""

import pytest


def test_descent(run, tmp_path):
    out = tmp_path / "rates.html"
    words = ["x**2 + 25*y**2", "--lr", "0.01", "0.03", "--optimizers", "sgd", "sgd:momentum=0.5", "--steps", "3"]
    result = run("animate", "descent", *words, "--start", "[-2, 0.5]", "--title", "Here", "--out", out)
    assert (result.code, result.out, result.error) == (0, f"film: {out} (4 frames)\n", "")
    text = out.read_text(encoding="utf-8")
    assert "<title>Here</title>" in text
    for name in ("sgd 0.01", "sgd 0.03", "sgd 0.01, momentum 0.5", "sgd 0.03, momentum 0.5"):
        assert f">{name}<" in text
    again = run("animate", "descent", *words, "--out", out)
    assert (again.code, "the file exists" in again.error) == (2, True)


def test_regions(run, tmp_path):
    table, out = tmp_path / "points.csv", tmp_path / "regions.svg"
    rows = [f"{x},{y},{'same' if x * y > 0 else 'other'}" for x in range(-5, 6) for y in range(-5, 6) if x * y]
    table.write_text("\n".join(["x,y,label", *rows]) + "\n", encoding="utf-8")
    words = [table, "--numbers", "x,y", "--hidden", "8", "--epochs", "4", "--frames", "5"]
    result = run("animate", "regions", *words, "--out", out)
    assert result.code == 0, result.error
    assert result.out.startswith(f"film: {out} (")
    text = out.read_text(encoding="utf-8")
    assert ">mlp on points.csv<" in text
    other = tmp_path / "again.svg"
    run("animate", "regions", *words, "--out", other)
    assert other.read_text(encoding="utf-8") == text
    one = run("animate", "regions", table, "--numbers", "x", "--out", tmp_path / "one.svg")
    assert (one.code, "two columns of numbers" in one.error) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x + z"], "there is no z here: it is a function of x and y"),
        (["x +"], "this is not an expression"),
        (["x", "--optimizers", "adan"], "there is no optimizer 'adan'; did you mean 'adam'"),
        (["x", "--optimizers", "sgd:speed=1"], "speed"),
        (["x", "--lr", "fast"], "--lr: expected numbers, got 'fast'"),
        (["x", "--lr", "-1"], "learning_rate"),
        (["x", "--start", "[1]"], "--start: expected two numbers, such as [1, 1], got '[1]'"),
        (["x", "--steps", "many"], "--steps: expected a whole number, got 'many'"),
        (["log(x)", "--start", "[-1, 1]"], "the function is not finite at the start"),
    ],
)
def test_what_is_refused(refused, tmp_path, words, message):
    assert message in refused("animate", "descent", *words, "--out", tmp_path / "film.html")


def test_other_kinds_of_files_are_refused(refused, tmp_path):
    assert "ends in .html" in refused("animate", "descent", "x", "--out", tmp_path / "film.png")
