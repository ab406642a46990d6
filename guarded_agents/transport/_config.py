"""Which servers there are, and how each is started or reached."""

import re
from collections.abc import Hashable, Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import orjson
import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from guarded_agents.addresses import is_loopback
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import Record

MAX_BYTES: Final = 1_048_576
_SERVER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # no "/": tools are keyed server/tool

EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\z")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\z")]  # RFC 9110 section 5.6.2
NoNul = Annotated[str, StringConstraints(pattern=r"^[^\x00]*\z")]  # what a process can be handed
NotEmpty = Annotated[str, StringConstraints(pattern=r"^[^\x00]+\z")]


def _reachable(url: str) -> str:
    parts = urlsplit(url)  # raises ValueError for what is no URL
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.port == 0:
        raise ValueError("an https:// address")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("https (http only to a loopback address)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address without user and password (use headers_from_env)")
    if parts.fragment:
        raise ValueError("an address without fragment")
    return url


class ServerStderr(StrEnum):
    """Where a stdio server's standard error goes: nowhere, or to this process's own."""

    DISCARD = "discard"
    INHERIT = "inherit"


class StdioServer(Record):
    """A server that is started as a process of its own, one for each principal.

    It sees ``env``, ``env_from_env`` (its variable: the variable of this process that holds the
    secret) and the few harmless variables that MCP clients pass on (``PATH``, ``HOME``, …), and
    no others. ``stderr_file`` is appended to, in place of ``stderr``.
    """

    transport: Literal["stdio"] = "stdio"
    command: NotEmpty
    args: tuple[NoNul, ...] = ()
    env: Mapping[EnvironmentName, NoNul] = Field(default={}, repr=False)
    env_from_env: Mapping[EnvironmentName, EnvironmentName] = {}
    cwd: NotEmpty | None = None
    stderr: ServerStderr = ServerStderr.DISCARD
    stderr_file: NotEmpty | None = None


class HttpServer(Record):
    """A server behind streamable HTTP (MCP 2025-11-25, basic/transports).

    ``headers_from_env`` maps a header to the environment variable that holds its value: a secret
    never stands in a file. ``http://`` is for loopback addresses only.
    """

    transport: Literal["streamable_http"] = "streamable_http"
    url: Annotated[str, AfterValidator(_reachable)]
    headers_from_env: Mapping[HeaderName, EnvironmentName] = {}


ServerConfig = StdioServer | HttpServer


def load_servers(servers: Mapping[str, object] | bytes | str, *, source: str = "servers") -> dict[str, ServerConfig]:
    """Return the servers by name, sorted, from a mapping or from the text of a YAML or JSON file.

    Each record has ``command`` (`StdioServer`) or ``url`` (`HttpServer`); records that are parsed
    already are taken as they are. Raises ConfigurationError, which names *source*, server and key.
    """
    found = _parse(servers, source) if isinstance(servers, bytes | str) else servers
    if not found:
        raise _wrong(source, expected="at least one server", got="none")
    return {name: _server(name, found[name], source) for name in sorted(found, key=str)}


def _server(name: object, record: object, source: str) -> ServerConfig:
    if not isinstance(name, str) or not _SERVER_NAME.fullmatch(name):
        raise _wrong(
            f"{source}: server name {name!r:.80}",
            expected="1 to 64 letters, digits, dots, underscores and hyphens",
            got="something else",
        )
    subject = f"{source}: server {name}"
    if isinstance(record, ServerConfig):
        return record
    if not isinstance(record, Mapping):
        raise _wrong(subject, expected="a mapping with command or url", got=type(record).__name__)
    if ("command" in record) == ("url" in record):
        raise _wrong(subject, expected="either command or url", got="both" if "url" in record else "neither")
    kind = HttpServer if "url" in record else StdioServer
    try:
        return kind.model_validate_json(orjson.dumps(dict(record), default=_spell))
    except orjson.JSONEncodeError:
        raise _wrong(subject, expected="values that JSON can spell", got="others") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise _wrong(f"{subject}, key {where}", expected=_expected(first["msg"]), got="something else") from None


def _expected(message: str) -> str:
    if message.startswith("Value error, "):
        return message.removeprefix("Value error, ")
    return f"what the key allows ({message[:1].lower()}{message[1:]})"


def _spell(value: object) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError


def _wrong(subject: str, *, expected: str, got: str) -> ConfigurationError:
    return ConfigurationError(subject, expected=expected, got=got, action="correct the server's record")


class _Loader(yaml.SafeLoader):
    """YAML without what surprises: aliases and duplicate keys are refused (FACTS L6)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, which let a short text stand for a huge one."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse a key that stands twice."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                problem = f"key {key_node.value!r:.80} twice" if key in seen else "a key that is no string"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _parse(text: bytes | str, source: str) -> Mapping[str, object]:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise _wrong(source, expected=f"at most {MAX_BYTES} bytes", got=str(len(data)))
    try:
        loader = _Loader(data.decode())
        try:
            found = loader.get_single_data()
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise _wrong(source, expected="UTF-8 text", got="other bytes") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"
        raise _wrong(f"{source}{where}", expected="YAML or JSON", got=error.problem or "something else") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: PyYAML lets through what Python makes of an impossible date or number.
        raise _wrong(source, expected="YAML or JSON", got=type(error).__name__) from None
    if not isinstance(found, dict):
        raise _wrong(source, expected="a mapping of server names to records", got=type(found).__name__)
    return found
