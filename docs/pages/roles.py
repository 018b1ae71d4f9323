"""References of docstrings, :func:`offload.solve` for one, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["in_markdown"]

_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`(~?)\.?([\w.]+)`")


def in_markdown(text: str, address: Callable[[str], str | None] = lambda name: None) -> str:
    """A docstring whose references are code, or links where ``address`` knows the name.

    ``address`` turns a name as it is written into the full name under which the site has it.
    """

    def written(found: re.Match[str]) -> str:
        short, name = found.groups()
        shown = f"`{name.rpartition('.')[2] if short else name}`"
        full = address(name)
        return f"[{shown}][{full}]" if full else shown

    return _ROLE.sub(written, text)
