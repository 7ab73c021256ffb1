"""SQL as tokens and groups: nothing is read as something else, and what is not understood is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.store.sql_text import UnreadableSql, parse, postgres_places, split, tokens

SIGNS = "a || b <> c <= d >= e != f < g > h + 2.5 - 3 / 4 * 5 % 6"
LITERALS = st.text(st.sampled_from("a?1' $"), max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT Id FROM Models", ["select", "id", "from", "models"]),
        ("a.b=?1", ["a", ".", "b", "=", "?1"]),
        ("? , ?, ?", ["?1", ",", "?2", ",", "?3"]),
        ("?2 , ?1, ?2", ["?2", ",", "?1", ",", "?2"]),
        ("'It''s WHERE' x", ["'It''s WHERE'", "x"]),
        ("'a''' , ''", ["'a'''", ",", "''"]),
        ("value ->> 'x'", ["value", "->>", "'x'"]),
        ("a->'x'", ["a", "->", "'x'"]),
        ("x::bigint", ["x", "::", "bigint"]),
        (SIGNS, SIGNS.split()),
        (SIGNS.replace(" ", ""), SIGNS.split()),
        ("a\n\tb", ["a", "b"]),
        ("'--' '/* */'", ["'--'", "'/* */'"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_tokens(sql: str, found: list[str]) -> None:
    """Words in lower case, literals whole and as they are, places numbered."""
    assert list(tokens(sql)) == found


@pytest.mark.parametrize(
    "sql",
    [
        *("a -- b", "a--", "a /* b */ c", "/**/", '"quoted"', "[quoted]", "`quoted`", "a; b", "a;", "$1", ":name"),
        *("@name", "'open", "'open''", "a & b", "a | b", "~a", "\\", "a\0b", "é", "a #"),
    ],
)
def test_what_no_statement_of_ours_needs_is_unreadable(sql: str) -> None:
    """Comments, quoted names, second statements, other places, and all that is no SQL of ours."""
    with pytest.raises(UnreadableSql):
        parse(sql)


def test_parentheses_and_cases_are_groups() -> None:
    """Each a list of its own."""
    assert parse("a (b (c) d) e") == ["a", ["b", ["c"], "d"], "e"]
    assert parse("a CASE WHEN b THEN (c) END d") == ["a", ["when", "b", "then", ["c"]], "d"]
    assert parse("()") == [[]]


@pytest.mark.parametrize("sql", ["(", ")", "(()", "())", "CASE", "END", "(CASE)", "CASE (END)", ")(", "a END b CASE"])
def test_groups_must_match(sql: str) -> None:
    """One kind does not close the other."""
    with pytest.raises(UnreadableSql):
        parse(sql)


def test_splitting_looks_at_one_level_only() -> None:
    """What is in a group is the group's own."""
    assert split(parse("a , (b , c) , d"), ",") == [["a"], [["b", ",", "c"]], ["d"]]
    assert split(parse("a and b or c"), "and", "or") == [["a"], ["b"], ["c"]]
    assert split([], ",") == [[]]
    assert split(["a", ","], ",") == [["a"], []]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("a = ? AND b = ?", "a = $1 AND b = $2"),
        ("a = ?2 AND b = ?1 AND c = ?2", "a = $2 AND b = $1 AND c = $2"),
        ("a = ?10", "a = $10"),
        ("x = '?' AND a = ?", "x = '?' AND a = $1"),
        ("x = 'It''s ?1' AND a = ? AND y = '?'", "x = 'It''s ?1' AND a = $1 AND y = '?'"),
        ("x = '' AND a = ?", "x = '' AND a = $1"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_places_become_postgresqls(sql: str, found: str) -> None:
    """Numbered or not; in a literal there is no place."""
    assert postgres_places(sql) == found


@pytest.mark.parametrize("sql", ["a = ?1 AND b = ?", "a = ? AND b = ?1", "? ? ?2", "'?1' = ?2 AND ? = 1"])
def test_places_with_and_without_a_number_do_not_mix(sql: str) -> None:
    """SQLite goes on from the highest number, PostgreSQL knows nothing of it: neither way of reading it is safe."""
    with pytest.raises(UnreadableSql):
        parse(sql)
    with pytest.raises(UnreadableSql):
        postgres_places(sql)


@given(st.lists(LITERALS | st.sampled_from(["?", "a", "=", ",", "(", ")", "42"])))
def test_the_places_of_both_spellings_are_the_same(parts: list[str]) -> None:
    """Token by token: the wall on D1 and the places on PostgreSQL read a text alike."""
    sql = " ".join(parts)
    ours = [token for token in tokens(sql) if token[0] == "?"]
    outside = re.sub(r"'(?:[^']|'')*'", "", postgres_places(sql))
    assert re.findall(r"\$\d+", outside) == [f"${token[1:]}" for token in ours]
    assert "?" not in outside
