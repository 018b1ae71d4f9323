"""The catalogue of methods, made from the table in ``offload/registry.py``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from offload.features import FEATURES
from offload.registry import Entry, entries
from pages.markdown import table

__all__ = ["catalogue"]

# In this order, with what is said of the kind; others come after them.
KINDS = {
    "exact": ("Exact methods", "They prove what they find, or that there is no plan."),
    "bound": ("Bounds", "Methods for one kind of goal, which they bound and often prove."),
    "list": ("List scheduling", "Tasks by rank, each where it finishes first, or nearly so."),
    "batch": ("Batch mode", "Tasks as they become ready, without filling gaps."),
    "greedy": ("Greedy", "Any goal, by the price of each step."),
    "cut": ("Cuts of an order", "A topological order, cut into a stretch a node."),
    "portfolio": ("Portfolio", "Several methods, of which the best counts."),
    "search": ("Local search", "A plan, improved as long as there is time."),
    "policy": ("Policies", "What load balancers do: baselines."),
}

OPENING = """# Method catalogue

Made from the table of methods, which `offload methods` and `offload.methods()` print. How they
work is told in [Methods](methods.md); what they honour is named by the features of
[the format](format.md).

**Which one?** `auto`, the default: it runs the fast ones, then local search, and a proof where the
instance is small enough. `exact` spends more on the proof. A method by name is for when you know
what you want of it: a plan at once, a bound of a special goal, a baseline, a second opinion.
A method refuses an instance or a goal that it does not honour, and names what it is.
"""


def catalogue() -> str:
    """The page: a table of all methods, what they honour, and a section each."""
    made = sorted(entries().values(), key=lambda entry: _rank(entry.kind))  # stable within a kind
    rows = [
        (f"[`{entry.name}`](#{entry.name})", _title(entry.kind), _with_links(entry.use))
        for entry in made
    ]
    parts = [OPENING, table(("method", "kind", "when to use it"), rows), _honours(made)]
    last = None
    for entry in made:
        if entry.kind != last:
            parts.append(f"## {_title(entry.kind)}\n\n{KINDS.get(entry.kind, ('', ''))[1]}")
            last = entry.kind
        parts.append(_section(entry))
    return "\n\n".join(parts) + "\n"


def _rank(kind: str) -> int:
    return [*KINDS].index(kind) if kind in KINDS else len(KINDS)


def _title(kind: str) -> str:
    return KINDS[kind][0] if kind in KINDS else kind.capitalize()


def _honours(made: Iterable[Entry]) -> str:
    """A table of features and of the methods that lack them."""
    rows = []
    for name, meaning in FEATURES.items():
        without = [entry.name for entry in made if name not in entry.honours]
        with_it = [entry.name for entry in made if name in entry.honours]
        if not without:
            who = "all methods"
        elif len(with_it) < len(without):
            who = "only " + _names(with_it)
        else:
            who = "all but " + _names(without)
        rows.append((f"`{name}`", meaning, who))
    head = ("feature", "an instance uses it if it has", "honoured by")
    return "## What is honoured\n\n" + table(head, rows)


def _section(entry: Entry) -> str:
    """All that the table says of one method."""
    lacks = [name for name in FEATURES if name not in entry.honours]
    facts = [
        ("use it for", _with_links(entry.use)),
        ("guarantee", entry.guarantee),
        ("honours", "everything" if not lacks else "everything but " + _names(lacks)),
        ("goals", _names(sorted(entry.goals)) if entry.goals else "all metrics, in any mix"),
        ("source", _with_modules(entry.source)),
    ]
    if not entry.use:
        del facts[0]
    for name, text in entry.options.items():
        facts.append((f"option `{name}`", text))
    lines = "\n".join(f"- **{what}**: {text}" for what, text in facts)
    return f"### `{entry.name}` {{ #{entry.name} }}\n\n{lines}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _with_links(text: str) -> str:
    """Names of methods in a text lead to their sections."""
    known = entries()
    return re.sub("`([^`]*)`", lambda m: f"[{m[0]}](#{m[1]})" if m[1] in known else m[0], text)


def _with_modules(text: str) -> str:
    """Files in a text as code, and the formulas of shares with their indices lowered."""
    text = re.sub(r"(?:formulations|offload)/\w+\.py", r"`\g<0>`", text)
    return re.sub(r"\b(\w)_(\w)\b", r"\1<sub>\2</sub>", text)
