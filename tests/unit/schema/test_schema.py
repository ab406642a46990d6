"""Schemas of tools: what they accept, what is told of a violation, and which of them are refused."""

import json
from typing import Any, NoReturn

import jsonschema_rs
import pytest
from pydantic import JsonValue

from guarded_agents.errors import SchemaError
from guarded_agents.schema import SchemaValidator, _validator, compile_schema
from guarded_agents.schema._cost import MAX_BYTES, MAX_DEPTH, MAX_PATTERNS, MAX_REFS, MAX_SUBSCHEMAS

NODE = {"$ref": "#/$defs/node"}
REFUND = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^o-[0-9]{1,9}$"},
        "amount_cents": {"type": "integer", "minimum": 0, "maximum": 50_000},
        "mail": {"type": "string", "format": "email"},
    },
    "required": ["order_id"],
    "additionalProperties": False,
}


def compiled(schema: dict[str, JsonValue]) -> SchemaValidator:
    return compile_schema(schema, subject="payments/refund")


def recursive(node: dict[str, Any]) -> dict[str, Any]:
    return {**NODE, "$defs": {"node": node}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels - 1):
        schema = {"not": schema}
    return schema


def fan(levels: int, width: int) -> dict[str, Any]:
    """A chain of references of which each level costs *width* times more."""
    names = {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * width} for at in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**names, f"d{levels}": {}}}


VALUES = {
    "valid": ({"order_id": "o-1", "amount_cents": 5}, None),
    "float that is an integer": ({"order_id": "o-1", "amount_cents": 5.0}, None),
    "too large": ({"order_id": "o-1", "amount_cents": 50_001}, "/amount_cents: maximum"),
    "another type": ({"order_id": "o-1", "amount_cents": "5"}, "/amount_cents: type integer"),
    "missing": ({}, "(root): required 'order_id'"),
    "no match": ({"order_id": "o-x"}, "/order_id: pattern"),
    "format is asserted": ({"order_id": "o-1", "mail": "ana"}, "/mail: format"),
    "unknown member": ({"order_id": "o-1", "s3cret": 1}, "(root): additionalProperties"),
    "no object": ([], "(root): type object"),
    "NaN": ({"order_id": "o-1", "amount_cents": float("nan")}, "/amount_cents: type integer"),
    "huge integer": ({"order_id": "o-1", "amount_cents": 10**400}, "(root): no JSON value"),
    "lone surrogate": ({"order_id": "o-1\ud800"}, "(root): no JSON value"),
    "lone surrogate in a name": ({"order_id": "o-1", "\ud800": 1}, "(root): no JSON value"),
    "name that is no string": ({"order_id": "o-1", 1: 1}, "(root): no JSON value"),
    "no JSON": ({"order_id": object()}, "(root): no JSON value"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("value", "problem"), VALUES.values(), ids=VALUES)
def test_a_value_is_accepted_if_and_only_if_it_has_no_problem(value: Any, problem: str | None) -> None:
    validator = compiled(REFUND)
    assert validator.accepts(value) is (problem is None)
    assert validator.problem(value) == problem


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("dialect", [{}, *({"$schema": name} for name in _validator._DIALECTS)], ids=str)
def test_a_format_is_asserted_unless_it_is_said_to_be_an_annotation(dialect: dict[str, JsonValue]) -> None:
    schema = {**dialect, "type": "string", "format": "date-time", "maxLength": 30}
    asserted = compile_schema(schema, subject="s/t")
    annotated = compile_schema(schema, subject="s/t", asserts_formats=False)
    for naive in ("2026-01-05T10:00:00", "2026-01-05T10:00:00.250"):  # as pydantic writes a moment without an offset
        assert asserted.problem(naive) == "(root): format"
        assert annotated.accepts(naive)
    for validator in (asserted, annotated):
        assert validator.accepts("2026-01-05T10:00:00Z")
        assert not validator.accepts(5)
        assert not validator.accepts("x" * 31)


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"a": {"b": "\ud83d"}}], ids=["string", "element", "member"])
def test_a_lone_surrogate_is_refused_even_where_the_schema_asks_for_nothing(value: Any) -> None:
    assert not compiled({}).accepts(value)


@pytest.mark.requirement("I6")
def test_a_value_of_any_depth_is_answered() -> None:
    tree = compiled(recursive({"properties": {"child": NODE}}))
    value: dict[str, Any] = {}
    for _ in range(200):
        value = {"child": value}
    assert tree.accepts(value)
    for _ in range(100_000):
        value = {"child": value}
    assert not tree.accepts(value)


@pytest.mark.requirement("I10")
def test_a_problem_quotes_nothing_of_the_instance() -> None:
    validator = compiled(
        {
            "properties": {"a": {"const": 1}, "b": {"enum": ["x"]}, "c": {"items": {"type": ["integer", "null"]}}},
            "patternProperties": {"^x": {"maximum": 5}},
            "propertyNames": {"maxLength": 12},
            "unevaluatedProperties": {"type": "integer"},
        }
    )
    seen = [
        validator.problem(value)
        for value in (
            {"a": "s3cret"},
            {"b": "s3cret"},
            {"c": [1, "s3cret"]},
            {"xs3cret": 9},
            {"s3cret-s3cret": 1},
            {"s3cret": ""},
        )
    ]
    assert seen == [
        "/a: const",
        "/b: enum",
        "/c/1: type integer or null",
        "/*: maximum",
        "(root): propertyNames",
        "(root): unevaluatedProperties",
    ]


DIALECTS = {
    "none is 2020-12": ({"prefixItems": [{"type": "string"}]}, [1], False),
    "2020-12": ({"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [False]}, [1], False),
    "2019-09": ({"$schema": "https://json-schema.org/draft/2019-09/schema", "prefixItems": [False]}, [1], True),
    "07": ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}, False]}, [1, 2], False),
    "07 with additional items": (
        {"$schema": "http://json-schema.org/draft-07/schema", "items": [{}], "additionalItems": False, "pattern": "a"},
        [1, 2],
        False,
    ),
    "07 with dependencies": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "dependencies": {"a": ["b"], "c": {"required": ["$ref"]}},
            "$ref": "#/definitions/x",
            "definitions": {"x": False},
        },
        {},
        False,
    ),
}


@pytest.mark.parametrize(("schema", "value", "accepted"), DIALECTS.values(), ids=DIALECTS)
def test_a_schema_is_read_in_its_dialect(schema: Any, value: Any, accepted: bool) -> None:
    assert compiled(schema).accepts(value) is accepted


def test_a_root_id_does_not_change_what_a_reference_means() -> None:
    validator = compiled({"$id": "https://example.com/s", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"const": 1}}})
    assert validator.accepts([1])
    assert not validator.accepts([2])


def test_the_callers_schema_stays_as_it_was() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/s"}
    compiled(schema)  # type: ignore[arg-type]
    assert len(schema) == 2


POINTERS = {
    "escapes": ("#/$defs/a~1b~0c", {"a/b~c": False}),
    "percent": ("#/$defs/%C3%A9%20x", {"é x": False}),
    "boolean": ("#/$defs/x", {"x": False}),
    "element": ("#/$defs/x/anyOf/1", {"x": {"anyOf": [True, False]}}),
}


@pytest.mark.parametrize(("ref", "definitions"), POINTERS.values(), ids=POINTERS)
def test_a_local_reference_is_followed(ref: str, definitions: Any) -> None:
    assert not compiled({"$ref": ref, "$defs": definitions}).accepts(1)


REFUSED = {
    "http": ({"$ref": "http://127.0.0.1:9/x"}, "local references"),
    "file": ({"$ref": "file:///etc/passwd"}, "local references"),
    "relative": ({"$ref": "other.json#/a"}, "local references"),
    "metaschema": ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "local references"),
    "anchor": ({"$ref": "#a", "$defs": {"a": {"$anchor": "a"}}}, "local references"),
    "no string": ({"$ref": 1}, "local references"),
    "nowhere": ({"$ref": "#/$defs/none"}, "name a part of it"),
    "no index": ({"$ref": "#/anyOf/x", "anyOf": [{}]}, "name a part of it"),
    "into a string": ({"$ref": "#/title/0", "title": "ab"}, "name a part of it"),
    "bad escape": ({"$ref": "#/%FF"}, "name a part of it"),
    "to no schema": ({"$ref": "#/required", "required": ["a"]}, "objects or booleans"),
    "hidden in items": ({"items": {"anyOf": [{}, {"$ref": "http://127.0.0.1:9/x"}]}}, "local references"),
    "hidden in a dependency": ({"dependentSchemas": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "local references"),
    "nested id": ({"properties": {"a": {"$id": "https://example.com/"}}}, "no $id below"),
    "dynamic": ({"$dynamicRef": "#a"}, "no dynamic reference"),
    "2019-09 dynamic": ({"$recursiveAnchor": True}, "no dynamic reference"),
    "unknown dialect": ({"$schema": "https://example.com/mine"}, "draft 2020-12, 2019-09 or 07"),
    "dialect no string": ({"$schema": 1}, "draft 2020-12, 2019-09 or 07"),
    "invalid": ({"type": "strin"}, "anyOf violated at /type"),
    "look-around": ({"pattern": "(?=a)b"}, "format violated at /pattern"),
    "back-reference": ({"pattern": r"(a)\1"}, "format violated at /pattern"),
    "huge automaton": ({"pattern": "(a{1000}){1000}"}, "format violated at /pattern"),
    "patterns": (
        {"allOf": [{"pattern": "a"}] * MAX_PATTERNS, "patternProperties": {"b": {}}},
        f"{MAX_PATTERNS} patterns",
    ),
    "bytes": ({"title": "x" * MAX_BYTES}, f"{MAX_BYTES} bytes"),
    "levels": (nested(MAX_DEPTH + 1), f"{MAX_DEPTH} levels"),
    "very many levels": (nested(300), "JSON values only"),
    "surrogate": ({"title": "\ud800"}, "JSON values only"),
    "no JSON": ({"title": object()}, "JSON values only"),
    "references": (fan(4, 8), f"{MAX_REFS} expanded references"),
    "chain of the facts": (fan(8, 10), f"{MAX_REFS} expanded references"),
    "subschemas": ({"allOf": [{}] * MAX_SUBSCHEMAS}, f"{MAX_SUBSCHEMAS} expanded subschemas"),
    "long chain": (fan(70, 1), "64 levels when expanded"),
    "itself": ({"$ref": "#"}, "come to an end"),
    "itself by others": (
        recursive({"allOf": [{"$ref": "#/$defs/b"}]}) | {"$defs": {"node": {"$ref": "#/$defs/b"}, "b": {"not": NODE}}},
        "come to an end",
    ),
    "twice a member": (
        recursive({"anyOf": [{"properties": {"a": NODE}}, {"properties": {"a": NODE}}]}),
        "one way at a time",
    ),
    "member and pattern": (
        recursive({"properties": {"a": NODE}, "patternProperties": {"a": NODE}}),
        "one way at a time",
    ),
    "element and any": (recursive({"prefixItems": [NODE], "contains": NODE}), "one way at a time"),
    "two depths": (
        recursive({"items": {"anyOf": [NODE, {"items": NODE}]}, "contains": {"items": {"items": NODE}}}),
        "one way at a time",
    ),
    "through another": (
        {
            "$ref": "#/$defs/o",
            "$defs": {
                "o": {
                    "allOf": [
                        {"$ref": "#/$defs/t"},
                        {"properties": {"a": {"properties": {"b": {"$ref": "#/$defs/o"}}}}},
                    ]
                },
                "t": {"properties": {"a": {"$ref": "#/$defs/t"}, "b": {"$ref": "#/$defs/o"}}},
            },
        },
        "one way at a time",
    ),
    "unevaluated": (
        {"unevaluatedProperties": {"unevaluatedItems": {"unevaluatedProperties": {"unevaluatedItems": {}}}}},
        "3 nested unevaluated",
    ),
    "recursion under unevaluated": (
        recursive({"properties": {"a": NODE}, "unevaluatedProperties": False}),
        "no unevaluated",
    ),
}


@pytest.mark.requirement("L4")
@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("schema", "why"), REFUSED.values(), ids=REFUSED)
def test_a_schema_that_reaches_out_stalls_or_is_none_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(SchemaError) as caught:
        compiled(schema)
    assert caught.value.subject == "payments/refund"
    assert why in str(caught.value)


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("error", [ValueError("a"), jsonschema_rs.ReferencingError("a")], ids=["value", "reference"])
def test_whatever_the_engine_raises_refuses_the_schema(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(*_: object, **__: object) -> NoReturn:
        raise error

    dialect = "https://example.com/mine"
    monkeypatch.setattr(_validator, "_DIALECTS", {dialect: engine})
    with pytest.raises(SchemaError, match=f"got {type(error).__name__};"):
        compiled({"$schema": dialect})


LINEAR = {
    "tree": recursive({"properties": {"left": {"anyOf": [NODE, {"type": "null"}]}, "right": NODE}}),
    "list": recursive({"items": NODE}),
    "members with names and others": recursive({"properties": {"a": NODE}, "additionalProperties": NODE}),
    "elements with places and others": recursive({"prefixItems": [NODE, NODE], "items": NODE}),
    "filter": recursive(
        {"anyOf": [{"properties": {"and": {"items": NODE}}}, {"properties": {"or": {"items": NODE}}}, {"not": {}}]}
    ),
    "elements in draft 07": recursive({"items": [NODE], "additionalItems": NODE})
    | {"$schema": "http://json-schema.org/draft-07/schema#"},
    "mutual": {
        "items": NODE,
        "$defs": {"node": {"properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {"properties": {"a": NODE}}},
    },
    "root": {"properties": {"child": {"$ref": "#"}}},
    "two users of one tree": {"allOf": [NODE, NODE], "$defs": {"node": {"items": NODE}}},
    "members called like keywords": {
        "properties": {"$ref": {"type": "string"}, "pattern": {}, "*": NODE},
        "$defs": {"node": {"properties": {"*": NODE, "b": NODE}}},
    },
    "data like keywords": {"default": {"$ref": "http://127.0.0.1:9/x"}, "enum": [{"$ref": 1}], "if": {}, "then": {}},
    "cheap chain": fan(2, 25),
    "as deep as allowed": nested(MAX_DEPTH),
    "unevaluated": {"unevaluatedProperties": {"unevaluatedProperties": {"type": "string"}}},
}


@pytest.mark.parametrize("schema", LINEAR.values(), ids=LINEAR)
def test_a_schema_within_the_limits_is_compiled(schema: Any) -> None:
    assert isinstance(compiled(json.loads(json.dumps(schema))), SchemaValidator)
