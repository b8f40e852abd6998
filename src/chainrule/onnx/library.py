"""The library `onnx`, an extra, which is loaded only where a file is read or written."""

from __future__ import annotations

import importlib
from typing import Any

from chainrule.errors import ConfigurationError

#: What is written: the set of operators, and the version of the file format that came with it.
OPSET, IR_VERSION = 20, 10
#: A protobuf message is smaller than this, in bytes.
MOST_BYTES = 2**31 - 1


def library(part: str = "") -> Any:
    """The library, or one of its modules.

    Raises:
        ConfigurationError: where it is not installed.
    """
    try:
        return importlib.import_module(f"onnx.{part}" if part else "onnx")
    except ImportError as error:
        raise ConfigurationError(
            f"ONNX files are read and written by the library onnx, which cannot be imported ({error}); "
            f"install it: pip install 'chainrule[onnx]'"
        ) from error
