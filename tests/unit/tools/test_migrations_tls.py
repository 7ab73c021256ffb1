"""How the tools reach a PostgreSQL elsewhere: verified unless the address says otherwise, and plain only here."""

from __future__ import annotations

import ssl

import pytest

from tools.postgres_client import connected, tls
from tools.project import ToolError


def context(host: str, query: str) -> ssl.SSLContext:
    made = tls(host, query)
    assert isinstance(made, ssl.SSLContext)
    return made


@pytest.mark.parametrize("host", ["db.example.com", "10.0.0.5", "localhost.example.com"])
@pytest.mark.parametrize("query", ["", "sslmode=verify-full"])
def test_a_server_elsewhere_must_prove_who_it_is(host: str, query: str) -> None:
    made = context(host, query)
    assert (made.check_hostname, made.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_is_reached_without(host: str) -> None:
    """Unless the address asks for it."""
    assert tls(host, "") is False
    assert context(host, "sslmode=verify-full").check_hostname


def test_it_can_be_switched_off_only_by_name() -> None:
    assert tls("db.example.com", "sslmode=disable") is False


def test_weaker_modes_mean_what_they_mean_elsewhere() -> None:
    """As libpq: `require` only encrypts, `verify-ca` does not compare the name."""
    assert context("db.example.com", "sslmode=require").verify_mode == ssl.CERT_NONE
    made = context("db.example.com", "sslmode=verify-ca")
    assert (made.check_hostname, made.verify_mode) == (False, ssl.CERT_REQUIRED)


@pytest.mark.parametrize("query", ["sslmode=prefer", "sslmode=allow", "sslmod=disable", "connect_timeout=3"])
def test_what_is_not_understood_is_refused(query: str) -> None:
    """An option that was passed over might have been the one that keeps others from listening."""
    with pytest.raises(ToolError, match="sslmode"):
        tls("db.example.com", query)


def test_an_authority_that_is_not_there() -> None:
    with pytest.raises(ToolError, match="sslrootcert cannot be read"):
        tls("db.example.com", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@host/db",
        "postgresql://me:hunter2@host",
        "postgresql://me:hunter2@host:0/db",
        "postgresql://me:hunter2@host:70000/db",
        "postgresql://:hunter2@host/db",
        "postgresql://me:hunter2@[::1/db",
        "hunter2",
    ],
)
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    """It holds a password."""
    with pytest.raises(ToolError, match="DATABASE_URL must look like") as raised, connected(url):
        pass
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
