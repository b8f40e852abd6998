"""Settings files: TOML that holds settings, read with the line of each fault, and written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.settings.declaration import NO_VALUE

#: Bytes of a settings file, at most.
LARGEST = 1 << 20


def read_settings_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a settings file.

    Raises:
        ConfigurationError: when it cannot be read, or is not TOML; the message has the line.
    """
    import tomllib  # few trainings read a file of settings

    if not os.fspath(path):
        raise ConfigurationError("the name of the settings file is empty; give one such as settings.toml")
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(LARGEST + 1)  # a device has no end
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise ConfigurationError(f"{path}: is larger than a settings file can be ({LARGEST:,} bytes)")
    try:
        return tomllib.loads(data.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 at offset {error.start}; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # of what TOML is not, or of more digits or depth than Python reads
        raise ConfigurationError(f"{path}: is not TOML: {error}") from error


def line_of(path: str | os.PathLike[str], key: str) -> int:
    r"""The line, from 1, on which a settings file sets a key such as "training.optimizer.momentum"; 1 if none does.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "settings.toml"
        >>> _ = path.write_text('seed = 1\n[learner]\nname = "bow"\n')
        >>> line_of(path, "learner.name"), line_of(path, "seed")
        (3, 1)
    """
    table: list[str] = []
    wanted = key.split(".")
    best = 1
    for number, line in enumerate(Path(path).read_bytes().decode(errors="replace").split("\n"), start=1):
        if header := re.match(r"\s*\[+\s*([^\]#]+?)\s*\]", line):
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            best = number if table == wanted[: len(table)] else best
        elif assigned := re.match(r"\s*([\w.\-@,\"' ]+?)\s*=", line):
            held = [*table, *(part.strip().strip("\"'") for part in assigned[1].split("."))]
            if held == wanted:
                return number
    return best


def toml_text(content: Mapping[str, Any]) -> str:
    """Settings as TOML: values first, then each mapping as a table of its own; None as "none".

    Example:
        >>> print(toml_text({"seed": 1, "learner": {"name": "ffnn", "hidden": [64, 8], "limit": None}}), end="")
        seed = 1
        <BLANKLINE>
        [learner]
        name = "ffnn"
        hidden = [64, 8]
        limit = "none"
    """
    return "\n".join(_lines(content, ())).lstrip("\n") + "\n"


def _lines(content: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = ["", f"[{'.'.join(map(_key, path))}]"] if path else []
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    lines += [f"{_key(key)} = {_value(value)}" for key, value in content.items() if key not in tables]
    for key, value in tables.items():
        lines += _lines(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if value is None:
        return f'"{NO_VALUE}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")  # otherwise a string of TOML is JSON's
        return re.sub("[\ud800-\udfff]", lambda found: f"\\\\u{ord(found[0]):04x}", text)  # no characters: as text
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)
