"""Which records of servers are taken, and what each mistake is told."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guarded_agents.transport
from guarded_agents.errors import ConfigurationError
from guarded_agents.transport import HttpServer, ServerStderr, StdioServer, load_servers

YAML = """
payments:
  command: python
  args: [-m, payments, "5"]
  env: {DB: /tmp/p.db}
  env_from_env: {API_TOKEN: PAYMENTS_TOKEN}
  cwd: /srv
  stderr: inherit
orders:
  transport: streamable_http
  url: https://orders.example.com/mcp
  headers_from_env: {Authorization: ORDERS_AUTH}
"""
PARSED = {
    "orders": HttpServer(url="https://orders.example.com/mcp", headers_from_env={"Authorization": "ORDERS_AUTH"}),
    "payments": StdioServer(
        command="python",
        args=("-m", "payments", "5"),
        env={"DB": "/tmp/p.db"},
        env_from_env={"API_TOKEN": "PAYMENTS_TOKEN"},
        cwd="/srv",
        stderr=ServerStderr.INHERIT,
    ),
}


def test_servers_are_read_from_text_and_from_a_mapping_and_sorted_by_name() -> None:
    assert load_servers(YAML) == load_servers(YAML.encode()) == PARSED
    assert list(load_servers(YAML)) == ["orders", "payments"]
    assert load_servers(PARSED) == PARSED
    assert load_servers('{"a": {"command": "x"}}') == {"a": StdioServer(command="x")}
    assert load_servers({"a": {"command": "x", "cwd": Path("/srv"), "args": ("y",)}}) == {
        "a": StdioServer(command="x", args=("y",), cwd="/srv")
    }


def test_a_servers_output_is_discarded_and_its_environment_not_shown_unless_asked_for() -> None:
    server = StdioServer(command="x", env={"A": "s3cret"})
    assert server.stderr is ServerStderr.DISCARD
    assert "s3cret" not in repr(server)


ADDRESSES = {
    "https": ("https://a.example/mcp", True),
    "localhost": ("http://localhost:8000/mcp", True),
    "loopback": ("http://127.0.0.5:8000/mcp", True),
    "loopback, version 6": ("http://[::1]:8000/mcp", True),
    "plain http elsewhere": ("http://a.example/mcp", False),
    "plain http to all addresses": ("http://0.0.0.0/mcp", False),
    "plain http that looks local": ("http://localhost.a.example/mcp", False),
    "plain http that looks local twice": ("http://127.0.0.1@a.example/mcp", False),
    "another scheme": ("file:///etc/passwd", False),
    "no host": ("https:///mcp", False),
    "port 0": ("https://a.example:0/mcp", False),
    "no port": ("https://a.example:x/mcp", False),
    "password": ("https://u:s3cret@a.example/mcp", False),
    "fragment": ("https://a.example/mcp#x", False),
    "no address": ("a.example", False),
    "broken": ("https://[a/mcp", False),
}


@pytest.mark.parametrize(("url", "taken"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_https_or_on_this_machine(url: str, taken: bool) -> None:
    if taken:
        assert load_servers({"a": {"url": url}}) == {"a": HttpServer(url=url)}
        return
    with pytest.raises(ConfigurationError, match="servers: server a, key url") as caught:
        load_servers({"a": {"url": url}})
    assert "s3cret" not in str(caught.value)


MISTAKES: dict[str, tuple[object, str]] = {
    "nothing": ({}, "servers: expected at least one server"),
    "no mapping": ({"a": "python"}, "server a: expected a mapping with command or url, got str"),
    "neither": ({"a": {}}, "server a: expected either command or url, got neither"),
    "both": ({"a": {"command": "x", "url": "https://a"}}, "server a: expected either command or url, got both"),
    "unknown key": ({"a": {"command": "x", "shell": "s3cret"}}, "server a, key shell"),
    "inline header": ({"a": {"url": "https://a", "headers": {"Authorization": "s3cret"}}}, "server a, key headers"),
    "odd header": ({"a": {"url": "https://a", "headers_from_env": {"A B": "X"}}}, "server a, key headers_from_env"),
    "secret in place of a name": (
        {"a": {"url": "https://a", "headers_from_env": {"Authorization": "Bearer s3cret"}}},
        "server a, key headers_from_env.Authorization",
    ),
    "number": ({"a": {"command": "x", "args": [5]}}, "server a, key args.0"),
    "empty command": ({"a": {"command": ""}}, "server a, key command"),
    "byte 0": ({"a": {"command": "x", "args": ["a\0b"]}}, "server a, key args.0"),
    "line break after a name": ({"a": {"command": "x", "env": {"A\n": "s3cret"}}}, "server a, key env"),
    "wrong transport": ({"a": {"command": "x", "transport": "streamable_http"}}, "server a, key transport"),
    "no JSON": ({"a": {"command": object()}}, "server a: expected values that JSON can spell"),
    "unstorable": ({"a": {"command": "\ud800"}}, "server a: expected values that JSON can spell"),
    "slash in a name": ({"a/b": {"command": "x"}}, "server name 'a/b'"),
    "name that is none": ({1: {"command": "x"}}, "server name 1"),
    "text: duplicate key": (
        "a: {command: x, command: s3cret}",
        "servers:1:17: expected YAML or JSON, got key 'command'",
    ),
    "text: duplicate server": ("a: {command: x}\na: {command: y}", "servers:2:1"),
    "text: alias": ("a: &x {command: x}\nb: *x", "servers:2:4: expected YAML or JSON, got an alias"),
    "text: key that is no string": (
        "1: {command: x}",
        "servers:1:1: expected YAML or JSON, got a key that is no string",
    ),
    "text: broken": ("a: {command: x", "servers:1:15"),
    "text: tag": ("a: !!python/object/apply:os.system [x]", "servers:1:4"),
    "text: no mapping": ("servers.yaml", "expected a mapping of server names to records, got str"),
    "text: nothing": ("", "expected a mapping of server names to records, got NoneType"),
    "text: boolean": ("a: {command: no}", "server a, key command"),
    "text: impossible date": ("a: {command: 2026-13-45}", "servers: expected YAML or JSON, got ValueError"),
    "text: control character": ("a: \x00", "servers: expected YAML or JSON, got ReaderError"),
    "text: deep": ("[" * 50_000, "servers: expected YAML or JSON, got RecursionError"),
    "text: not UTF-8": (b"a: \xff", "servers: expected UTF-8 text"),
    "text: surrogate": ("a: \ud800", "servers: expected UTF-8 text"),
    "text: huge": (b" " * 2_000_000, "servers: expected at most 1048576 bytes, got 2000000"),
}


@pytest.mark.parametrize(("servers", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_the_server_and_the_key_and_quotes_no_value(servers: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_servers(servers)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@given(st.text() | st.binary())
def test_any_text_gives_servers_or_a_configuration_error(text: str | bytes) -> None:
    with contextlib.suppress(ConfigurationError):
        assert load_servers(text)


def test_the_names_are_sorted_and_there() -> None:
    names = guarded_agents.transport.__all__
    assert names == sorted(names)
    assert all(getattr(guarded_agents.transport, name) for name in names)
    with pytest.raises(AttributeError):
        _ = guarded_agents.transport.nothing  # type: ignore[attr-defined]


def test_a_missing_client_is_told_when_a_transport_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "guarded_agents.transport._adapter", None)
    with pytest.raises(ConfigurationError, match=r"install guarded-agents\[mcp\]"):
        _ = guarded_agents.transport.__getattr__("AdapterTransport")
