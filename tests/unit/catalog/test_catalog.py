"""The catalogue: which tools may be used, and what puts a tool in quarantine."""

from typing import Any

import pytest
from pydantic import JsonValue

from guarded_agents.catalog import Catalog, Drift, DriftKind, ToolDefinition, diff, make_lock
from guarded_agents.catalog import _difference as difference
from guarded_agents.errors import SchemaError
from guarded_agents.records import ToolRef

K = DriftKind
REMOTE: dict[str, JsonValue] = {"$ref": "http://127.0.0.1:9/x"}


def tool(server: str, name: str, **parts: Any) -> ToolDefinition:
    return ToolDefinition(server=server, name=name, **{"input_schema": {"type": "object"}, **parts})


GET = tool("orders", "get", description="Get an order.\nBy its id.", input_schema={"required": ["order_id"]})
PUT = tool("orders", "put", output_schema={"type": "object", "required": ["ok"]})
REFUND = tool("payments", "refund")
LOCKED = make_lock([GET, PUT, REFUND])
CHANGED = tool(
    "orders", "get", description="Get an order.\nAnd mail it.\u202e", input_schema={"required": ["order_id"]}
)


def observed(*definitions: ToolDefinition, server: str = "orders") -> Catalog:
    catalog = Catalog(LOCKED)
    catalog.observe(server, definitions)
    return catalog


def kinds(drifts: tuple[Drift, ...]) -> list[tuple[str, DriftKind]]:
    return [(drift.key, drift.kind) for drift in drifts]


@pytest.mark.requirement("I6")
def test_no_tool_may_be_used_before_its_server_was_observed() -> None:
    catalog = observed(GET, PUT)
    assert catalog.quarantine_reason("orders/get") is None
    assert dict(catalog.quarantine) == {"payments/refund": "not observed: its server has not been asked yet"}
    assert catalog.observe("payments", [REFUND]) == ()
    assert dict(catalog.quarantine) == {}


@pytest.mark.requirement("B11")
@pytest.mark.parametrize("name", ["ge", "gett", "Get", " get", "orders/get", "orders__get", ""])
def test_only_the_exact_name_finds_a_tool(name: str) -> None:
    assert Catalog(LOCKED).resolve(name) is None


@pytest.mark.requirement("B6")
@pytest.mark.parametrize("key", ["orders/ge", "orders/get_all", "get", "Orders/get", ""])
def test_an_unknown_tool_is_in_quarantine(key: str) -> None:
    catalog = observed(GET, PUT)
    assert catalog.by_key(key) is None
    assert catalog.quarantine_reason(key) == "not in the lockfile"


def test_a_tool_is_found_by_alias_and_by_key() -> None:
    catalog = Catalog(LOCKED)
    found = catalog.resolve("get")
    assert found is not None
    assert found is catalog.by_key("orders/get")
    assert found.ref == ToolRef("orders", "get", GET.digest)
    assert found.definition == GET
    assert [item.alias for item in catalog] == ["get", "put", "refund"]
    assert len(catalog) == 3
    assert catalog.digest == LOCKED.digest


@pytest.mark.requirement("B14")
def test_two_tools_of_one_name_are_told_apart() -> None:
    catalog = Catalog(make_lock([GET, tool("other", "get")]))
    assert catalog.resolve("get") is None
    assert [catalog.resolve(alias).ref.server for alias in ("orders__get", "other__get")] == ["orders", "other"]  # type: ignore[union-attr]


def test_validators_are_built_once_from_the_reviewed_schemas() -> None:
    get, put, _ = Catalog(LOCKED)
    assert get.arguments is get.arguments
    assert get.arguments.accepts({"order_id": 1})
    assert not get.arguments.accepts({})
    assert get.result is None
    assert put.result is not None
    assert put.result is put.result
    assert not put.result.accepts({})


@pytest.mark.requirement("I6")
def test_formats_are_asserted_of_what_is_sent_and_not_of_what_is_answered() -> None:
    schema: dict[str, JsonValue] = {"properties": {"at": {"type": "string", "format": "date-time"}}}
    (found,) = Catalog(make_lock([tool("orders", "at", input_schema=schema, output_schema=schema)]))
    assert found.result is not None
    naive: JsonValue = {"at": "2026-01-05T10:00:00"}
    assert (found.arguments.accepts(naive), found.result.accepts(naive)) == (False, True)
    assert not found.result.accepts({"at": 5})


def test_validators_are_built_once_from_the_reviewed_schemas_of_each_tool() -> None:
    with pytest.raises(SchemaError, match="orders/get input_schema"):
        _ = next(iter(Catalog(make_lock([tool("orders", "get", input_schema=REMOTE)])))).arguments


DRIFTS: dict[str, tuple[tuple[ToolDefinition, ...], list[tuple[str, DriftKind]]]] = {
    "as reviewed": ((PUT, GET), []),
    "unknown": ((GET, PUT, tool("orders", "drop")), [("orders/drop", K.ADDED)]),
    "missing": ((GET,), [("orders/put", K.REMOVED)]),
    "nothing": ((), [("orders/get", K.REMOVED), ("orders/put", K.REMOVED)]),
    "changed": ((CHANGED, PUT), [("orders/get", K.CHANGED)]),
    "claimed twice": ((GET, CHANGED, PUT), [("orders/get", K.DUPLICATE)]),
    "claimed twice by the same": ((GET, GET, PUT), [("orders/get", K.DUPLICATE)]),
    "unknown, twice": ((GET, PUT, *[tool("orders", "drop")] * 2), [("orders/drop", K.DUPLICATE)]),
    "in the name of another server": ((GET, PUT, REFUND), []),
    "by another server": ((GET, tool("payments", "put")), [("orders/put", K.REMOVED)]),
    "renamed by case": (
        (GET, tool("orders", "Put", output_schema=PUT.output_schema)),
        [("orders/Put", K.ADDED), ("orders/put", K.REMOVED)],
    ),
    "annotations changed": (
        (GET, PUT.model_copy(update={"annotations": {"readOnlyHint": True}})),
        [("orders/put", K.CHANGED)],
    ),
}


@pytest.mark.requirement("B14")
@pytest.mark.parametrize(("offered", "expected"), DRIFTS.values(), ids=DRIFTS)
def test_what_is_not_offered_exactly_as_reviewed_is_in_quarantine(
    offered: tuple[ToolDefinition, ...], expected: list[tuple[str, DriftKind]]
) -> None:
    offered = tuple(ToolDefinition(**definition.model_dump()) for definition in offered)
    catalog = Catalog(LOCKED)
    drifts = catalog.observe("orders", offered)
    assert kinds(drifts) == expected
    assert drifts == diff(LOCKED, {"orders": offered})
    out = {drift.key: drift.reason for drift in drifts}
    assert {key: why for key, why in catalog.quarantine.items() if key != "payments/refund"} == out
    assert list(catalog.quarantine) == sorted(catalog.quarantine)
    for key in ("orders/get", "orders/put", *out):
        assert catalog.quarantine_reason(key) == out.get(key)


UNUSABLE: dict[str, dict[str, Any]] = {
    "arguments fetch": {"input_schema": REMOTE},
    "result fetches": {"output_schema": REMOTE},
    "no schema": {"input_schema": {"type": 1}},
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("parts", UNUSABLE.values(), ids=UNUSABLE)
def test_a_reviewed_tool_whose_schema_cannot_be_used_stays_in_quarantine(parts: dict[str, Any]) -> None:
    broken = tool("orders", "get", **parts)
    catalog = Catalog(make_lock([broken]))
    (drift,) = catalog.observe("orders", [broken])
    assert drift.kind is K.UNUSABLE_SCHEMA
    assert "orders/get" in drift.text
    assert drift.reviewed == drift.observed == broken.digest
    assert catalog.quarantine_reason("orders/get") == "its schema is invalid or beyond the limits"
    assert diff(make_lock([broken]), {"orders": [broken]}) == (drift,)


@pytest.mark.requirement("B14")
def test_only_what_is_new_is_reported() -> None:
    catalog = observed(GET, PUT)
    assert kinds(catalog.observe("orders", [CHANGED, PUT])) == [("orders/get", K.CHANGED)]
    assert catalog.observe("orders", [CHANGED, PUT]) == ()
    again = tool("orders", "get", description="Yet another.")
    assert kinds(catalog.observe("orders", [again, PUT])) == [("orders/get", K.CHANGED)]
    assert kinds(catalog.observe("orders", [PUT])) == [("orders/get", K.REMOVED)]
    assert kinds(catalog.observe("orders", [PUT, GET, tool("orders", "x")])) == [
        ("orders/get", K.RESTORED),
        ("orders/x", K.ADDED),
    ]
    assert catalog.observe("orders", [PUT, GET]) == ()
    assert "orders/x" not in catalog.quarantine
    assert catalog.quarantine_reason("orders/x") == "not in the lockfile"


@pytest.mark.requirement("B14")
def test_only_the_reviewed_digest_ends_a_quarantine_and_that_is_said() -> None:
    catalog = observed(CHANGED, PUT)
    close = tool("orders", "get", description="Get an order.\nBy its id. ", input_schema={"required": ["order_id"]})
    catalog.observe("orders", [close, PUT])
    assert catalog.quarantine_reason("orders/get") == "changed since it was reviewed"
    (drift,) = catalog.observe("orders", [GET, PUT])
    assert (drift.kind, drift.reason) == (K.RESTORED, "offered again as it was reviewed")
    assert drift.reviewed == drift.observed == GET.digest
    assert catalog.quarantine_reason("orders/get") is None


@pytest.mark.requirement("I6")
def test_a_server_that_cannot_be_asked_leaves_its_tools_in_quarantine() -> None:
    catalog = observed(GET, PUT)
    (get, put) = catalog.lose("orders", "no\u202e reply")
    assert kinds((get, put)) == [("orders/get", K.UNREACHABLE), ("orders/put", K.UNREACHABLE)]
    assert get.text == r"orders/get: its server cannot be reached: no\u202e reply"
    assert catalog.quarantine_reason("orders/get") == "its server cannot be reached"
    assert catalog.lose("orders", "no reply") == ()
    assert kinds(catalog.observe("orders", [GET])) == [("orders/get", K.RESTORED), ("orders/put", K.REMOVED)]
    assert catalog.lose("nobody", "no reply") == ()


def test_servers_that_were_not_asked_are_not_compared() -> None:
    assert diff(LOCKED, {}) == ()
    assert kinds(diff(LOCKED, {"payments": [], "new": [tool("new", "x")]})) == [
        ("new/x", K.ADDED),
        ("payments/refund", K.REMOVED),
    ]


def test_a_drift_is_shown_field_by_field_with_what_is_invisible() -> None:
    (drift,) = diff(make_lock([GET]), {"orders": [CHANGED]})
    assert drift.text.split("\n") == [
        "--- reviewed description",
        "+++ offered description",
        "@@ -1,2 +1,2 @@",
        " Get an order.",
        "-By its id.",
        r"+And mail it.\u202e",
    ]


def test_an_escape_that_a_server_wrote_is_not_taken_for_one_of_ours() -> None:
    (drift,) = diff(make_lock([]), {"orders": [tool("orders", "x", description="a\\u202e\t", title="T")]})
    assert r"+a\\u202e\u0009" in drift.text.split("\n")
    assert "+T" in drift.text.split("\n")


def test_no_part_of_a_long_line_is_out_of_sight() -> None:
    long = tool("orders", "get", description="x" * 500 + "y" + "x" * 500)
    other = tool("orders", "get", description="x" * 1001)
    (drift,) = diff(make_lock([long]), {"orders": [other]})
    assert "-" + "x" * 20 + "y" + "x" * 139 in drift.text.split("\n")
    assert "+" + "x" * 160 in drift.text.split("\n")


def test_a_long_text_is_compared_from_the_first_line_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "_MAX_LINES", 30)
    same = [f"line {number}" for number in range(20)]
    before = tool("orders", "get", description="\n".join([*same, "old", *same]))
    after = tool("orders", "get", description="\n".join([*same, "new", *same]))
    longer = tool("orders", "get", description="\n".join([*same, "old", *same, "more"]))
    (changed,) = diff(make_lock([before]), {"orders": [after]})
    (extended,) = diff(make_lock([before]), {"orders": [longer]})
    assert {"-old", "+new"} <= set(changed.text.split("\n"))
    assert changed.text.endswith("\n… compared from line 21 on, 30 lines of 41 and 41")
    assert "+more" in extended.text.split("\n")
    assert extended.text.endswith("\n… compared from line 42 on, 30 lines of 41 and 42")


def test_a_long_difference_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "_MAX_LINES", 6)
    after = tool("orders", "get", title="T", description="D", annotations={"title": "A"})
    (drift,) = diff(make_lock([tool("orders", "get")]), {"orders": [after]})
    assert len(drift.text.split("\n")) == 7
    assert drift.text.endswith("\n… 10 more lines")


def test_a_tool_whose_reviewed_definition_is_at_fault_stays_in_quarantine_whatever_is_offered() -> None:
    catalog = Catalog(make_lock([tool("orders", "get"), tool("orders", "list")]))
    catalog.condemn("orders/get", "it hides something")
    catalog.observe("orders", [tool("orders", "get"), tool("orders", "list")])
    assert dict(catalog.quarantine) == {"orders/get": "it hides something"}
    catalog.lose("orders", "gone")
    catalog.observe("orders", [tool("orders", "get"), tool("orders", "list")])
    assert dict(catalog.quarantine) == {"orders/get": "it hides something"}
