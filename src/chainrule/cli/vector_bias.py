"""`chainrule vectors weat`, `direction` and `project`: associations of word vectors, and vectors without them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.explain import require_free
from chainrule.cli.printing import align, json_text, say, show
from chainrule.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.fairness import AssociationTest
    from chainrule.vectors import Vectors


def add_parts(parts: Any, part: Any) -> None:
    """The options of the three.

    Args:
        parts: of `chainrule vectors`.
        part: makes the parser of one, with the file of vectors.
    """
    tested = part(parts, "weat", weat, "which words stand nearer to which, with p: association tests")
    tested.add_argument(
        "--test", metavar="N", action="append", help="1 to 10 of WEAT, or a file of four lists (default: all ten)"
    )
    tested.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default: 0)")
    tested.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    tested.add_argument("--out", metavar="FILE", help="new file: .html (a page with pictures) or .json (all figures)")
    tested.add_argument(
        "--sentences", action="store_true",
        help="FILE is the folder of an encoder of sentences (or its name on the hub), in which words stand (SEAT)",
    )  # fmt: skip
    pointed = part(parts, "direction", direction, "what pairs of words differ in, and which words point that way")
    pointed.add_argument("words", metavar="WORD", nargs="*", help="words whose projection is told")
    pointed.add_argument("--count", type=int, default=10, metavar="N", help="words of each side (default: 10)")
    pointed.add_argument("--out", metavar="FILE.svg", help="new file for a picture of the words")
    removed = part(parts, "project", project, "write vectors without the direction of pairs, and say what that changes")
    removed.add_argument("--out", required=True, metavar="FILE", help="new file: .txt, .vec, .bin or .safetensors")
    removed.add_argument("--test", metavar="N", action="append", help="association tests before and after, as of weat")
    removed.add_argument("--seed", type=int, default=0, metavar="N", help="of words that are compared (default: 0)")
    for each in (pointed, removed):
        each.add_argument(
            "--pairs", default="en", metavar="LIST", help="pairs of words: en, fr or a file (default: en)"
        )


def weat(arguments: argparse.Namespace) -> None:
    """Make association tests, and print or write what they came to."""
    from chainrule.fairness import seat
    from chainrule.fairness import weat as associated
    from chainrule.fairness.association_document import association_document, association_text
    from chainrule.fairness.output import require_output, save

    if arguments.out is not None:
        require_output(arguments.out)
        require_free(arguments.out)
    tests = _tests(arguments.test)
    of = Path(arguments.file).name
    if arguments.sentences:
        from chainrule.encoders import load_pretrained

        encoder = load_pretrained(arguments.file).sentences
        found = [seat(encoder.encode, test, seed=arguments.seed, of=of) for test in tests]
    else:
        vectors = _read(arguments, _words(tests))
        found = [associated(vectors, test, seed=arguments.seed, of=of) for test in tests]

    def record() -> dict[str, Any]:
        return {"found": [x.as_dict() for x in found]}

    if arguments.json:
        show(json_text(record()))
    elif arguments.out is None:
        show(association_text(found))
    if arguments.out is not None:
        path = save(arguments.out, lambda: association_document(found), record)
        if not arguments.json:
            show(f"{association_document(found).answer}\nassociations: {path}")


def direction(arguments: argparse.Namespace) -> None:
    """Print which words point in the direction of pairs, or draw the words that are named."""
    from chainrule.drawing.intervals import Interval, draw_intervals
    from chainrule.fairness import direction as found_direction
    from chainrule.fairness.output import INTRINSIC
    from chainrule.files import write_file

    if arguments.out is not None:
        _require_picture(arguments.out)
        require_free(arguments.out)
    vectors = _read(arguments)
    found = found_direction(vectors, arguments.pairs)
    first, second = found.sides
    show(
        f"{INTRINSIC}\n\ndirection from {first} to {second}: {len(found.pairs)} pairs, of whose differences it "
        f"explains {100 * found.share:.0f} %; {len(found.missing)} pairs have no vectors"
    )
    own = [(word, found.projection(vectors, word)) for word in arguments.words]
    sides = found.farthest(vectors, arguments.count)
    for title, words in (
        (f"nearest to {first}", sides[0]),
        (f"nearest to {second}", sides[1]),
        ("words asked for", own),
    ):
        if words:
            show(f"\n{title}")
            show(align([[word, f"{cosine:+.4f}"] for word, cosine in words]))
    if arguments.out is not None:
        shown = own or [*sides[0], *reversed(sides[1])]
        rows = [Interval(word, cosine) for word, cosine in sorted(shown, key=lambda pair: pair[1])]
        write_file(
            arguments.out, draw_intervals(rows, f"{first} (left) to {second} (right), cosine", marks=[0.0]) + "\n"
        )
        show(f"picture: {arguments.out}")


def project(arguments: argparse.Namespace) -> None:
    """Write vectors without a direction, and say what that changed, and what not."""
    from chainrule.fairness import direction as found_direction
    from chainrule.fairness import projected
    from chainrule.fairness import weat as associated
    from chainrule.fairness.output import INTRINSIC, aligned, probability
    from chainrule.vectors.write import require_format

    require_format(Path(arguments.out))
    require_free(arguments.out)
    tests = _tests(arguments.test) if arguments.test else []
    vectors = _read(arguments)
    found = projected(vectors, found_direction(vectors, arguments.pairs), seed=arguments.seed)
    pairs = [[associated(x, test) for x in (vectors, found.vectors)] for test in tests]
    found.vectors.save(arguments.out)
    show(str(found))
    rows = [
        [one.test.name, one.question, f"{one.effect:+.2f} ({probability(one.one_sided)})",
         f"{two.effect:+.2f} ({probability(two.one_sided)})"]
        for one, two in pairs
    ]  # fmt: skip
    if rows:
        show(aligned([["test", "targets, attributes", "d (p) before", "d (p) after"], *rows]))
    show(f"{INTRINSIC}\nvectors: {arguments.out}")
    if vectors.subwords is not None:
        say(f"{arguments.file}: the vectors of subwords are not written, so that words of the file alone have one")


def _tests(names: list[str] | None) -> list[AssociationTest]:
    from chainrule.fairness import AssociationTest
    from chainrule.fairness.association import TESTS

    return [AssociationTest.read(name) for name in names or TESTS]


def _words(tests: Iterable[AssociationTest]) -> list[str]:
    """The words of tests, as they may be written."""
    held = {word for test in tests for words in test.lists.values() for word in words}
    return sorted({written for word in held for written in (word, word.lower())})


def _read(arguments: argparse.Namespace, words: list[str] | None = None) -> Vectors:
    from chainrule.vectors import read_vectors

    vectors = read_vectors(arguments.file, words=words, encoding=arguments.encoding)
    for remark in vectors.remarks:
        say(f"{arguments.file}: {remark}")
    return vectors


def _require_picture(out: str) -> None:
    if Path(out).suffix != ".svg":
        raise ConfigurationError(
            f"--out {out}: expected the name of an SVG file, such as {Path(out).with_suffix('.svg')}"
        )
