"""The labels of what a tool answered, field by field, and the records in it (JSON Pointer, RFC 6901)."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pydantic import JsonValue

from guarded_agents.records import UNEXPOSED, Integrity, Labels, ResultTerms

_MAX_DEPTH: Final = 32  # as `binding` takes arguments; what is deeper is one field


class Field(NamedTuple):
    """One value without parts: where it stands (RFC 6901), what it is, and its labels."""

    pointer: str
    value: JsonValue
    labels: Labels


class TrustedRecord(NamedTuple):
    """The trusted fields of one record, by pointer from it, and what a person may name it by."""

    fields: tuple[tuple[str, str | int | float], ...]
    keys: frozenset[str | int]


def joined(parts: Iterable[Labels | None]) -> Labels:
    """Return the join of *parts*: the labels of a text that summarises them, or of a thread that has seen them.

    None stands for what is not on record, and nothing at all for a text of unknown origin: both are the strictest.
    """
    labels, is_known = UNEXPOSED, False
    for part in parts:
        labels, is_known = labels.join(Labels() if part is None else part), True
    return labels if is_known else Labels()


def result_labels(value: JsonValue, terms: ResultTerms) -> Labels:
    """Return the labels of the whole answer *value*: the join over its fields."""
    return joined(field.labels for field in fields_of(value, terms))


def fields_of(value: JsonValue, terms: ResultTerms) -> Iterator[Field]:
    """Yield every field of *value*, which has what its nearest declared pointer says, else what its result has.

    An empty list and an empty object are fields, as are true, false and null, and what lies deeper than 32 levels.
    """
    at = "" if terms.records is None else terms.records
    starts = {""} if terms.records is None else {start for start, _ in _records(value, at)}
    for pointer, leaf in _leaves(value):
        start = at if at in starts else _item(pointer, at)
        is_covered = start in starts and _is_below(pointer, start)
        yield Field(pointer, leaf, _declared(pointer[len(start) :], terms) if is_covered else terms.labels)


def trusted_records(value: JsonValue, terms: ResultTerms) -> Iterator[TrustedRecord]:
    """Yield each record of *value* of which a key is trusted, with its trusted fields only."""
    if terms.records is None:
        return
    for _, record in _records(value, terms.records):
        fields = tuple(
            (pointer, leaf)
            for pointer, leaf in _leaves(record)
            if type(leaf) in {str, int, float} and _declared(pointer, terms).integrity is Integrity.TRUSTED
        )
        keys = frozenset(leaf for pointer, leaf in fields if pointer in terms.keys and type(leaf) in {str, int})
        if keys:
            yield TrustedRecord(fields, keys)  # type: ignore[arg-type]


def resolve(value: JsonValue, pointer: str) -> JsonValue:
    """Return what *pointer* points to in *value* (RFC 6901). Raises LookupError where it is not there."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value[name]
        else:
            raise LookupError(pointer)
    return value


def escaped(name: str) -> str:
    """Return *name* as one reference token (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def is_within(pointer: str, pointers: Iterable[str]) -> bool:
    """Return whether *pointer* is one of *pointers* or below one."""
    return any(_is_below(pointer, above) for above in pointers)


def _is_below(pointer: str, above: str) -> bool:
    return pointer == above or pointer.startswith(f"{above}/")


def _records(value: JsonValue, at: str) -> list[tuple[str, JsonValue]]:
    try:
        found = resolve(value, at)
    except LookupError:
        return []
    listed = [(f"{at}/{index}", item) for index, item in enumerate(found)] if isinstance(found, list) else [(at, found)]
    return [(start, record) for start, record in listed if isinstance(record, dict)]


def _item(pointer: str, at: str) -> str:
    """Return the item of the list at *at* that *pointer* leads into."""
    return f"{at}/{pointer[len(at) + 1 :].partition('/')[0]}"


def _leaves(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yield what has no parts in *value*, in order; by a stack, for an answer may be nested as deep as it likes."""
    waiting = [("", value, 0)]
    while waiting:
        pointer, part, depth = waiting.pop()
        parts = _parts(part) if depth < _MAX_DEPTH else []
        if parts:
            waiting += [(f"{pointer}/{name}", child, depth + 1) for name, child in reversed(parts)]
        else:
            yield pointer, part


def _parts(value: JsonValue) -> list[tuple[str | int, JsonValue]]:
    if isinstance(value, dict):
        return [(escaped(name), child) for name, child in value.items()]
    return list(enumerate(value)) if isinstance(value, list) else []


def _declared(pointer: str, terms: ResultTerms) -> Labels:
    at = pointer
    while at not in terms.fields:
        if not at:
            return terms.labels
        at = at.rpartition("/")[0]
    return terms.fields[at]
