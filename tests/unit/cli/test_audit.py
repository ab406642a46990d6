"""``guarded-agents audit``, over a real store."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from guarded_agents.audit import Frontier, Kind
from guarded_agents.cli._audit import app
from guarded_agents.stores import AuditNote, SqliteStore

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with five entries in its log."""

    async def fill() -> None:
        store = SqliteStore.open(tmp_path / "guard.db", log_id="L")
        for number in range(5):
            notes = [AuditNote(Kind.INTENT, {"n": number, "tool": "payments/refund"})]
            await store.append(notes, now=TEN + timedelta(seconds=number))
        await store.aclose()

    asyncio.run(fill())
    return tmp_path / "guard.db"


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def tamper(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_log_as_it_was_written_is_verified_and_what_that_does_not_prove_is_said(path: Path) -> None:
    result = run("verify", path)
    assert result.exit_code == 0
    assert "verified, 5 entries\nsigned: no, the log names no key\nhead L:5:" in result.output
    assert "note: A log by itself cannot show" in result.output


def test_the_head_that_was_printed_shows_a_truncation_later(path: Path) -> None:
    head = orjson.loads(run("verify", path, "--json").output)["head"]
    kept = f"{head['log']}:{head['size']}:{head['root']}"
    result = run("verify", path, "--since-head", kept)
    assert result.exit_code == 0
    assert "verified, 5 entries, against the head given" in result.output
    assert "note:" not in result.output
    four = Frontier()
    with closing(sqlite3.connect(path)) as db:
        for (digest,) in db.execute("SELECT hash FROM audit ORDER BY sequence LIMIT 4"):
            four.append(bytes.fromhex(digest))
    tamper(path, "DELETE FROM audit WHERE sequence = 4")
    result = run("verify", path)
    assert result.exit_code == 1
    assert "the log ends after 4 entries, the head recorded has 5" in result.output
    tamper(path, f"UPDATE frontier SET size = 4, roots = x'{b''.join(four.roots).hex()}'")
    assert run("verify", path).exit_code == 0  # what a log by itself cannot show
    result = run("verify", path, "--since-head", kept)
    assert result.exit_code == 1
    assert "the log ends after 4 entries, the head given has 5" in result.output


ATTACKS = {
    "changed": "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), '\"n\":2', '\"n\":7') AS BLOB)",
    "deleted": "DELETE FROM audit WHERE sequence = 2",
    "first-deleted": "DELETE FROM audit WHERE sequence = 0",
    "added-before-the-first": "INSERT INTO audit SELECT -1, body, hash FROM audit WHERE sequence = 0",
    "other-log": "UPDATE guard_meta SET value = 'M' WHERE name = 'log_id'",
}


@pytest.mark.requirement("B10")
@pytest.mark.parametrize("statement", ATTACKS.values(), ids=ATTACKS)
def test_whatever_was_done_to_the_table_is_told_and_exits_with_1(path: Path, statement: str) -> None:
    tamper(path, statement)
    result = run("verify", path)
    assert result.exit_code == 1
    assert "NOT VERIFIED" in result.output
    found = orjson.loads(run("verify", path, "--json").output)
    assert found["verified"] is False
    assert found["findings"][0].keys() == {"sequence", "what"}


def test_more_findings_than_are_listed_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guarded_agents.audit import _verify

    monkeypatch.setattr(_verify, "MAX_FINDINGS", 1)
    tamper(path, "UPDATE audit SET hash = ''")
    assert "5 findings in 5 entries" in run("verify", path).output
    assert "and 4 more" in run("verify", path).output


def test_a_clock_that_went_backwards_is_a_warning(path: Path) -> None:
    async def append() -> None:
        store = SqliteStore.open(path)
        await store.append([AuditNote(Kind.INTENT, {})], now=TEN)
        await store.aclose()

    asyncio.run(append())
    result = run("verify", path)
    assert result.exit_code == 0
    assert "entry 5: warning: the clock went backwards" in result.output


def test_the_end_of_the_log_is_printed(path: Path) -> None:
    result = run("tail", path, "-n", 2)
    assert result.output.splitlines() == [
        f'{number} 2026-01-05T10:00:0{number}.000000Z intent {{"n":{number},"tool":"payments/refund"}}'
        for number in (3, 4)
    ]
    assert len(run("tail", path).output.splitlines()) == 5


def test_the_end_of_the_log_is_printed_as_json(path: Path) -> None:
    listing = orjson.loads(run("tail", path, "-n", 1, "--json").output)
    assert [row["sequence"] for row in listing] == [4]
    assert listing[0]["entry"]["fields"]["n"] == 4
    assert len(listing[0]["hash"]) == 64


def test_an_entry_cannot_steer_the_terminal(path: Path) -> None:
    tamper(path, "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'payments', char(155) || '2J') AS BLOB)")
    assert "\\u009b2J" in run("tail", path, "-n", 1).output


@pytest.mark.parametrize("body", ["{", "[]"])
def test_a_row_that_is_no_entry_is_said_to_be_none(path: Path, body: str) -> None:
    tamper(path, f"UPDATE audit SET body = CAST('{body}' AS BLOB)")
    assert run("tail", path, "-n", 1).output == "4 not an entry\n"


WRONG_USE = {
    "no-file": ("verify", "none.db"),
    "empty-file": ("verify", "empty.db"),
    "no-database": ("verify", "text.db"),
    "other-database": ("verify", "other.db"),
    "folder": ("tail", "."),
    "head-of-another-form": ("verify", "guard.db", "--since-head", "5"),
    "no-number": ("tail", "guard.db", "-n", "0"),
    "no-store": ("verify",),
}


@pytest.mark.parametrize("args", WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use_exits_with_2_and_makes_nothing(
    path: Path, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    Path("empty.db").touch()
    Path("text.db").write_text("no database " * 99)
    tamper(Path("other.db"), "CREATE TABLE other (x)")
    before = sorted(path.parent.iterdir())
    result = run(*args)
    assert result.exit_code == 2
    assert sorted(path.parent.iterdir()) == before
    assert Path("empty.db").stat().st_size == 0
