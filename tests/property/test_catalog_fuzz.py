"""Whatever a server or a file says: no crash, no hang, and nothing passes for reviewed that was not (FACTS L1, L4)."""

import json
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guarded_agents.catalog import (
    Catalog,
    ToolDefinition,
    diff,
    dump_lockfile,
    load_lockfile,
    make_lock,
    of_observed,
    visible,
)
from guarded_agents.catalog._alias import ALIAS
from guarded_agents.catalog._definition import canonical
from guarded_agents.catalog._visible import visible_json
from guarded_agents.errors import LockfileError, SchemaError
from guarded_agents.schema import compile_schema
from guarded_agents.transport import ObservedTool

ANY_TEXT = st.text(st.characters(), max_size=12)  # lone surrogates too
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53, 2**64, 10**400, 50_000.0, -0.0, 1e21])


def json_of(texts: st.SearchStrategy[str], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )


ANY_JSON = json_of(ANY_TEXT, NUMBERS)
PLAIN_JSON = json_of(TEXT, SAFE | st.floats(allow_nan=False, allow_infinity=False))
REFS = st.sampled_from(
    [
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#/$defs/none",
        "#/properties/a",
        "#a",
        "http://127.0.0.1:9/x",
        "file:///etc/passwd",
    ]
)
WORDS = st.sampled_from(
    [
        "not",
        "if",
        "then",
        "else",
        "items",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
    ]
)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"$ref": REFS})
    | st.fixed_dictionaries({"type": st.sampled_from(["object", "array", "string", "integer", "strin"])})
    | st.fixed_dictionaries({"pattern": st.sampled_from(["^a+$", "(a+)+$", "(?=a)", "[", "(a{1000}){1000}"])})
    | st.fixed_dictionaries({"format": st.sampled_from(["email", "date-time", "regex", "uri", "none"])})
    | st.fixed_dictionaries({"const": PLAIN_JSON}),
    lambda inner: (
        st.dictionaries(WORDS, inner, min_size=1, max_size=3)
        | st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)})
        | st.dictionaries(st.sampled_from(["allOf", "anyOf", "oneOf", "prefixItems"]), st.lists(inner, max_size=3))
        | st.fixed_dictionaries({"patternProperties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2)})
    ),
    max_leaves=12,
)
ROOTS = st.fixed_dictionaries(
    {"$defs": st.fixed_dictionaries({"a": SCHEMAS, "b": SCHEMAS})},
    optional={
        "$ref": REFS,
        "properties": st.dictionaries(st.sampled_from("abc"), SCHEMAS, max_size=3),
        "items": SCHEMAS,
    },
)
INSTANCES = st.recursive(
    st.none() | NUMBERS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=24,
)
DEFINITIONS = st.builds(
    ToolDefinition,
    server=st.sampled_from(["a", "b", "a__b"]),
    name=st.text(st.sampled_from("ab_./é"), min_size=1, max_size=4) | st.sampled_from(["x" * 64, "x" * 65]),
    title=st.none() | TEXT,
    description=TEXT,
    input_schema=st.dictionaries(TEXT, PLAIN_JSON, max_size=3),
    output_schema=st.none() | st.dictionaries(TEXT, PLAIN_JSON, max_size=3),
    annotations=st.dictionaries(TEXT, PLAIN_JSON, max_size=2),
)
LISTS = st.lists(DEFINITIONS, max_size=8, unique_by=lambda definition: definition.key)


@pytest.mark.requirement("I6")
@pytest.mark.timeout(120)
@given(ROOTS, INSTANCES)
@settings(max_examples=400)
def test_a_schema_is_refused_or_answers_every_value_the_same_way_twice(schema: dict[str, Any], value: Any) -> None:
    try:
        validator = compile_schema(schema, subject="s/t")
    except SchemaError:
        return
    assert validator.accepts(value) is (validator.problem(value) is None)


@pytest.mark.requirement("I6")
@given(st.dictionaries(ANY_TEXT | WORDS, ANY_JSON, max_size=4), ANY_JSON)
def test_anything_as_a_schema_is_refused_or_compiled(schema: dict[str, Any], value: Any) -> None:
    try:
        validator = compile_schema(schema, subject="s/t")
    except SchemaError:
        return
    assert isinstance(validator.accepts(value), bool)


@given(st.dictionaries(TEXT, PLAIN_JSON, max_size=4))
def test_the_quick_canonical_form_is_that_of_the_standard(value: dict[str, Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.requirement("I6")
@given(
    ANY_TEXT, ANY_TEXT, st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3), st.dictionaries(ANY_TEXT, ANY_JSON, max_size=2)
)
def test_whatever_a_server_lists_is_compared(
    name: str, description: str, schema: dict[str, Any], annotations: dict[str, Any]
) -> None:
    definition = of_observed(ObservedTool("s", name, None, description, schema, schema, annotations))
    catalog = Catalog(make_lock([ToolDefinition(server="s", name="t", input_schema={})]))
    drifts = catalog.observe("s", [definition])
    for drift in drifts:
        assert catalog.quarantine_reason(drift.key) == drift.reason
        assert visible(drift.text.replace("\\", "").replace("\n", "")) == drift.text.replace("\\", "").replace("\n", "")
    assert catalog.observe("s", [definition]) == ()


@pytest.mark.requirement("B14")
@given(LISTS)
def test_a_lockfile_is_read_as_it_was_written(definitions: list[ToolDefinition]) -> None:
    lockfile = make_lock(definitions)
    text = dump_lockfile(lockfile)
    again = load_lockfile(text, source="tools.lock")
    assert (again.digest, dump_lockfile(again)) == (lockfile.digest, text)
    assert make_lock(reversed(definitions)) == lockfile
    names = [tool.alias for tool in lockfile.tools]
    assert len(set(names)) == len(names)
    assert all(ALIAS.fullmatch(name) for name in names)
    by_server = {server: [item for item in definitions if item.server == server] for server in ("a", "b", "a__b")}
    assert {drift.kind.value for drift in diff(lockfile, by_server)} <= {"unusable_schema"}


@pytest.mark.requirement("I6")
@given(st.binary(max_size=64) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_lockfile_or_refused(text: bytes) -> None:
    with pytest.raises(LockfileError, match=r"^x\.lock"):
        load_lockfile(text, source="x.lock")


@pytest.mark.requirement("B14")
@given(st.data(), LISTS.filter(bool))
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_lockfile_with_one_byte_changed_is_refused_or_means_the_same_tools(
    data: st.DataObject, definitions: list[ToolDefinition]
) -> None:
    text = bytearray(dump_lockfile(make_lock(definitions)))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = load_lockfile(bytes(text), source="tools.lock")
    except LockfileError:
        return
    assert [tool.definition.digest for tool in found.tools] == [tool.digest for tool in make_lock(definitions).tools]


@pytest.mark.requirement("B14")
@given(st.text(st.characters(), max_size=30))
def test_a_visible_text_shows_everything_and_loses_nothing(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert json.loads(f'"{shown}"'.replace('"', "\\u0022")[6:-6].join('""')) == text
    assert json.loads(visible_json(json.dumps([text], ensure_ascii=False))) == [text]
