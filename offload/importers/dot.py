"""Graphviz DOT: directed graphs with weights.

The grammar of https://graphviz.org/doc/info/lang.html, without HTML: names, quoted texts, node,
edge and default attributes, subgraphs, chains of edges; and numbers like 1e9 without quotes. What
the attributes mean is in :mod:`offload.importers.graphs`.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from offload.errors import NOTHING
from offload.importers.drafts import Draft, Options, malformed
from offload.importers.graphs import Arc, Vertex, graph_draft

__all__ = ["read", "recognises"]

_TOKEN = re.compile(
    r"""[ \t\r\f]*
      (?:(?P<space>\n\s*(?:\#[^\n]*)?|//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:\\.|[^"\\])*")
      | (?P<name>[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*
                |-?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<mark>->|--|[{}\[\]=;,:+]))""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 100  # subgraphs in one another
_KEYWORDS = frozenset({"node", "edge", "graph", "digraph", "subgraph", "strict"})


def recognises(text: str) -> bool:
    """Whether a text begins a graph in DOT."""
    start = re.sub(r"\A(?:\s|//[^\n]*|/\*.*?\*/|#[^\n]*\n)*", "", text[:4000], flags=re.DOTALL)
    return re.match(r"(strict\s+)?(di)?graph\b[^{]{0,200}\{", start, re.IGNORECASE) is not None


def read(text: str, options: Options) -> Draft:
    """The graph, nodes as tasks.

    Raises
    ------
    InstanceError
        With the line: for what is not DOT, for an undirected graph, for a task without a weight.
    """
    parser = _Parser(_tokens(text))
    parser.graph()
    vertices = [Vertex(name, *pair) for name, pair in parser.nodes.items()]
    draft = graph_draft(vertices, parser.arcs)
    draft.description = parser.title
    return draft


class _Token(NamedTuple):
    kind: str  # "name", "text", "keyword", "mark" or "end"
    value: str  # of a keyword in small letters
    line: int


def _tokens(text: str) -> list[_Token]:
    made: list[_Token] = []
    text = text.rstrip()
    line, at = 1, 0
    if text.startswith("#"):  # a line of the preprocessor
        at = text.find("\n") if "\n" in text else len(text)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            near = text[at : at + 20].partition("\n")[0].strip()
            raise malformed(line, "cannot be read as DOT", near, "quote it")
        kind = str(match.lastgroup)
        value = match[kind]
        at = match.end()
        if kind == "text":
            inside = value[1:-1].replace("\\\n", "").replace('\\"', '"')
            made.append(_Token(kind, inside, line))
        elif kind == "name" and value.lower() in _KEYWORDS:
            made.append(_Token("keyword", value.lower(), line))
        elif kind != "space":
            made.append(_Token(kind, value, line))
            continue  # of one line
        line += value.count("\n")
    made.append(_Token("end", "", line))
    return made


@dataclass
class _Scope:
    """Default attributes of nodes and edges inside one pair of braces."""

    node: dict[str, str] = field(default_factory=dict)
    edge: dict[str, str] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)


class _Parser:
    """Recursive descent over the tokens; collects nodes and edges."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.title = ""
        self.strict = False
        self.nodes: dict[str, tuple[dict[str, str], str]] = {}
        self.arcs: list[Arc] = []
        self.ends: dict[tuple[str, str], Arc] = {}
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, message: str, fix: str) -> NoReturn:
        token = self.token
        if token.kind == "end":
            raise malformed(token.line, message, NOTHING, "the file may be cut short")
        raise malformed(token.line, message, token.value, fix)

    def taken(self, *values: str) -> bool:
        """Whether the next token is one of some marks or keywords; it is taken if so."""
        token = self.tokens[self.at]
        if token[1] in values and token[0] in ("mark", "keyword"):
            self.at += 1
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.taken(mark):
            self.fail(f"must be {mark!r}", f"write {mark}")

    def name(self, what: str) -> str:
        token = self.token
        if token.kind not in ("name", "text"):
            self.fail(f"{what} must follow", "write a name, in quotes if it is not a plain word")
        self.at += 1
        value = token.value
        while token.kind == "text" and self.taken("+"):
            if self.token.kind != "text":
                self.fail("a quoted text must follow +", "write it")
            value += self.token.value
            self.at += 1
        return value

    def graph(self) -> None:
        """The whole file."""
        self.strict = self.taken("strict")
        if self.taken("graph"):
            self.at -= 1
            self.fail("must be a directed graph", "write digraph, and -> for edges")
        if not self.taken("digraph"):
            self.fail("must begin a graph", "as in digraph { a -> b }")
        if self.token.kind in ("name", "text"):
            self.title = self.name("a name")
        self.need("{")
        self.body(_Scope())
        if self.token.kind != "end":
            self.fail("the file must end after the graph", "split the file")

    def body(self, scope: _Scope) -> None:
        """Statements up to the closing brace."""
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail("nested too deeply", "flatten it")
        while not self.taken("}"):
            if self.token.kind == "end":
                self.fail("must be closed by '}'", "close it")
            if not self.taken(";"):
                self.statement(scope)
        self.depth -= 1

    def statement(self, scope: _Scope) -> None:
        """Defaults, an attribute of the graph, a node, or a chain of edges."""
        token = self.token
        if token.kind == "keyword" and token.value in ("node", "edge", "graph"):
            self.at += 1
            target = {"node": scope.node, "edge": scope.edge}.get(token.value, {})
            target.update(self.attributes())
            return
        following = self.tokens[self.at + 1]
        if token.kind in ("name", "text") and following == ("mark", "=", following.line):
            self.at += 2
            self.name("a value")
            return
        ends, plain = self.end(scope)
        chain = [ends]
        while self.taken("->"):
            chain.append(self.end(scope)[0])
        if self.taken("--"):
            self.at -= 1
            self.fail("must be a directed edge", "write ->")
        found = self.attributes()
        if len(chain) == 1:
            if plain:
                self.nodes[ends[0]][0].update(found)
            elif found:
                self.fail("a subgraph has no list of attributes", "write them inside")
            return
        for sources, targets in itertools.pairwise(chain):
            for src in sources:
                for dst in targets:
                    self.arc(src, dst, {**scope.edge, **found}, token.line)

    def arc(self, src: str, dst: str, attributes: dict[str, str], line: int) -> None:
        known = self.ends.get((src, dst)) if self.strict else None
        if known is not None:  # one edge: the later attributes hold
            known.attributes = {**known.attributes, **attributes}
            return
        arc = Arc(src, dst, attributes, f"line {line}")
        self.ends[src, dst] = arc
        self.arcs.append(arc)

    def end(self, scope: _Scope) -> tuple[list[str], bool]:
        """A node, or the nodes of a subgraph; whether it is a single node."""
        if self.taken("subgraph"):
            if self.token.kind in ("name", "text"):
                self.name("a name")
            if self.token.value != "{":
                self.fail("must be '{'", "write the subgraph's body")
        if self.taken("{"):
            inner = _Scope(dict(scope.node), dict(scope.edge))
            self.body(inner)
            scope.names.update(inner.names)
            return list(inner.names), False
        line = self.token.line
        if self.token.kind == "keyword":
            self.fail("a keyword is no node", "quote it")
        name = self.name("a node")
        for _ in range(2):  # a port and a side
            if self.taken(":"):
                self.name("a port")
        if name not in self.nodes:
            self.nodes[name] = dict(scope.node), f"line {line}"
        scope.names[name] = None
        return [name], True

    def attributes(self) -> dict[str, str]:
        """Lists in brackets, one after another."""
        found: dict[str, str] = {}
        while self.taken("["):
            while not self.taken("]"):
                key = self.name("an attribute")
                found[key] = self.name("a value") if self.taken("=") else "true"
                if self.taken(",", ";") or self.token.kind in ("name", "text"):
                    continue
                if self.token.value != "]":
                    self.fail("must be ',' or ']'", "close the list")
        return found
