"""The mathematics of each formulation, made from the docstrings with which their files open."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import offload
from offload.registry import entries
from pages.roles import in_markdown
from pages.typesetting import block, inline

__all__ = ["modules", "pages"]

FOLDER = Path(offload.__file__).parents[1] / "formulations"
SHARED = "shared"  # the page of what several formulations use

OVERVIEW = """# Mathematics

Each file in `formulations/` opens with its mathematics; these pages are those openings, as they
stand in the code. Times, delays, routes and every other coefficient come from one cost model
([the format](../format.md) says what they mean), so the formulations differ in how they search,
never in what they count. An index `i` or `j` is a task, `k` or `l` a node, `m` a mode, `c` a codec,
`h` an item. Bounds are bounds of the real problem, whatever was rounded on the way.
"""


class Module(NamedTuple):
    """A file: the first line of its docstring, what follows, and which others it imports."""

    name: str
    title: str
    body: str
    imports: tuple[str, ...]


@cache
def modules() -> Mapping[str, Module]:
    """The files that have a docstring, by name."""
    made = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if text := ast.get_docstring(tree):
            title, _, body = in_markdown(text).partition("\n")
            made[path.stem] = Module(path.stem, title, body.strip("\n"), tuple(_imports(tree)))
    return made


def _imports(tree: ast.Module) -> Iterator[str]:
    """Files of the folder that a file imports, in their order, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, name = node.module.partition(".")
            if package == "formulations":
                yield from [name] if name else [alias.name for alias in node.names]


@cache
def homes() -> Mapping[str, str]:
    """The page of each module: that of the one formulation that needs it, or the shared one."""
    reached: dict[str, list[str]] = {name: [] for name in modules()}
    for root in roots():
        for name in _needed(root):
            reached[name].append(root)
    return {
        name: name if name in roots() else by[0] if len(by) == 1 else SHARED
        for name, by in reached.items()
    }


@cache
def roots() -> Mapping[str, str]:
    """Modules that are a formulation, with what it is called."""
    methods = {entry.where.partition(":")[0]: entry.name for entry in entries().values()}
    functions = {where: f"offload.{name}" for name, where in offload._WHERE.items()}
    named = {**methods, **functions}
    prefix = "formulations."
    return {
        where.removeprefix(prefix): name
        for where, name in named.items()
        if where.startswith(prefix)
    }


def _needed(root: str) -> list[str]:
    """A module and all that it needs, level by level."""
    found = [root]
    for name in found:
        found += [n for n in modules()[name].imports if n in modules() and n not in found]
    return found


def pages() -> dict[str, str]:
    """Pages by file name: an overview, one for each formulation, and what they share."""
    made = {}
    lines = []
    for root, called in roots().items():
        own = [name for name in _needed(root) if homes()[name] == root]
        made[f"{root}.md"] = _page(called, own)
        lines.append(f"- [`{called}`]({root}.md): {_sentence(modules()[root].title)}")
    shared = [name for name, home in homes().items() if home == SHARED]
    made[f"{SHARED}.md"] = _page("Shared parts", shared, lead="What several formulations use.")
    lines.append(f"- [Shared parts]({SHARED}.md): {', '.join(f'`{name}`' for name in shared)}")
    return {"index.md": OVERVIEW + "\n" + "\n".join(lines) + "\n", **made}


def _sentence(title: str) -> str:
    """The first line of a docstring, without the name of the method that it may begin with."""
    text = re.sub(r"^Method `[\w-]+`: ", "", title)
    return inline(text[0].upper() + text[1:])


def _page(title: str, names: list[str], lead: str = "") -> str:
    """One page: the formulation, then its further files; those of one line in a list."""
    parts = [f"# {title}" if lead else f"# `{title}`"]
    if lead:
        parts.append(lead)
    short = [name for name in names[0 if lead else 1 :] if not modules()[name].body]
    for position, name in enumerate(names):
        module = modules()[name]
        if name in short:
            continue
        if position or lead:
            parts.append(f"## {name} {{ #{name} }}")
        else:
            parts.append(f'<a id="{name}"></a>')
        parts.append(f"**{_linked(_sentence(module.title), name)}**")
        parts.append(f"<small>`formulations/{name}.py`</small>")
        parts.extend(_linked(part, name) for part in set_body(module.body))
    if short:
        parts.append("## Further files")
        parts.append("\n".join(
            f'- <a id="{name}"></a>`{name}`: {_linked(inline(modules()[name].title), name)}'
            for name in short
        ))  # fmt: skip
    return "\n\n".join(parts) + "\n"


def set_body(body: str) -> Iterator[str]:
    """Paragraphs, headings and blocks of mathematics of a docstring, as Markdown."""
    lines = body.splitlines()
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        indented = lines[start].startswith("    ")
        end = start
        while end < len(lines) and _belongs(lines, end, indented):
            end += 1
        part = lines[start:end]
        while part and not part[-1].strip():
            part.pop()
        if indented:
            yield block(part)
        elif end < len(lines) and lines[end].startswith("    "):
            *before, heading = _split_heading(part)
            if before:
                yield inline("\n".join(before))
            yield f"{inline(heading)}\n{{ .of-block }}"
        else:
            yield inline("\n".join(part))
        start = end


def _belongs(lines: list[str], at: int, indented: bool) -> bool:
    """Whether a line goes on with the part: blank ones do if the block goes on behind them."""
    if lines[at].strip():
        return lines[at].startswith("    ") == indented
    following = next((line for line in lines[at:] if line.strip()), "")
    return indented and following.startswith("    ")


def _split_heading(part: list[str]) -> list[str]:
    """The lines before the one right above a block, and that one."""
    return [*part[:-1], part[-1]]


def _linked(text: str, page_of: str) -> str:
    """Names of modules in backticks lead to where their mathematics is."""

    options = {name for entry in entries().values() for name in entry.options}

    def link(found: re.Match[str]) -> str:
        name = re.sub(r"^formulations[./]|\.py$", "", found[1])
        if name not in modules() or name == page_of or found[1] in options:
            return found[0]
        home = homes()[name]
        place = "" if home == homes()[page_of] else f"{home}.md"
        return f"[`{name}`]({place}#{name})"

    return re.sub(r"(?<!`)`([\w./]+)`(?!`)", link, text)
