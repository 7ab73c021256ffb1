"""Which vendors a deployment can call: each mistake in its settings is named, and no value ever shows."""

from __future__ import annotations

import pytest

from lib.config import ConfigError
from lib.gateway.providers.configured import leave_out
from lib.gateway.providers.settings import MOST_FURTHER, read_settings, refuse
from lib.gateway.providers.table import VENDORS
from lib.kernel.failures import Failure
from tests.unit.gateway.providers.configuring import names, provider

KEYED = [vendor.name for vendor in VENDORS if vendor.address]
OWN_SERVERS = [vendor.name for vendor in VENDORS if not vendor.address]


def test_nothing_is_offered_that_is_not_set_up() -> None:
    """No vendor needs any variable."""
    assert names({}) == []


@pytest.mark.parametrize("name", KEYED)
def test_a_vendor_is_offered_where_there_is_a_key(name: str) -> None:
    """Not by an address alone, nor with an empty key, which is wrangler's way to unset one."""
    prefix = name.upper()
    assert names({f"{prefix}_API_KEY": "k-1"}) == [name]
    assert names({f"{prefix}_API_KEY": "", f"{prefix}_BASE_URL": "https://x/v1"}) == []


@pytest.mark.parametrize("name", OWN_SERVERS)
def test_ones_own_server_is_offered_where_there_is_an_address(name: str) -> None:
    """With any key, or none."""
    prefix = name.upper()
    assert names({f"{prefix}_API_KEY": "k-1", f"{prefix}_BASE_URL": ""}) == []
    for key in ("", "k-1"):
        variables = {f"{prefix}_BASE_URL": "http://gpu:8000/v1/", f"{prefix}_API_KEY": key}
        found = provider(name, **variables)
        assert (found.base_url, found.secret or "") == ("http://gpu:8000/v1", key)


def test_a_vendor_may_have_several_accounts() -> None:
    """Each by a name of its own, in the order in which they are listed, with its vendor's prices."""
    variables = {
        "OPENAI_API_KEY": "sk-1",
        "OPENAI_BASE_URL": "",
        "MORE_PROVIDERS": "vllm-2, openai-eu,openai-team-b",
        "OPENAI_EU_API_KEY": "sk-2",
        "OPENAI_EU_BASE_URL": "https://eu.api.openai.com/v1",
        "OPENAI_TEAM_B_API_KEY": "sk-3",
        "VLLM_2_BASE_URL": "http://gpu-2/v1",
    }
    assert names(variables) == ["openai", "vllm-2", "openai-eu", "openai-team-b"]
    own, europe, team = (provider(name, **variables) for name in ("openai", "openai-eu", "openai-team-b"))
    assert (own.secret, europe.secret, team.secret) == ("sk-1", "sk-2", "sk-3")
    assert (europe.base_url, team.base_url) == ("https://eu.api.openai.com/v1", own.base_url)
    assert own.model("gpt-4o").price == europe.model("gpt-4o").price == team.model("gpt-4o").price is not None


@pytest.mark.parametrize(
    "text",
    [
        "openai", "acme-2", "openai-", "-eu", "OPENAI-eu", "openai_eu", "openai-EU", "openai-eu,openai-eu", "mail-2",
        "openai-" + "x" * 17, "openai--eu", ",".join(f"groq-{number}" for number in range(MOST_FURTHER + 1)),
    ],
)  # fmt: skip
def test_a_further_account_is_a_vendors(text: str) -> None:
    """Its name begins with the vendor's: so none can mean another part's variables, as MAIL_API_KEY."""
    with pytest.raises(ConfigError, match="MORE_PROVIDERS must list at most 20 different names"):
        names({"MORE_PROVIDERS": text})


@pytest.mark.parametrize(("name", "missing"), [("openai-eu", "OPENAI_EU_API_KEY"), ("ollama-2", "OLLAMA_2_BASE_URL")])
def test_a_listed_account_must_be_set_up(name: str, missing: str) -> None:
    """Whoever lists it means it."""
    with pytest.raises(ConfigError, match=f"{missing} must be set, since MORE_PROVIDERS lists {name}"):
        names({"MORE_PROVIDERS": name})


@pytest.mark.parametrize("key", ["sk hunter2", "sk-hunter2\n", "sk-hünter2", " hunter2"])
def test_a_key_that_no_header_takes_is_named_but_not_shown(key: str) -> None:
    """Every call would fail with it."""
    with pytest.raises(ConfigError, match="GROQ_API_KEY must be printable ASCII") as caught:
        names({"GROQ_API_KEY": key})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", [vendor.name for vendor in VENDORS])
def test_no_key_shows_in_a_repr(name: str) -> None:
    """Settings that end up in a log or a traceback tell no secret, and neither does the provider."""
    variables = {f"{name.upper()}_API_KEY": "k-hidden", f"{name.upper()}_BASE_URL": "https://x/v1"}
    found = provider(name, **variables)
    sent = found.request("chat.completions", "m", b"", found.secret)
    assert sent.headers["authorization"] == "Bearer k-hidden"
    for shown in (read_settings(variables.get, refuse), found, sent, found.listing):
        assert "hidden" not in repr(shown) + str(shown)


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "SIM_BASE_URL", "VLLM_BASE_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "api.example.com/v1",
        "ftp://host/v1",
        "https://",
        "https:///v1",
        "https://user:hunter2@host/v1",
        "https://user@host/v1",
        "https://host/v1?key=hunter2",
        "https://host/v1#hunter2",
        "javascript:hunter2",
        "https://:hunter2@host/v1",
        "https://[::1",
        "https://host:hunter2/v1",
        "https://host:99999/v1",
        "https://host/v1?",
        "https://host/v1#",
    ],
)
def test_an_address_that_is_none_is_named_but_not_shown(name: str, address: str) -> None:
    """Paths are appended to it, so it has no query or fragment; and a password in it would be in every log."""
    with pytest.raises(ConfigError, match=name) as caught:
        read_settings({name: address}.get, refuse)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://host/v1/", "https://host/v1", "https://host/v1//"])
def test_a_slash_at_the_end_of_an_address_does_not_matter(address: str) -> None:
    """`/chat/completions` is appended to it."""
    assert provider("openai", OPENAI_BASE_URL=address).base_url == "https://host/v1"


@pytest.mark.parametrize("address", ["http://127.0.0.1:8787", "http://[::1]:8787/x", "https://host.example/a/b"])
def test_addresses_of_every_kind_are_taken(address: str) -> None:
    """IPv4, IPv6, a port, a path."""
    assert provider("sim", SIM_BASE_URL=address).base_url == address


@pytest.mark.parametrize(
    ("variables", "names", "variable"),
    [
        ({"GROQ_API_KEY": "k\n"}, ["openai", "openai-eu"], "GROQ_API_KEY"),
        ({"GROQ_API_KEY": "k\x00"}, ["openai", "openai-eu"], "GROQ_API_KEY"),
        ({"GROQ_API_KEY": "k", "GROQ_BASE_URL": "groq.com"}, ["openai", "openai-eu"], "GROQ_BASE_URL"),
        ({"OPENAI_EU_API_KEY": "k\r\nx-evil: 1"}, ["openai"], "OPENAI_EU_API_KEY"),
        ({"OPENAI_EU_API_KEY": ""}, ["openai"], "OPENAI_EU_API_KEY"),
        ({"MORE_PROVIDERS": "openai-eu,openai-eu"}, ["openai"], "MORE_PROVIDERS"),
        ({"OPENAI_API_KEY": "k\n"}, ["openai-eu"], "OPENAI_API_KEY"),
    ],
)
def test_one_providers_mistake_takes_no_other_away(
    variables: dict[str, str], names: list[str], variable: str, noted: list[dict[str, object]]
) -> None:
    """It is not offered, so nothing is sent by it; the log names the variable, and `/readyz` counts it."""
    right = {"OPENAI_API_KEY": "k-1", "MORE_PROVIDERS": "openai-eu", "OPENAI_EU_API_KEY": "k-2"}
    assert [each.name for each in read_settings({**right, **variables}.get, leave_out)] == names
    [line] = noted
    assert (line["failure"], line["alert"]) == (Failure.PROVIDER_MISCONFIGURED.name.lower(), "operator")
    assert str(line["reason"]).startswith(f"{variable} must")
