"""docs/security.md: every requirement of ASVS 5.0, V6 to V10 at levels 1 and 2, with its test, or why it has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from tests.unit.source_tree import ROOT
from tests.vectors import vectors

DOCS = ROOT / "docs"
CHAPTERS = ("V6", "V7", "V8", "V9", "V10")
LEVELS = ("1", "2")
ROW = re.compile(r"\| (V\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| ([^|]+) \|")
TEST = re.compile(r"`(tests/[\w/.]+::\w+)`")
REASON = re.compile(r"(Does not apply|Documented|Open): (.+\.)$")
LINK = re.compile(r"\]\(([\w-]+\.md)?(?:#([\w-]+))?\)")
FEWEST_WORDS = 5


@dataclass(frozen=True)
class Row:
    """One row of a table. `words` is what stands there beside the tests' names."""

    id: str
    level: str
    tests: tuple[str, ...]
    words: str


def read(text: str) -> list[Row]:
    """Return all rows. Raises ValueError with the first that looks like one and can't be read."""
    rows = []
    for line in text.splitlines():
        if not re.match(r"\|\s*V\d", line):
            continue
        match = ROW.fullmatch(line)
        if match is None:
            raise ValueError(line)
        shown = match[4].replace("<br>", " ")
        rows.append(Row(match[1], match[2], tuple(TEST.findall(shown)), TEST.sub("", shown).strip()))
    return rows


def unmapped(rows: Iterable[Row], required: Mapping[str, str]) -> list[str]:
    """Return what is wrong between the rows and the requirements, which are ids with their levels."""
    rows = list(rows)
    ids = [row.id for row in rows]
    return [
        *(f"{name} has no row" for name in required if name not in ids),
        *(f"{name} is no requirement" for name in ids if name not in required),
        *(f"{name} is there twice" for name in sorted(set(ids)) if ids.count(name) > 1),
        *(f"{row.id} is of another level" for row in rows if required.get(row.id, row.level) != row.level),
    ]


def unshown(row: Row, names_in: Callable[[str], frozenset[str]]) -> list[str]:
    """Return what is wrong with a row itself: a test that there is not, or neither a test nor a reason."""
    named = [(test, *test.split("::")) for test in row.tests]
    flaws = [f"{row.id}: there is no {test}" for test, path, name in named if name not in names_in(path)]
    if "`" in row.words or "tests/" in row.words:
        flaws.append(f"{row.id}: what is meant by {row.words!r}?")
    reason = REASON.search(row.words)
    if reason is None and (row.words or not row.tests):
        flaws.append(f"{row.id}: neither a test nor a reason")
    if reason is not None and len(reason[2].split()) < FEWEST_WORDS:
        flaws.append(f"{row.id}: a reason is a sentence")
    return flaws


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests of a file, from its syntax tree; of none, where there is no such file."""
    file = ROOT / path
    if not file.is_file() or not file.name.startswith("test_"):
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, kinds)]
    return frozenset(name for name in names if name.startswith("test_"))


def document() -> str:
    return (DOCS / "security.md").read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Return what a link may name of a document, as GitHub makes it of a heading."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_requirement_has_its_row() -> None:
    """Each once, at its level, and no other."""
    found = {
        each["req_id"]: str(each["L"])
        for each in vectors("asvs/asvs_5.0.0_en.flat.json")["requirements"]
        if each["chapter_id"] in CHAPTERS and str(each["L"]) in LEVELS
    }
    assert len(found) > 90
    assert unmapped(read(document()), found) == []


def test_every_row_has_a_test_that_exists_or_a_reason() -> None:
    """Also where the requirements themselves are not at hand."""
    rows = read(document())
    assert len(rows) > 90
    assert [flaw for row in rows for flaw in unshown(row, names_in)] == []


def test_every_document_that_is_named_exists() -> None:
    """And has the heading that a link leads to."""
    text = document()
    links = LINK.findall(text)
    assert links
    for name, anchor in links:
        assert not name or (DOCS / name).is_file(), name
        assert not anchor or anchor in anchors((DOCS / name).read_text(encoding="utf-8") if name else text), anchor


def test_what_is_open_is_listed() -> None:
    """The list at the top has each row that is not met, and no other."""
    text = document()
    [listed] = re.findall(r"^Not met: (.+?)\.$", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"V\d+\.\d+\.\d+", listed) == [row.id for row in read(text) if "Open: " in row.words]


GOOD = "| V6.2.1 | 1 | length | `tests/unit/test_x.py::test_y` |"


def test_a_row_is_read() -> None:
    """With its tests, and what else it says."""
    assert read(f"# Title\n\n{GOOD}\n| --- | - |\ntext") == [Row("V6.2.1", "1", ("tests/unit/test_x.py::test_y",), "")]
    two = GOOD.replace(" |\n", "").removesuffix(" |") + "<br>Open: it is not so in one case. |"
    assert read(two)[0].words == "Open: it is not so in one case."


@pytest.mark.parametrize(
    "line", ["| V6.2.1 | 1 | length |", "| V6.2 | 1 | a | b |", "|V6.2.1 | 1 | a | b |", f"{GOOD} x"]
)
def test_a_row_that_is_none_is_refused(line: str) -> None:
    """It would be passed over."""
    with pytest.raises(ValueError, match="V6"):
        read(line)


def test_rows_that_do_not_fit_the_requirements() -> None:
    """Missing, unknown, twice, or of another level."""
    required = {"V6.2.1": "1", "V6.2.9": "2"}
    one, other = Row("V6.2.1", "1", (), ""), Row("V6.2.9", "2", (), "")
    assert unmapped([one, other], required) == []
    assert unmapped([one], required) == ["V6.2.9 has no row"]
    assert unmapped([one, other, Row("V6.9.9", "1", (), "")], required) == ["V6.9.9 is no requirement"]
    assert unmapped([one, other, other], required) == ["V6.2.9 is there twice"]
    assert unmapped([Row("V6.2.1", "2", (), ""), other], required) == ["V6.2.1 is of another level"]


@pytest.mark.parametrize(
    ("tests", "words", "why"),
    [
        (("tests/unit/a.py::test_none",), "", "there is no"),
        (("tests/unit/none.py::test_a",), "", "there is no"),
        (("tests/unit/a.py::test_a", "tests/unit/a.py::test_none"), "", "there is no"),
        (("tests/unit/a.py::test_none",), "Open: it is not so in one case.", "there is no"),
        ((), "", "neither"),
        ((), "It is done somewhere, and we believe so.", "neither"),
        ((), "Does not apply: there is no sentence here", "neither"),
        (("tests/unit/a.py::test_a",), "and more", "neither"),
        ((), "Does not apply: no.", "a sentence"),
        (("tests/unit/a.py::test_a",), "Open: see tests/unit/a.py for what there is.", "what is meant"),
    ],
)
def test_a_row_that_shows_nothing(tests: tuple[str, ...], words: str, why: str) -> None:
    """A name that is no test's, no sentence, or a sentence that does not say of which kind it is."""
    known = {"tests/unit/a.py": frozenset({"test_a"})}
    flaws = unshown(Row("V6.2.1", "1", tests, words), lambda path: known.get(path, frozenset()))
    assert len(flaws) == 1
    assert why in flaws[0]


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        (("tests/unit/a.py::test_a",), ""),
        (("tests/unit/a.py::test_a",), "Open: it is not so in one case."),
        ((), "Does not apply: there is no such thing here."),
    ],
)
def test_a_row_that_shows_something(tests: tuple[str, ...], words: str) -> None:
    """By a test, by a sentence, or by both."""
    assert unshown(Row("V6.2.1", "1", tests, words), lambda _path: frozenset({"test_a"})) == []


def test_names_are_looked_up_in_the_tree() -> None:
    """Functions of the module itself: neither helpers, nor what a comment or a text says, nor another file."""
    here = "tests/unit/test_security_map.py"
    assert "test_names_are_looked_up_in_the_tree" in names_in(here)
    assert not {"names_in", "test_none"} & names_in(here)
    assert names_in("tests/unit/test_that_there_is_not.py") == names_in("tests/vectors.py") == frozenset()
