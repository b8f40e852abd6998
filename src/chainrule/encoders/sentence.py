"""Sentence embeddings: one vector a text, as a folder of sentence-transformers says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, cast

import numpy as np

from chainrule.blocks import concatenate, expand, maximum, segment_max, segment_mean, segment_sum, sqrt
from chainrule.dataclasses import dataclass
from chainrule.encoders.encoder import PretrainedEncoder
from chainrule.encoders.folder import read_encoder, read_json
from chainrule.encoders.tokenizer import PretrainedTokenizer
from chainrule.engines import Function, engine_named
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn import FirstPooling

MODULES, POOLING, PROMPTS = "modules.json", "config.json", "config_sentence_transformers.json"
#: What may say how long a text may be; older folders name the family.
LENGTHS = [f"sentence_{name}_config.json" for name in ("bert", "roberta", "distilbert", "camembert", "xlm-roberta")]
#: Shorter vectors than this are not made longer.
LEAST_LENGTH = 1e-12


def _first(x: Tensor, offsets: Tensor) -> Tensor:
    return FirstPooling(x.shape[1], generator=np.random.default_rng(0))(x, offsets)


def _mean_of_roots(x: Tensor, offsets: Tensor) -> Tensor:
    lengths = maximum(offsets[1:] - offsets[:-1], 1).astype(x.dtype)
    return segment_sum(x, offsets) / expand(sqrt(lengths), 1)


#: How a text's vector comes from those of its tokens, in the order in which several stand side by side.
POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": _first,
    "max": segment_max,
    "mean": segment_mean,
    "mean_sqrt_len": _mean_of_roots,
}
#: What `1_Pooling/config.json` calls them, and those that are not there.
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True)
class SentenceSettings:
    """What makes a vector of a text.

    Attributes:
        poolings: names of `POOLINGS`, whose results stand side by side.
        normalised: whether vectors get length 1.
        longest: tokens that are kept of a text.
        lowercase: whether texts are written in small letters first.
        prompt: what is put before each text.
    """

    poolings: tuple[str, ...] = ("mean",)
    normalised: bool = False
    longest: int | None = None
    lowercase: bool = False
    prompt: str = ""


class SentenceEncoder:
    """One vector a text: y = pooling(encoder(ids)), divided by its length where the folder says so.

    Args:
        encoder: vectors of tokens.
        tokenizer: ids of texts.
        settings: pooling and lengths.

    Attributes:
        size: numbers of a vector.
        longest: tokens that are kept of a text; never more than the encoder has positions.
    """

    def __init__(
        self, encoder: PretrainedEncoder, tokenizer: PretrainedTokenizer, settings: SentenceSettings | None = None
    ) -> None:
        self.encoder, self.tokenizer, self.settings = encoder, tokenizer, settings or SentenceSettings()
        self.size = encoder.configuration.size * len(self.settings.poolings)
        longest = self.settings.longest or tokenizer.longest
        self.longest = min(encoder.configuration.positions, longest or encoder.configuration.positions)
        self._compiled: dict[tuple[str, int | None], Function] = {}

    @classmethod
    def of_folder(cls, folder: str | os.PathLike[str]) -> SentenceEncoder:
        """The sentence encoder in a folder.

        Read are `modules.json` and what it names; a folder without it gets the mean over tokens, as
        sentence-transformers does.

        Raises:
            ModelError: for missing or damaged files, and for modules and poolings that are not there.
            ConfigurationError: when the library `tokenizers` is missing.
        """
        place = Path(folder)
        inner, settings = read_sentence_settings(place)
        encoder = read_encoder(inner)
        return cls(encoder, PretrainedTokenizer.of_folder(inner, encoder.configuration.vocabulary), settings)

    def cut_at(self, longest: int) -> SentenceEncoder:
        """The same encoder, which keeps another number of tokens of a text.

        Raises:
            ConfigurationError: for more tokens than there are positions, or so few that nothing of a text is left.
        """
        most = self.encoder.configuration.positions
        if isinstance(longest, bool) or not isinstance(longest, int) or not 3 <= longest <= most:
            raise ConfigurationError(
                f"longest: expected from 3 tokens to {most:,}, the positions of the encoder, got {shortened(longest)}"
            )
        return SentenceEncoder(self.encoder, self.tokenizer, replace(self.settings, longest=longest))

    def vectors(self, ids: TensorLike, offsets: TensorLike) -> Tensor:
        """The vectors, shape (texts, size), of ids of all texts, one text after the other."""
        ids, offsets = as_tensors([ids, offsets])
        x = self.encoder(ids, offsets)
        found = [POOLINGS[name](x, offsets) for name in self.settings.poolings]
        y = found[0] if len(found) == 1 else concatenate(found, 1)
        if not self.settings.normalised:
            return y
        return y / maximum(sqrt((y * y).sum(1, keepdims=True)), LEAST_LENGTH)

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 32,
        engine: str = "native",
        threads: int | None = None,
        told: Callable[[str], object] | None = None,
    ) -> np.ndarray:
        """The vectors of texts.

        Texts of like length are computed together, so that batches take about the same time.

        Args:
            texts: any number of them.
            batch_size: texts that are computed at once.
            engine: "native" or "eager".
            threads: that work on a batch; None for one on each processor core.
            told: is told in a sentence how many texts were cut at `longest`, if any were.

        Returns:
            float32 of shape (texts, size), in the order of the texts.

        Raises:
            DataError: for what is no text.
            ConfigurationError: for a batch size below 1, or an unknown engine.
        """
        if isinstance(texts, str):
            raise DataError("encode: expected a list of texts, got one text; put it into a list")
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigurationError(f"batch_size: expected a whole number of 1 or more, got {shortened(batch_size)}")
        compute = self._function(engine, threads)
        ids, cut = self.tokenizer.ids(self._prepared(texts), self.longest)
        if cut and told is not None:
            told(f"{cut:,} of {len(ids):,} texts have more than {self.longest:,} tokens, and were cut there")
        found = np.empty((len(ids), self.size), np.float32)
        order = np.argsort(-ids.lengths, kind="stable")
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = ids.take(rows)
            found[rows] = cast("Tensor", compute(batch.ids, batch.offsets)).numpy()
        return found

    def _prepared(self, texts: Sequence[str]) -> list[str]:
        """Texts as sentence-transformers hands them to the tokenizer."""
        settings, found = self.settings, []
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"text {place}, counted from 0: expected a text, got {shortened(text)}")
            whole = (settings.prompt + text).strip()
            found.append(whole.lower() if settings.lowercase else whole)
        return found

    def _function(self, engine: str, threads: int | None) -> Function:
        if (engine, threads) not in self._compiled:
            made = engine_named(engine).compile(self.vectors, ragged=True, threads=threads)
            self._compiled[engine, threads] = made
        return self._compiled[engine, threads]

    def __repr__(self) -> str:
        length = ", of length 1" if self.settings.normalised else ""
        return f"SentenceEncoder({' + '.join(self.settings.poolings)} of {self.encoder!r}{length})"


def read_sentence_settings(folder: str | os.PathLike[str]) -> tuple[Path, SentenceSettings]:
    """Where in a folder the encoder is, and what makes vectors of texts.

    Raises:
        ModelError: for missing or damaged files, and for modules and poolings that are not there.
    """
    place = Path(folder)
    inner, normalised, poolings = place, False, SentenceSettings().poolings
    if (place / MODULES).is_file():
        modules = _modules(place)
        kinds = [kind for kind, _ in modules]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            raise ModelError(
                f"{place / MODULES}: expected the modules Transformer, Pooling and perhaps Normalize, got "
                f"{', '.join(kinds) or 'none'}"
            )
        inner, normalised = modules[0][1], len(kinds) == 3
        poolings = _poolings(modules[1][1] / POOLING)
    lengths: dict[str, Any] = next((read_json(inner / name) for name in LENGTHS if (inner / name).is_file()), {})
    longest = lengths.get("max_seq_length")
    if longest is not None and (isinstance(longest, bool) or not isinstance(longest, int) or longest < 3):
        raise ModelError(
            f"{inner}: expected max_seq_length to be a whole number of 3 or more, got {shortened(longest)}"
        )
    return inner, SentenceSettings(
        poolings, normalised, longest, lengths.get("do_lower_case") is True, _prompt(place / PROMPTS)
    )


def _modules(place: Path) -> list[tuple[str, Path]]:
    """The kind of each module and its place."""
    found = []
    for module in read_json(place / MODULES, list):
        kind = module.get("type") if isinstance(module, Mapping) else None
        path = module.get("path", "") if isinstance(module, Mapping) else None
        if not isinstance(kind, str) or not isinstance(path, str) or not _is_inside(path):
            raise ModelError(
                f"{place / MODULES}: expected modules with a type and a path inside the folder, got {shortened(module)}"
            )
        found.append((kind.rpartition(".")[2], place / path))
    return found


def _is_inside(path: str) -> bool:
    return not PurePath(path).is_absolute() and ".." not in PurePath(path).parts and "\\" not in path


def _poolings(path: Path) -> tuple[str, ...]:
    """The poolings that a file says."""
    content = read_json(path)
    chosen = [mode for key, mode in _MODES.items() if content.get(key) is True]
    named = content.get("pooling_mode")
    if named is not None:
        chosen = [named] if isinstance(named, str) else named if isinstance(named, list) else [str(named)]
    if not chosen or any(not isinstance(mode, str) or mode not in POOLINGS for mode in chosen):
        raise ModelError(
            f"{path}: expected poolings {', '.join(POOLINGS)}, got {shortened(chosen) if chosen else 'none'}"
        )
    return tuple(mode for mode in POOLINGS if mode in chosen)


def _prompt(path: Path) -> str:
    """What is put before each text unless a user says otherwise."""
    content = read_json(path) if path.is_file() else {}
    name, prompts = content.get("default_prompt_name"), content.get("prompts")
    if name is None:
        return ""
    prompt = prompts.get(name) if isinstance(prompts, Mapping) and isinstance(name, str) else None
    if not isinstance(prompt, str):
        raise ModelError(f"{path}: default_prompt_name is {shortened(name)}, and prompts has no text of that name")
    return prompt
