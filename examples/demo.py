"""The demo: a classifier of film-review sentences, trained, evaluated and used.

python examples/demo.py          (after `make data`; `make demo` does both)
"""

import shutil
from pathlib import Path

import chainrule
from chainrule.report import draw_curve

DATA = Path(".data/sentences.csv")
MODEL = Path("demo/model")
SENTENCES = [
    "A warm and funny film.",
    "Dull from start to end.",
    "The actors do their best, but the script gives them nothing to do.",
    "A small masterpiece that stays with you.",
]


def main():
    sentences = chainrule.read_table(DATA)
    train, valid, test = sentences.split(80, 10, 10, seed=0)
    print(f"{DATA}: {len(train)} sentences to train on, {len(valid)} to stop by, {len(test)} to test on\n")

    if MODEL.parent.exists():  # an earlier demo, perhaps one that was killed
        print(f"{MODEL.parent} is replaced\n")
        shutil.rmtree(MODEL.parent)
    MODEL.parent.mkdir()
    run = chainrule.fit(chainrule.BagOfWords(), train, valid, seed=0, folder=MODEL, progress=True)
    draw_curve(run.record, MODEL / "curve.svg")

    print(f"\ntest accuracy: {chainrule.evaluate(run.model, test).accuracy:.3f}\n")
    for sentence, label in zip(SENTENCES, run.model.predict(SENTENCES), strict=True):
        print(f"{label:9} {sentence}")
    print(f"\nmodel           {MODEL}")
    print(f"record          {MODEL / 'record.jsonl'}")
    print(f"learning curve  {MODEL / 'curve.svg'}")
    print(f'\nTry: .venv/bin/chainrule predict {MODEL} "your own sentence"')


if __name__ == "__main__":
    main()
