"""What the commands show of a call that was sent: its outcome, what people said of it, what similar ones came to."""

import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from guarded_agents.approval import doubt_id
from guarded_agents.binding import idempotency_key
from guarded_agents.keys import RootKey
from guarded_agents.moments import utc
from guarded_agents.records import CallKey
from tests.support.commands import Command
from tests.support.two_people import ANA, KIM, LEE, RAJ, SECOND, by, waiting_desks

THREADS = ("one", "two", "three")
REFUND = {"order_id": "1001", "amount_cents": 12900, "note": "broken \u202eno\x1b[2J"}
IN_DOUBT = (
    "INSERT INTO claims (thread, entry, turn, digest, occurrence, tool, requester, tenant, status, owner, attempt,"
    " lease_until, reason, admitted_at, changed_at) SELECT thread, entry, turn, digest, occurrence, tool, principal,"
    " tenant, '{status}', 'killed', 1, 1767607200000000, 'permitted', 1767607100000000, 1767607100000000 FROM requests"
    " WHERE thread = 'one'"
)
SAW = "In the ledger of the bank,\nline 7 \u202e."
LOOKED = ("--looked-at", "2026-01-05T11:00:00Z", "--text", SAW)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desks(tmp_path_factory.mktemp("desks") / "run", THREADS)


def write(desk: Path, *statements: str) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        for statement in statements:
            assert store.execute(statement).rowcount


def sent(desk: Path, status: str = "in_doubt") -> None:
    """Leave behind what a process does that ends after it has sent the refund of thread ``one``."""
    write(desk, "UPDATE requests SET status = 'consumed' WHERE thread = 'one'", IN_DOUBT.format(status=status))


@pytest.fixture
def call(run: Command, ids: dict[str, str], desk: Path) -> str:
    """The id of a call in doubt, as the list prints it."""
    sent(desk)
    return run("approvals", "list").err.split()[2]


# -- a call in doubt ----------------------------------------------------------------------------------


def test_who_resolves_a_call_in_doubt_sees_what_it_was(
    run: Command, ids: dict[str, str], desk: Path, call: str
) -> None:
    told = run("approvals", "show", call)
    assert told.status == 0, told.err
    for line in (
        f"call       {call}  (in doubt)\ntool       payments/refund\nasked by   desk-agent, tenant default\n",
        f"request    {ids['one']}\nadmitted   2026-01-05T09:58:20Z (",
        "attempt 1, by killed\nlease      until 2026-01-05T10:00:00Z (",
        f"resolve    {ANA}, {LEE}, {RAJ}  (finance)\n",
        '      "amount_cents": 12900,\n      "note": "broken \\u202eno\\u001b[2J",\n',
        f"guarded-agents approvals resolve {call} --verdict ",
    ):
        assert line in told.out
    found = run("approvals", "show", call, "--json").json
    with closing(sqlite3.connect(desk / "guard.db")) as store:
        key = CallKey(*store.execute("SELECT thread, entry, turn, digest, occurrence FROM claims").fetchone())
    binding = RootKey.load(desk / "guard.db.key", create=False).derive("binding")
    assert (found["call"], found["status"], found["arguments"]) == (call, "in_doubt", REFUND)
    assert (found["request"], found["owner"], found["lease_until"]) == (ids["one"], "killed", "2026-01-05T10:00:00Z")
    assert found["idempotency_key"] == idempotency_key(binding, key)
    finance, leads = found["may_resolve"]
    assert finance == {"group": "finance", "members": [ANA, LEE, RAJ], "since": None}
    assert (leads["group"], leads["members"]) == ("leads", [KIM])
    assert f"resolve    {KIM}  (leads, from {leads['since']} (in " in told.out  # as the backup joins the voters


def test_a_call_that_nobody_was_asked_about_is_shown_to_the_operators(run: Command, desk: Path, call: str) -> None:
    write(desk, "DELETE FROM requests WHERE thread = 'one'")
    found = run("approvals", "show", call, "--json").json
    assert (found["request"], found["arguments"]) == (None, REFUND)
    assert found["may_resolve"] == [{"group": "leads", "members": [KIM], "since": None}]
    assert "request    none: nobody was asked\n" in run("approvals", "show", call).out


CHANGED = {
    "other-arguments": """UPDATE payloads SET body = CAST('{"amount_cents":100,"order_id":"1001"}' AS BLOB)""",
    "no-text": "UPDATE payloads SET body = x'ff'",
    "no-json": "UPDATE payloads SET body = CAST('{' AS BLOB)",
    "another-tool": "UPDATE claims SET tool = 'payments/balance'",
    "another-tenant": "UPDATE claims SET tenant = 'acme'",
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("statement", CHANGED.values(), ids=CHANGED)
def test_a_call_that_was_changed_in_the_store_is_not_shown(run: Command, desk: Path, call: str, statement: str) -> None:
    write(desk, statement, "DELETE FROM requests WHERE thread = 'one'")
    told = run("approvals", "show", call)
    assert (told.status, told.out) == (1, "")
    assert f"call {call}: expected the call as the guard wrote it" in told.err


@pytest.mark.requirement("I2")
def test_a_call_whose_request_is_not_its_own_is_not_shown(
    run: Command, ids: dict[str, str], desk: Path, call: str
) -> None:
    theirs = f"(SELECT document FROM requests WHERE id = '{ids['two']}')"
    write(desk, f"UPDATE requests SET document = {theirs} WHERE thread = 'one'")
    told = run("approvals", "show", call)
    assert (told.status, told.out) == (1, "")


def test_a_call_whose_arguments_were_erased_is_shown_without_them(run: Command, desk: Path, call: str) -> None:
    write(desk, "UPDATE payloads SET body = NULL")
    told = run("approvals", "show", call)
    assert told.status == 0, told.err
    assert told.out.startswith("NOT VERIFIED: the arguments were erased; the rest may have been changed in the store\n")
    found = run("approvals", "show", call, "--json").json
    assert (found["arguments"], found["verified"]) == (None, False)


def test_the_line_that_resolves_a_call_works_when_it_is_copied(
    run: Command, desk: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "policy.yaml").rename(desk / "the policy.yaml")
    monkeypatch.chdir(desk.parent)
    files = ("--store", desk / "guard.db", "--policy", desk / "the policy.yaml")
    told = run("approvals", "show", call, *files).out
    line = told[told.index("guarded-agents approvals resolve") : told.index("\nVERDICT is ")].replace("\\\n", "")
    placed = {"VERDICT": "happened", "YYYY-MM-DDTHH:MM:SSZ": "2026-01-05T11:00:00Z", "TEXT": "Seen.", "NAME": LEE}
    placed["FILE"] = str(desk / "lee")
    command, *words = (placed.pop(word, word) for word in shlex.split(line))
    resolved = run(*words)
    assert (command, placed, resolved.status) == ("guarded-agents", {}, 0), resolved.err
    found = run("approvals", "show", call, *files, "--json").json
    assert (found["status"], found["resolutions"][0]["resolution"]["resolver"]) == ("happened", LEE)


@pytest.mark.requirement("I7")
def test_what_was_said_of_a_call_is_shown_with_the_call_and_with_its_request(
    run: Command, ids: dict[str, str], desk: Path, call: str
) -> None:
    words = ("resolve", call, "--verdict", "not_happened", *LOOKED, *by(LEE))
    assert run("approvals", *words).status == 0
    said = f"resolved   not happened says {LEE} at "
    for which in (call, ids["one"]):
        told = run("approvals", "show", which).out
        assert said in told
        assert ": In the ledger of the bank,\\u000aline 7 \\u202e.\n" in told
    found = run("approvals", "show", ids["one"], "--json").json["outcome"]
    assert (found["status"], found["call"]) == ("not_happened", call)
    [resolution] = found["resolutions"]
    assert (resolution["resolution"]["text"], resolution["proven"]) == (SAW, True)
    write(
        desk,
        "UPDATE payloads SET body = CAST('\"It never was.\"' AS BLOB) WHERE id = (SELECT payload FROM resolutions)",
    )
    assert ", NOT VERIFIED: It never was.\n" in run("approvals", "show", ids["one"]).out
    assert run("approvals", "show", call, "--json").json["resolutions"][0]["proven"] is False


SHOWN = {
    "being-sent": ("sending", 9_767_607_200, "being sent", "it is being sent with these arguments, exactly:"),
    "executed": ("executed", 1_767_607_200, "executed", "it was sent with these arguments, exactly:"),
    "failed": ("failed", 1_767_607_200, "failed", "it failed with these arguments, exactly:"),
    "conflict": ("conflict", 1_767_607_200, "conflict", "it was sent with these arguments, exactly:"),
}


@pytest.mark.parametrize(("status", "lease_s", "said", "shown"), SHOWN.values(), ids=SHOWN)
def test_every_call_that_a_request_names_is_shown(
    run: Command, ids: dict[str, str], desk: Path, status: str, lease_s: int, said: str, shown: str
) -> None:
    sent(desk, status)
    write(desk, f"UPDATE claims SET lease_until = {lease_s}000000")
    call = run("approvals", "show", ids["one"], "--json").json["outcome"]["call"]
    told = run("approvals", "show", call)
    assert told.status == 0, told.err
    assert told.out.startswith(f"call       {call}  ({said})\ntool       payments/refund\n")
    for line in (f"request    {ids['one']}\n", "attempt 1, by killed\n", f"\n{shown}\n"):
        assert line in told.out
    assert f"told       {'nothing yet' if status == 'sending' else 'not on record'}\n" in told.out
    assert ("resolve    " in told.out) is (status == "sending")
    assert "approvals resolve" not in told.out
    found = run("approvals", "show", call, "--json").json
    assert (found["status"], found["told"], found["arguments"]) == (status, None, REFUND)
    assert run("approvals", "resolve", call, "--verdict", "happened", *LOOKED, *by(LEE)).status == 1
    assert run("approvals", "show", call, "--json").json["status"] == status  # to show it settles nothing


def test_what_a_server_answered_stands_in_one_line_and_is_said_to_be_unverified(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    sent(desk, "executed")
    answer = "done\n\nresolve    eve@example.com  (finance)\x1b[2J\u202e"
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        row = store.execute("INSERT INTO payloads (body) VALUES (?)", (orjson.dumps([answer, None]),)).lastrowid
        store.execute(
            "UPDATE claims SET outcome_status = 'executed', outcome_is_error = 0, outcome_reason = 'permitted',"
            " outcome_payload = ?",
            (row,),
        )
    call = run("approvals", "show", ids["one"], "--json").json["outcome"]["call"]
    told = run("approvals", "show", call).out
    spelt = "done\\u000a\\u000aresolve    eve@example.com  (finance)\\u001b[2J\\u202e"
    assert f"\ntold       the model, and not verified: {spelt}\n" in told
    assert "\nresolve    " not in told


def test_a_call_that_was_refused_is_shown_as_never_sent(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "reject", ids["one"], "--reason", "no", *by(RAJ))
    assert run("worker", "tests.support.desk:saved", "--once").status == 0
    with closing(sqlite3.connect(desk / "guard.db")) as store:
        key = CallKey(*store.execute("SELECT thread, entry, turn, digest, occurrence FROM claims").fetchone())
    told = run("approvals", "show", doubt_id(key)).out
    assert "  (closed: rejected)\ntool       payments/refund\nasked by   desk-agent, tenant default\n" in told
    assert "admitted   never\n" in told
    assert "\nthe call, which was not sent:\n" in told
    write(desk, "DELETE FROM requests WHERE thread = 'one'")  # as where the policy denied it, and nobody was asked
    told = run("approvals", "show", doubt_id(key)).out
    assert "  (closed: rejected)\ntool       payments/refund\nasked by   desk-agent, tenant default\n" in told


@pytest.mark.requirement("I2")
def test_what_its_request_verifies_of_a_call_is_shown_from_there(
    run: Command, ids: dict[str, str], desk: Path, call: str
) -> None:
    write(desk, "UPDATE claims SET tool = 'payments/balance', tenant = 'acme', requester = 'eve'")
    told = run("approvals", "show", call).out
    assert "\ntool       payments/refund\nasked by   desk-agent, tenant default\n" in told
    found = run("approvals", "show", call, "--json").json
    assert (found["tool"], found["tenant"], found["request"]) == ("payments/refund", "default", ids["one"])


NO_TIMES = ("20:43", "", "2026-01-05", "2026-01-05T20:43", "2026-13-05T10:00Z", "0001-01-01T00:00+14:00", "now")


@pytest.mark.parametrize("typed", NO_TIMES)
def test_a_time_that_is_none_is_told_with_one_that_is(run: Command, call: str, typed: str) -> None:
    words = ("resolve", call, "--verdict", "happened", "--looked-at", typed, "--text", "Seen.", *by(LEE))
    told = run("approvals", *words)
    said = " ".join(told.err.replace("│", "").split())
    assert told.status == 2
    assert "expected a time with its zone, such as 2026-01-05T10:00:00Z (UTC)" in said
    assert "%" not in said
    assert "Value error" not in said


@pytest.mark.parametrize("typed", ["2026-01-05T11:00:00Z", "2026-01-05T11:00Z", "2026-01-05T13:00+02:00"])
def test_the_time_of_a_look_is_one_moment_however_it_is_spelt(run: Command, call: str, typed: str) -> None:
    words = ("resolve", call, "--verdict", "happened", "--looked-at", typed, "--text", "Seen.", *by(LEE))
    assert run("approvals", *words).status == 0
    [said] = run("approvals", "show", call, "--json").json["resolutions"]
    assert said["resolution"]["looked_at"] == "2026-01-05T11:00:00Z"


def test_an_id_of_nothing_is_told(run: Command, call: str) -> None:
    told = run("approvals", "show", "0" * 12)
    assert (told.status, told.out) == (1, "")
    assert "list what waits" in told.err


def test_a_call_under_its_senders_lease_is_told_of_with_until_when_and_not_resolved(run: Command, desk: Path) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    sent(desk, "sending")
    write(desk, f"UPDATE claims SET lease_until = {int(until.timestamp())}000000")
    [sending] = run("doctor", "--json").json["sending"]
    call = sending["call"]
    assert (sending["thread"], sending["tool"], sending["lease_until"]) == ("one", "payments/refund", utc(until))
    told = run("doctor")
    assert told.status == 0, told.out  # it is not wrong: a reply may come
    assert f"nothing found\nBEING SENT  {call}  (thread one)\n    payments/refund, under its sender's lease" in told.out
    assert f" until {utc(until)}" in told.out
    for verdict in ("happened", "not_observed"):
        refused = run("approvals", "resolve", call, "--verdict", verdict, *LOOKED, *by(LEE))
        assert (refused.status, refused.out) == (1, "")
        assert f"still under its sender's lease until {utc(until)}" in refused.err
    with closing(sqlite3.connect(desk / "guard.db")) as store:
        assert store.execute("SELECT status FROM claims").fetchall() == [("sending",)]
        assert store.execute("SELECT count(*) FROM resolutions").fetchone() == (0,)


@pytest.mark.parametrize("second", ["happened", "not_happened"])
def test_who_resolves_a_call_that_is_resolved_is_told_as_what_by_whom_and_when(
    run: Command, desk: Path, call: str, second: str
) -> None:
    run("approvals", "resolve", call, "--verdict", "not_happened", *LOOKED, *by(LEE))
    [resolution] = run("approvals", "show", call, "--json").json["resolutions"]
    said = f"not_happened by {LEE} at {resolution['resolution']['at'][:19]}Z"
    told = run("approvals", "resolve", call, "--verdict", second, *LOOKED, *by(RAJ))
    assert (told.status, told.out) == (1, "")
    assert f"error: call {call}: expected one in doubt, got one that was resolved as {said}; " in told.err
    write(desk, "UPDATE claims SET status = 'conflict'")
    told = run("approvals", "resolve", call, "--verdict", second, *LOOKED, *by(RAJ))
    assert (told.status, f"{said}, and that its server says happened;" in told.err) == (1, True), told.err
    write(desk, f"UPDATE resolutions SET resolver = '{KIM}', document = replace(document, '{LEE}', '{KIM}')")
    told = run("approvals", "resolve", call, "--verdict", second, *LOOKED, *by(RAJ))
    assert (told.status, f"not_happened by {KIM} at " in told.err, ", NOT VERIFIED" in told.err) == (1, True, True)
    with closing(sqlite3.connect(desk / "guard.db")) as store:
        assert store.execute("SELECT status FROM claims").fetchall() == [("conflict",)]
        assert store.execute("SELECT count(*) FROM resolutions").fetchone() == (1,)


# -- what came of a request ---------------------------------------------------------------------------

OUTCOMES = {
    "executed": ("executed", "executed"),
    "failed": ("failed", "failed"),
    "doubt": ("sending", "in doubt"),  # its lease is over
}


@pytest.mark.parametrize(("status", "said"), OUTCOMES.values(), ids=OUTCOMES)
def test_a_request_that_was_consumed_says_what_came_of_it(
    run: Command, ids: dict[str, str], desk: Path, status: str, said: str
) -> None:
    sent(desk, status)
    told = run("approvals", "show", ids["one"]).out
    assert f"outcome    {said}, since 2026-01-05T09:58:20Z, call " in told
    assert ("then `approvals resolve" in told) is (said == "in doubt")
    assert run("approvals", "show", ids["one"], "--json").json["outcome"]["status"] == said.replace(" ", "_")


@pytest.mark.requirement("I7")
def test_the_review_of_a_broken_glass_is_shown_with_what_it_says(run: Command, ids: dict[str, str], desk: Path) -> None:
    reason = "The card scheme closes at noon and nobody else can be reached."
    run("approvals", "break-glass", ids["one"], "--reason", reason, "--second-key", SECOND, *by(ANA))
    assert "review     due by " in run("approvals", "show", ids["one"]).out
    assert run("approvals", "show", ids["one"], "--json").json["review"]["finding"] is None
    found = ("--finding", "violation", "--text", "They could be reached.")
    assert run("approvals", "review", ids["one"], *found, *by(KIM)).status == 0
    told = run("approvals", "show", ids["one"]).out
    assert f"review     violation says {KIM} at " in told
    assert ": They could be reached.\n" in told
    review = run("approvals", "show", ids["one"], "--json").json["review"]
    assert (review["finding"], review["reviewed_by"], review["statement"]["proven"]) == ("violation", KIM, True)
    write(
        desk,
        "UPDATE payloads SET body = CAST('\"All was well.\"' AS BLOB) WHERE id = (SELECT payload FROM broken_glass)",
    )
    assert ", NOT VERIFIED: All was well.\n" in run("approvals", "show", ids["one"]).out
    write(desk, "UPDATE broken_glass SET document = NULL")
    assert "review     violation, NOT VERIFIED: nobody's statement" in run("approvals", "show", ids["one"]).out


# -- what similar requests came to --------------------------------------------------------------------


@pytest.mark.requirement("I7")
def test_similar_requests_say_who_asked_who_settled_them_and_why(run: Command, ids: dict[str, str], desk: Path) -> None:
    run("approvals", "reject", ids["two"], "--reason", "Not\nthis one.", *by(RAJ))
    sent(desk, "failed")
    told = run("approvals", "show", ids["three"]).out
    rejected = f"    {ids['two']}  rejected, the same arguments\n        asked by desk-agent of finance, settled "
    assert rejected in told
    assert f" by {RAJ}\n        Not\\u000athis one.\n" in told
    assert f"    {ids['one']}  consumed, failed, the same arguments\n" in told
    assert told.index(ids["two"]) < told.index(ids["one"])  # the newest first
    later = run("approvals", "show", ids["one"], "--json").json
    assert [(one["id"], one["text"], one["settled_by_proven"]) for one in later["similar"]] == [
        (ids["two"], "Not\nthis one.", True)
    ]
    assert later["waiting"] == [ids["three"]]
    assert f"the same is asked by 1 more that wait: {ids['three']}\n" in run("approvals", "show", ids["one"]).out
    text = f"(SELECT text FROM requests WHERE id = '{ids['two']}')"
    write(desk, f"UPDATE payloads SET body = CAST('Go on.' AS BLOB) WHERE id = {text}")
    assert "Go on." not in run("approvals", "show", ids["three"]).out
    write(desk, f"DELETE FROM votes WHERE request = '{ids['two']}'")
    assert f"by {RAJ}, NOT VERIFIED\n" in run("approvals", "show", ids["three"]).out


def test_a_similar_request_that_was_changed_or_erased_is_said_to_be(
    run: Command, ids: dict[str, str], desk: Path
) -> None:
    for thread in ("two", "three"):
        run("approvals", "reject", ids[thread], *by(RAJ))
    write(
        desk,
        f"UPDATE requests SET document = replace(document, 'desk-agent', 'else') WHERE id = '{ids['two']}'",
        f"UPDATE payloads SET body = NULL WHERE id = (SELECT arguments FROM requests WHERE id = '{ids['three']}')",
    )
    told = run("approvals", "show", ids["one"]).out
    assert f"    {ids['two']}  NOT VERIFIED: it was changed in the store\n" in told
    assert f"    {ids['three']}  rejected, the same arguments (NOT VERIFIED: erased)\n" in told
    similar = run("approvals", "show", ids["one"], "--json").json["similar"]
    assert [one["verified"] for one in similar] == [False, False]
