"""What a server takes at most, and what it says of a request that it does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, shortened


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server takes at most.

    Attributes:
        bytes: of the body of a request.
        rows: of a request.
        waiting: rows that wait for the model; where as many do, further requests are rejected until there are fewer.
            The wait of those that are accepted is bounded so.
        connections: that are open at the same time.
        seconds: for a request's body to arrive, once its head has.

    Raises:
        ConfigurationError: for a limit that is no whole number of 1 or more.
    """

    bytes: int = 1 << 20
    rows: int = 1000
    waiting: int = 32
    connections: int = 512
    seconds: int = 30

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"limits: {name} must be a whole number of 1 or more, got {shortened(value)}")


class RequestError(DataError):
    """A request that is not answered.

    Attributes:
        where: what part of it is meant, such as "row 3 (the first is 0)".
        expected: what it was to be.
        got: what it was.
        status: of HTTP, such as 400.
        headers: of the answer that says so.
    """

    def __init__(
        self, where: str, expected: str, got: str, status: int = 400, headers: Mapping[bytes, bytes] | None = None
    ) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.where, self.expected, self.got, self.status, self.headers = where, expected, got, status, headers or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.expected, self.got, self.status, self.headers), vars(self)

    def json(self) -> dict[str, str]:
        """The answer: the message, and its parts for programs."""
        return {"error": str(self), "where": self.where, "expected": self.expected, "got": self.got}
