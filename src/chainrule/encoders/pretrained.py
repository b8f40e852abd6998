"""`chainrule.load_pretrained`: all that a pretrained folder holds, by its path or its name on the hub."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from chainrule.encoders.configuration import TEXT, EncoderConfiguration
from chainrule.encoders.encoder import PretrainedEncoder
from chainrule.encoders.folder import CONFIGURATION, read_model, write_encoder
from chainrule.encoders.heads import PretrainedModel
from chainrule.encoders.sentence import SentenceEncoder, read_sentence_settings
from chainrule.encoders.tokenizer import PretrainedTokenizer
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, ModelError, shortened
from chainrule.forks import once
from chainrule.graph.spec import INT64, Spec
from chainrule.graph.tensor import Tensor
from chainrule.nn import summary
from chainrule.shown import listing

#: What names on the hub look like: an owner and a model, or a model alone.
NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
#: What is downloaded: settings, tokenizers and weights that are not pickled.
FILES = ["*.json", "*.txt", "*.safetensors"]
#: Labels that a summary shows.
LABELS = 10


class Pretrained:
    """What a pretrained folder holds.

    Args:
        folder: with `config.json`, the weights, and perhaps a tokenizer and what makes sentence embeddings.

    Attributes:
        folder: its place.
        model: the encoder with its head, if it has one.

    Raises:
        ModelError: see `read_model`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._encoder_folder, self._settings = read_sentence_settings(self.folder)
        self.model: PretrainedModel = read_model(self._encoder_folder)

    @property
    def configuration(self) -> EncoderConfiguration:
        """Sizes and settings."""
        return self.model.configuration

    @property
    def encoder(self) -> PretrainedEncoder:
        """The vectors of tokens."""
        return self.model.encoder

    @once
    def tokenizer(self) -> PretrainedTokenizer:
        """The ids of texts.

        Raises:
            ModelError: for missing or damaged files, or a tokenizer of another vocabulary size.
            ConfigurationError: when the library `tokenizers` is missing.
        """
        return PretrainedTokenizer.of_folder(self._encoder_folder, self.configuration.vocabulary)

    @once
    def sentences(self) -> SentenceEncoder:
        """One vector a text; the errors are those of `tokenizer`."""
        return SentenceEncoder(self.encoder, self.tokenizer, self._settings)

    def encode(self, texts: Sequence[str], *, batch_size: int = 32, engine: str = "native") -> np.ndarray:
        """The vectors of texts, float32 of shape (texts, size); see `SentenceEncoder.encode`."""
        return self.sentences.encode(texts, batch_size=batch_size, engine=engine)

    def logits(self, texts: Sequence[str], *, longest: int | None = None, engine: str = "native") -> np.ndarray:
        """What the head gives for each text, float32 of shape (texts, labels).

        Args:
            texts: one or more of them.
            longest: tokens that are kept of a text; None for all, and a text beyond the positions is refused then.
            engine: "native" or "eager".

        Raises:
            ConfigurationError: for a model without a head for texts, or no texts.
            ShapeError: for a text of more tokens than there are positions.
        """
        if self.configuration.head != TEXT:
            raise ConfigurationError(f"{self.folder}: has no head for texts; expected a model of classes or numbers")
        if not texts:
            raise ConfigurationError("logits: expected one text or more, got none")
        ids, _ = self.tokenizer.ids(texts, longest)
        function = engine_named(engine).compile(lambda ids, offsets: self.model(ids, offsets))
        return cast("Tensor", function(ids.ids, ids.offsets)).numpy()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model and tokenizer to a new folder that transformers opens; see `write_encoder`."""
        write_encoder(self.model, folder, tokenizer_of=self._encoder_folder)

    def described(self) -> list[tuple[str, str]]:
        """What there is to know of it: names, and what they stand for."""
        c = self.configuration
        numbers = sum(x.spec.size for x in self.model.parameters())
        rows = [
            ("architecture", f"{c.family}, {c.layers} layers, {c.heads} heads, {c.inner:,} inside, {c.activation}"),
            ("vectors", f"{c.size:,} numbers" + (f", from {c.embedding:,}" if c.embedding != c.size else "")),
            ("vocabulary", f"{c.vocabulary:,} ids"),
            ("longest text", f"{c.positions:,} tokens"),
            ("parameters", f"{numbers:,}"),
        ]
        if c.head:
            problem = f" ({c.problem.replace('_', ' ')})" if c.problem else ""
            rows.append((f"answers a {c.head}", listing(c.labels, LABELS) + problem))
        try:
            rows.append(("tokenizer", repr(self.tokenizer)))
        except (ModelError, ConfigurationError) as error:
            rows.append(("tokenizer", f"none: {error}"))
        else:
            length = ", of length 1" if self._settings.normalised else ""
            pooled = f"{' + '.join(self._settings.poolings)} of up to {self.sentences.longest:,} tokens{length}"
            rows.append(("sentence vectors", pooled))
        return rows

    def summary(self) -> str:
        """The layers, the shapes they give for one text of eight tokens, and their parameters."""
        tokens = min(8, self.configuration.positions)
        return summary(self.model, Spec((tokens,), INT64), Spec((2,), INT64))

    def __repr__(self) -> str:
        return f"Pretrained({self.folder}, {self.model!r})"


def load_pretrained(folder: str | os.PathLike[str]) -> Pretrained:
    """A pretrained encoder, with its head, its tokenizer and what makes sentence embeddings of it.

    Args:
        folder: of a model as transformers and sentence-transformers save it, or its name on the hub, which the library
            `huggingface_hub` downloads.

    Raises:
        ModelError: for a folder that is missing, incomplete, damaged, or of an unknown architecture.
        ConfigurationError: for a name on the hub where the library is missing.

    Example:
        >>> import tempfile
        >>> from chainrule.encoders import EncoderConfiguration, PretrainedModel, write_encoder
        >>> sizes = {"vocabulary": 9, "size": 8, "layers": 2, "heads": 2, "inner": 16, "positions": 10}
        >>> model = PretrainedModel.of(EncoderConfiguration("bert", **sizes), generator=np.random.default_rng(0))
        >>> place = Path(tempfile.mkdtemp()) / "model"
        >>> write_encoder(model, place)
        >>> load_pretrained(place).encoder([1, 5, 2], [0, 3]).shape
        (3, 8)
    """
    place = Path(folder)
    if place.is_dir():
        return Pretrained(place)
    name = os.fspath(folder)
    if not NAME.fullmatch(name) or place.exists():
        raise ModelError(f"{shortened(name)}: there is no such folder; expected one with {CONFIGURATION} and weights")
    return Pretrained(_downloaded(name))


def _downloaded(name: str) -> Path:
    """The folder into which a model of the hub was downloaded, now or before."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ConfigurationError(
            f"{name}: there is no such folder; if it is the name of a model on the hub, the library huggingface_hub "
            f"downloads it: pip install 'chainrule[hub]'"
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except Exception as error:  # whatever the network, the hub or the name is at fault for
        raise ModelError(
            f"{name}: there is no such folder, and the hub did not give it: {shortened(str(error))}; download it where "
            f"there is a network, and give the folder"
        ) from error
