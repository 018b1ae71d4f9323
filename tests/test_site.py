"""The pages that are made from the code have all that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import fields, mathematics, methods, names, navigation, roles, site, typesetting

import offload
from offload.features import FEATURES
from offload.registry import entries

ROOT = Path(__file__).parents[1]


def sections(page: str, level: int) -> dict[str, str]:
    """What stands below each heading of a level, by the heading without its marks."""
    parts = re.split(rf"^{'#' * level} (.*)$", page, flags=re.MULTILINE)
    heads = [re.sub(r" \{.*\}|`", "", head) for head in parts[1::2]]
    return dict(zip(heads, parts[2::2], strict=True))


# -- methods -------------------------------------------------------------------------------------


def test_the_catalogue_has_a_row_and_a_section_for_each_method() -> None:
    page = methods.catalogue()
    made = sections(page, 3)
    assert set(made) == set(entries())
    for name, entry in entries().items():
        assert f"| [`{name}`](#{name}) |" in page
        assert f"### `{name}` {{ #{name} }}" in page
        assert entry.guarantee in made[name]
        assert re.sub("`", "", entry.use) in re.sub(r"`|\[|\]\(#[\w-]+\)", "", made[name])
        assert [
            option for option in entry.options if f"**option `{option}`**" not in made[name]
        ] == []


def test_the_catalogue_says_who_honours_each_feature() -> None:
    honoured = sections(methods.catalogue(), 2)["What is honoured"]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| .* \| (.*) \|$", honoured, flags=re.MULTILINE))
    assert list(rows) == list(FEATURES)
    assert rows["slots"] == "all methods"
    assert rows["codecs"] == "all but `milp`"
    assert rows["splitting"] == "only `milp`, `exact`"


# -- format --------------------------------------------------------------------------------------


def test_the_format_reference_has_each_field_with_its_default_and_meaning() -> None:
    made = sections(fields.reference(), 2)
    kinds = offload.schema()["$defs"]
    assert list(made) == list(kinds)
    for name, kind in kinds.items():
        rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", made[name], re.MULTILINE)
        assert [row[0] for row in rows] == list(kind["properties"])
        for key, _, default, meaning in rows:
            assert (default == "required") == (key in kind["required"])
            assert meaning == kind["properties"][key]["description"]


def test_the_format_reference_has_bounds_and_choices() -> None:
    page = fields.reference()
    assert "| `slots` | integer ≥ 1, ≤ 2<sup>53</sup> | `1` |" in sections(page, 2)["Task"]
    assert "| `bandwidth` | number > 0 or null | `null` |" in page
    assert '| `io` | `"overlapped"`, `"serial"` | `"overlapped"` |' in page
    assert "| `home` | list of text, at least one | required |" in page
    assert "| `memory` | number ≥ 0 or number ≥ 0 by selector | `0.0` |" in page


# -- mathematics ---------------------------------------------------------------------------------


def test_every_formulation_and_all_its_files_are_on_one_page() -> None:
    files = {path.stem for path in ROOT.glob("formulations/*.py") if path.stem != "__init__"}
    assert set(mathematics.modules()) == files, "each file opens with a docstring"
    pages = mathematics.pages()
    for name in files:
        holders = [file for file, page in pages.items() if is_on(name, page)]
        assert holders == [f"{mathematics.homes()[name]}.md"]
    methods_there = {where for entry in entries().values() if (where := entry.where)}
    own = {w.split(":")[0].split(".")[1] for w in methods_there if w.startswith("formulations.")}
    assert own <= {name.removesuffix(".md") for name in pages}


def is_on(module: str, page: str) -> bool:
    """Whether a page has a place of this name to jump to."""
    slugs = [line.lstrip("# ").lower().replace(" ", "-") for line in page.splitlines()]
    return f'<a id="{module}">' in page or f"{{ #{module} }}" in page or module in slugs


def test_blocks_of_docstrings_are_set_and_prose_stays_prose() -> None:
    page = mathematics.pages()["node_columns.md"]
    assert '\n\nLinear program\n{ .of-block }\n\n<div class="mathematics">' in page
    assert "<td colspan=" in page
    assert "&sum;<sub>k</sub> <i>x</i><sub>ik</sub> = 1" in page
    assert "Any prices <i>&rho;</i>, <i>&omega;</i> of the rows" in page


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("x_ik >= 0", "<i>x</i><sub>ik</sub> &ge; 0"),
        ("sum_{S: i in S} lambda_kS", "&sum;<sub>S: i &isin; S</sub> <i>&lambda;</i><sub>kS</sub>"),
        ("u_a in {0, 1}", "<i>u</i><sub>a</sub> &isin; {0, 1}"),
        ("c'_h + c_ek'l", "<i>c</i>&prime;<sub>h</sub> + <i>c</i><sub>ek&prime;l</sub>"),
        ("a place of i in the heads", "a place of <i>i</i> in the heads"),
        ("floor(a) <= b", "floor(<i>a</i>) &le; <i>b</i>"),
        ("the sum of u's big-M", "the sum of u's big-M"),
        ("`x_ik` is code, 2 * 3 too", "`x_ik` is code, 2 \\* 3 too"),
        ("see docs/format.md", "see `docs/format.md`"),
    ],
)
def test_notation_is_set_and_words_are_left(text: str, made: str) -> None:
    assert typesetting.inline(text) == made


def test_columns_of_a_block_stay_columns() -> None:
    made = typesetting.block(["    room    r <= M    for each k", "            s <= N"])
    first, second = re.findall(r"<tr>(.*?)</tr>", made)
    assert re.findall(r'colspan="(\d)"', first) == ["1", "1", "1"]
    assert re.findall(r'colspan="(\d)"', second) == ["1", "2"]


# -- names ---------------------------------------------------------------------------------------


def test_every_public_name_is_in_the_reference_once() -> None:
    listed = re.findall(r"^::: (\S+)$", "\n".join(names.pages().values()), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {f"offload.{name}" for name in offload._WHERE} <= set(listed)
    for module in ("offload.plot", *(f"offload.{part}" for part in offload._PARTS)):
        assert any(name.startswith(f"{module}.") for name in listed)


def test_a_new_name_from_a_new_module_has_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offload._WHERE, "schema_of", "offload.files_of")
    names._grouped.cache_clear()
    try:
        assert "::: offload.schema_of" in names.pages()["more.md"]
    finally:
        names._grouped.cache_clear()


def test_references_of_docstrings_become_links_where_there_is_something() -> None:
    text = "See :func:`offload.solve`, :class:`~offload.plan.Plan` and :meth:`.Thing.run`."
    made = roles.in_markdown(text, names.addresses().get)
    assert made == ("See [`offload.solve`][offload.solve], [`Plan`][offload.Plan] and `Thing.run`.")


def test_no_page_is_without_a_place_in_the_navigation() -> None:
    nav = [{"Home": "index.md"}, {"Guides": ["b.md", "*"]}, {"Made": ["made/a.md", "made/*"]}]
    navigation.complete(nav, ["index.md", "a.md", "b.md", "c/d.md", "made/b.md", "made/a.md"])
    assert nav[1:] == [
        {"Guides": ["b.md", "a.md", "c/d.md"]},
        {"Made": ["made/a.md", "made/b.md"]},
    ]


def test_pages_link_to_pages_and_places_that_there_are() -> None:
    folder = ROOT / "docs"
    made = site.made()
    for path in folder.rglob("*.md"):
        made[str(path.relative_to(folder))] = path.read_text(encoding="utf-8")
    for file, page in made.items():
        for target, place in re.findall(r"\]\(([\w./-]*)(#[\w-]+)?\)", page):
            where = str((folder / file).parent.joinpath(target).resolve()) if target else file
            where = where.removeprefix(f"{folder.resolve()}/")
            assert where in made or (folder / where).is_file(), (file, target)
            if place and where in made:
                assert is_on(place[1:], made[where]), (file, target, place)
