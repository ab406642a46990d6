"""B3: the call is changed after it was shown to the approver; only what was approved can run."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.types import Command, Overwrite

from tests.support.bank import calls
from tests.support.siege import HAPPENED_WIRE, LARGE, WIRE, Post, Siege, forged

pytestmark = pytest.mark.requirement("B3", "I2", "I3")

SCRIPT = calls(("wire", WIRE))
ONLY_WHAT_WAS_APPROVED = ([], [HAPPENED_WIRE])


def _changed(message: Any) -> AIMessage:
    return AIMessage("", id=message.id, tool_calls=[{"name": "wire", "args": LARGE, "id": "call-0"}])


@pytest.mark.parametrize("as_node", ["model", "screen_input", "execute", "approval", None])
@pytest.mark.parametrize("voted", ["before", "after"])
def test_a_changed_message_changes_nothing_that_runs(siege: Siege, as_node: str | None, voted: str) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    signed = siege.signed(post, request)
    if voted == "before":
        post.call("vote", signed)
    post.failing("update", {"messages": [_changed(post.state().values["messages"][-1])]}, as_node=as_node)
    post.failing("call", "resume", signed)
    for _ in range(2):
        post.failing("run")
    assert siege.effects in ONLY_WHAT_WAS_APPROVED
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    assert siege.effects in ONLY_WHAT_WAS_APPROVED


TASKS: dict[str, dict[str, Any]] = {
    "arguments": forged("wire", LARGE),
    "tool": forged("drop_table", {"account": "ACME"}),
    "turn": forged("wire", WIRE, turn=2),
    "occurrence": forged("wire", WIRE, occurrence=1),
    "overwritten": {"call": Overwrite(forged("wire", LARGE)["call"])},
    "overwrite as JSON": {"call": {"__overwrite__": forged("wire", LARGE)["call"]}},
    "added argument": forged("wire", WIRE | {"note": "x"}),
    "another number of the same value": forged("wire", WIRE | {"amount_cents": 900.0}),
    "a number as text": forged("wire", WIRE | {"amount_cents": "900"}),
}


@pytest.mark.parametrize("as_node", ["hold", None])
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_changed_task_of_the_waiting_subgraph_runs_nothing_else(
    siege: Siege, task: dict[str, Any], as_node: str | None
) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    [waiting] = post.state(subgraphs=True).tasks
    assert waiting.state.values["call"]["args"] == WIRE
    post.failing("update", task, at=waiting.state.config, as_node=as_node)
    post.failing("call", "resume", siege.signed(post, request))
    for _ in range(2):
        post.failing("run")
    assert siege.effects in ONLY_WHAT_WAS_APPROVED


def test_a_changed_task_is_not_covered_by_the_approval(siege: Siege) -> None:
    """As FACTS G2 found it: 82,000 ran on an approval for 1."""
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    [waiting] = post.state(subgraphs=True).tasks
    at = post.update(forged("wire", LARGE), at=waiting.state.config, as_node="hold")
    assert post.state(at).values["call"]["args"] == LARGE  # the attack did get there
    post.call("vote", siege.signed(post, request))
    post.failing("run")
    post.failing("run", at=at)
    assert siege.effects in ONLY_WHAT_WAS_APPROVED


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_command_that_updates_the_waiting_thread_runs_nothing_else(siege: Siege, task: dict[str, Any]) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    value = siege.signed(post, request).model_dump(mode="json")
    message = post.state().values["messages"][-1]
    post.failing("run", Command(resume=value, update=task | {"messages": [_changed(message)]}))
    post.failing("run")
    assert siege.effects in ONLY_WHAT_WAS_APPROVED


# -- rows of the store --------------------------------------------------------------------------

ARGUMENTS = "SELECT arguments FROM requests"
ROWS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "arguments": lambda db: db.execute(
        f"UPDATE payloads SET body = ? WHERE id IN ({ARGUMENTS})", (json.dumps(LARGE).encode(),)
    ),
    "approver group": lambda db: _document(db, group="tellers"),
    "members": lambda db: _document(db, members=["eve@example.com"]),
    "quorum": lambda db: _document(db, quorum=0),
    "who may approve": lambda db: _document(db, editor_may_approve=True),
    "requester": lambda db: _document(db, requester={"id": "bob", "scopes": [], "acting_for": None}),
    "tenant": lambda db: _document(db, tenant="other"),
    "labels": lambda db: _document(db, labels={"integrity": "untrusted", "confidentiality": "secret"}),
    "policy": lambda db: _document(db, policy="0" * 64),
    "definition": lambda db: _document(db, definition="0" * 64),
    "time to decide": lambda db: _document(db, decide_by="2030-01-05T12:00:00Z"),
    "time to execute": lambda db: _document(db, execute_within_s=10_000_000),
    "tool": lambda db: _document(db, tool="drop_table"),
    "digest": lambda db: _document(db, digest="0" * 64),
}


def _document(db: sqlite3.Connection, **changes: object) -> None:
    [(text,)] = db.execute("SELECT document FROM requests").fetchall()
    fields = json.loads(text)
    assert changes.keys() <= fields.keys()
    db.execute("UPDATE requests SET document = ?", (json.dumps(fields | changes),))


def _tamper(siege: Siege, change: Callable[[sqlite3.Connection], object]) -> None:
    with closing(sqlite3.connect(siege.bank.folder / "guard.db")) as db, db:
        change(db)


def _held(siege: Siege) -> tuple[Post, str]:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    return post, request


@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("voted", ["before", "after"])
def test_a_request_row_that_was_changed_approves_nothing(
    siege: Siege, change: Callable[[sqlite3.Connection], object], voted: str
) -> None:
    post, request = _held(siege)
    if voted == "before":
        post.call("vote", siege.signed(post, request))
        _tamper(siege, change)
    else:
        signed = siege.signed(post, request)
        _tamper(siege, change)
        assert post.failing("call", "resume", signed) is not None
    post.failing("call", "wake", "t1")
    post.failing("run")
    assert siege.effects == []


def test_a_request_row_that_says_approved_without_votes_runs_nothing(siege: Siege) -> None:
    post, _ = _held(siege)
    _tamper(siege, lambda db: db.execute("UPDATE requests SET status = 'approved', execute_by = 2000000000000000"))
    post.failing("call", "wake", "t1")
    assert siege.effects == []


def test_a_request_row_that_is_gone_runs_nothing(siege: Siege) -> None:
    post, request = _held(siege)
    signed = siege.signed(post, request)
    _tamper(siege, lambda db: db.execute("DELETE FROM requests"))
    post.failing("call", "resume", signed)
    post.failing("call", "wake", "t1")
    assert siege.effects == []
