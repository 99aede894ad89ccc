"""No test reaches the network: what tries is refused, and the test fails.

Python's audit hook sees every connection of this process. Processes that tests start get the
variables that keep the hub's libraries off line; `python tests/network.py LINE LINE ...` runs
command lines under the same hook, without the variables, and fails if one tried.
"""

import ipaddress
import os
import shlex
import socket
import sys
from collections.abc import Iterator

import pytest

__all__ = ["NetworkRefused", "no_network", "tried"]

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}
tried: list[str] = []


class NetworkRefused(OSError):
    """A connection to another machine."""


def _is_here(host: object) -> bool:
    """Whether an address is of this machine."""
    if not isinstance(host, str | bytes) or not host:
        return True
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("localhost", socket.gethostname()) or name.startswith("/"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    place = EVENTS.get(event)
    if place is None:
        return
    where = arguments[place]
    host = where[0] if isinstance(where, tuple) else where
    if not _is_here(host):
        tried.append(f"{event} {host!r}")
        raise NetworkRefused(f"{event} {host!r}: tests reach no other machine")


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fail a test that tried to reach another machine, even if the error was swallowed."""
    tried.clear()
    yield
    assert tried == [], "a test tried to reach the network"


os.environ.update(OFFLINE)
sys.addaudithook(_watch)

if __name__ == "__main__":
    from mixlogit.cli import main

    for name in OFFLINE:
        del os.environ[name]  # the command has to keep off the network by itself
    codes = {main(shlex.split(line)) for line in sys.argv[1:]}
    sys.exit(f"exit codes {codes}, tried {tried}" if tried or not codes <= {0, 4} else 0)
