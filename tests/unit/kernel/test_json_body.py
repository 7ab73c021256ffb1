"""JSON in and out: bounded, exact, and silent about what it read."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from tests.unit.strategies import JSON, TEXT


def refusal(text: bytes) -> BadRequest:
    """Return the error that a text is refused with."""
    with pytest.raises(BadRequest) as caught:
        json_body.parse(text)
    return caught.value


@given(JSON)
def test_what_is_dumped_is_parsed_as_the_same_value(value: object) -> None:
    """Parsing and dumping lose nothing: text, integers of any size, floats to the last bit."""
    assert json_body.parse(json_body.dump(value)) == value


@given(JSON, st.booleans())
def test_it_reads_what_other_writers_write(value: object, ascii_only: bool) -> None:
    """Any writer's JSON is understood: escaped or not, with or without spaces."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None)
    assert json_body.parse(text.encode()) == value


@given(JSON)
def test_others_read_what_it_writes(value: object) -> None:
    """What we send is JSON for every client."""
    assert json.loads(json_body.dump(value)) == value


@given(st.integers())
@example(2**53 + 1)
@example(-(2**64) - 1)
@example(10**4000)
def test_integers_are_exact(number: int) -> None:
    """A 64-bit id, or any greater integer, goes through unrounded."""
    assert json_body.dump(json_body.parse(b'{"n":%d}' % number)) == b'{"n":%d}' % number


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b"[NaN]", b'{"a":-Infinity}', b"nan", b"inf"])
def test_words_for_numbers_that_are_none_are_refused(text: bytes) -> None:
    """RFC 8259, 6: NaN and Infinity are not JSON, though Python's parser takes them."""
    assert refusal(text).code == "invalid_json"


@pytest.mark.parametrize(
    "text",
    [
        b"1e999",
        b"-1e999",
        b"1E+400",
        b'{"temperature":1e999}',
        b"[[[1e0309]]]",
        b"9" * 400 + b".5",
        b"1" + b"0" * 298 + b"e11",
        b"1" + b"0" * 299 + b"e99",
        b"18.0e307",
    ],
)
def test_a_float_that_overflows_is_refused(text: bytes) -> None:
    """A number that a double can't hold must not become Infinity, which would leave us as invalid JSON."""
    assert refusal(text).code == "invalid_json"


@given(
    digits=st.integers(1, 400).map(lambda count: "9" * count),
    fraction=st.sampled_from(["", ".0", ".25"]),
    exponent=st.none() | st.integers(-400, 400),
)
def test_whatever_is_accepted_is_finite(digits: str, fraction: str, exponent: int | None) -> None:
    """However a number is written, what comes out of the parser can be written as JSON again."""
    text = digits + fraction + ("" if exponent is None else f"e{exponent}")
    try:
        value = json_body.parse(text.encode())
    except BadRequest:
        return
    assert isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


@pytest.mark.parametrize("text", [b"1e308", b"1e-999", b"1.7976931348623157e308", b"0e999", b"5e-324", b"-0.0"])
def test_a_float_that_fits_is_accepted(text: bytes) -> None:
    """The whole range of doubles is allowed, and what is too small is nought."""
    assert json_body.parse(text) == float(text)


OPENINGS = [(b"[", b"]", b"1"), (b'{"a":', b"}", b"1"), (b"[", b"]", b""), (b'[{"a":', b"}]", b"null")]


def nested(opening: tuple[bytes, bytes, bytes], depth: int) -> bytes:
    """Return a JSON text of containers, one in another, `depth` deep."""
    start, end, inner = opening
    times = depth // 2 if start.startswith(b"[{") else depth
    return start * times + inner + end * times


@pytest.mark.parametrize("opening", OPENINGS)
def test_sixty_four_levels_are_allowed(opening: tuple[bytes, bytes, bytes]) -> None:
    """MAX_DEPTH containers, one in another, are the most that is accepted."""
    assert json_body.parse(nested(opening, json_body.MAX_DEPTH))


@pytest.mark.parametrize("opening", OPENINGS[:3])
def test_sixty_five_levels_are_not(opening: tuple[bytes, bytes, bytes]) -> None:
    """One more than MAX_DEPTH is refused."""
    assert refusal(nested(opening, json_body.MAX_DEPTH + 1)).code == "invalid_json"


@pytest.mark.parametrize("depth", [66, 200, 10_000, 1_000_000])
@pytest.mark.parametrize("opening", OPENINGS)
def test_deep_nesting_is_refused_and_breaks_nothing(opening: tuple[bytes, bytes, bytes], depth: int) -> None:
    """A body that is all brackets ends in 400, never in a RecursionError or a crash."""
    assert refusal(nested(opening, depth)).code == "invalid_json"
    assert refusal(nested(opening, depth)[:-1]).code == "invalid_json"


def test_wide_is_not_deep() -> None:
    """Many containers side by side are no nesting."""
    assert json_body.parse(b"[" + b",".join([b"[[]]"] * 1000) + b"]") == [[[]]] * 1000


def test_brackets_in_text_are_not_nesting() -> None:
    """A text full of brackets is a text."""
    assert json_body.parse(b'"' + b"[{" * 500 + b'"') == "[{" * 500


def test_the_last_of_duplicate_keys_counts() -> None:
    """As in Python and JavaScript, so that we and the provider read the same."""
    assert json_body.parse(b'{"model":"a","model":"b"}') == {"model": "b"}


@pytest.mark.parametrize(
    "text",
    [
        b'"\xff"',
        b'"\xc3"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xc0\xaf"',
        b'{"\xfe":1}',
        b"\xff\xfe{}",
        b"\xff",
    ],
)
def test_bytes_that_are_not_utf8_are_refused(text: bytes) -> None:
    """RFC 8259, 8.1: UTF-8 only; overlong forms and encoded surrogates are not UTF-8."""
    assert refusal(text).code == "invalid_json"


@pytest.mark.parametrize("text", [rb'"\ud800"', rb'"\udc00"', rb'"\ud800\ud800"', rb'"\ud83dx"', rb'{"\ud800":1}'])
def test_a_lone_surrogate_is_refused(text: bytes) -> None:
    """Half a character can't be written as UTF-8 again: it would fail in the store, or on its way to the provider."""
    assert refusal(text).code == "invalid_json"


def test_a_pair_of_surrogates_is_one_character() -> None:
    """An emoji escaped as JavaScript does it."""
    assert json_body.parse(rb'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{", b"[1,]", b'{"a":1,}', b"01", b"+1", b".5", b"1.", b"'a'", b'"\t"', b"{} x", b"tru", b"//"]
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    """No leniency: a text that another reader would refuse, or read otherwise, does not pass."""
    assert refusal(text).code == "invalid_json"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_refusal(text: bytes) -> None:
    """Nothing else comes out of the parser, whatever goes in."""
    with suppress(BadRequest):
        json_body.dump(json_body.parse(text))


@given(secret=TEXT.filter(lambda text: len(text) >= 12), place=st.integers(0, 40))
def test_an_error_never_quotes_the_text(secret: str, place: int) -> None:
    """The body may hold somebody's secret; the message tells a place and a rule, and is one short line."""
    text = json.dumps({"password": secret}).encode()
    for broken in (text[: -1 - place % len(text)], text + b"x", text.replace(b":", b"=", 1), b"[" * 200 + text):
        message = refusal(broken).message
        assert secret not in message
        assert "password" not in message
        assert "\n" not in message
        assert len(message) < 300


def test_output_is_compact() -> None:
    """No spaces, no ASCII escapes: the bytes that clients expect."""
    assert json_body.dump({"a": [1, "é"], "b": None}) == '{"a":[1,"é"],"b":null}'.encode()
