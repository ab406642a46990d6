"""The bytes of one audit entry."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import orjson
import pytest

from guarded_agents.audit import GENESIS, Kind, leaf_hash, seal
from guarded_agents.errors import StoreError

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)


def test_the_stored_bytes_are_sorted_json_of_every_field() -> None:
    stored, _ = seal(Kind.VOTE, {"z": [1, None, True], "a": {"b": "ä"}}, log="L", sequence=7, previous=GENESIS, at=TEN)
    assert stored.decode() == (
        '{"at":"2026-01-05T10:00:00.000000Z","fields":{"a":{"b":"ä"},"z":[1,null,true]},'
        f'"kind":"vote","log":"L","previous":"{GENESIS}","sequence":7}}'
    )


def test_the_hash_is_that_of_an_rfc_6962_leaf() -> None:
    stored, root = seal("intent", {}, log="L", sequence=0, previous=GENESIS, at=TEN)
    assert root == sha256(b"\x00" + stored).hexdigest() == leaf_hash(stored)


@pytest.mark.parametrize("microsecond", [0, 1, 500_000, 999_999], ids=str)
def test_a_time_has_six_digits_of_a_second_whatever_they_are(microsecond: int) -> None:
    stored, _ = seal("intent", {}, log="L", sequence=0, previous=GENESIS, at=TEN.replace(microsecond=microsecond))
    assert orjson.loads(stored)["at"] == f"2026-01-05T10:00:00.{microsecond:06}Z"


@pytest.mark.requirement("B10")
@pytest.mark.parametrize("changed", ["kind", "fields", "log", "sequence", "previous", "at"])
def test_the_hash_covers_every_field(changed: str) -> None:
    values = {"log": "L", "sequence": 0, "previous": GENESIS, "at": TEN}
    others = {"log": "M", "sequence": 1, "previous": "1" * 64, "at": TEN + timedelta(microseconds=1)}
    kind, fields = ("vote" if changed == "kind" else "intent"), ({"a": 1} if changed == "fields" else {})
    base = seal("intent", {}, **values)
    assert seal(kind, fields, **(values | {k: v for k, v in others.items() if k == changed}))[1] != base[1]


def test_every_mapping_is_sealed_as_the_dict_of_it() -> None:
    from types import MappingProxyType

    values = {"log": "L", "sequence": 0, "previous": GENESIS, "at": TEN}
    assert seal("intent", MappingProxyType({"a": 1}), **values) == seal("intent", {"a": 1}, **values)


def test_the_member_of_a_string_enum_is_sealed_as_its_value() -> None:
    stored, _ = seal("intent", {"a": Kind.VOTE}, log="L", sequence=0, previous=GENESIS, at=TEN)
    assert orjson.loads(stored)["fields"] == {"a": "vote"}


UNSEALABLE = {
    "float": {"a": 1.0},
    "float-in-a-list": {"a": [1, [2.5]]},
    "float-in-an-object": {"a": {"b": 0.0}},
    "nan": {"a": float("nan")},
    "bytes": {"a": b"x"},
    "set": {"a": {1}},
    "datetime": {"a": TEN},
    "integer-beyond-64-bits": {"a": 2**64},
    "lone-surrogate": {"a": "\ud800"},
    "key-that-is-no-string": {"a": {1: 2}},
}


@pytest.mark.parametrize("fields", UNSEALABLE.values(), ids=UNSEALABLE)
def test_what_has_no_one_spelling_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="audit entry 3"):
        seal("intent", fields, log="L", sequence=3, previous=GENESIS, at=TEN)


def test_an_unknown_kind_is_not_written() -> None:
    with pytest.raises(StoreError, match="a known kind"):
        seal("gossip", {}, log="L", sequence=0, previous=GENESIS, at=TEN)


@pytest.mark.parametrize(
    "at", [TEN.replace(tzinfo=None), TEN.astimezone(timezone(timedelta(hours=2)))], ids=["naive", "other-zone"]
)
def test_a_time_that_is_not_utc_is_refused(at: datetime) -> None:
    with pytest.raises(StoreError, match="a time in UTC"):
        seal("intent", {}, log="L", sequence=0, previous=GENESIS, at=at)
