"""Where a server listens."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from chainrule.errors import ConfigurationError, shortened

HOST, PORT = "127.0.0.1", 8000
#: Connections that wait to be accepted.
BACKLOG = 2048


def listen(host: str = HOST, port: int = PORT) -> socket.socket:
    """A socket that listens; `getsockname()[1]` is its port.

    Args:
        host: an address or name of this machine; 0.0.0.0 for all of its addresses.
        port: 0 for any that is free.

    Raises:
        ConfigurationError: for a place that cannot be used, such as a port in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number in errno.errorcode else getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"host {shortened(host)}, port {port} cannot be used: {reason}; give another one, such as --port 0 for any "
            "that is free"
        ) from error
    # An answer is sent at once, and not after 40 ms, when the head of it has been confirmed; connections inherit it.
    held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return held


def is_here(host: str) -> bool:
    """Whether a name or address is of this machine alone, so that no other reaches it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
