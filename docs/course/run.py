"""Runs the cells of pages of the course without a notebook: python docs/course/run.py [--out FOLDER] PAGES.

With --out, the pictures of a page's cells are written into a folder, to be looked at.
"""

import argparse
import ast
import re
import sys
import time
import traceback
from pathlib import Path

CELL = re.compile(r"^(```+)\{code-cell\}[^\n]*\n(.*?)^\1$", flags=re.DOTALL | re.MULTILINE)
#: What a cell says of itself, before its code: lines `:tags: [hide-input]`, or the same between lines `---`.
OPTIONS = re.compile(r"\A(?:---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)+)", flags=re.DOTALL | re.MULTILINE)


def cells(text):
    """(line, code) of each cell of a page."""
    for match in CELL.finditer(text):
        options = OPTIONS.match(match[2])
        start = options.end() if options else 0
        yield text.count("\n", 0, match.start(2) + start) + 1, match[2][start:]


def run(page, namespace):
    """Run a page's cells in one namespace; the line and the value of each cell that ends with an expression."""
    for line, code in cells(page.read_text(encoding="utf-8")):
        tree = ast.parse("\n" * (line - 1) + code, str(page))  # so that a traceback shows the page's own line
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(page), "exec"), namespace)
        if last is not None:
            yield line, eval(compile(ast.Expression(last.value), str(page), "eval"), namespace)


def save(value, path):
    """Write what a notebook would show of a value, if that is a picture."""
    for method, ending in (("_repr_html_", "html"), ("_repr_svg_", "svg")):
        picture = getattr(value, method, lambda: None)()
        if picture is not None:
            path.with_suffix(f".{ending}").write_text(picture, encoding="utf-8")
            return


def main():
    """Run pages; exit with 1 when a cell of one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="a folder for the pictures")
    options, failed = parser.parse_args(), 0
    for page in options.pages:
        start = time.perf_counter()
        try:
            for line, value in run(page, {"__name__": "__main__"}):
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    save(value, options.out / f"{page.stem}-line-{line}")
        except Exception:  # noqa: BLE001 - whatever a cell raises is shown
            failed += 1
            traceback.print_exc()
        sys.stdout.write(f"{page}: {time.perf_counter() - start:.1f} s\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
