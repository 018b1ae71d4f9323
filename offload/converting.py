"""Foreign files and objects as instances: :func:`convert`."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Any

from offload.errors import InstanceError, OffloadError
from offload.files import load, loads, read_bytes
from offload.importers import detect, named
from offload.importers.drafts import Options, finish
from offload.problem import Network, Problem

__all__ = ["convert"]

OWN = "offload"
_OWN = re.compile(r'"format"\s*:\s*"offload-instance/')


def convert(
    source: str | os.PathLike[str] | Any,
    format: str | None = None,
    *,
    processors: int | None = None,
    network: Network | str | os.PathLike[str] | None = None,
    family: str | None = None,
    speed: float | None = None,
    bandwidth: float | None = None,
    latency: float | None = None,
) -> Problem:
    """An instance from a file of another tool.

    Parameters
    ----------
    source : path, or ``-`` for standard input
        A file, plain or gzip.
    format : str, optional
        Name of its format; found out from its ending and its text by default. "offload" is the
        library's own, which is read as :func:`offload.load` does.
    processors : int, optional
        For tasks without a network: so many identical processors, each pair linked.
    network : Network or path, optional
        Or this network; a path is that of an instance file.
    family : str, optional
        Or the network of that name.
    speed : float, optional
        Operations a second of the machine that the file's times are of.
    bandwidth, latency : float, optional
        Of the links between identical processors: bytes a second, seconds.

    Returns
    -------
    Problem
        What was assumed is in its ``source``.

    Raises
    ------
    InstanceError
        For a file that breaks its format; names the line, the value and the fix.
    OffloadError
        For a file of no known format, or tasks without a network.
    """
    for option, value in (("speed", speed), ("bandwidth", bandwidth)):
        if value is not None and not value > 0:
            raise OffloadError(f"{option}: must be > 0, got {value!r}")
    if latency is not None and not latency >= 0:
        raise OffloadError(f"latency: must be >= 0, got {latency!r}")
    if sum(given is not None for given in (processors, network, family)) > 1:
        raise OffloadError("processors, network, family: give one of them, not several")
    options = Options(processors, _network(network, family), speed, bandwidth, latency)
    name = "standard input" if os.fspath(source) == "-" else os.fspath(source)
    text = read_bytes(source).decode("utf-8", "replace")
    if format in (None, OWN) and (format == OWN or _OWN.search(text)):
        return loads(text, source=name)
    form = detect(name, text) if format is None else named(format)
    try:
        draft = form.read(text, options)
        stem = PurePath(name.removesuffix(".gz")).stem
        if not draft.name:
            draft.name = stem
        return finish(draft, options, f"{PurePath(name).name} ({form.title})")
    except InstanceError as error:
        raise InstanceError(error.issues, error.source or name) from None


def _network(
    network: Network | str | os.PathLike[str] | None, family: str | None
) -> Network | None:
    if family is not None:
        from offload.families import network_of

        return network_of(family)
    if network is None or isinstance(network, Network):
        return network
    return load(network).network
