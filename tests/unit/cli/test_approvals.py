"""``guarded-agents approvals`` over a run with one refund that waits; no server is started."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from graphs._run import Run
from graphs.refund_desk.run import reopen
from guarded_agents.cli import main
from tests.support.commands import Command, command_line
from tests.support.desk import REFUND, waiting_desk

ANA = "ana@example.com"
GRAPH = "tests.support.desk:saved"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desk(tmp_path_factory.mktemp("desk") / "run").folder


@pytest.fixture
def desk(prepared: Path, tmp_path: Path) -> Run:
    """A copy of its own for each test."""
    return reopen(shutil.copytree(prepared, tmp_path / "run"))


@pytest.fixture
def command(desk: Run, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``guarded-agents approvals ARGUMENTS``, with the store named by the environment."""
    monkeypatch.setenv("GUARDED_AGENTS_STORE", str(desk.store))
    return command_line(capfd, "approvals")


@pytest.fixture
def request_id(command: Command) -> str:
    (found,) = command("list", "--json").json["requests"]
    return str(found["id"])


def ballot(desk: Run, approver: str = ANA) -> tuple[str, ...]:
    return "--key", str(desk.key(approver)), "--as", approver


def status(command: Command, request_id: str) -> str:
    return str(command("show", request_id, "--json").json["status"])


# -- looking --------------------------------------------------------------------------------------


def test_what_waits_is_listed_with_who_asks_and_until_when(command: Command, request_id: str) -> None:
    told = command("list")
    assert told.status == 0
    assert told.out.startswith("1 pending: 1 high risk\nRISK ID ")
    assert f"high {request_id} payments/refund desk-agent finance 0/1   3h59m " in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    assert command("list", "--status", "rejected").out.endswith("nothing is rejected\n")


def test_an_approver_is_shown_all_that_is_sent_and_nothing_in_it_is_hidden(command: Command, request_id: str) -> None:
    told = command("show", request_id)
    assert '"amount_cents": 12900' in told.out
    assert r'"note": "broken \u202eno\u001b[2J"' in told.out
    for word in ("refund-over-50", "trusted, public", "desk-agent", "finance", ANA, "digest", "decide by"):
        assert word in told.out
    assert all(character.isprintable() for character in told.out.replace("\n", ""))


def test_json_holds_the_arguments_as_they_are_and_the_votes(command: Command, desk: Run, request_id: str) -> None:
    found = command("show", request_id, "--json").json
    assert (found["arguments"], found["status"], found["votes"]) == (REFUND, "pending", [])
    assert command("reject", request_id, *ballot(desk), "--reason", "not broken").status == 0
    found = command("show", request_id, "--json").json
    assert (found["status"], found["settled_by"], found["text"]) == ("rejected", ANA, "not broken")
    assert found["votes"][0]["vote"]["answer"] == "reject"
    assert f"reject by {ANA}\n        not broken" in command("show", request_id).out


def test_a_blank_reason_is_none(command: Command, desk: Run, request_id: str) -> None:
    assert command("reject", request_id, *ballot(desk), "--reason", " ").status == 0
    assert "who said" not in command("approve", request_id, *ballot(desk)).err


# -- answering ------------------------------------------------------------------------------------

ANSWERS = {
    "approve": (("approve",), "approved"),
    "reject": (("reject",), "rejected"),
    "respond": (("respond", "--text", "It was refunded already."), "answered"),
}


@pytest.mark.parametrize(("words", "becomes"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_recorded_and_what_wakes_the_thread_is_said(
    command: Command, desk: Run, request_id: str, words: tuple[str, ...], becomes: str
) -> None:
    told = command(words[0], request_id, *words[1:], *ballot(desk), "--json")
    assert told.status == 0, told.err
    assert told.json == {"request": request_id, "status": becomes, "thread": "desk"}
    assert f"approvals wake {request_id} --graph" in told.err
    assert status(command, request_id) == becomes


def test_with_a_graph_the_thread_goes_on_and_its_calls_are_reported(
    command: Command, desk: Run, request_id: str
) -> None:
    told = command("reject", request_id, *ballot(desk), "--graph", GRAPH, "--json")
    assert told.status == 0, told.err
    assert told.json["calls"] == [
        {
            "tool": "payments/refund",
            "decision": "permit",
            "rule": "permit:payments/refund",
            "approval": "rejected",
            "outcome": "refused",
        }
    ]
    assert told.json["audit"]["verified"] is True


def test_an_answer_that_was_recorded_without_a_graph_wakes_the_thread_later(
    command: Command, desk: Run, request_id: str
) -> None:
    effects = ("--effects", "graphs.refund_desk.run:effects")
    command("respond", request_id, *ballot(desk), "--text", "Ask in May.")
    told = command("wake", request_id, "--graph", GRAPH, *effects)
    assert told.status == 0, told.err
    assert "the agent says:\n    done" in told.out
    assert "refunds: none" in told.out
    assert "AUDIT LOG  verified" in told.out
    again = command("wake", request_id, "--graph", GRAPH)
    assert (again.status, again.out) == (1, "")
    assert "expected a thread that is not at its end" in again.err


@pytest.mark.requirement("I8")
def test_an_edit_is_judged_against_policy_and_lockfile_and_waits_again(
    command: Command, desk: Run, request_id: str
) -> None:
    less = orjson.dumps(REFUND | {"amount_cents": 9900}).decode()
    told = command("edit", request_id, "--args", less, *ballot(desk), "--json")
    assert told.status == 0, told.err
    successor = told.json["request"]
    assert (told.json["status"], status(command, request_id)) == ("pending", "superseded")
    assert f"edit of    {request_id}" in command("show", successor).out
    assert '"amount_cents": 9900' in command("show", successor).out


REFUSED_EDITS = {
    "denied-by-a-rule": REFUND | {"account": "DE00"},
    "over-the-limit": REFUND | {"amount_cents": 60000},
    "not-the-reviewed-schema": REFUND | {"amount_cents": "12900"},
}


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("arguments", REFUSED_EDITS.values(), ids=REFUSED_EDITS)
def test_an_edit_that_the_policy_does_not_permit_changes_nothing(
    command: Command, desk: Run, request_id: str, arguments: dict[str, object]
) -> None:
    told = command("edit", request_id, "--args", orjson.dumps(arguments).decode(), *ballot(desk))
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith(f"error: approval {request_id}: expected edited arguments that the policy permits")
    assert status(command, request_id) == "pending"


# -- what does not count, and what cannot be used ---------------------------------------------------


@pytest.mark.requirement("I7")
def test_a_key_that_is_not_the_approvers_proves_nothing(command: Command, desk: Run, request_id: str) -> None:
    told = command("approve", request_id, "--key", desk.key("raj@example.com"), "--as", ANA)
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith(f"error: statement of {ANA}: expected a signature by a key of the approver")
    assert status(command, request_id) == "pending"


def test_a_settled_request_takes_no_other_answer(command: Command, desk: Run, request_id: str) -> None:
    command("reject", request_id, *ballot(desk))
    told = command("approve", request_id, *ballot(desk, "raj@example.com"))
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith(
        f"error: approval {request_id}: expected a pending request, got one that is rejected by {ANA}; look at it"
    )


def test_an_unknown_request_is_told_with_where_to_look(command: Command) -> None:
    told = command("show", "nothing")
    assert (told.status, told.out) == (1, "")
    assert "list what waits with `guarded-agents approvals list`" in told.err


def broken(name: str, content: bytes | None) -> Callable[[Run], None]:
    def breaks(desk: Run) -> None:
        path = desk.folder / name
        path.unlink() if content is None else path.write_bytes(content)

    return breaks


FILES = {
    "policy-missing": (broken("policy.yaml", None), "policy.yaml: expected a readable file"),
    "policy-broken": (broken("policy.yaml", b"version: 1\ntools: ["), "policy.yaml:3:1: expected YAML"),
    "policy-unknown-key": (broken("policy.yaml", b"version: 1\nverison: 1\n"), "policy.yaml:2:1"),
    "lockfile-missing": (broken("tools.lock", None), "tools.lock: expected a lockfile, got No such file"),
    "lockfile-broken": (broken("tools.lock", b"{"), "tools.lock"),
    "signers-broken": (broken("allowed_signers", b"ana@example.com nonsense\n"), "allowed_signers:1: expected"),
    "root-key-missing": (broken("guard.db.key", None), "guard.db.key: expected a readable key file"),
    "store-missing": (broken("guard.db", None), "guard.db: expected the store of a guard, got no file"),
    "store-empty": (broken("guard.db", b""), "guard.db: expected the store of a guard"),
    "store-broken": (broken("guard.db", b"SQLite format 3\x00" + b"x" * 5000), "guard.db"),
    "checkpoints-broken": (broken("checkpoints.db", b"x" * 5000), f"checkpointer of {GRAPH}: expected a database"),
    "key-missing": (broken(f"keys/{ANA}", None), f"keys/{ANA}: expected a readable key file"),
    "key-of-no-kind": (broken(f"keys/{ANA}", b"secret"), f"keys/{ANA}: expected an Ed25519 key, got no readable key"),
    "key-open-to-others": (lambda desk: desk.key(ANA).chmod(0o644), f"keys/{ANA}: expected mode 0600, got 0644"),
}


@pytest.mark.parametrize(("breaks", "message"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_used_is_named_in_one_line_and_nothing_is_lost(
    command: Command, desk: Run, request_id: str, breaks: Callable[[Run], None], message: str
) -> None:
    whole, root = desk.store.read_bytes(), desk.folder / "guard.db.key"
    secret = root.read_bytes()
    breaks(desk)
    before = snapshot(desk.folder)
    told = command("approve", request_id, *ballot(desk), "--graph", GRAPH)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert message in told.err
    if "checkpoints" in message or "checkpointer" in message:  # the guard was opened, and that was recorded
        assert status(command, request_id) == "pending"
        return
    assert snapshot(desk.folder) == before
    desk.store.write_bytes(whole)
    if not root.exists():
        root.touch(mode=0o600)
        root.write_bytes(secret)
    assert status(command, request_id) == "pending"


@pytest.mark.requirement("I7")
def test_a_request_that_was_changed_in_the_store_is_not_shown(command: Command, desk: Run, request_id: str) -> None:
    with closing(sqlite3.connect(desk.store)) as store, store:
        changed = store.execute(
            "UPDATE payloads SET body = CAST(replace(CAST(body AS TEXT), '12900', '1') AS BLOB)"
            " WHERE CAST(body AS TEXT) LIKE '%12900%'"
        )
        assert changed.rowcount
    told = command("show", request_id, "--json")
    assert (told.status, told.out) == (1, "")
    assert f"approval {request_id}: expected the request as the guard wrote it" in told.err
    listed = command("list")
    assert (listed.status, request_id in listed.out) == (0, True)
    assert "Lines are not verified" in listed.out


def snapshot(folder: Path) -> dict[str, str]:
    """Return the digest of every file, but for the index of SQLite's log, which a reader writes too."""
    ignored = ("-shm", "-wal")
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(ignored)
    }


GRAPHS = {
    "no-module": ("no.such:graph", "expected a module that can be imported, got no module no"),
    "no-attribute": ("tests.support.desk:nothing", "expected module:attribute"),
    "no-colon": ("tests.support.desk", "expected module:attribute"),
    "no-function": ("tests.support.desk:no_function", "expected a factory of a compiled graph"),
    "no-graph": ("builtins:dict", "expected a factory of a compiled graph, as in langgraph.json, got dict"),
    "no-checkpointer": ("tests.support.desk:unsaved", "expected a graph with the checkpointer"),
}


@pytest.mark.parametrize(("name", "message"), GRAPHS.values(), ids=GRAPHS)
def test_a_graph_that_cannot_be_used_is_told_before_the_vote_is_recorded(
    command: Command, desk: Run, request_id: str, name: str, message: str
) -> None:
    told = command("approve", request_id, *ballot(desk), "--graph", name)
    assert (told.status, told.out) == (2, "")
    assert message in told.err
    assert status(command, request_id) == "pending"


@pytest.mark.requirement("I7")
def test_a_thread_that_does_not_wait_takes_no_vote(command: Command, desk: Run, request_id: str) -> None:
    for name in ("checkpoints.db", "checkpoints.db-wal", "checkpoints.db-shm"):
        (desk.folder / name).unlink(missing_ok=True)
    told = command("approve", request_id, *ballot(desk), "--graph", GRAPH)
    assert (told.status, told.out) == (1, "")
    assert "expected a thread that waits for it, got one that does not" in told.err
    assert status(command, request_id) == "pending"


def test_a_row_that_was_changed_in_the_database_is_not_voted_on(command: Command, desk: Run, request_id: str) -> None:
    db = sqlite3.connect(desk.store)
    db.execute("UPDATE payloads SET body = CAST(replace(CAST(body AS TEXT), '12900', '99900') AS BLOB)")
    db.commit()
    db.close()
    told = command("approve", request_id, *ballot(desk))
    assert (told.status, told.out) == (1, "")
    assert "expected the row as it was written, got a changed one" in told.err


def test_arguments_that_are_no_json_object_are_wrong_use(command: Command, desk: Run, request_id: str) -> None:
    for text in ("{", "[]", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', "[" * 100_000):
        told = command("edit", request_id, "--args", text, *ballot(desk))
        assert (told.status, told.out) == (2, "")
        assert "--args" in told.err


# -- what the tables say ------------------------------------------------------------------------------


def alter(desk: Run, statement: str) -> None:
    db = sqlite3.connect(desk.store)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_log_that_does_not_verify_is_told_and_exits_with_1(command: Command, desk: Run, request_id: str) -> None:
    alter(
        desk,
        "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'release', 'polish') AS BLOB) WHERE sequence = 0",
    )
    told = command("reject", request_id, *ballot(desk), "--graph", GRAPH)
    assert told.status == 1
    assert "AUDIT LOG  NOT VERIFIED" in told.out
    assert "entry 0:" in told.out


def test_a_call_in_doubt_is_told_whenever_somebody_looks(command: Command, desk: Run, request_id: str) -> None:
    alter(
        desk,
        "INSERT INTO claims (thread, entry, turn, digest, occurrence, tool, requester, tenant, status, owner, attempt,"
        " lease_until, reason, changed_at) SELECT thread, entry, turn, digest, occurrence, 'payments/refund', 'x', 'x',"
        " 'sending', 'killed', 1, 0, 'permitted', 0 FROM requests",
    )
    told = command("list")
    assert re.fullmatch(
        r"IN DOUBT: [0-9a-f]{12} payments/refund \(thread desk, turn 1\): nobody knows whether it happened;"
        r" `approvals show [0-9a-f]{12}`, look at its server, `approvals resolve`\n",
        told.err,
    )
    told = command("reject", request_id, *ballot(desk), "--graph", GRAPH, "--json")
    assert [call["outcome"] for call in told.json["calls"]] == ["in_doubt"]


def test_what_was_erased_is_told_as_erased(command: Command, desk: Run, request_id: str) -> None:
    alter(desk, "UPDATE requests SET status = 'withdrawn'")
    alter(desk, "UPDATE payloads SET body = NULL")
    told = command("show", request_id).out
    assert told.startswith("NOT VERIFIED: the arguments were erased")
    assert "the call:\n    (erased)" in told
    assert command("show", request_id, "--json").json["arguments"] is None


def test_an_approval_in_the_tables_names_its_rule_and_who_gave_it(command: Command, desk: Run, request_id: str) -> None:
    told = command("approve", request_id, *ballot(desk), "--graph", GRAPH, "--effects", "tests.support.desk:effects")
    assert told.status == 0, told.err
    assert re.search(f"payments/refund permit +permit:payments/refund {ANA} failed", told.out)
    assert "    approval refund-over-50: approved\n" in told.out
    assert "EFFECTS  found in the servers' databases\n  effects: 2\n    - 1\n    - {}\n" in told.out
    assert all(character.isprintable() for character in told.out.replace("\n", ""))


# -- the command as a whole -------------------------------------------------------------------------


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("guarded-agents ")


def test_a_wrong_word_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approvals", "aprove"]) == 2
    assert main(["nothing"]) == 2
    assert capsys.readouterr().out == ""


def test_the_store_of_the_working_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GUARDED_AGENTS_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["approvals", "list"]) == 2
    assert "store guard.db: expected the store of a guard, got no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_commands_that_run_no_graph_do_not_wait_for_langgraph() -> None:
    code = "import sys, guarded_agents.cli; print(sorted({'langgraph', 'mcp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
