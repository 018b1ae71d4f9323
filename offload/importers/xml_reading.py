"""XML as elements that know their lines, with every entity of the file's own refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from offload.errors import NOTHING
from offload.importers.drafts import malformed

__all__ = ["Element", "parse_xml"]

_DEEPEST = 200  # levels: no format here has more than a handful


@dataclass(slots=True)
class Element:
    """An element: its name without prefix, its attributes, its text, and where it starts."""

    tag: str
    line: int
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> Iterator[Element]:
        """Children of a name."""
        return (child for child in self.children if child.tag == tag)

    def get(self, name: str, fix: str = "") -> str:
        """An attribute that must be there.

        Raises
        ------
        InstanceError
            If it is not, or is empty.
        """
        value = self.attributes.get(name)
        if not value:
            fix = fix or f'write <{self.tag} {name}="...">'
            found = NOTHING if value is None else value
            raise malformed(self.line, f"<{self.tag}> must have {name}", found, fix)
        return value


def parse_xml(text: str, root: str) -> Element:
    """The root element of a document.

    Parameters
    ----------
    text
        The document.
    root
        The name that its root must have.

    Raises
    ------
    InstanceError
        With the line, for a document that is no XML, that declares an entity (a small file of
        nested entities would fill the memory), or that has another root.
    """
    parser = expat.ParserCreate("utf-8")  # whatever the text declares: it is decoded
    builder = _Builder(parser)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = builder.entity
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        rows = text.splitlines() or [""]
        line = min(error.lineno, len(rows))  # a document that is cut short ends below the last
        found = rows[line - 1].strip()[:40]
        raise malformed(
            line, f"not XML: {expat.ErrorString(error.code)}", found or NOTHING,
            "the file may be cut short",
        ) from None  # fmt: skip
    assert builder.root is not None  # or the parser would have complained
    if builder.root.tag != root:
        raise malformed(
            builder.root.line,
            f"must be a document of <{root}>",
            builder.root.tag,
            "name its format",
        )
    return builder.root


class _Builder:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.open: list[Element] = []
        self.root: Element | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        made = Element(name.rpartition(":")[2], line, attributes)
        if self.open:
            self.open[-1].children.append(made)
        else:
            self.root = made
        self.open.append(made)
        if len(self.open) > _DEEPEST:
            raise malformed(line, "nested too deeply", len(self.open), "flatten it")

    def end(self, name: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        # Blanks between elements would add up to a long text, copied once an element.
        if self.open and not text.isspace():
            self.open[-1].text += text

    def entity(self, name: str, *_: object) -> NoReturn:
        line = self.parser.CurrentLineNumber
        raise malformed(line, "must declare no entities", name, "write the text out")
