"""Hooks of MkDocs: pages that are made from the code, and links between documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files
from pages import mathematics
from pages.navigation import complete
from pages.site import made

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made; then those that the navigation leaves out."""
    for path, text in made().items():
        files.append(File.generated(config, path, content=text))
    complete(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Documents and formulations that a text names in backticks become links."""
    here = page.file.src_uri
    up = "../" * here.count("/")
    pages = {file.src_uri for file in files.documentation_pages()}
    homes = mathematics.homes()

    def link(found: re.Match[str]) -> str:
        folder, name = found[2], found[3]
        if folder == "docs" and f"{name}.md" in pages and f"{name}.md" != here:
            return f"[{found[0]}]({up}{name}.md)"
        if folder == "formulations" and name in homes and not here.startswith("mathematics/"):
            return f"[{found[0]}]({up}mathematics/{homes[name]}.md#{name})"
        return found[0]

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    pattern = r"(?<![\[`])(`{1,2})(docs|formulations)/([\w/-]+)\.(?:md|py)\1(?!`)"
    return "".join(p if p.startswith("```") else re.sub(pattern, link, p) for p in parts)
