"""All pages that are made."""

from __future__ import annotations

from pages import fields, mathematics, methods, names

__all__ = ["made"]


def made() -> dict[str, str]:
    """Every page by its path in the site's sources."""
    return {
        "catalogue.md": methods.catalogue(),
        "format-reference.md": fields.reference(),
        **{f"mathematics/{file}": text for file, text in mathematics.pages().items()},
        **{f"reference/{file}": text for file, text in names.pages().items()},
    }
