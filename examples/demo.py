"""The demo: two learners compared on film-review sentences with five seeds each, and the winner used.

python examples/demo.py          (after `make data`; `make demo` does both)
"""

import shutil
from pathlib import Path

import chainrule
from chainrule.cli.main import main as command

DATA = Path(".data/sentences.csv")
PLACE = Path("demo")
SENTENCES = [
    "A warm and funny film.",
    "Dull from start to end.",
    "The actors do their best, but the script gives them nothing to do.",
    "A small masterpiece that stays with you.",
]


def main():
    if PLACE.exists():  # an earlier demo, perhaps one that was killed
        print(f"{PLACE} is replaced\n")
        shutil.rmtree(PLACE)
    PLACE.mkdir()
    study, model = PLACE / "study", PLACE / "model"
    for words in (
        ["compare", DATA, "--learners", "bow,ffnn", "--seeds", "5", "--out", study],
        ["best", study, "--out", model],
    ):
        print(f"$ chainrule {' '.join(map(str, words))}")
        if command(list(map(str, words))):
            raise SystemExit(1)
        print()
    best = chainrule.Model.load(model)
    for sentence, label in zip(SENTENCES, best.predict(SENTENCES), strict=True):
        print(f"{label:9} {sentence}")
    print(f"\nreport          {study / 'report.html'}")
    print(f"model           {model}")
    print(f'\nTry: .venv/bin/chainrule predict {model} "your own sentence"')


if __name__ == "__main__":
    main()
