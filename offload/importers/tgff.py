"""TGFF, task graphs for free: graphs whose tasks and arcs have types, and tables by type.

Dick, Rhodes, Wolf 1998, "TGFF: task graphs for free". A block ``@GRAPH 0 { ... }`` has tasks, arcs,
a period and deadlines; each other block is a table. What its columns are stands in a comment above
them. A table with execution times is of a kind of processor, one with quantities of the arcs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from offload.errors import NOTHING
from offload.importers.drafts import BANDWIDTH, Draft, Options, linked, malformed, on_lines
from offload.importers.words import amount, integer
from offload.problem import Edge, Node, Task

__all__ = ["read", "recognises"]

_TIMES = ("execution_time", "exec_time", "task_time", "time")
_SIZES = ("quantity", "bytes", "size", "volume", "commun_quantity", "data")
_OPENING = re.compile(r"@(\S+)\s+([^\s{]+)\s*\{$")


@dataclass
class _Block:
    """A block ``@NAME NUMBER {``: its rows as words, and the comments that head columns."""

    name: str
    number: str
    line: int
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    heads: list[tuple[int, list[str]]] = field(default_factory=list)


@dataclass
class _Table:
    """A table: for each type, the values of its columns and the line."""

    name: str
    line: int
    columns: list[str]
    rows: dict[int, tuple[int, dict[str, float]]]


def recognises(text: str) -> bool:
    """Whether a text has a block of a task graph."""
    return re.search(r"^\s*@\w*GRAPH\w*\s+\d+\s*\{", text, re.MULTILINE) is not None


def read(text: str, options: Options) -> Draft:
    """All graphs of a file as one instance, each run once, on one processor of each table.

    Raises
    ------
    InstanceError
        With the line: for a block that does not end, for a statement or a row that cannot be read,
        for a type that no table has, and where there are no execution times at all.
    """
    blocks = _blocks(text)
    graphs = [block for block in blocks if _is_graph(block)]
    if not graphs:
        raise malformed(1, "must have a block of a graph", NOTHING, "as in @GRAPH 0 { ... }")
    tables = [_table(block) for block in blocks if not _is_graph(block)]
    processors = [table for table in tables if _column(table, _TIMES)]
    sizes = [t for t in tables if _column(t, _SIZES) and not _column(t, _TIMES)]
    if not processors:
        fix = f"one of its columns must be {', '.join(_TIMES)}"
        raise malformed(graphs[0].line, "must come with a table of times", NOTHING, fix)
    return _Reader(graphs, processors, sizes[0] if sizes else None, options).draft()


def _is_graph(block: _Block) -> bool:
    """Whether a block is one of tasks and arcs, whatever label the file gives to graphs."""
    return any(words[0] in ("TASK", "ARC") for _, words in block.rows) or "GRAPH" in block.name


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    inside: _Block | None = None
    lines = text.splitlines()
    for line, raw in enumerate(lines, 1):
        code, _, comment = raw.partition("#")
        code = code.strip()
        if inside is not None and comment.strip(" -\t"):
            inside.heads.append((line, comment.split()))
        if code.startswith("@"):
            if inside is not None:
                raise malformed(
                    line, f"@{inside.name} of line {inside.line} must end first", code, "}"
                )
            if not code.endswith("{"):
                continue  # a value of the whole file, as the hyperperiod
            opening = _OPENING.match(code)
            if opening is None:
                raise malformed(line, "must open a block", code, "as in @GRAPH 0 {")
            inside = _Block(opening[1], opening[2], line)
            blocks.append(inside)
        elif code == "}":
            if inside is None:
                raise malformed(line, "closes no block", code, "remove it")
            inside = None
        elif code:
            if inside is None:
                raise malformed(line, "stands outside of all blocks", code, "as in @GRAPH 0 {")
            inside.rows.append((line, code.split()))
    if inside is not None:
        fix = "the file is cut short"
        raise malformed(
            max(len(lines), 1), f"@{inside.name} {inside.number} must end", NOTHING, fix
        )
    return blocks


def _table(block: _Block) -> _Table:
    """The rows below the comment that names a column ``type``; what is above is left out."""
    head = next((pair for pair in block.heads if pair[1][0] == "type"), (block.line, ["type"]))
    table = _Table(f"{block.name}{block.number}", block.line, head[1], {})
    if head[1] == ["type"]:
        return table  # of attributes alone, as the price of a processor
    for line, words in block.rows:
        if line < head[0]:
            continue
        if len(words) != len(head[1]):
            fix = f"columns are {' '.join(head[1])}"
            raise malformed(line, f"must have {len(head[1])} columns", " ".join(words), fix)
        kind = integer(words[0], line, "type")
        values = {
            name: amount(word, line, name)
            for name, word in zip(head[1][1:], words[1:], strict=True)
            if name in (*_TIMES, *_SIZES, "valid")
        }
        known = table.rows.get(kind)
        if known is None or not known[1].get("valid", 1):  # further versions are left out
            table.rows[kind] = line, values
    return table


def _column(table: _Table, names: tuple[str, ...]) -> str | None:
    return next((name for name in table.columns if name in names), None)


class _Reader:
    """Makes tasks and edges of graphs, with the tables at hand."""

    def __init__(
        self, graphs: list[_Block], processors: list[_Table], sizes: _Table | None, options: Options
    ) -> None:
        self.processors, self.sizes, self.options = processors, sizes, options
        self.tasks: dict[str, Task] = {}
        self.lines: list[int] = []
        self.edges: list[Edge] = []
        self.arcs: list[int] = []
        self.periods: list[str] = []
        for block in graphs:
            limits: dict[str, dict[str, float]] = {}
            for line, words in block.rows:
                self.statement(line, words, limits)
            for name, changes in limits.items():
                self.tasks[name] = msgspec.structs.replace(self.tasks[name], **changes)

    def statement(self, line: int, words: list[str], limits: dict[str, dict[str, float]]) -> None:
        """One line of a graph."""
        what, shown = words[0], " ".join(words)
        if what == "TASK" and len(words) == 4 and words[2] == "TYPE":
            name = words[1]
            if name in self.tasks:
                raise malformed(line, "duplicate id", name, "give it another")
            self.tasks[name] = Task(name, time=self.times(line, words[3]))
            self.lines.append(line)
        elif what == "ARC" and len(words) == 8 and words[2::2] == ["FROM", "TO", "TYPE"]:
            ends = words[3], words[5]
            for name in ends:
                self.known(line, name)
            self.edges.append(Edge(*ends, bytes=self.size(line, words[7]), item=words[1]))
            self.arcs.append(line)
        elif what.endswith("_DEADLINE") and len(words) == 6 and words[2::2] == ["ON", "AT"]:
            self.known(line, words[3])
            key = "deadline" if what.startswith("HARD") else "due"
            limits.setdefault(words[3], {})[key] = amount(words[5], line, what)
        elif what == "PERIOD" and len(words) == 2:
            self.periods.append(words[1])
        elif what in ("TASK", "ARC", "PERIOD") or what.endswith("_DEADLINE"):
            raise malformed(line, f"cannot be read as {what}", shown, "see the manual of TGFF")

    def known(self, line: int, name: str) -> None:
        if name not in self.tasks:
            raise malformed(line, "names no task", name, "give tasks before arcs and deadlines")

    def times(self, line: int, word: str) -> dict[str, float]:
        """Seconds on each processor that has the type and may run it."""
        kind = integer(word, line, "TYPE")
        found = {}
        for table in self.processors:
            values = table.rows.get(kind, (0, {}))[1]
            column = _column(table, _TIMES)
            if column in values and values.get("valid", 1):
                found[table.name] = values[column]
        if not found:
            raise malformed(line, "no table has a time of this type", kind, "add a row")
        return found

    def size(self, line: int, word: str) -> float:
        kind = integer(word, line, "TYPE")
        if self.sizes is None:
            return 0.0
        if kind not in self.sizes.rows:
            fix = f"add a row to the table of line {self.sizes.line}"
            raise malformed(line, "no table has a size of this type", kind, fix)
        column = _column(self.sizes, _SIZES)
        assert column is not None
        return self.sizes.rows[kind][1][column]

    def draft(self) -> Draft:
        """The graphs on a network of one processor of each table."""
        notes = ["times are seconds", "each processor table stands for one processor"]
        if self.sizes is None:
            notes.append("no table gives the sizes of arcs: they carry nothing")
        else:
            notes.append(f"sizes are bytes, of the table {self.sizes.name}")
        bandwidth = self.options.bandwidth
        if bandwidth is None and self.sizes is not None:
            bandwidth = BANDWIDTH
            notes.append(f"processors are linked at {BANDWIDTH:g} bytes a second")
        if self.periods:
            notes.append(f"each graph runs once, whatever its period ({', '.join(self.periods)})")
        notes.append(
            "prices and powers of processors are left out, and all versions but the first valid"
        )
        nodes = [Node(table.name) for table in self.processors]
        return Draft(
            "", list(self.tasks.values()), self.edges,
            network=linked(nodes, bandwidth, self.options.latency or 0.0),
            takes=frozenset({"bandwidth", "latency"}), timed=False, notes=notes,
            places={
                "$.graph.tasks": on_lines(self.lines), "$.graph.edges": on_lines(self.arcs),
            },
        )  # fmt: skip
