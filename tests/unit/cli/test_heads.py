"""``guarded-agents audit head|key|rotate|prove|check``, over a real store."""

import asyncio
import os
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from guarded_agents.audit import KeySigner, Kind
from guarded_agents.cli import app, main
from guarded_agents.keys import load_audit_key
from guarded_agents.stores import AuditNote, SqliteStore
from tests.support.stores import HOUR, NOTE, TEN


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["audit", *[str(arg) for arg in args]])


def fill(path: Path, entries: int, at: datetime = TEN) -> None:
    """Append *entries* to the log of the store at *path*, signed by the key beside it."""

    async def work() -> None:
        store = SqliteStore.open(path, log_id="desk")
        signer = KeySigner("desk", load_audit_key(f"{path}.audit.key", create=store.audit_key() is None))
        opened = AuditNote(Kind.LOG_OPENED, {"key": str(signer.verifier)})
        await store.sign_with(signer, [opened, *[NOTE] * (entries - 1)], now=at)
        await store.aclose()

    asyncio.run(work())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "guard.db", 5)
    return tmp_path / "guard.db"


def tamper(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(statement)
    db.close()


def test_the_head_is_printed_as_a_checkpoint(path: Path) -> None:
    origin, size, root, empty, signature, _ = run("head", path).output.split("\n")
    assert (origin, size, empty) == ("desk", "5", "")
    assert signature.startswith("\u2014 desk ")
    told = orjson.loads(run("head", path, "--json").output)
    assert (told["log"], told["size"], len(told["root"]), told["note"].split("\n")[2]) == ("desk", 5, 64, root)


def test_a_kept_head_shows_a_log_that_was_cut_off_and_one_that_was_written_anew(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert run("head", path, "--pin", kept).exit_code == 0
    fill(path, 3)
    assert "against the head given" in run("verify", path, "--since-head", kept).output
    path.unlink()
    fill(path, 9, TEN + HOUR)  # by the same key
    assert run("verify", path).exit_code == 0
    result = run("verify", path, "--since-head", kept)
    assert result.exit_code == 1
    assert "the first 5 entries do not lead to the head given" in result.output


def test_a_head_is_kept_in_the_place_of_one_that_the_log_goes_on_from_and_of_no_other(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    run("head", path, "--pin", kept)
    fill(path, 3)
    assert run("head", path, "--pin", kept).exit_code == 0
    assert kept.read_text().split("\n")[1] == "8"
    path.unlink()
    fill(path, 7, TEN + HOUR)
    assert main(["audit", "head", str(path), "--pin", str(kept)]) == 1
    assert "keep the file and the store as they are" in capsys.readouterr().err
    assert kept.read_text().split("\n")[1] == "8"
    fill(path, 7)  # longer now, and another log all the same
    assert main(["audit", "head", str(path), "--pin", str(kept)]) == 1


def test_a_head_is_committed_where_it_is_kept_in_git(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "heads"
    folder.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert main(["audit", "head", str(path), "--pin", str(folder / "desk"), "--git"]) == 2
    assert "make one there with `git init`" in capsys.readouterr().err
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for entries in (3, 4):
        assert run("head", path, "--pin", folder / "desk", "--git").exit_code == 0
        fill(path, entries)
    told = subprocess.run(
        ["git", "-C", str(folder), "log", "--format=%s"], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines() == ["desk: head of 8 entries", "desk: head of 5 entries"]
    assert main(["audit", "head", str(path), "--git"]) == 2


def test_the_public_key_is_printed_and_verifies_the_log_and_no_other_does(path: Path, tmp_path: Path) -> None:
    key = run("key", path).output.strip()
    assert key.startswith("desk+")
    assert orjson.loads(run("key", path, "--json").output) == {"key": key}
    result = run("verify", path, "--key", key)
    assert result.exit_code == 0
    assert f"signed: 5 of 5 entries\nkey {key}, by the key given" in result.output
    (tmp_path / "log.vkey").write_text(f"{key}\n")
    assert run("verify", path, "--key", tmp_path / "log.vkey").exit_code == 0
    other = KeySigner("desk", b"9" * 32).verifier
    result = run("verify", path, "--key", str(other))
    assert result.exit_code == 1
    assert "no head is signed by a key that was given" in result.output


def test_what_is_not_signed_yet_is_told(path: Path) -> None:
    async def more() -> None:
        store = SqliteStore.open(path)
        await store.append([NOTE] * 2, now=TEN)
        await store.aclose()

    asyncio.run(more())
    assert "signed: 5 of 7 entries, the last 2 under no signed head yet" in run("verify", path).output


def test_the_key_is_changed_under_both_and_the_old_one_is_kept_under_its_id(path: Path) -> None:
    old = run("key", path).output.strip()
    told = orjson.loads(run("rotate", path, "--json").output)
    assert told["old"] == old
    assert run("key", path).output.strip() == told["new"]
    fill(path, 2)
    assert run("verify", path, "--key", old).exit_code == 0
    names = sorted(file.name for file in path.parent.glob("*.audit.key*"))
    assert names == ["guard.db.audit.key", f"guard.db.audit.key.{old.split('+')[1]}"]
    assert [file.stat().st_mode & 0o777 for file in path.parent.glob("*.audit.key*")] == [0o600, 0o600]


@pytest.mark.parametrize("renames", [0, 1])
def test_a_change_of_the_key_that_was_broken_off_is_ended_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    done, rename = [], Path.rename

    def stop(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stop)
        assert run("rotate", path).exit_code != 0
    new = run("key", path).output.strip()
    told = orjson.loads(run("rotate", path, "--json").output)
    assert new in (told["old"], told["new"])
    assert run("key", path).output.strip() == told["new"]
    fill(path, 2)
    assert run("verify", path).exit_code == 0


def test_an_entry_is_proven_without_the_log(path: Path, tmp_path: Path) -> None:
    key, proof = run("key", path).output.strip(), tmp_path / "3.tlog-proof"
    assert run("prove", path, 3).output.startswith("c2sp.org/tlog-proof@v1\nextra ")
    assert "entry 3 of desk, under the head of 5" in run("prove", path, 3, "--out", proof).output
    result = run("check", proof, "--key", key)
    assert result.exit_code == 0
    assert f"{proof}: holds, entry 3" in result.output
    told = orjson.loads(run("check", proof, "--key", key, "--json").output)
    assert (told["holds"], told["sequence"], orjson.loads(told["entry"])["sequence"]) == (True, 3, 3)
    proof.write_text(proof.read_text().replace("index 3", "index 2"))
    result = run("check", proof, "--key", key)
    assert result.exit_code == 1
    assert "DOES NOT HOLD" in result.output


REFUSED: dict[str, tuple[tuple[str, ...], str, int]] = {
    "an entry that is not there": (("prove", "{path}", "5"), "one of the 5 under the newest signed head", 2),
    "a proof that is none": (("check", "{path}", "--key", "x"), "a proof of one entry", 1),
    "a key that is none": (("verify", "{path}", "--key", "x"), "expected NAME+ID+KEY", 2),
    "no proof": (("check", "{path}.none", "--key", "x"), "expected a readable file", 1),
}


@pytest.mark.parametrize(("words", "what", "status"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said(
    path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], what: str, status: int
) -> None:
    assert main(["audit", *[word.format(path=path) for word in words]]) == status
    assert what in capsys.readouterr().err


@pytest.mark.parametrize("command", ["head", "key", "rotate"])
def test_a_log_that_was_never_signed_has_no_head_and_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    asyncio.run(SqliteStore.open(tmp_path / "guard.db").aclose())
    assert main(["audit", command, str(tmp_path / "guard.db")]) == 2
    assert "expected a log that was signed" in capsys.readouterr().err
    assert list(tmp_path.glob("*.key*")) == []


@pytest.mark.parametrize("where", ["sequence = 2", "sequence >= 2"], ids=["one", "the end"])
def test_no_proof_is_made_of_an_entry_that_is_gone(path: Path, capsys: pytest.CaptureFixture[str], where: str) -> None:
    tamper(path, f"DELETE FROM audit WHERE {where}")
    assert main(["audit", "prove", str(path), "2"]) == 1
    assert "verify the log" in capsys.readouterr().err


def test_no_proof_is_made_of_an_entry_that_was_changed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tamper(path, "UPDATE audit SET body = CAST(body || ' ' AS BLOB) WHERE sequence = 2")
    assert main(["audit", "prove", str(path), "2"]) == 1
    assert "verify the log" in capsys.readouterr().err
