"""What ``offload partition`` is given: an instance, a file of another tool, or a model."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from offload.cli.values import stem, wrong
from offload.errors import OffloadError, one_line

if TYPE_CHECKING:
    from offload.problem import Graph, Problem

__all__ = ["Source", "read_problem"]

_FUNCTION = re.compile(r"(?P<where>.+):(?P<name>[A-Za-z_]\w*)")
_LIKE_FILES = re.compile(r"[./\\]|^-$")
_FIX = "name an instance file or a family, as in --network edge-3tier"


@dataclass(frozen=True)
class Source:
    """What the command line says of the input; options that were not given are ``None``."""

    name: str
    network: str | None
    format: str | None
    convert: dict[str, Any]
    model: dict[str, Any]
    contiguous: bool | None

    @property
    def is_model(self) -> bool:
        """Whether it is an ONNX file, or names a function that makes a model."""
        if self.name.lower().endswith(".onnx"):
            return True
        return _FUNCTION.fullmatch(self.name) is not None and not Path(self.name).exists()


def read_problem(source: Source) -> Problem:
    """The instance that is meant.

    Raises
    ------
    OffloadError
        For what cannot be read, options that change nothing, a model without a network.
    """
    return _of_model(source) if source.is_model else _of_file(source)


def _of_file(source: Source) -> Problem:
    import offload

    for name, value in source.model.items():
        if value is not None:
            option = f"--{name}"
            raise wrong(option, "is for models", value, "leave it out, or name a model")
    options = {**source.convert, **_network(source.network)}
    given = {name: value for name, value in options.items() if value is not None}
    problem = offload.convert(source.name, source.format, **given)
    if source.contiguous is None:
        return problem
    return _with_contiguous(problem, source.contiguous)


def _with_contiguous(problem: Problem, wanted: bool) -> Problem:
    """The instance with one group "contiguous" of all tasks, or with none."""
    from offload.problem import Graph, Group

    graph = problem.graph
    groups = tuple(group for group in graph.groups if group.rule != "contiguous")
    if wanted:
        groups = (*groups, Group("contiguous", tuple(task.id for task in graph.tasks)))
    return problem.replace(graph=Graph(graph.tasks, graph.edges, groups))


def _network(name: str | None) -> dict[str, str]:
    """The option of ``convert`` that a network is: a file, or the name of a family."""
    if name is None:
        return {}
    if _LIKE_FILES.search(name) or Path(name).is_file():
        return {"network": name}
    return {"family": name}


def _of_model(source: Source) -> Problem:
    from offload.converting import with_network
    from offload.importers.drafts import Options
    from offload.problem import Problem

    for name, value in {**source.convert, "format": source.format}.items():
        if value is not None and value is not False:
            option = f"--{name}"
            raise wrong(option, "is for files of other tools", value, "leave it out for a model")
    if source.network is None:
        raise wrong("--network", "is needed for a model", "nothing", _FIX)
    chosen = _network(source.network)
    options = with_network(Options(), chosen.get("network"), chosen.get("family"))
    assert options.network is not None
    given = {name: value for name, value in source.model.items() if value is not None}
    if source.contiguous is not None:
        given["contiguous"] = source.contiguous
    if given.get("pin") == ["none"]:
        given["pin"] = None
    elif "pin" not in given and all(node.tier != "device" for node in options.network.nodes):
        fix = "say where input and output are, as in --pin NODE, or --pin none"
        raise wrong("--pin", "is needed: the network has no device", source.network, fix)
    graph = _graph(source.name, given)
    notes = "; ".join(note.rstrip(".") for note in options.network_notes)
    return Problem(
        name=_name(source.name), network=options.network, graph=graph,
        source=f"The model {PurePath(source.name).name}; {notes}.",
    )  # fmt: skip


def _name(source: str) -> str:
    if source.lower().endswith(".onnx"):
        return stem(source[: -len(".onnx")], "model")
    return source.rpartition(":")[2]


def _graph(source: str, options: dict[str, Any]) -> Graph:
    """The task graph of a model."""
    from offload import models

    if source.lower().endswith(".onnx"):
        if not Path(source).is_file():
            raise OffloadError(f"{source}: no such file; check the path")
        return models.from_onnx(source, **options)
    module, inputs, named = _made(source)
    return models.from_torch(module, inputs, named, **options)


def _made(source: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The module and its inputs that a function of the user's makes."""
    match = _FUNCTION.fullmatch(source)
    assert match is not None
    where, name = match["where"], match["name"]
    function = getattr(_module(where, source), name, None)
    if not callable(function):
        raise OffloadError(f"{source}: {where} has no function {name!r}; check its name")
    try:
        found = function()
    except Exception as error:
        raise _failed(source, f"{name}() failed", error) from error
    fix = "return (module, args), or (module, args, kwargs)"
    if not isinstance(found, tuple) or len(found) not in (2, 3):
        raise OffloadError(f"{source}: {name}() returned {type(found).__name__}; {fix}")
    module, inputs, *rest = found
    named = rest[0] if rest else {}
    if not isinstance(named, dict):
        raise OffloadError(f"{source}: kwargs must be a dict, got {type(named).__name__}; {fix}")
    return module, tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,), named


def _module(where: str, source: str) -> Any:
    """A Python file or an importable module; the current folder counts."""
    try:
        if where.endswith(".py"):
            if not Path(where).is_file():
                raise OffloadError(f"{where}: no such file; check the path")
            spec = importlib.util.spec_from_file_location(PurePath(where).stem, where)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # what the file defines may look itself up there
            spec.loader.exec_module(module)
            return module
        if "" not in sys.path:
            sys.path.insert(0, "")
        return importlib.import_module(where)
    except OffloadError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and where.split(".")[0] == error.name.split(".")[0]:
            fix = "name a file.py:function or module:function"
            raise OffloadError(f"{source}: no module {error.name!r} can be found; {fix}") from None
        raise _failed(source, f"{where} cannot be imported", error) from error
    except Exception as error:
        raise _failed(source, f"{where} cannot be imported", error) from error


def _failed(source: str, what: str, error: Exception) -> OffloadError:
    text = one_line(" ".join(str(error).split()))
    return OffloadError(f"{source}: {what}: {type(error).__name__}: {text}; mend it first")
