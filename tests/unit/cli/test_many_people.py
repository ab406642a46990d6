"""``guarded-agents approvals`` where a refund takes two people, and three threads wait for the same one."""

import asyncio
import json
import os
import pty
import re
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command as Resumed

from guarded_agents.approval import load_private_key
from tests.support.commands import Command, Said
from tests.support.desk import saved
from tests.support.two_people import ANA, KEYS, KIM, LEE, POLICY, RAJ, SECOND, by, waiting_desks

GRAPH = "tests.support.desk:saved"
THREADS = ("one", "two", "three")
LESS = '{"order_id": "1001", "amount_cents": 9900, "note": "x"}'


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desks(tmp_path_factory.mktemp("desks") / "run", THREADS)


def stands(run: Command, request_id: str) -> str:
    return str(run("approvals", "show", request_id, "--json").json["status"])


# -- a list for many ----------------------------------------------------------------------------------


def test_what_asks_exactly_the_same_is_one_line(run: Command) -> None:
    told = run("approvals", "list")
    assert told.out.startswith("3 pending: 3 high risk\n")
    assert "payments/refund x3 desk-agent finance 0/2   3h59m 1h59m" in told.out
    assert "not verified" in told.out


def test_a_list_counts_approvals_and_says_where_those_in_one_line_differ(run: Command, ids: dict[str, str]) -> None:
    run("approvals", "delegate", ids["one"], "--to", LEE, *by(ANA))
    told = run("approvals", "list").out
    assert "payments/refund x3 desk-agent finance 0/2 " in told  # who delegates approves nothing
    assert "VOTES" not in told.splitlines()[-1]
    run("approvals", "approve", ids["two"], *by(RAJ))
    told = run("approvals", "list").out
    assert "payments/refund x3 desk-agent finance 0-1/2 " in told
    assert told.endswith("VOTES 0-1/2: of the requests that are one line, some have 0 approvals and some 1.\n")


def test_what_is_said_after_an_answer_counts_what_counts(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "approve", ids["one"], *by(RAJ))
    signers = (desk / "allowed_signers").read_text()
    (desk / "allowed_signers").write_text(
        "".join(line for line in signers.splitlines(keepends=True) if RAJ not in line)
    )
    told = run("approvals", "delegate", ids["one"], "--to", LEE, *by(ANA))
    assert told.err.endswith("waits for finance, with 0 of 2 approvals so far\n")
    assert run("approvals", "show", ids["one"], "--json").json["counted"] == []


@pytest.mark.requirement("I7")
def test_who_comes_too_late_is_told_what_happened(run: Command, ids: dict[str, str], desk: Path) -> None:
    edited = run("approvals", "edit", ids["one"], "--args", LESS, *by(ANA), "--json").json["request"]
    late = run("approvals", "approve", ids["one"], *by(RAJ))
    assert f"expected a pending request, got one that was edited by {ANA}; the new request is {edited};" in late.err
    run("approvals", "reject", ids["two"], "--reason", "Not this\none.", *by(ANA))
    late = run("approvals", "approve", ids["two"], *by(RAJ))
    assert f"got one that is rejected by {ANA}, who said: Not this\\u000aone.;" in late.err
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE payloads SET body = x'30' WHERE id = (SELECT text FROM requests WHERE text IS NOT NULL)")
    late = run("approvals", "approve", ids["two"], *by(RAJ))
    assert f"got one that is rejected by {ANA};" in late.err


def test_a_list_can_be_one_groups(run: Command) -> None:
    assert len(run("approvals", "list", "--group", "finance", "--json").json["requests"]) == 3
    assert run("approvals", "list", "--group", "leads").out == "guard.db: nothing is pending\n"


def test_one_command_approves_what_is_identical_after_showing_each(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "approve", ids["two"], "--identical", *by(RAJ), "--json")
    assert told.status == 0, told.err
    assert {found["request"] for found in told.json} == set(ids.values())
    assert told.err.count("will be sent, exactly:") == 3
    assert told.err.index(f"request    {ids['two']}") < told.err.index("2 of 3")
    again = run("approvals", "approve", ids["one"], "--identical", *by(LEE))
    assert again.status == 0, again.err
    assert [stands(run, ids[thread]) for thread in THREADS] == ["approved"] * 3


def test_a_vote_among_identical_ones_that_does_not_count_is_told_and_the_others_stand(
    run: Command, ids: dict[str, str]
) -> None:
    run("approvals", "delegate", ids["three"], "--to", LEE, *by(RAJ))
    told = run("approvals", "approve", ids["one"], "--identical", *by(RAJ))
    assert told.status == 1
    assert f"error: approval {ids['three']}" in told.err or f"error: vote on {ids['three']}" in told.err
    assert f"{ids['one']}: approved by {RAJ}" in told.err
    assert f"{ids['two']}: approved by {RAJ}" in told.err


# -- two people ---------------------------------------------------------------------------------------


def test_two_people_approve_and_a_worker_lets_the_thread_go_on(run: Command, ids: dict[str, str]) -> None:
    first = run("approvals", "approve", ids["one"], *by(RAJ))
    assert first.err.endswith("waits for finance, with 1 of 2 approvals so far\n")
    second = run("approvals", "approve", ids["one"], *by(LEE))
    assert f"{ids['one']} is approved\na worker lets thread one go on" in second.err
    told = run("worker", GRAPH, "--once", "--json")
    assert told.status == 0, told.err
    assert told.json["woken"] == ["one"]
    assert run("worker", GRAPH, "--once").out.endswith("nothing to do\n")
    assert stands(run, ids["one"]) == "consumed"


def test_show_says_who_may_answer_and_who_has(run: Command, ids: dict[str, str]) -> None:
    run("approvals", "approve", ids["one"], *by(RAJ))
    told = run("approvals", "show", ids["one"]).out
    assert f"may answer {ANA}, {LEE}  (finance)" in told
    assert f"may answer {KIM}  (leads, from " in told
    assert f"approve by {RAJ}" in told
    found = run("approvals", "show", ids["one"], "--json").json["may_answer"]
    assert [(asked["group"], asked["members"]) for asked in found] == [("finance", [ANA, LEE]), ("leads", [KIM])]


@pytest.mark.requirement("I7")
def test_who_approved_a_request_is_everybody_whose_vote_counted(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "approve", ids["one"], *by(RAJ))
    run("approvals", "approve", ids["one"], *by(LEE))
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:  # a third vote that nobody gave
        store.execute(
            "INSERT INTO votes"
            " SELECT NULL, request, ?1, answer, digest, credentials, replace(document, ?2, ?1), payload"
            " FROM votes WHERE approver = ?2",
            (ANA, LEE),
        )
    told = run("approvals", "show", ids["one"])
    assert re.search(f"\napproved   [-0-9T:]+Z by {LEE} and by {RAJ}\n", told.out)
    assert run("approvals", "show", ids["one"], "--json").json["approved_by"] == [LEE, RAJ]
    assert run("worker", GRAPH, "--once").status == 0
    told = run("approvals", "show", ids["one"])
    assert f"request    {ids['one']}  (consumed: its approval was used, high risk)\n" in told.out
    assert re.search(f"\napproved   [-0-9T:]+Z by {LEE} and by {RAJ}\n", told.out)
    assert re.search(f"settled [-0-9T:]+Z by {LEE} and by {RAJ}\n", run("approvals", "show", ids["two"]).out)
    signers = (desk / "allowed_signers").read_text().splitlines(keepends=True)
    (desk / "allowed_signers").write_text("".join(line for line in signers if RAJ not in line))
    told = run("approvals", "show", ids["one"])
    assert f" by {ANA}, NOT VERIFIED and by {LEE} and by {RAJ}, NOT VERIFIED\n" in told.out  # who it was is not proven


def test_an_editor_who_may_approve_is_among_who_approved(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = POLICY.replace("quorum: 2,", "quorum: 2, editor_may_approve: true,")
    monkeypatch.setattr("tests.support.two_people.POLICY", policy)
    monkeypatch.chdir(waiting_desks(tmp_path / "editing", ("one", "two")))
    ids = {found["thread"]: found["id"] for found in run("approvals", "list", "--json").json["requests"]}
    edited = run("approvals", "edit", ids["one"], "--args", LESS, *by(ANA), "--json").json["request"]
    run("approvals", "approve", edited, *by(RAJ))
    found = run("approvals", "show", edited, "--json").json
    assert (found["status"], found["approved_by"]) == ("approved", [ANA, RAJ])
    assert re.search(f"settled [-0-9T:]+Z by {ANA} and by {RAJ}\n", run("approvals", "show", ids["two"]).out)


WORDS = "The grinder arrived broken, and  the first return was lost; see approvals/list, (the ticket) ".strip()
LONG = orjson.dumps({"order_id": "1001", "amount_cents": 9900, "note": " ".join([WORDS] * 3)}).decode()


@pytest.mark.parametrize("wide", [60, 80])
def test_at_a_terminal_no_line_is_broken_inside_a_word(
    run: Command, ids: dict[str, str], desk: Path, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    edited = run("approvals", "edit", ids["one"], "--args", LONG, *by(ANA), "--json").json["request"]
    run("approvals", "reject", ids["two"], "--reason", " ".join([WORDS] * 3), *by(RAJ))
    plain = [run("approvals", "show", which).out for which in (edited, ids["one"], ids["two"])]
    for module in ("_looking", "_policy"):
        monkeypatch.setattr(f"guarded_agents.cli.{module}.columns", lambda: wide)
    shown = [run("approvals", "show", which).out for which in (edited, ids["one"], ids["two"])]
    explain = ("policy", "explain", "policy.yaml", "--principal", "desk-agent", "--tool", "payments/refund")
    shown.append(run(*explain).out)
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute(IN_DOUBT.replace("'one'", "'three'"))
    shown.append(run("approvals", "list").err)
    assert shown[-1].startswith("IN DOUBT: ")
    for line in "".join(shown).splitlines():
        assert len(line) <= wide or " " not in line.strip().removeprefix("digest     "), line
    for one, other in zip(plain, shown, strict=False):
        said = [re.sub(r"\(in [^)]*\)", "", " ".join(told.split())) for told in (one, other)]
        assert said[0] == said[1]  # nothing is left out
    assert json.dumps(orjson.loads(LONG)["note"]) in re.sub(r"\n {10}", "", shown[0])  # to the last of its blanks


def test_show_needs_no_policy(run: Command, ids: dict[str, str], desk: Path) -> None:
    (desk / "policy.yaml").unlink()
    told = run("approvals", "show", ids["one"])
    assert told.status == 0
    assert "may answer the members, whom nothing here knows  (finance)" in told.out


@pytest.mark.requirement("I8")
def test_an_edit_is_shown_as_a_difference_to_what_the_model_proposed(run: Command, ids: dict[str, str]) -> None:
    edited = run("approvals", "edit", ids["one"], "--args", LESS, *by(ANA), "--json").json["request"]
    again = run("approvals", "edit", edited, "--args", LESS.replace("99", "88"), *by(LEE), "--json").json["request"]
    told = run("approvals", "show", again).out
    assert "the model proposed (-) to this (+):\n    - amount_cents: 12900\n    + amount_cents: 8800\n" in told
    assert f"{LEE} (not approve)" in told
    assert run("approvals", "show", again, "--json").json["model_arguments"]["amount_cents"] == 12900


def test_a_delegate_answers_in_ones_place(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "delegate", ids["one"], "--to", LEE, *by(ANA))
    assert told.status == 0, told.err
    assert f"delegated to {LEE} by {ANA}" in told.err
    assert f"delegate to {LEE} by {ANA}" in run("approvals", "show", ids["one"]).out
    refused = run("approvals", "approve", ids["one"], *by(ANA))
    assert refused.status == 1


# -- an emergency, and its review ---------------------------------------------------------------------

REASON = "The card scheme closes at noon and nobody else can be reached."
GLASS = ("--reason", REASON, "--second-key", SECOND)


def test_one_person_with_two_keys_breaks_the_glass_and_another_reviews_it(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "break-glass", ids["one"], *GLASS, *by(ANA))
    assert told.status == 0, told.err
    assert f"{ids['one']}: glass broken by {ANA}" in told.err
    assert f"by {ANA}, who broke the glass" in run("approvals", "show", ids["one"]).out
    assert f"TO REVIEW: {ids['one']} approved alone by {ANA}: review due by" in run("approvals", "list").err
    words = ("review", ids["one"], "--finding", "reviewed", "--text", "I called the card scheme; it was so.")
    assert run("approvals", *words, *by(ANA)).status == 1
    reviewed = run("approvals", *words, *by(KIM), "--json")
    assert reviewed.json == {"request": ids["one"], "finding": "reviewed", "reviewed_by": KIM}
    assert run("approvals", "list").err == ""


def test_one_key_twice_breaks_no_glass(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "break-glass", ids["one"], "--reason", REASON, "--second-key", KEYS[ANA], *by(ANA))
    assert (told.status, stands(run, ids["one"])) == (1, "pending")


def test_the_glass_takes_a_second_key(run: Command, ids: dict[str, str]) -> None:
    assert run("approvals", "break-glass", ids["one"], "--reason", REASON, *by(ANA)).status == 2


# -- what time does -----------------------------------------------------------------------------------


def test_a_sweep_says_what_time_has_done(run: Command) -> None:
    assert run("approvals", "sweep", "--json").json == {
        "expired": [],
        "lapsed": [],
        "escalated": [],
        "in_doubt": 0,
        "overdue": [],
    }
    assert "expired: nobody answered in time: none\n" in run("approvals", "sweep").out


IN_DOUBT = (
    "INSERT INTO claims (thread, entry, turn, digest, occurrence, tool, requester, tenant, status, owner, attempt,"
    " lease_until, reason, admitted_at, changed_at) SELECT thread, entry, turn, digest, occurrence, 'payments/refund',"
    " 'x', 'x', 'sending', 'killed', 1, 0, 'permitted', 0, 0 FROM requests WHERE thread = 'one'"
)


@pytest.mark.parametrize("verdict", ["happened", "not_happened", "not_observed"])
def test_a_call_in_doubt_is_resolved_by_the_id_that_the_list_prints(run: Command, desk: Path, verdict: str) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute(IN_DOUBT)
    run("approvals", "sweep")
    call = run("approvals", "list").err.split()[2]
    words = ("resolve", call, "--verdict", verdict, "--looked-at", "2026-01-05T10:00:00Z", "--text", "In the ledger.")
    assert run("approvals", *words, *by(KIM)).status == 1  # of the operators, but somebody was asked for this call
    told = run("approvals", *words, *by(LEE), "--json")
    assert told.status == 0, told.err
    assert told.json == {"call": call, "status": verdict, "attempt": 1}
    again = run("approvals", *words, *by(RAJ))
    assert again.status == 1


# -- statements that an ID token proves ---------------------------------------------------------------


def test_a_statement_is_kept_until_its_id_token_is_there(run: Command, ids: dict[str, str], desk: Path) -> None:
    told = run("approvals", "approve", ids["one"], "--as", RAJ, "--save", "vote.json")
    assert told.status == 0, told.err
    assert len(told.out.strip()) == 43
    assert "nothing is sent yet" in told.err
    assert stands(run, ids["one"]) == "pending"
    (desk / "token").write_text("no.token.at-all")
    sent = run("approvals", "approve", ids["one"], "--as", RAJ, "--vote", "vote.json", "--id-token", "token")
    assert sent.status == 1  # no OpenID provider is set up here
    kept = run("approvals", "reject", ids["one"], "--as", RAJ, "--vote", "vote.json", "--id-token", "token")
    assert "vote.json: expected what this command says" in kept.err
    again = run("approvals", "approve", ids["one"], "--as", RAJ, "--save", "vote.json")
    assert (again.status, "a file that can be made" in again.err) == (2, True)


WRONG = {
    "no-proof": ("--as", RAJ),
    "two-proofs": (*by(RAJ), "--vote", "x.json", "--id-token", "policy.yaml"),
    "kept-and-proven": ("--as", RAJ, "--save", "y.json", "--vote", "x.json", "--id-token", "policy.yaml"),
    "token-without-vote": ("--as", RAJ, "--id-token", "token"),
    "vote-without-token": (*by(RAJ), "--vote", "x.json"),
    "identical-with-token": ("--as", RAJ, "--vote", "x.json", "--id-token", "policy.yaml", "--identical"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_proof_is_a_key_or_a_kept_statement_with_its_token(
    run: Command, ids: dict[str, str], words: tuple[str, ...], desk: Path
) -> None:
    (desk / "token").write_text("x")
    told = run("approvals", "approve", ids["one"], *words)
    assert (told.status, told.out) == (2, "")
    assert stands(run, ids["one"]) == "pending"


def test_a_kept_file_that_is_no_vote_is_named(run: Command, ids: dict[str, str], desk: Path) -> None:
    (desk / "x.json").write_text("{}")
    told = run("approvals", "approve", ids["one"], "--as", RAJ, "--vote", "x.json", "--id-token", "policy.yaml")
    assert (told.status, "x.json: expected a vote" in told.err) == (2, True)


# -- a key under a password -----------------------------------------------------------------------------


@pytest.fixture
def password(desk: Path) -> str:
    """The password of the keys of RAJ and ANA, which are as `ssh-keygen -t ed25519` makes them."""
    for name in (KEYS[RAJ], KEYS[ANA], SECOND):
        key = load_private_key((desk / name).read_bytes())
        (desk / name).write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"correct horse"))
        )
    return "correct horse"


@pytest.mark.requirement("I7")
def test_a_key_under_a_password_signs_where_the_password_is_typed_at_a_terminal(
    password: str, run: Command, ids: dict[str, str]
) -> None:
    wrong, told = at_terminal("wrong horse", ids["one"]), at_terminal(password, ids["one"])
    assert (wrong.status, "raj: expected the key's password, got another" in wrong.out) == (2, True)
    assert told.status == 0, told.out
    assert told.out.startswith("Password of raj: ")
    assert password not in told.out  # it is not echoed
    assert len(run("approvals", "show", ids["one"], "--json").json["votes"]) == 1


@pytest.mark.usefixtures("password")
def test_without_a_terminal_a_key_under_a_password_is_refused(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "approve", ids["one"], *by(RAJ))
    assert told.status == 2
    assert told.err == (
        "error: raj: expected a password, for the key has one, got none; type it when it is asked for, at a terminal\n"
    )


IN_VAIN = {
    "too short a justification": (
        ("break-glass", "--reason", "too short", "--second-key", SECOND, *by(ANA)),
        "expected a justification of at least 20 characters, got less",
    ),
    "a glass that is another's": (
        ("break-glass", "--reason", REASON, "--second-key", SECOND, *by(RAJ)),
        "expected somebody who may break the glass, got somebody else",
    ),
    "no text": (("respond", "--text", " ", *by(RAJ)), "expected a text that the model is told, got none"),
    "too long a reason": (("reject", "--reason", "x" * 4001, *by(RAJ)), "expected a text of at most 4,000 characters"),
    "an edit that does not fit": (("edit", "--args", "{}", *by(RAJ)), "arguments that do not fit the tool's schema"),
}


@pytest.fixture
def typed(password: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for at the terminal of this test."""
    asked: list[str] = []

    def prompt(what: str, **_: object) -> str:
        asked.append(what)
        return password

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    return asked


@pytest.mark.parametrize(("words", "said"), IN_VAIN.values(), ids=IN_VAIN)
def test_no_password_is_asked_for_an_answer_that_cannot_count(
    run: Command, ids: dict[str, str], typed: list[str], words: tuple[str, ...], said: str
) -> None:
    told = run("approvals", words[0], ids["one"], *words[1:])
    assert (told.status, said in told.err) == (1, True), told.err
    assert typed == []
    assert stands(run, ids["one"]) == "pending"


ANSWERED = {
    "approve": ("approve", *by(RAJ)),
    "break-glass": ("break-glass", "--reason", REASON, "--second-key", SECOND, *by(ANA)),
    "a kept delegation": ("delegate", "--to", LEE, *by(RAJ), "--save", "vote.json"),
}


@pytest.mark.parametrize("words", ANSWERED.values(), ids=ANSWERED)
def test_no_password_is_asked_for_a_request_that_is_answered_already(
    run: Command, ids: dict[str, str], desk: Path, typed: list[str], words: tuple[str, ...]
) -> None:
    assert run("approvals", "reject", ids["one"], *by(LEE)).status == 0
    told = run("approvals", words[0], ids["one"], *words[1:])
    assert told.status == 1
    assert f"got one that is rejected by {LEE}" in told.err
    assert typed == []
    assert not (desk / "vote.json").exists()


def test_the_password_of_each_key_is_asked_for_once(run: Command, ids: dict[str, str], typed: list[str]) -> None:
    told = run("approvals", "approve", ids["one"], "--identical", "--yes", *by(RAJ), "--json")
    assert (told.status, len(told.json), typed) == (0, 3, ["Password of raj"]), told.err
    told = run("approvals", "break-glass", ids["two"], *GLASS, *by(ANA))
    assert (told.status, typed[1:]) == (0, ["Password of ana", f"Password of {SECOND}"]), told.err


@pytest.mark.usefixtures("password")
def test_who_thinks_better_of_it_at_the_password_has_answered_nothing(run: Command, ids: dict[str, str]) -> None:
    told = at_terminal("\x03", ids["one"], end="")
    assert (told.status, "Aborted" in told.out) == (1, True), told.out
    assert run("approvals", "show", ids["one"], "--json").json["votes"] == []


def at_terminal(typed: str, request_id: str, *, end: str = "\n") -> Said:
    """Return what a terminal shows of an approval by RAJ where *typed* is typed as soon as something is asked."""
    command = [sys.executable, "-m", "guarded_agents.cli", "approvals", "approve", request_id, *by(RAJ)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown = b""
    with suppress(OSError):  # a terminal whose program has ended
        while part := os.read(terminal, 1024):
            was_asked, shown = b"raj: " in shown, shown + part  # the blank comes once nothing is echoed any more
            if not was_asked and b"raj: " in shown:
                os.write(terminal, f"{typed}{end}".encode())
    os.close(terminal)
    return Said(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode().replace("\r\n", "\n"), "")


# -- for other programs -----------------------------------------------------------------------------------


def test_a_list_in_json_says_what_it_leaves_out_and_what_else_is_to_be_looked_at(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    found = run("approvals", "list", "--json", "--limit", "2").json
    assert (len(found["requests"]), found["total"], found["truncated"]) == (2, 3, True)
    assert (found["in_doubt"], found["reviews_due"]) == ([], [])
    run("approvals", "break-glass", ids["two"], *GLASS, *by(ANA))
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute(IN_DOUBT)
    found = run("approvals", "list", "--json").json
    assert (len(found["requests"]), found["total"], found["truncated"]) == (2, 2, False)
    [doubt], [review] = found["in_doubt"], found["reviews_due"]
    assert (doubt["tool"], doubt["thread"], doubt["lease_until"]) == ("payments/refund", "one", "1970-01-01T00:00:00Z")
    assert run("approvals", "show", doubt["call"], "--json").json["call"] == doubt["call"]
    assert (review["request"], review["approver"], review["overdue"]) == (ids["two"], ANA, False)


@pytest.mark.parametrize(
    "answer", [("reject", "--reason", "no"), ("respond", "--text", "no")], ids=["reject", "respond"]
)
def test_what_is_identical_is_answered_by_one_command(
    run: Command, ids: dict[str, str], answer: tuple[str, ...]
) -> None:
    told = run("approvals", answer[0], ids["two"], *answer[1:], "--identical", *by(RAJ), "--json")
    assert told.status == 0, told.err
    assert {found["request"] for found in told.json} == set(ids.values())
    assert {stands(run, one) for one in ids.values()} == {"rejected" if answer[0] == "reject" else "answered"}


@pytest.mark.requirement("I7")
def test_a_vote_that_is_kept_signed_is_a_resume_value(run: Command, ids: dict[str, str], desk: Path) -> None:
    told = run("approvals", "reject", ids["one"], "--reason", "no", *by(RAJ), "--save", "vote.json")
    assert (told.status, told.out) == (0, ""), told.err
    assert "nothing is sent: vote.json holds it signed" in told.err
    assert (desk / "vote.json").stat().st_mode & 0o777 == 0o600
    assert stands(run, ids["one"]) == "pending"

    async def resume() -> None:
        config: RunnableConfig = {"configurable": {"thread_id": "one", "guard_store": str(desk / "guard.db")}}
        async with saved(config) as agent:
            await agent.ainvoke(Resumed(resume=orjson.loads((desk / "vote.json").read_bytes())), config)

    asyncio.run(resume())
    found = run("approvals", "show", ids["one"], "--json").json
    assert (found["status"], found["settled_by"], found["text"]) == ("rejected", RAJ, "no")


def test_one_file_keeps_no_votes_on_several_requests(run: Command, ids: dict[str, str]) -> None:
    told = run("approvals", "approve", ids["one"], "--identical", *by(RAJ), "--save", "vote.json")
    assert (told.status, "--identical takes a key" in " ".join(told.err.split())) == (2, True)


# -- what is wrong is named -------------------------------------------------------------------------------

NAMED = {
    "a-name-spelt-otherwise": (
        ("approve", "--key", "ana", "--as", "Ana@example.com"),
        "expected a line of the signers file for exactly this name, got none",
    ),
    "a-public-key": (
        ("approve", "--key", "ana.pub", "--as", ANA),
        "ana.pub: expected a private key, got the public one",
    ),
    "a-field": (
        ("edit", "--args", '{"order_id": "1001", "amount_cents": "9", "note": "x"}', *by(ANA)),
        "got arguments that do not fit the tool's schema at /amount_cents: type integer",
    ),
    "no-provider": (
        ("approve", "--as", ANA, "--vote", "vote.json", "--id-token", "token"),
        "name the provider (--oidc, or authenticators= in Python), or sign with a key",
    ),
}


@pytest.mark.parametrize(("words", "said"), NAMED.values(), ids=NAMED)
def test_what_is_wrong_with_an_answer_is_named(
    run: Command, ids: dict[str, str], desk: Path, words: tuple[str, ...], said: str
) -> None:
    (desk / "token").write_text("no.token.at-all")
    run("approvals", "approve", ids["one"], "--as", ANA, "--save", "vote.json")
    told = run("approvals", words[0], ids["one"], *words[1:])
    assert told.status in {1, 2}
    assert said in told.err
    assert stands(run, ids["one"]) == "pending"


def test_show_says_which_file_is_missing(run: Command, ids: dict[str, str], desk: Path) -> None:
    (desk / "policy.yaml").rename(desk / "elsewhere.yaml")
    assert run("approvals", "show", ids["one"]).err.startswith("policy.yaml not found beside the store: ")
    assert run("approvals", "show", ids["one"], "--policy", "no.yaml").err.startswith("no.yaml not found: ")
    assert run("approvals", "show", ids["one"], "--policy", "elsewhere.yaml").err == ""
