"""Generated scenarios: one module a family, one line in the table below."""

from __future__ import annotations

from offload.errors import OffloadError
from offload.problem import Network

__all__ = ["network_of"]


def network_of(name: str) -> Network:
    """The network of a family, for tasks that come without one.

    Raises
    ------
    OffloadError
        If there is no such family.
    """
    raise OffloadError(f"family: there is none yet, got {name!r}")
