"""The labels of answers, field by field, and the records in them."""

import pytest
from pydantic import JsonValue

from guarded_agents.provenance import fields_of, joined, resolve, result_labels
from guarded_agents.provenance._labels import trusted_records
from guarded_agents.records import UNEXPOSED, Confidentiality, Integrity, Labels, ResultTerms
from tests.support.provenance import FILES, TRUSTED, UNTRUSTED, file

INTERNAL = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.INTERNAL)


@pytest.mark.requirement("I9")
def test_what_summarises_has_the_join_of_what_it_summarises() -> None:
    assert joined([TRUSTED, INTERNAL]) == INTERNAL
    assert joined([INTERNAL, UNTRUSTED]) == Labels(confidentiality=Confidentiality.INTERNAL)
    assert joined([UNEXPOSED]) == UNEXPOSED


@pytest.mark.requirement("I9")
def test_what_is_not_on_record_is_untrusted_and_restricted() -> None:
    assert joined([TRUSTED, None]) == Labels()
    assert joined([]) == Labels()


# RFC 6901 section 5, and what it refuses.
DOCUMENT: JsonValue = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, 'k"l': 6, " ": 7, "m~n": 8}
POINTERS: dict[str, JsonValue] = {
    "": DOCUMENT,
    "/foo": ["bar", "baz"],
    "/foo/0": "bar",
    "/": 0,
    "/a~1b": 1,
    "/c%d": 2,
    "/e^f": 3,
    '/k"l': 6,
    "/ ": 7,
    "/m~0n": 8,
}


@pytest.mark.parametrize(("pointer", "value"), POINTERS.items(), ids=[f"pointer {pointer}" for pointer in POINTERS])
def test_a_pointer_is_resolved_as_rfc_6901_says(pointer: str, value: JsonValue) -> None:
    assert resolve(DOCUMENT, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/none", "/foo/2", "/foo/01", "/foo/-", "/foo/\u0661", "/foo/-1", "/foo/0/x", "/foo/"]
)
def test_a_pointer_to_nothing_is_a_lookup_error(pointer: str) -> None:
    with pytest.raises(LookupError):
        resolve(DOCUMENT, pointer)


def found(value: JsonValue, terms: ResultTerms) -> dict[str, str]:
    return {field.pointer: field.labels.integrity.value for field in fields_of(value, terms)}


def test_a_field_has_the_labels_of_its_nearest_pointer() -> None:
    terms = ResultTerms(UNTRUSTED, {"/a": TRUSTED, "/a/b": UNTRUSTED, "/a/b/c": TRUSTED})
    value: JsonValue = {"a": {"b": {"c": 1, "cc": 2}, "d": [3, {}]}, "ab": None, "a/b": 5}
    assert found(value, terms) == {
        "/a/b/c": "trusted",
        "/a/b/cc": "untrusted",
        "/a/d/0": "trusted",
        "/a/d/1": "trusted",
        "/ab": "untrusted",
        "/a~1b": "untrusted",
    }


def test_an_answer_without_parts_is_one_field() -> None:
    assert found("text", ResultTerms(UNTRUSTED)) == {"": "untrusted"}
    assert found([], ResultTerms(UNTRUSTED, {"": TRUSTED})) == {"": "trusted"}


def test_the_pointers_of_a_list_of_records_start_at_each_record() -> None:
    value: JsonValue = {"files": [file(1, "a"), "no record", {"name": "b"}], "name": "c"}
    assert found(value, FILES) == {
        "/files/0/id": "trusted",
        "/files/0/name": "trusted",
        "/files/0/owners": "trusted",
        "/files/0/text": "untrusted",
        "/files/1": "untrusted",
        "/files/2/name": "trusted",
        "/name": "untrusted",
    }


SINGLE = {
    "a record": (
        {"files": {"name": "a", "text": "t"}, "name": "c"},
        {"/files/name": "trusted", "/files/text": "untrusted", "/name": "untrusted"},
    ),
    "neither": ({"files": "a"}, {"/files": "untrusted"}),
    "not there": ({"other": {"name": "a"}}, {"/other/name": "untrusted"}),
    "a name that only begins alike": (
        {"files": {}, "files2": {"name": "a"}},
        {"/files": "untrusted", "/files2/name": "untrusted"},
    ),
}


@pytest.mark.parametrize(("value", "labels"), SINGLE.values(), ids=SINGLE)
def test_records_are_where_the_terms_point_and_nowhere_else(value: JsonValue, labels: dict[str, str]) -> None:
    assert found(value, FILES) == labels


def test_the_whole_answer_may_be_the_record_or_the_list() -> None:
    terms = ResultTerms(UNTRUSTED, {"/id": TRUSTED}, "", ("/id",))
    assert found({"id": 1, "x": 2}, terms) == {"/id": "trusted", "/x": "untrusted"}
    assert found([{"id": 1}, {"x": {"id": 2}}], terms) == {"/0/id": "trusted", "/1/x/id": "untrusted"}
    assert found(1, terms) == {"": "untrusted"}


@pytest.mark.requirement("I9")
def test_an_answer_is_trusted_only_where_every_field_is() -> None:
    terms = ResultTerms(UNTRUSTED, {"/id": TRUSTED})
    assert result_labels({"id": 1}, terms) == TRUSTED
    for more in ({"x": 1}, {"x": {}}, {"x": None}, {"x": []}):
        assert result_labels({"id": 1, **more}, terms) == UNTRUSTED
    assert result_labels({}, terms) == UNTRUSTED


def test_what_is_nested_too_deep_is_one_field() -> None:
    deep: JsonValue = "x"
    for _ in range(5_000):
        deep = [deep]
    terms = ResultTerms(UNTRUSTED)
    (only,) = fields_of(deep, terms)
    assert only.pointer == "/0" * 32
    assert isinstance(only.value, list)
    shallow: JsonValue = "x"
    for _ in range(32):
        shallow = [shallow]
    assert [(field.pointer, field.value) for field in fields_of(shallow, terms)] == [("/0" * 32, "x")]


def test_fields_come_in_the_order_of_the_answer() -> None:
    assert [field.value for field in fields_of({"b": [1, 2], "a": 3}, ResultTerms())] == [1, 2, 3]


def test_a_record_has_its_trusted_fields_and_what_it_may_be_named_by() -> None:
    (record,) = trusted_records({"files": [file(7, "plan.txt", "evil", "ana", "raj")]}, FILES)
    assert record.fields == (("/id", 7), ("/name", "plan.txt"), ("/owners/0", "ana"), ("/owners/1", "raj"))
    assert record.keys == {"plan.txt"}


NONE: dict[str, tuple[JsonValue, ResultTerms]] = {
    "no records declared": ({"id": 1}, ResultTerms(TRUSTED)),
    "its key is not there": ({"files": [{"id": 7}]}, FILES),
    "its key is true": ({"files": [{"name": True}]}, FILES),
    "its key has parts": ({"files": [{"name": ["a"]}]}, FILES),
    "its key is a fraction": ({"files": [{"name": 1.5}]}, FILES),
    "its key is untrusted": ({"files": [file(7, "a")]}, ResultTerms(UNTRUSTED, {"/id": TRUSTED}, "/files", ("/name",))),
    "no object": ({"files": [["name", "a"]]}, FILES),
}


@pytest.mark.parametrize(("value", "terms"), NONE.values(), ids=NONE)
def test_what_has_no_trusted_key_is_no_record(value: JsonValue, terms: ResultTerms) -> None:
    assert list(trusted_records(value, terms)) == []


def test_true_false_and_null_are_no_fields_of_a_record() -> None:
    terms = ResultTerms(TRUSTED, {}, "", ("/id",))
    (record,) = trusted_records({"id": "a", "b": True, "c": None, "d": 1.5}, terms)
    assert record.fields == (("/id", "a"), ("/d", 1.5))
