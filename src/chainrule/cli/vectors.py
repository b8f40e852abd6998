"""`chainrule vectors`: of words, learned from text, looked at, compared and drawn; and of texts, by an encoder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import add_setting, given_settings
from chainrule.cli.printing import align, say, show
from chainrule.errors import ConfigurationError, SettingError, shortened

if TYPE_CHECKING:
    from chainrule.vectors import Vectors

EPILOG = """\
examples:
  chainrule vectors neighbours glove.txt film
  chainrule vectors analogy vectors.bin man king woman       (man is to king as woman is to ...)
  chainrule vectors map glove.txt cat dog car bus --out map.svg
  chainrule vectors convert cc.en.300.bin --out vectors.safetensors
  chainrule vectors weat glove.txt --test 6                   (career and family, names of men and women)
  chainrule vectors direction glove.txt doctor nurse --pairs en
  chainrule vectors train books.txt --out vectors.safetensors
  chainrule vectors embed FOLDER texts.csv --out texts.safetensors      (whole texts, by a pretrained encoder)
  chainrule vectors search FOLDER texts.csv "a warm film" --vectors texts.safetensors
"""
FORMATS = "GloVe's or word2vec's text, .vec, fastText's .bin, word2vec's binary, .safetensors, .npy, .npz"


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command and of its parts."""
    parser = subparsers.add_parser(
        "vectors",
        help="vectors of words: learn, neighbours, analogies, a map; of texts: embed, search",
        description="Word vectors: learned from text; which words are near, analogies, a picture, other formats. "
        "Vectors of texts by a pretrained encoder: computed, and searched.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    if arguments[:1] != ["vectors"]:
        return
    from chainrule.cli import sentences, vector_bias

    _add_train(parts)
    sentences.add_parts(parts)
    vector_bias.add_parts(parts, _part)
    near = _part(parts, "neighbours", neighbours, "the words that are nearest to a word")
    near.add_argument("word", metavar="WORD", help="a word of the file")
    analogous = _part(parts, "analogy", analogy, "what is to C as B is to A")
    for name in ("a", "b", "c"):
        analogous.add_argument(name, metavar=name.upper(), help="a word of the file")
    for part in (near, analogous):
        part.add_argument("--count", type=int, default=10, metavar="N", help="how many words (default: 10)")
    drawn = _part(parts, "map", draw_map, "a picture of words, in the plane that keeps most of their differences")
    drawn.add_argument("words", metavar="WORD", nargs="+", help="words of the file, two or more")
    drawn.add_argument("--out", required=True, metavar="FILE.svg", help="where to write the picture")
    converted = _part(parts, "convert", convert, "write the vectors in another format")
    converted.add_argument(
        "--out", required=True, metavar="FILE",
        help="new file: .txt or .vec (word2vec's text), .bin (word2vec's binary) or .safetensors",
    )  # fmt: skip


def _add_train(parts: Any) -> None:
    """The options of learning, which the settings declare."""
    from chainrule.vectors import WordTraining

    parser = parts.add_parser(
        "train",
        help="learn vectors from plain text",
        description="Learn word vectors from plain text, a sentence or a paragraph a line.",
        epilog="example: chainrule vectors train books.txt --architecture cbow --dim 100 --out vectors.safetensors",
    )
    parser.add_argument("text", metavar="TEXT", help="a file of text, a pattern, or - for standard input")
    parser.add_argument("--out", required=True, metavar="FILE", help="new file: .txt, .vec, .bin or .safetensors")
    parser.add_argument("--encoding", default="utf-8", help="character encoding of the text (default: utf-8)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of vectors, windows and draws (default: 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="that work on a step (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="no line after each epoch")
    group = parser.add_argument_group("learning")
    for declared in WordTraining.declared():
        add_setting(group, "vectors", declared, declared.default)
    parser.set_defaults(run=train)


def train(arguments: argparse.Namespace) -> None:
    """Learn vectors and write them."""
    from chainrule.data.decoding import as_utf_8
    from chainrule.data.sources import sources_of
    from chainrule.vectors import WordTraining, learn_vectors
    from chainrule.vectors.write import require_format

    given = given_settings(arguments).get("vectors", {})
    named = {declared.name: declared for declared in WordTraining.declared()}
    try:
        training = WordTraining(**{name: named[name].parsed("vectors", text) for name, text in given.items()})
    except SettingError as error:
        raise ConfigurationError(f"{named[error.field].option} {error.reason}") from error
    out = Path(arguments.out)
    require_format(out)
    _require_free(out)
    lines: list[str] = []
    for source in sources_of(arguments.text):
        lines += as_utf_8(source.content, arguments.encoding, source.name).decode().splitlines()
    told = None if arguments.quiet else say
    vectors = learn_vectors(lines, training, seed=arguments.seed, threads=arguments.threads, told=told)
    vectors.save(out)
    show(f"vectors: {out} ({len(vectors):,} words, {vectors.size} numbers each)")
    if vectors.subwords is not None:
        say(f"{out}: the vectors of subwords are not written, so that words of the text alone have one")


def _part(parts: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}.", epilog=f"The file may be {FORMATS}."
    )
    parser.add_argument("file", metavar="FILE", help="of word vectors; .gz, .bz2, .xz and .zst are read as they are")
    parser.add_argument("--encoding", default="utf-8", help="character encoding of the words (default: utf-8)")
    parser.set_defaults(run=run)
    return parser


def neighbours(arguments: argparse.Namespace) -> None:
    """Print the nearest words with their cosines."""
    _show(_read(arguments).neighbours(arguments.word, arguments.count))


def analogy(arguments: argparse.Namespace) -> None:
    """Print the words that complete an analogy."""
    _show(_read(arguments).analogy(arguments.a, arguments.b, arguments.c, arguments.count))


def draw_map(arguments: argparse.Namespace) -> None:
    """Write a picture of words."""
    from chainrule.drawing.points import points_picture
    from chainrule.files import write_file

    out = Path(arguments.out)
    if out.suffix != ".svg":
        raise ConfigurationError(f"--out {out}: expected the name of an SVG file, such as {out.with_suffix('.svg')}")
    _require_free(out)
    points = _read(arguments, words=arguments.words).plane(arguments.words)
    write_file(out, points_picture(points, arguments.words))
    show(f"map: {out} ({len(arguments.words)} words)")


def convert(arguments: argparse.Namespace) -> None:
    """Write vectors in another format."""
    _require_free(Path(arguments.out))
    vectors = _read(arguments)
    vectors.save(arguments.out)
    if vectors.subwords is not None:
        say(f"{arguments.file}: the vectors of subwords are not written, as {Path(arguments.out).suffix} has no place")
    show(f"vectors: {arguments.out} ({len(vectors):,} words, {vectors.size} numbers each)")


def _read(arguments: argparse.Namespace, words: list[str] | None = None) -> Vectors:
    from chainrule.vectors import read_vectors

    vectors = read_vectors(arguments.file, words=words, encoding=arguments.encoding)
    for remark in vectors.remarks:
        say(f"{arguments.file}: {remark}")
    return vectors


def _require_free(out: Path) -> None:
    if out.exists():
        raise ConfigurationError(f"--out {shortened(str(out))}: the file exists; choose another name, or remove it")


def _show(found: list[tuple[str, float]]) -> None:
    show(align([[word, f"{cosine:.4f}"] for word, cosine in found]))
