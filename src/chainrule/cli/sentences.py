"""`chainrule vectors embed` and `search`: vectors of whole texts by a pretrained encoder, and the nearest texts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import add_engine_option, add_table_options, table_options
from chainrule.cli.printing import align, say, show
from chainrule.errors import ConfigurationError
from chainrule.shown import one_line

if TYPE_CHECKING:
    import numpy as np

    from chainrule.encoders import SentenceEncoder

#: Characters of a text that a list of texts shows.
SHOWN = 100


def add_parts(parts: Any) -> None:
    """The options of both."""
    embedded = _part(parts, "embed", embed, "one vector a text, by a pretrained encoder")
    embedded.add_argument(
        "--out", required=True, metavar="FILE",
        help="new file: .safetensors or .npy (the vectors), or .csv (the texts, and a column a number)",
    )  # fmt: skip
    searched = _part(parts, "search", search, "the texts that are nearest to a query, by a pretrained encoder")
    searched.add_argument("query", metavar="QUERY", help="a text")
    searched.add_argument("--count", type=int, default=10, metavar="N", help="how many texts (default: 10)")
    searched.add_argument("--vectors", metavar="FILE", help="what embed wrote of these texts: .safetensors or .npy")
    for part in (embedded, searched):
        part.add_argument("--batch-size", type=int, default=32, metavar="N", help="texts at a time (default: 32)")
        part.add_argument(
            "--longest", type=int, metavar="N", help="tokens that are kept of a text (default: what the folder says)"
        )
        add_engine_option(part)
        add_table_options(part, label=False)


def _part(parts: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}.",
        epilog="FOLDER holds config.json, model.safetensors and a tokenizer, as transformers and sentence-transformers "
        "save them; a name on the hub works where the library huggingface_hub is installed.",
    )  # fmt: skip
    parser.add_argument("folder", metavar="FOLDER", help="of a pretrained encoder")
    parser.add_argument(
        "file", metavar="FILE", help="a table with a column of texts: .csv, .tsv, .jsonl, .parquet, ..."
    )
    parser.set_defaults(run=run)
    return parser


def embed(arguments: argparse.Namespace) -> None:
    """Write the vectors of texts."""
    from chainrule.encoders.embedded import require_embedded_format, write_embedded
    from chainrule.files import refuse_existing

    out = Path(arguments.out)
    require_embedded_format(out)
    refuse_existing(out)
    texts = _texts(arguments)
    vectors = _encoded(_encoder(arguments), texts, arguments)
    write_embedded(out, texts, vectors)
    show(f"vectors: {out} ({len(vectors):,} texts, {vectors.shape[1]:,} numbers each)")


def search(arguments: argparse.Namespace) -> None:
    """Print the nearest texts with their cosines."""
    from chainrule.encoders.embedded import nearest, read_embedded

    if arguments.count < 1:
        raise ConfigurationError(f"--count: expected a whole number of 1 or more, got {arguments.count}")
    texts, encoder = _texts(arguments), _encoder(arguments)
    if arguments.vectors is None:
        vectors = _encoded(encoder, texts, arguments)
    else:
        vectors = read_embedded(arguments.vectors, texts, encoder.size)
    (query,) = _encoded(encoder, [arguments.query], arguments)
    found = nearest(query, vectors, arguments.count)
    show(align([[one_line(texts[row], SHOWN), f"{cosine:.4f}"] for row, cosine in found]))


def _texts(arguments: argparse.Namespace) -> list[str]:
    """The texts of a table."""
    from chainrule.data import read_table

    found: list[str] = read_table(arguments.file, label=None, **table_options(arguments)).texts.to_list()
    return found


def _encoder(arguments: argparse.Namespace) -> SentenceEncoder:
    from chainrule.encoders import load_pretrained

    encoder = load_pretrained(arguments.folder).sentences
    return encoder if arguments.longest is None else encoder.cut_at(arguments.longest)


def _encoded(encoder: SentenceEncoder, texts: list[str], arguments: argparse.Namespace) -> np.ndarray:
    engine = arguments.engine or "native"
    return encoder.encode(texts, batch_size=arguments.batch_size, engine=engine, told=say)
