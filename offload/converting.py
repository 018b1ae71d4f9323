"""Foreign files and objects as instances: :func:`convert`."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from offload.collecting import collector_paused
from offload.errors import InstanceError, Issue, OffloadError
from offload.files import loads, read_bytes
from offload.importers import detect, named
from offload.importers.drafts import Options, finish
from offload.importers.objects import read_object
from offload.problem import FORMAT, Network, Problem

__all__ = ["convert", "with_network"]


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
    part: int | None = None,
    maximize: bool = False,
    inference: bool = False,
    contiguous: bool = True,
) -> Problem:
    """An instance from a file of another tool, or from a graph or tables in Python.

    Parameters
    ----------
    source : path, ``-`` for standard input, networkx graph, DataFrame, or pair of DataFrames
        A file, plain or gzip. A directed graph of networkx is one of tasks, any other a network.
        A DataFrame has a row a task; a second one a row an edge, from ``src`` to ``dst``.
    format : str, optional
        Name of the file's format; found out from its ending and its text by default. An instance
        file is read as it is.
    processors : int, optional
        For tasks without a network: so many identical processors, each pair linked.
    network : Network or path, optional
        Or this network; a path is that of an instance file, or of a file that has a network.
    family : str, optional
        Or the network of that name.
    speed : float, optional
        Operations a second of the machine that the file's times are of.
    bandwidth, latency : float, optional
        Of the links between identical processors: bytes a second, seconds.
    part : int, optional
        Of a file of several problems: which one, from 1.
    maximize : bool
        Of assignment problems: the file's first table is of profits in place of costs.
    inference : bool
        Of profiles of a network's training: leave out the backward pass.
    contiguous : bool
        Of neural networks: whether each node is to have a contiguous part of the forward pass.

    Returns
    -------
    Problem
        What was assumed is in its ``source``.

    Raises
    ------
    InstanceError
        For a file that breaks its format; names the line (in JSON the path), value and fix.
    OffloadError
        For a file of no known format, tasks without a network, options that change nothing.

    Examples
    --------
    >>> import networkx, offload
    >>> graph = networkx.DiGraph()
    >>> graph.add_node("a", time=2.0)
    >>> graph.add_node("b", time=3.0)
    >>> graph.add_edge("a", "b", bytes=1e6)
    >>> offload.convert(graph, processors=2).graph.tasks[1].work
    3.0
    """
    for option, value in (("speed", speed), ("bandwidth", bandwidth)):
        if value is not None and not 0 < value < float("inf"):
            raise OffloadError(f"{option}: must be > 0 and finite, got {value!r}")
    if latency is not None and not 0 <= latency < float("inf"):
        raise OffloadError(f"latency: must be >= 0 and finite, got {latency!r}")
    if sum(given is not None for given in (processors, network, family)) > 1:
        raise OffloadError("processors, network, family: give one of them, not several")
    for option, count in (("processors", processors), ("part", part)):
        if count is not None and count < 1:
            raise OffloadError(f"{option}: must be 1 or more, got {count!r}")
    options = Options(
        processors, None, speed, bandwidth, latency, part, maximize or None, inference or None,
        None if contiguous else False,
    )  # fmt: skip
    if network is not None or family is not None:
        options = with_network(options, network, family)
    if not isinstance(source, str | os.PathLike):
        if format is not None:
            raise OffloadError(f"format: is one of files, got {format!r}; leave it out")
        draft, what = read_object(source, options)
        return finish(draft, options, what)
    name = _name(source)
    try:
        text = _decoded(read_bytes(source))
        if format is None and _is_instance(text):
            if options != Options():
                raise OffloadError(f"{name}: is an instance already; leave out all options")
            return loads(text, name)
        form = detect(name, text) if format is None else named(format)
        with collector_paused():
            draft = form.read(text, options)
            if not draft.name:
                draft.name = PurePath(name.removesuffix(".gz")).stem
            return finish(draft, options, f"{PurePath(name).name} ({form.title})")
    except InstanceError as error:
        raise InstanceError(error.issues, error.source or name) from None


def _name(source: str | os.PathLike[str]) -> str:
    return "standard input" if os.fspath(source) == "-" else os.fspath(source)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        near = raw[error.start : error.start + 8]
        issue = Issue(f"line {line}", "not UTF-8", near, "save the file as UTF-8")
        raise InstanceError([issue]) from None


def _is_instance(text: str) -> bool:
    return re.search(rf'"format"\s*:\s*"{re.escape(FORMAT)}"', text) is not None


def _for_network(options: Options) -> Options:
    """Options of reading a file for its network alone: those of its tasks are of another file."""
    return replace(options, part=None, maximize=None, inference=None, contiguous=None)


def with_network(
    options: Options, network: Network | str | os.PathLike[str] | None, family: str | None
) -> Options:
    """Options with the network of a family or of a file: an instance, or a format that has one."""
    if family is not None:
        from offload.families import network_of

        notes: tuple[str, ...] = (f"the network is that of the family {family}",)
        return replace(options, network=network_of(family), network_notes=notes)
    if network is None or isinstance(network, Network):
        return replace(options, network=network)
    name = _name(network)
    raw = read_bytes(network)
    notes = (f"the network is that of {PurePath(name).name}",)
    try:
        text = _decoded(raw)
        if _is_instance(text):
            instance = loads(raw, name)
            notes += (instance.source.rstrip("."),) if instance.source else ()
            return replace(options, network=instance.network, network_notes=notes)
        draft = detect(name, text).read(text, _for_network(options))
    except InstanceError as error:
        raise InstanceError(error.issues, error.source or name) from None
    if draft.network is None:
        raise OffloadError(f"network: {name} has none; name a file with nodes and links")
    # What was assumed of tasks in that file does not matter here.
    notes += () if draft.tasks else tuple(draft.notes)
    return replace(options, network=draft.network, network_notes=notes, network_takes=draft.takes)
