"""The verifier of one file, as an auditor runs it: alone, on whatever file they were given."""

import ast
import runpy
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from guarded_agents.audit import standalone_verify
from tests.support.plain_log import KEY, PlainLog, rows_of
from tests.support.standalone import VKEY, run

SCRIPT = Path(standalone_verify.__file__)
LOG = PlainLog().add(3).sign(KEY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return LOG.write(tmp_path / "guard.db")


def alone(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file, without this package in sight."""
    (folder / "verify.py").write_bytes(SCRIPT.read_bytes())
    command = [sys.executable, "-I", "verify.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.requirement("audit:signed-heads")
def test_nothing_is_imported_but_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(SCRIPT.read_text())
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"cryptography"}


def test_it_runs_alone_from_an_empty_folder(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    result = alone(folder, path, *VKEY)
    assert (result.returncode, result.stderr) == (0, "")
    assert "verified: True" in result.stdout
    loaded = "import sys, verify; sys.exit(any(name.startswith('guarded') for name in sys.modules))"
    again = subprocess.run([sys.executable, "-c", loaded], cwd=folder, check=False, env={"PYTHONPATH": ""})
    assert again.returncode == 0


def test_faults_end_in_exit_status_1_and_are_named(tmp_path: Path) -> None:
    rows = rows_of(LOG.bodies)
    result = alone(tmp_path, LOG.write(tmp_path / "guard.db", rows=[rows[0], rows[2]]), *VKEY)
    assert result.returncode == 1
    assert "fault: entry 1: missing" in result.stdout.replace("faults", "fault")


def test_help_says_what_is_proved_and_what_is_not(tmp_path: Path) -> None:
    result = alone(tmp_path, "--help")
    assert result.returncode == 0
    for said in ("It proves", "It does not prove, without a kept head or a witness", "rolled back", "Exit status 0"):
        assert said in result.stdout


def test_the_module_ends_with_its_exit_status(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["standalone_verify.py", str(path), "--json"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 0


UNREADABLE: dict[str, bytes | None] = {
    "no file": None,
    "an empty file": b"",
    "another file": b"hello",
    "a database that is none": b"SQLite format 3\x00" + b"x" * 4_096,
}


@pytest.mark.parametrize("stored", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_ends_in_exit_status_2(tmp_path: Path, stored: bytes | None) -> None:
    if stored is not None:
        (tmp_path / "guard.db").write_bytes(stored)
    found = run(tmp_path / "guard.db")
    assert (found.status, found.told) == (2, {})
    assert "guard.db: " in found.err


STATEMENTS = {
    "no table": "DROP TABLE audit",
    "no log": "DROP TABLE guard_meta",
    "other columns": "ALTER TABLE audit RENAME body TO said",
    "a view": "ALTER TABLE audit RENAME TO old; CREATE VIEW audit AS SELECT * FROM old",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_database_that_is_no_store_ends_in_exit_status_2(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(statement)
    assert run(path).status == 2


@pytest.mark.parametrize("given", [("--vkey", "x"), ("--witness", VKEY[1]), ("--head", "missing"), ("--head", ".")])
def test_a_key_or_head_that_is_none_is_wrong_use(path: Path, given: tuple[str, str]) -> None:
    assert run(path, *given).status == 2


def test_a_locked_store_is_not_a_false_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **kwargs, timeout=0))
    with closing(connect(path)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert run(path).status == 2


def test_a_store_that_grows_meanwhile_is_read_as_it_was_at_one_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(*_: object) -> None:
        db.execute("DELETE FROM frontier")

    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        monkeypatch.setattr(standalone_verify.Walk, "_entry", grow)
        assert run(path, *VKEY).status == 0
        assert run(path, *VKEY).faults == ["frontier: not that of the 3 entries that are there"]


def test_a_damaged_store_is_named_where_it_ends(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        ((page, size),) = db.execute(
            "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'audit'"
        )
    stored = path.read_bytes()
    path.write_bytes(stored[: (page - 1) * size] + bytes(size) + stored[page * size :])
    found = run(path, *VKEY)
    assert found.status == 1
    assert found.faults[0].startswith("entry 0: the store is damaged and cannot be read from here on")


def test_an_older_store_without_heads_and_tree_is_verified_and_that_is_told(tmp_path: Path) -> None:
    path = PlainLog().add(256).write(tmp_path / "guard.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("DROP TABLE heads; DROP TABLE frontier; DROP TABLE subtrees")
    found = run(path)
    assert (found.status, found.told["signed"]) == (0, None)
    assert "keeps no tree" in str(found.told["warnings"])
    assert run(path, *VKEY).status == 1


@pytest.mark.parametrize(
    "name", ["WHERE false", "VALUES ('log_id', x'6465736b')", "VALUES ('log_id', 'a'), ('log_id', 'a')"]
)
def test_a_store_that_does_not_say_which_log_it_holds_is_not_verified(tmp_path: Path, name: str) -> None:
    path = PlainLog().write(tmp_path / "guard.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("DROP TABLE guard_meta; CREATE TABLE guard_meta (name, value)")
        db.execute(f"INSERT INTO guard_meta {'SELECT 1, 2 ' if name.startswith('WHERE') else ''}{name}")
    assert run(path).faults == ["log: the store does not say which it is"]


@pytest.mark.parametrize("number", [None, "one", 1.5, -1, 0])
def test_a_row_that_stands_nowhere_before_the_beginning_or_twice_is_named(path: Path, number: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("ALTER TABLE audit RENAME TO old; CREATE TABLE audit (sequence, body, hash)")
        db.execute("INSERT INTO audit SELECT * FROM old")
        db.execute("INSERT INTO audit SELECT ?, body, hash FROM old WHERE sequence = 0", (number,))
    assert f"entry {number}: a row that stands twice or before the beginning" in run(path, *VKEY).faults


def test_the_file_is_only_read(path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o400)
    assert run(path, *VKEY).status == 0
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["guard.db"]


def test_rows_are_read_from_the_table_and_not_from_an_index_that_holds_others(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE INDEX forged ON audit (sequence, body, hash)")
        index = db.execute("SELECT * FROM sqlite_master WHERE name = 'forged'").fetchone()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_master WHERE name = 'forged'")
    with closing(sqlite3.connect(path)) as db, db:  # this one does not know the index, and leaves it as it is
        db.execute("UPDATE audit SET body = x'7b7d' WHERE sequence = 1")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", index)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT sequence, body, hash FROM audit INDEXED BY forged").fetchall() == rows_of(LOG.bodies)
    assert run(path, *VKEY).status == 1


def test_of_many_faults_the_first_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    rows = [(number, stored, "") for number, stored, _ in rows_of(PlainLog().add(1_100).bodies)]
    found = run(PlainLog().write(tmp_path / "guard.db", rows=rows))
    assert (found.status, len(found.faults), found.told["omitted"]) == (1, 1_000, 100)


def test_a_name_in_a_log_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = PlainLog("desk\x1b[2J\n\u202everified").add(1)
    assert standalone_verify.main([str(log.write(tmp_path / "guard.db"))]) == 0
    said = capsys.readouterr().out
    assert said.isascii()
    assert "\x1b" not in said
    assert "desk\\x1b[2J\\n" in said


def test_progress_is_shown_to_people_only(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone_verify, "STEP", 2)
    assert standalone_verify.main([str(path)]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert standalone_verify.main([str(path)]) == 0
    assert "2 entries\r" in capsys.readouterr().err
