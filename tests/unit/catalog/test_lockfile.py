"""tools.lock: what is written is what is read, and whatever was altered is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from guarded_agents.catalog import (
    LockedTool,
    Lockfile,
    ToolDefinition,
    dump_lockfile,
    load_lockfile,
    make_lock,
)
from guarded_agents.catalog import _lockfile as module
from guarded_agents.errors import LockfileError

SOURCE = "tools.lock"


def tool(server: str, name: str, **parts: Any) -> ToolDefinition:
    return ToolDefinition(server=server, name=name, **{"input_schema": {"type": "object"}, **parts})


TOOLS = (
    tool("orders", "get_order", description="Get an order.", output_schema={"type": "object"}),
    tool("payments", "refund", title="Refund", annotations={"destructiveHint": True}),
)


def written(change: Callable[[dict[str, Any]], object] = lambda _: None) -> bytes:
    value = json.loads(dump_lockfile(make_lock(TOOLS)))
    change(value)
    return json.dumps(value).encode()


def test_what_was_written_is_read_again() -> None:
    lockfile = make_lock(TOOLS)
    again = load_lockfile(dump_lockfile(lockfile), source=SOURCE)
    assert again == lockfile
    assert again.digest == lockfile.digest
    assert load_lockfile(dump_lockfile(Lockfile()), source=SOURCE) == Lockfile()


def test_the_same_tools_give_the_same_bytes_in_any_order() -> None:
    text = dump_lockfile(make_lock(reversed(TOOLS)))
    assert text == dump_lockfile(make_lock(TOOLS))
    assert text.endswith(b"\n}\n")
    assert [entry["name"] for entry in json.loads(text)["tools"]] == ["get_order", "refund"]


def test_the_order_of_the_entries_in_a_file_does_not_matter() -> None:
    assert load_lockfile(written(lambda value: value["tools"].reverse()), source=SOURCE) == make_lock(TOOLS)


@pytest.mark.requirement("B14")
def test_what_is_invisible_in_a_text_is_seen_in_the_file() -> None:
    hidden = "a\u200b\u202eb\u2066\U000e0041\ufe0f\x07 café 日本 🙂"
    text = dump_lockfile(make_lock([tool("s", "t", description=hidden)]))
    assert r"a\u200b\u202eb\u2066\udb40\udc41\ufe0f\u0007 café 日本 🙂" in text.decode()
    assert load_lockfile(text, source=SOURCE).tools[0].definition.description == hidden


def _twice(value: dict[str, Any]) -> None:
    value["tools"].append(value["tools"][0])


def _same_alias(value: dict[str, Any]) -> None:
    value["tools"][1]["alias"] = "get_order"


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "tools.lock:1:1: expected JSON"),
    "no JSON": (b'{"version": 1,\n "tools" []}', "tools.lock:2:10: expected JSON"),
    "YAML": (b"version: 1\n", "tools.lock:1:1: expected JSON"),
    "Latin-1": (b'{"\xe9": 1}', "tools.lock: expected UTF-8 text"),
    "list": (b"[]", "tools.lock: expected"),
    "no version": (b'{"tools": []}', "tools.lock, key version: expected field required"),
    "another version": (b'{"version": 2, "tools": []}', "tools.lock, key version"),
    "version that is true": (b'{"version": true, "tools": []}', "tools.lock, key version"),
    "tools that are none": (b'{"version": 1, "tools": {}}', "tools.lock, key tools"),
    "tool that is none": (b'{"version": 1, "tools": [1]}', "tools.lock: tool 1: expected an object"),
    "unknown key": (b'{"version": 1, "tools": [], "x\xe2\x80\xae": 1}', r"tools.lock, key x\u202e: expected extra"),
    "duplicate key": (b'{"version": 1, "version": 1, "tools": []}', "tools.lock: key version: expected it once"),
    "NaN": (b'{"version": NaN, "tools": []}', "tools.lock, key version"),
    "5,000 digits": (b'{"version": ' + b"1" * 5_000 + b"}", "ordinary numbers and nesting, got ValueError"),
    "100,000 levels": (b"[" * 100_000, "ordinary numbers and nesting, got RecursionError"),
    "unknown key of a tool": (written(lambda v: v["tools"][0].update(icons=[])), "tools.lock: tool 1, key icons"),
    "no digest": (written(lambda v: v["tools"][1].pop("digest")), "tool 2 (payments/refund), key digest"),
    "no alias": (written(lambda v: v["tools"][1].pop("alias")), "tools.lock: tool 2, key alias"),
    "alias with a dot": (written(lambda v: v["tools"][1].update(alias="a.b")), "tools.lock: tool 2, key alias"),
    "alias with a line feed": (written(lambda v: v["tools"][1].update(alias="a\n")), "tools.lock: tool 2, key alias"),
    "no schema": (written(lambda v: v["tools"][1].pop("input_schema")), "tools.lock: tool 2, key input_schema"),
    "description changed": (
        written(lambda v: v["tools"][0].update(description="Get any order.")),
        "tools.lock: tool 1 (orders/get_order), key digest: expected the digest of its definition",
    ),
    "schema changed": (
        written(lambda v: v["tools"][0].update(input_schema={})),
        "tools.lock: tool 1 (orders/get_order), key digest",
    ),
    "server changed": (written(lambda v: v["tools"][0].update(server="mail")), "tool 1 (mail/get_order), key digest"),
    "no canonical form": (
        written(lambda v: v["tools"][0].update(annotations={"x": 2**60})),
        "tools.lock: tool 1: expected a value that RFC 8785 can spell",
    ),
    "tool twice": (written(_twice), "tools.lock: tool orders/get_order: expected it once"),
    "alias twice": (written(_same_alias), "tools.lock: alias get_order: expected it once"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_lockfile_is_refused_with_the_place(text: bytes, message: str) -> None:
    with pytest.raises(LockfileError) as caught:
        load_lockfile(text, source=SOURCE)
    assert message in str(caught.value)
    assert "`guarded-agents tools lock`" in caught.value.action


def test_a_lockfile_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(LockfileError, match="at most 10 bytes, got"):
        load_lockfile(written(), source=SOURCE)


@pytest.mark.requirement("B14")
def test_a_tool_cannot_be_locked_twice() -> None:
    with pytest.raises(LockfileError, match="tool orders/get_order: expected it once"):
        make_lock([*TOOLS, TOOLS[0]])


def test_a_lockfile_is_sorted_and_without_doubles() -> None:
    first, second = (LockedTool(definition=definition, alias=definition.name) for definition in TOOLS)
    assert Lockfile(tools=(first, second)).tools[1].digest == TOOLS[1].digest
    doubled = LockedTool(definition=TOOLS[1], alias=first.alias)
    for tools in ((second, first), (first, first), (first, doubled)):
        with pytest.raises(ValidationError):
            Lockfile(tools=tools)


ALIASES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    "name": ((("a", "get"), ("b", "put")), ("get", "put")),
    "name that two have": ((("a", "get"), ("b", "get"), ("b", "put")), ("a__get", "b__get", "put")),
    "case matters": ((("a", "get"), ("b", "Get")), ("get", "Get")),
    "characters that no provider takes": ((("a", "files.read"), ("b", "日本")), ("a__files_read_", "b_____")),
    "long": ((("a", "x" * 64), ("b", "x" * 65)), ("x" * 64, "b__" + "x" * 44 + "_")),
    "claims another's qualified name": (
        (("a", "get"), ("b", "get"), ("c", "a__get")),
        ("a__get_", "b__get", "c__a__get"),
    ),
    "none has what two claim": ((("a", "b__c"), ("a__b", "c"), ("x", "c"), ("y", "b__c")), ()),
}


@pytest.mark.requirement("B14")
@pytest.mark.parametrize(("tools", "starts"), ALIASES.values(), ids=ALIASES)
def test_an_alias_is_the_name_or_tells_the_server_and_is_nobody_elses(
    tools: tuple[tuple[str, str], ...], starts: tuple[str, ...]
) -> None:
    lockfile = make_lock(tool(*names) for names in tools)
    found = {(locked.definition.server, locked.definition.name): locked.alias for locked in lockfile.tools}
    assert len(set(found.values())) == len(tools)
    for names, start in zip(tools, starts, strict=False):
        assert found[names].startswith(start)
        assert (found[names] == start) is not start.endswith("_")


@pytest.mark.requirement("B14")
def test_a_name_that_equals_another_tools_last_resort_gives_way() -> None:
    from guarded_agents.catalog._alias import _FORMS, aliases

    long = ("s", "x" * 70)
    marked, last = _FORMS[2](*long), _FORMS[3](*long)
    found = aliases([long, ("t", marked), ("u", last)])
    assert found == {long: last, ("t", marked): _FORMS[2]("t", marked), ("u", last): _FORMS[2]("u", last)}
