"""``guarded-agents worker`` and ``doctor``, and answers that an ID token proves."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from guarded_agents.moments import utc
from guarded_agents.stores import SqliteStore, Wake
from tests.support.commands import Command, Said
from tests.support.two_people import ANA, LEE, RAJ, by, waiting_desks

ROOT = Path(__file__).resolve().parents[3]
GRAPH = "tests.support.desk:saved"
ISSUER = "https://login.example.com"
OIDC = f"issuer: {ISSUER}\naudience: guarded-agents\njwks: jwks.json\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return waiting_desks(tmp_path_factory.mktemp("desks") / "run", ("one",))


@pytest.fixture
def request_id(run: Command) -> str:
    (found,) = run("approvals", "list", "--json").json["requests"]
    return str(found["id"])


# -- worker -------------------------------------------------------------------------------------------


def test_a_worker_works_until_it_is_told_to_end(run: Command, request_id: str, desk: Path) -> None:
    command = [sys.executable, "-m", "guarded_agents.cli", "worker", GRAPH, "--every", "0.2s"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=desk, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert run("approvals", "reject", request_id, *by(ANA)).status == 0
            assert worker.stdout is not None
            assert worker.stdout.readline().endswith(" thread one went on\n")
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0


def test_a_thread_that_does_not_go_on_is_told_and_exits_with_1(run: Command, request_id: str, desk: Path) -> None:
    run("approvals", "reject", request_id, *by(ANA))
    for name in ("checkpoints.db", "checkpoints.db-wal", "checkpoints.db-shm"):
        (desk / name).unlink(missing_ok=True)
    told = run("worker", GRAPH, "--once")
    assert told.status == 1
    assert "thread one did not go on: " in told.out


@pytest.mark.parametrize("name", ["nosuch:thing", "tests.support.desk:missing", "tests.support.desk:unsaved"])
def test_a_graph_that_cannot_be_used_is_named_as_it_was_typed(run: Command, name: str) -> None:
    told = run("worker", name, "--once")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"error: graph {name}: expected ")
    assert "--graph" not in told.err
    assert run("doctor", "--graph", name).err.startswith(f"error: --graph {name}: expected ")


def lease(desk: Path, *, until: datetime, is_failed: bool = False) -> None:
    """Leave behind what a worker does that took thread ``one`` two minutes after its answer, and died or failed."""
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE requests SET settled_at = settled_at - 120000000")

    async def take() -> None:
        store = SqliteStore.open(desk / "guard.db")
        assert await store.take_wake(owner="dead", until=until, now=datetime.now(UTC)) == Wake("one")
        if is_failed:
            await store.woken("one", owner="dead", again_at=until)
        await store.aclose()

    asyncio.run(take())


def test_a_thread_that_is_leased_is_told_of_with_until_when_and_what_wakes_it_at_once(
    run: Command, request_id: str, desk: Path
) -> None:
    run("approvals", "reject", request_id, *by(ANA))
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=9)
    lease(desk, until=until)
    told = run("worker", GRAPH, "--once")
    assert (told.status, told.out[20:]) == (0, f" thread one is leased to another worker until {utc(until)}\n")
    found = run("worker", GRAPH, "--once", "--json").json
    assert found["delayed"] == [{"thread": "one", "until": utc(until), "is_leased": True}]
    for words in ((), ("--graph", GRAPH)):
        told = run("doctor", *words)
        assert told.status == 1
        assert f"NOT TOLD  {request_id}  (thread one)\n" in told.out
        assert f"leased to a worker until {utc(until)}" in told.out

    [command] = re.findall(r"`guarded-agents (approvals wake .*) --graph MODULE:FACTORY`", told.out)
    woken = run(*command.split(), "--graph", GRAPH)
    assert (woken.status, "the agent says:\n    done\n" in woken.out) == (0, True), woken.err
    assert run("doctor", "--graph", GRAPH).out == "nothing found\n"


def test_a_thread_that_failed_is_told_of_with_when_it_is_tried_again(run: Command, request_id: str, desk: Path) -> None:
    run("approvals", "reject", request_id, *by(ANA))
    lease(desk, until=datetime(2100, 1, 1, tzinfo=UTC), is_failed=True)
    assert run("worker", GRAPH, "--once").out[20:] == " thread one is tried again at 2100-01-01T00:00:00Z\n"


NOTIFIER = """
class Failing:
    async def notify(self, notice):
        raise OSError

def failing():
    return Failing()

nothing = 7

def boom():
    raise ValueError("secret\x1b[31m")

def exploding(config):
    raise ValueError("secret\x1b[31m")
"""


def test_notices_go_to_the_notifier_that_is_named(
    run: Command, request_id: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(desk))
    (desk / "own.py").write_text(NOTIFIER)
    failed = run("worker", GRAPH, "--once", "--notifier", "own:failing")
    assert (failed.status, "notices to be tried again: 1; notifier: OSError" in failed.out) == (1, True)
    for name in ("own:nothing", "own:missing", "no.such:thing"):
        told = run("worker", GRAPH, "--once", "--notifier", name)
        assert (told.status, told.out) == (2, ""), name


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("worker", "own:boom", "--once"), "expected a function that takes a config, got one that does not"),
        (("worker", "own:exploding", "--once"), "got ValueError"),
        (("worker", GRAPH, "--once", "--notifier", "own:boom"), "got ValueError"),
        (("worker", GRAPH, "--once", "--notifier", "own:exploding"), "takes no parameters"),
        (("doctor", "--directory", "own:boom"), "got ValueError"),
        (("doctor", "--graph", "own:boom"), "takes a config"),
    ],
)
def test_a_function_of_ones_own_that_cannot_be_called_is_wrong_use(
    run: Command, desk: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str
) -> None:
    monkeypatch.syspath_prepend(str(desk))
    (desk / "own.py").write_text(NOTIFIER)
    told = run(*words)
    assert (told.status, told.out, what in told.err) == (2, "", True), told.err
    assert "secret" not in told.err


WRONG = {
    "no-time": ("--every", "soon"),
    "zero": ("--every", "0s"),
    "once-and-every": ("--once", "--every", "5s"),
    "webhook-without-secret": ("--webhook", "https://example.com"),
    "secret-without-webhook": ("--webhook-secret", "ana"),
    "webhook-and-notifier": ("--webhook", "https://example.com", "--webhook-secret", "ana", "--notifier", "own:kept"),
    "webhook-to-plain-http": ("--webhook", "http://example.com", "--webhook-secret", "secret"),
    "no-graph": ("--once", "--policy", "missing.yaml"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_worker_that_is_set_up_wrongly_does_not_start(run: Command, desk: Path, words: tuple[str, ...]) -> None:
    (desk / "secret").write_bytes(b64encode(b"x" * 32))
    (desk / "secret").chmod(0o600)
    told = run("worker", GRAPH, *words)
    assert (told.status, told.out) == (2, "")
    assert told.err


# -- doctor -------------------------------------------------------------------------------------------


def test_the_doctor_finds_nothing_where_nothing_is_wrong(run: Command) -> None:
    assert run("doctor") == Said(0, "nothing found\n", "")
    assert run("doctor", "--graph", GRAPH, "--json").json == {"found": [], "repaired": None, "left": [], "sending": []}


def test_the_doctor_says_which_notices_do_not_arrive_and_why(run: Command, request_id: str, desk: Path) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE notices SET attempt = 3, problem = 'webhook example: 503'")
    told = run("doctor")
    assert told.status == 1
    assert f"NOTICE STUCK  {request_id}\n    the notice to " in told.out
    assert "did not arrive 3 times: webhook example: 503\n" in told.out
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE notices SET risk = 'x'")
    assert "its notice cannot be read" in run("doctor").out


def test_the_doctor_says_what_is_past_its_time_and_repairs_it(run: Command, request_id: str, desk: Path) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE requests SET decide_by = 1")
    told = run("doctor")
    assert told.status == 1
    assert f"PAST ITS TIME  {request_id}  (thread one)\n" in told.out
    assert run("doctor", "--repair").status == 2  # it takes the graph
    repaired = run("doctor", "--graph", GRAPH, "--repair")
    assert "repaired: 1 expired" in repaired.out, repaired.out


def test_on_a_terminal_lines_break_between_words_and_no_command_breaks(
    run: Command, request_id: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("approvals", "reject", request_id, *by(ANA))
    lease(desk, until=datetime(2100, 1, 1, tzinfo=UTC))
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE notices SET attempt = 3, problem = 'webhook example: expected 2xx, got 503'")
    commands = (("doctor",), ("worker", GRAPH, "--once"))
    plain = [run(*words).out for words in commands]
    for module in ("_doctor", "_worker"):
        monkeypatch.setattr(f"guarded_agents.cli.{module}.columns", lambda: 80)
    narrow = [run(*words).out for words in commands]
    for long, short in zip(plain, narrow, strict=True):
        assert max(map(len, long.splitlines())) > 80 >= max(map(len, short.splitlines()))
        assert short.split()[1:] == long.split()[1:]  # but for the time at which the worker said it
    wake = f"`guarded-agents approvals wake {request_id} --graph MODULE:FACTORY`"
    assert f"\n    {wake}\n" in narrow[0]
    assert f"\n{' ' * 21}" in narrow[1]


def test_a_log_that_does_not_verify_is_an_ailment(run: Command, desk: Path) -> None:
    with closing(sqlite3.connect(desk / "guard.db")) as store, store:
        store.execute("UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'policy', 'polish') AS BLOB)")
    told = run("doctor", "--json")
    assert told.status == 1
    assert "log_broken" in [ailment["kind"] for ailment in told.json["left"]]


# -- ID tokens ----------------------------------------------------------------------------------------


@pytest.fixture
def provider(desk: Path) -> Callable[..., str]:
    """What makes an ID token for a nonce."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = orjson.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    (desk / "jwks.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1", "use": "sig", "alg": "ES256"}]}))
    (desk / "oidc.yaml").write_text(OIDC)

    def token(nonce: str, email: str) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "guarded-agents", "sub": email, "iat": now, "exp": now + 300, "nonce": nonce}
        return jwt.encode({**claims, "email": email, "email_verified": True}, private, "ES256", headers={"kid": "k1"})

    return token


@pytest.mark.requirement("I7")
def test_an_id_token_over_exactly_this_statement_is_a_proof(
    run: Command, request_id: str, provider: Callable[..., str], desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("approvals", "reject", request_id, "--reason", "not broken", "--as", RAJ, "--oidc", "oidc.yaml")
    nonce = run(*words, "--save", "vote.json").out.strip()
    answer = (*words, "--vote", "vote.json", "--id-token", "token")
    for wrong in (provider("x" * 43, RAJ), provider(nonce, LEE)):
        (desk / "token").write_text(wrong)
        assert run(*answer).status == 1
    (desk / "token").write_text(provider(nonce, RAJ) + "\n")
    told = run(*answer)
    assert told.status == 0, told.err
    found = run("approvals", "show", request_id, "--json").json
    assert (found["status"], found["votes"][0]["scheme"]) == ("rejected", "oidc")
    assert "signature" not in found["votes"][0]
    assert found["votes"][0]["proven"] is None  # nothing here knows the provider
    assert run("approvals", "show", request_id, "--json", "--oidc", "oidc.yaml").json["votes"][0]["proven"] is True


BROKEN = {
    "missing": (None, "oidc.yaml: expected settings, got No such file"),
    "no-yaml": ("a: [", "oidc.yaml: expected YAML"),
    "unknown-key": (f"{OIDC}clock: 1\n", "oidc.yaml: expected issuer, audience, jwks"),
    "no-mapping": ("- a\n", "oidc.yaml: expected issuer, audience, jwks"),
    "no-key-set": (OIDC.replace("jwks.json", "policy.yaml"), "policy.yaml: expected a JSON Web Key Set"),
    "plain-address": (OIDC.replace("jwks.json", "http://example.com/keys"), "expected an https address"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_file_of_oidc_that_cannot_be_used_is_named(
    run: Command, request_id: str, provider: Callable[..., str], desk: Path, text: str | None, message: str
) -> None:
    (desk / "oidc.yaml").unlink()
    if text is not None:
        (desk / "oidc.yaml").write_text(text)
    told = run("approvals", "approve", request_id, *by(RAJ), "--oidc", "oidc.yaml")
    assert (told.status, told.out) == (2, "")
    assert message in told.err


# -- a directory outside ------------------------------------------------------------------------------

DIRECTORY = """
class Company:
    async def members(self, group):
        return frozenset({"raj@example.com", "lee@example.com"})

def company():
    return Company()

def failing():
    class Failing:
        async def members(self, group):
            raise OSError
    return Failing()

def nothing():
    return 7
"""


@pytest.fixture
def external(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk with its group in a directory of the module ``company``."""
    policy = desk / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("members: [ana@example.com, lee@example.com, raj@example.com]", "external: true")
    )
    name = f"company_{desk.parent.name}".replace("-", "_")
    (desk / f"{name}.py").write_text(DIRECTORY)
    monkeypatch.setenv("COMPANY", name)
    monkeypatch.syspath_prepend(str(desk))
    # The request is older than this policy, which would be the end of it; who may answer is all that is asked here.
    monkeypatch.setattr("guarded_agents.nodes._votes._check_policy", lambda *_, **__: None)


def test_a_directory_outside_says_who_may_answer(run: Command, request_id: str, external: None) -> None:
    company = os.environ["COMPANY"]
    assert "whom nothing here knows" in run("approvals", "show", request_id).out
    assert run("approvals", "approve", request_id, *by(RAJ)).status == 2  # an external group takes a directory
    shown = run("approvals", "show", request_id, "--directory", f"{company}:company").out
    assert f"may answer {LEE}, {RAJ}  (finance)" in shown
    assert run("approvals", "approve", request_id, *by(RAJ), "--directory", f"{company}:company").status == 0
    assert run("approvals", "approve", request_id, *by(ANA), "--directory", f"{company}:company").status == 1
    assert run("approvals", "approve", request_id, *by(LEE), "--directory", f"{company}:failing").status == 1
    assert run("approvals", "approve", request_id, *by(LEE), "--directory", f"{company}:nothing").status == 2
