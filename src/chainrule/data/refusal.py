"""Whatever a reader raises becomes an error that says where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chainrule.data.wanted import Wanted
from chainrule.errors import ChainruleError, DataError, shortened


@contextmanager
def refused(name: str, wanted: Sequence[Wanted]) -> Iterator[None]:
    """Make whatever a reader raises an error that names the file and the columns.

    Raises:
        DataError: for all that is no error of ours.
    """
    try:
        yield
    except (ChainruleError, MemoryError):
        raise
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
    except BaseException as error:
        panic = type(error).__name__ == "PanicException"  # of code in Rust, which is no Exception
        if not panic and not isinstance(error, Exception):
            raise
        columns = ", ".join(shortened(column) for _, column in wanted) or "all columns"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: cannot be read ({columns}): {reason}. Write or copy it again") from error
