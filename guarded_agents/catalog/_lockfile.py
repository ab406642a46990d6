"""``tools.lock``: the tools as they were reviewed."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Final, Self

from pydantic import Field, JsonValue, StringConstraints, ValidationError, model_validator

from guarded_agents.catalog._alias import aliases
from guarded_agents.catalog._definition import ToolDefinition
from guarded_agents.catalog._visible import visible, visible_json
from guarded_agents.errors import LockfileError
from guarded_agents.records import Record

MAX_BYTES: Final = 64 * 2**20  # 10,000 tools of ordinary size are about 15 MB
_MAX_SHOWN: Final = 80
_AGAIN: Final = "restore it, or delete it and lock the tools again with `guarded-agents tools lock`"

Alias = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}\z")]


class LockedTool(Record):
    """A reviewed definition, and the alias under which the model is shown the tool."""

    definition: ToolDefinition
    alias: Alias

    @property
    def key(self) -> str:
        """Return ``server/tool``."""
        return self.definition.key

    @property
    def digest(self) -> str:
        """Return the hex SHA-256 of the definition."""
        return self.definition.digest


class Lockfile(Record):
    """All reviewed tools, sorted by key; no key and no alias occurs twice."""

    tools: tuple[LockedTool, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Return the hex SHA-256 over keys, aliases and definition digests."""
        return sha256(json.dumps([[tool.key, tool.alias, tool.digest] for tool in self.tools]).encode()).hexdigest()

    @model_validator(mode="after")
    def _is_sorted(self) -> Self:
        keys = [tool.key for tool in self.tools]
        if keys != sorted(set(keys)) or len({tool.alias for tool in self.tools}) < len(keys):
            raise ValueError("tools sorted by key, without a key or alias that occurs twice")
        return self


class _File(Record):
    """The file itself."""

    version: Annotated[int, Field(ge=1, le=1)]  # Literal[1] takes true and 1.0 as well
    tools: list[JsonValue]


def make_lock(definitions: Iterable[ToolDefinition]) -> Lockfile:
    """Return the lockfile of *definitions*. Raises LockfileError where a key occurs twice."""
    found = sorted(definitions, key=lambda definition: definition.key)
    _unique([definition.key for definition in found], "tools.lock", "tool")
    names = aliases([(definition.server, definition.name) for definition in found])
    return Lockfile(
        tools=tuple(
            LockedTool(definition=definition, alias=names[definition.server, definition.name]) for definition in found
        )
    )


def dump_lockfile(lockfile: Lockfile) -> bytes:
    r"""Return the file of *lockfile*: indented JSON with sorted keys, the same bytes for the same tools.

    What is invisible in a text stands as ``\uXXXX``, so that a reviewer of the file sees it.
    """
    entries = [
        {**tool.definition.model_dump(mode="json"), "alias": tool.alias, "digest": tool.digest}
        for tool in lockfile.tools
    ]
    text = json.dumps({"tools": entries, "version": 1}, ensure_ascii=False, indent=2, sort_keys=True)
    return visible_json(text).encode() + b"\n"


def load_lockfile(text: bytes, *, source: str) -> Lockfile:
    """Return what *text* holds (UTF-8 JSON).

    Raises LockfileError, which names *source* and the tool, key or line: for what is no JSON, for a key that occurs
    twice, is unknown or missing, and for a digest that is not that of its definition.
    """
    raw = _parse(text, source)
    try:
        file = _File.model_validate(raw)
    except ValidationError as error:
        raise _invalid(error, source) from None
    tools = tuple(_locked(entry, f"{source}: tool {number}") for number, entry in enumerate(file.tools, 1))
    _unique([tool.key for tool in tools], source, "tool")
    _unique([tool.alias for tool in tools], source, "alias")
    return Lockfile(tools=tuple(sorted(tools, key=lambda tool: tool.key)))


def _locked(raw: JsonValue, subject: str) -> LockedTool:
    if not isinstance(raw, dict):
        raise _wrong(subject, "an object with the keys of a tool", "something else")
    fields = dict(raw)
    recorded, alias = fields.pop("digest", None), fields.pop("alias", None)
    try:
        definition = ToolDefinition.model_validate(fields)
        locked = LockedTool.model_validate({"definition": definition, "alias": alias})
    except ValidationError as error:
        raise _invalid(error, subject) from None
    if definition.digest != recorded:
        raise _wrong(
            f"{subject} ({_shown(definition.key)}), key digest",
            f"the digest of its definition, {definition.digest}",
            "another one, so the entry was changed after it was locked",
        )
    return locked


def _parse(text: bytes, source: str) -> object:
    if len(text) > MAX_BYTES:
        raise _wrong(source, f"at most {MAX_BYTES} bytes", str(len(text)))

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            _unique([name for name, _ in pairs], source, "key")
        return found

    try:
        return json.loads(text.decode(), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise _wrong(source, "UTF-8 text", f"another byte at offset {error.start}") from None
    except json.JSONDecodeError as error:
        raise _wrong(f"{source}:{error.lineno}:{error.colno}", "JSON", error.msg) from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 1,000 levels
        raise _wrong(source, "JSON with ordinary numbers and nesting", type(error).__name__) from None


def _unique(values: Sequence[str], source: str, what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise _wrong(f"{source}: {what} {_shown(value)}", "it once", "it twice")
        seen.add(value)


def _shown(text: str) -> str:
    return visible(text[:_MAX_SHOWN])


def _invalid(error: ValidationError, subject: str) -> LockfileError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(step) for step in first["loc"])
    place = f"{subject}, key {_shown(key)}" if key else subject
    message = first["msg"].removeprefix("Value error, ")
    return _wrong(place, message[:1].lower() + message[1:], "something else")


def _wrong(subject: str, expected: str, got: str) -> LockfileError:
    return LockfileError(subject, expected=expected, got=got, action=_AGAIN)
