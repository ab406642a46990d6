"""What screening takes out of texts is in the erasable side store, visible at once, and never overwritten."""

import sqlite3

import pytest

from guarded_agents.errors import StoreError
from guarded_agents.stores import Kept, dump_json
from tests.support.store_desk import Desk
from tests.support.stores import TEN

TOKEN, OTHER = "[[iban:aaaaaaaaaaaaaaaa]]", "[[iban:bbbbbbbbbbbbbbbb]]"
KEPT = Kept("tool-1", {TOKEN: "DE89"}, dump_json(["said", {"n": 1}]), is_suspect=True)


@pytest.mark.requirement("I10")
@pytest.mark.parametrize("written", [False, True], ids=["buffered", "written"])
async def test_what_was_kept_is_found_by_thread_and_name(desk: Desk, written: bool) -> None:
    store = desk.store
    store.keep("thread", KEPT)
    if written:
        await store.append([], now=TEN)
    store.keep("thread", Kept("tool-1", {TOKEN: "another"}, dump_json("another")))
    assert store.values_behind("thread", {TOKEN, OTHER}) == {TOKEN: "DE89"}
    assert store.values_behind("elsewhere", {TOKEN}) == {}
    assert store.original("thread", "tool-1") == ["said", {"n": 1}]
    assert (store.original("thread", "tool-2"), store.original("elsewhere", "tool-1")) == (None, None)
    assert (store.trail("thread").suspects, store.trail("elsewhere").suspects) == ({"tool-1"}, set())
    await store.append([], now=TEN)
    assert store.values_behind("thread", {TOKEN}) == {TOKEN: "DE89"}


@pytest.mark.requirement("I10")
async def test_what_was_erased_leads_nowhere(desk: Desk) -> None:
    desk.store.keep("thread", KEPT)
    await desk.store.append([], now=TEN)
    with sqlite3.connect(desk.store.path) as db:
        db.execute("UPDATE payloads SET body = NULL")
    db.close()
    assert desk.store.values_behind("thread", {TOKEN}) == {}
    assert desk.store.original("thread", "tool-1") is None
    assert desk.store.trail("thread").suspects == {"tool-1"}


@pytest.mark.requirement("I10")
async def test_neither_a_value_nor_an_original_stands_outside_the_payloads(desk: Desk) -> None:
    desk.store.keep("thread", Kept("tool-1", {TOKEN: "CANARY"}, dump_json("CANARY")))
    await desk.store.append([], now=TEN)
    with sqlite3.connect(desk.store.path) as db:
        found = db.execute("SELECT * FROM redactions").fetchall()
        assert "CANARY" not in str(found)
        assert {kind for _, kind, _, _ in found} == {"value", "original"}
    db.close()


async def test_what_cannot_be_stored_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(StoreError):
        desk.store.keep("thread", Kept("tool-1", {TOKEN: "\ud800"}))
    assert "CANARY" not in repr(Kept("tool-1", {TOKEN: "CANARY"}, b"CANARY"))
