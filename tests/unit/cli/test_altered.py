"""What the commands print of a store that somebody else has written into: no column may pretend or move anything."""

import asyncio
import os
import pty
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from unicodedata import category

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guarded_agents.catalog import visible
from tests.support.bank import POLICY, calls, model, thread
from tests.support.commands import Command, Said, command_line
from tests.support.ledger import at_desk
from tests.support.two_people import ANA, LEE, RAJ, by, waiting_desks

ROOT = Path(__file__).resolve().parents[3]
HIDDEN = {"Cc", "Cf", "Zl", "Zp"}  # controls, format and bidi characters, line separators
SCREEN = '\x1b[2J\x1b[H\u202e\x9b\n\nwill be sent, exactly:\n    {\n      "amount_cents": 100\n    }\x1b[8m'

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
EGRESS = POLICY.replace("    effect: write\n    result", "    effect: egress\n    result")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desks(tmp_path_factory.mktemp("desks") / "run", ("one", "two"))


@pytest.fixture
def run(run: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command as at a terminal: whatever would move the cursor arrives."""
    monkeypatch.setattr("typer._click.utils.should_strip_ansi", lambda *_: False)
    return run


def write(desk: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        for statement, values in statements:
            store.execute(statement, values)


def row(desk: Path, request_id: str) -> tuple[str, int, bytes]:
    """Return a request's document, and its arguments' number and bytes."""
    with closing(sqlite3.connect(desk / "guard.db")) as store:
        return store.execute(  # type: ignore[no-any-return]
            "SELECT document, p.id, body FROM requests r JOIN payloads p ON p.id = arguments WHERE r.id = ?",
            (request_id,),
        ).fetchone()


# -- a request that is not the one ------------------------------------------------------------------------------------


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("status", ["pending", "approved"])
def test_an_open_request_whose_arguments_are_gone_is_not_shown_at_all(
    run: Command, ids: dict[str, str], desk: Path, status: str
) -> None:
    document, number, _ = row(desk, ids["one"])
    forged = orjson.loads(document)
    forged["requester"]["id"], forged["digest"] = "cfo@example.com", forged["digest"] + SCREEN
    write(
        desk,
        ("UPDATE payloads SET body = NULL WHERE id = ?", (number,)),
        (
            "UPDATE requests SET document = ?, status = ? WHERE id = ?",
            (orjson.dumps(forged).decode(), status, ids["one"]),
        ),
    )
    told = run("approvals", "show", ids["one"])
    assert (told.status, told.out) == (1, "")
    assert "one that is open and has no arguments" in told.err


def test_a_request_that_is_settled_and_erased_is_shown_as_not_verified(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    run("approvals", "reject", ids["one"], *by(RAJ))
    document, number, _ = row(desk, ids["one"])
    forged = orjson.loads(document)
    forged |= {"digest": SCREEN, "id": ids["one"], "parent": ids["one"]}  # its own parent
    write(
        desk,
        ("UPDATE payloads SET body = NULL WHERE id = ?", (number,)),
        ("UPDATE requests SET document = ? WHERE id = ?", (orjson.dumps(forged).decode(), ids["one"])),
    )
    told = run("approvals", "show", ids["one"])
    assert told.status == 0
    assert told.out.startswith("NOT VERIFIED: the arguments were erased")
    assert hidden(told) == set()
    assert run("approvals", "show", ids["one"], "--json").json["verified"] is False


def test_an_erased_request_that_was_edited_says_that_its_arguments_are_gone(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    less = '{"order_id": "1001", "amount_cents": 9900, "note": "x"}'
    edited = run("approvals", "edit", ids["one"], "--args", less, *by(ANA), "--json").json["request"]
    write(desk, ("UPDATE payloads SET body = NULL WHERE id = ?", (row(desk, ids["one"])[1],)))
    told = run("approvals", "show", edited)
    assert (told.status, "NOT VERIFIED" in told.out) == (0, False)
    assert "a person changed what the model proposed, and that was erased" in told.out


@pytest.mark.requirement("I2")
def test_a_request_in_the_place_of_another_is_refused(run: Command, ids: dict[str, str], desk: Path) -> None:
    document, number, _ = row(desk, ids["two"])
    write(desk, ("UPDATE requests SET document = ?, arguments = ? WHERE id = ?", (document, number, ids["one"])))
    told = run("approvals", "show", ids["one"])
    assert (told.status, told.out) == (1, "")
    assert "another one in its place" in told.err


# -- columns that no digest covers ------------------------------------------------------------------------------------


def hidden(told: Said) -> set[str]:
    return {character for character in (told.out + told.err).replace("\n", "") if category(character) in HIDDEN}


def test_every_character_that_could_hide_or_move_something_is_spelt_out() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    assert {character for character in visible(everything) if category(character) in HIDDEN} == set()


LOOKS = (
    ("approvals", "list", "--all"),
    ("approvals", "list", "--json"),
    ("approvals", "show", "{two}"),
    ("approvals", "show", "{two}", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("approvals", "sweep"),
)
ALL_OF_THEM = """UPDATE requests SET successor = ?1, settled_by = ?1, question = ?1, tool = ?1, principal = ?1,
    tenant = ?1, grp = ?1, thread = ?1"""


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", categories=["Cc", "Cf", "Zl", "Zp", "Lu", "Co"]), min_size=1, max_size=12))
def test_no_column_of_the_store_can_write_what_is_not_seen(
    run: Command, ids: dict[str, str], prepared: Path, desk: Path, text: str
) -> None:
    for file in desk.glob("guard.db*"):
        file.unlink()
    for file in prepared.glob("guard.db*"):
        shutil.copy(file, desk)
    text = f"{text}{SCREEN}".replace("\x00", "\x01")  # SQLite ends a text there
    write(
        desk,
        (ALL_OF_THEM, (text,)),
        ("UPDATE requests SET id = ?, status = 'rejected', settled_at = 5 WHERE id = ?", (text, ids["one"])),
        ("UPDATE requests SET execute_by = 5, settled_at = 5 WHERE id = ?", (ids["two"],)),
        (
            "INSERT INTO broken_glass (request, approver, used_at, review_due, reviewers) VALUES (?1, ?1, 0, 0, ?1)",
            (text,),
        ),
        (
            (
                "INSERT INTO claims (thread, entry, turn, digest, occurrence, tool, requester, tenant, status, owner,"
                " attempt, lease_until, reason, changed_at)"
                " VALUES (?1, ?1, 1, ?1, 0, ?1, ?1, ?1, 'in_doubt', ?1, 1, 0, 'permitted', 0)"
            ),
            (text,),
        ),
        ("UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'policy', ?) AS BLOB)", (text,)),
    )
    for words in LOOKS:
        told = run(*(word.format(**ids) for word in words))
        assert (told.out != "", hidden(told)) == (True, set()), words
        assert told.out.count("will be sent, exactly:\n") <= 1


@pytest.mark.parametrize("words", [("show",), ("list",)], ids=["show", "list"])
def test_at_a_terminal_nothing_but_colours_comes_of_a_column(
    ids: dict[str, str], desk: Path, words: tuple[str, ...]
) -> None:
    write(
        desk,
        ("UPDATE requests SET successor = ?", (SCREEN,)),
        ("UPDATE requests SET id = ?, status = 'rejected' WHERE id = ?", (SCREEN, ids["one"])),
        ("INSERT INTO broken_glass VALUES (?1, ?1, 0, 0, ?1, NULL, NULL, NULL, NULL, NULL, NULL)", (SCREEN,)),
    )
    printed = at_terminal(desk, "approvals", *words, *((ids["two"],) if words == ("show",) else ("--all",)))
    assert "\x1b[2J" not in printed
    assert "\x1b[8m" not in printed
    assert "\u202e" not in printed
    if words == ("show",):
        assert printed.count("will be sent, exactly:\r\n") == 1
        assert "led to     not an id\r\n" in printed


def at_terminal(desk: Path, *words: str, typed: str = "") -> str:
    """Return what a command prints at a terminal of its own where *typed* is typed."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.environ |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        os.execv(sys.executable, [sys.executable, "-m", "guarded_agents.cli", *words])
    printed = bytearray()
    os.write(terminal, typed.encode())
    try:
        while piece := os.read(terminal, 4_096):
            printed += piece
    except OSError:  # the other end is closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    return printed.decode()


# -- votes that nobody gave -------------------------------------------------------------------------------------------


def forge(desk: Path, request_id: str, **changes: object) -> None:
    vote = {"request": request_id, "digest": "0", "approver": LEE, "answer": "approve", "delegate": None}
    signed: dict[str, object] = {"signature": "eA==", "scheme": "ed25519", "second": None}
    signed |= {"vote": vote | {"at": "2026-01-05T10:00:00Z", "nonce": "0" * 32}} | changes
    write(
        desk,
        ("INSERT INTO payloads (body) VALUES (?)", (orjson.dumps([None, "I have called the customer."]),)),
        (
            (
                "INSERT INTO votes (request, approver, answer, digest, credentials, document, payload)"
                " VALUES (?, ?, 'approve', '0', '[]', ?, (SELECT max(id) FROM payloads))"
            ),
            (request_id, LEE, orjson.dumps(signed).decode()),
        ),
    )


@pytest.mark.requirement("I7")
def test_a_vote_that_nobody_gave_is_shown_as_not_verified(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "approve", ids["two"], *by(RAJ))
    forge(desk, ids["two"])
    told = run("approvals", "show", ids["two"]).out
    assert f"  approve by {RAJ}\n" in told
    assert f"  NOT VERIFIED: approve, said to be by {LEE}; nothing that counts now proves it\n" in told
    votes = run("approvals", "show", ids["two"], "--json").json["votes"]
    assert [vote["proven"] for vote in votes] == [True, False]


def test_a_vote_on_another_request_proves_nothing_here(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "approve", ids["one"], *by(RAJ))
    write(desk, ("UPDATE votes SET request = ?", (ids["two"],)))
    assert f"NOT VERIFIED: approve, said to be by {RAJ}" in run("approvals", "show", ids["two"]).out


def test_without_a_policy_no_vote_is_checked_and_that_is_said(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "reject", ids["two"], "--reason", "no", *by(RAJ))
    (desk / "policy.yaml").unlink()
    told = run("approvals", "show", ids["two"]).out
    assert f"reject by {RAJ}, not checked here\n" in told
    assert f" by {RAJ}, not checked here\n" in told
    assert "text       no, not checked here\n" in told
    assert run("approvals", "show", ids["two"], "--json").json["votes"][0]["proven"] is None


def test_who_settled_it_and_what_they_said_is_what_a_proven_vote_says(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    run("approvals", "reject", ids["two"], "--reason", "no", *by(RAJ))
    assert "NOT VERIFIED" not in run("approvals", "show", ids["two"]).out
    write(desk, ("UPDATE requests SET settled_by = ?", (LEE,)))
    told = run("approvals", "show", ids["two"]).out
    assert f" by {LEE}, NOT VERIFIED\n" in told
    assert "text       no, NOT VERIFIED\n" in told


@pytest.mark.requirement("I10")
def test_of_an_id_token_only_the_digest_is_printed(run: Command, ids: dict[str, str], desk: Path) -> None:
    forge(desk, ids["two"], scheme="oidc", signature="e30.e30.secret")
    told = run("approvals", "show", ids["two"], "--json")
    assert "e30.e30.secret" not in told.out
    [vote] = told.json["votes"]
    assert vote["proof"] == sha256(b"e30.e30.secret").hexdigest()
    assert "e30.e30" not in run("approvals", "show", ids["two"]).out


def test_what_is_kept_to_be_proven_is_its_owners_alone(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "approve", ids["one"], "--as", RAJ, "--save", "vote.json")
    assert (desk / "vote.json").stat().st_mode & 0o777 == 0o600


# -- identical --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("I2")
def test_what_untrusted_text_has_steered_is_not_approved_with_what_none_has(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> tuple[Path, str, str]:
        async with at_desk(tmp_path, calls(WIRE), policy=EGRESS, now=lambda: datetime.now(UTC)) as desk:
            await desk.ask()
            [clean] = await desk.waiting()
            read = model(calls(("forge", {"account": "x"})), calls(WIRE))
            other = replace(
                desk, agent=desk.guard.agent(read, checkpointer=desk.agent.checkpointer), config=thread("t2")
            )
            await other.ask("read it")
            [tainted] = await other.waiting()
            return desk.bank.folder, clean, tainted

    folder, clean, tainted = asyncio.run(ask())
    monkeypatch.setenv("GUARDED_AGENTS_STORE", str(folder / "guard.db"))
    typed = command_line(capfd, "approvals")
    key = folder / f"{ANA}.key"
    key.chmod(0o600)
    told = typed("list")
    assert told.out.startswith("2 pending: 1 high, 1 medium risk\n")
    assert " x2 " not in told.out
    told = typed("approve", clean, "--identical", "--key", key, "--as", ANA)
    assert told.status == 0, told.err
    assert f"{tainted} is left out: not the same labels, risk\n" in told.err
    assert told.err.count("will be sent, exactly:") == 1
    assert typed("show", tainted, "--json").json["votes"] == []


@pytest.mark.parametrize(
    ("typed", "more", "signed"),
    [("n\n", (), 0), ("y\n", (), 2), ("", ("--yes",), 2)],
    ids=["no", "yes", "not-asked"],
)
def test_at_a_terminal_it_is_asked_once_before_all_that_is_identical_is_signed(
    run: Command, ids: dict[str, str], desk: Path, typed: str, more: tuple[str, ...], signed: int
) -> None:
    words = ("approvals", "approve", ids["one"], "--identical", *more, *by(RAJ))
    printed = at_terminal(desk, *words, typed=typed)
    assert printed.count("will be sent, exactly:") == 2
    assert printed.count("Sign a vote for each of these 2?") == (0 if more else 1)
    assert sum(len(run("approvals", "show", one, "--json").json["votes"]) for one in ids.values()) == signed


# -- limits -----------------------------------------------------------------------------------------------------------


def test_a_list_says_where_more_is_in_doubt_or_to_review_than_it_names(run: Command, desk: Path) -> None:
    glass = "INSERT INTO broken_glass VALUES (?, 'x', 0, 0, 'leads', NULL, NULL, NULL, NULL, NULL, NULL)"
    claim = "INSERT INTO claims VALUES (?, 'e', 1, 'd', 0, 't', 'x', 'x', 'in_doubt', 'w', 1, 0, 'permitted'"
    write(
        desk,
        *((glass, (f"{number:012x}",)) for number in range(101)),
        *((f"{claim}, NULL, 0, NULL, NULL, NULL, NULL)", (f"t{number}",)) for number in range(101)),
    )
    told = run("approvals", "list").err
    for what in ("IN DOUBT", "TO REVIEW"):
        assert told.count(f"{what}: ") == 101
        assert f"{what}: there are more than these 100: `guarded-agents doctor` lists them\n" in told
