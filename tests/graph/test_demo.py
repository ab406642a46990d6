"""``guarded-agents demo`` as people start it: processes of its own, real MCP servers, the effects in their database."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from graphs.refund_desk.run import effects, reopen

pytestmark = pytest.mark.timeout(180)  # each test starts several processes
ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "guarded_agents.cli"]
DENIED = [
    {"tool": "mail/send_mail", "decision": "deny", "rule": "mail-to-strangers", "approval": None, "outcome": "refused"},
    {
        "tool": "payments/refund",
        "decision": "deny",
        "rule": "refund-to-other-account",
        "approval": None,
        "outcome": "refused",
    },
]
REFUND = {
    "order_id": "1001",
    "amount_cents": 12900,
    "account": "visa-4242",
    "note": "grinder broken on arrival",
}


def start(command: list[str] | str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        shell=isinstance(command, str),
        stdin=subprocess.DEVNULL,
        timeout=150,
        **options,
    )


def expected(approval: str, outcome: str) -> list[dict[str, str | None]]:
    reads = [
        {"tool": tool, "decision": "permit", "rule": f"permit:{tool}", "approval": None, "outcome": "executed"}
        for tool in ("orders/get_order", "orders/read_mail", "orders/search_orders")
    ]
    held = {
        "tool": "payments/refund",
        "decision": "permit",
        "rule": "permit:payments/refund",
        "approval": approval,
        "outcome": outcome,
    }
    return [*reads, *DENIED, held]


@pytest.mark.parametrize(
    ("answer", "approval", "outcome", "refunds"),
    [("approve", "approved", "executed", [REFUND]), ("reject", "rejected", "refused", [])],
    ids=["approve", "reject"],
)
def test_exactly_what_was_approved_has_happened_and_the_log_verifies(
    tmp_path: Path, answer: str, approval: str, outcome: str, refunds: list[dict[str, object]]
) -> None:
    done = start([*COMMAND, "demo", "--answer", answer, "--json", "--folder", str(tmp_path / "run")])
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told.keys() == {"calls", "effects", "audit"}
    assert told["calls"] == expected(approval, outcome)
    assert told["effects"] == effects(tmp_path / "run") == {"refunds": refunds, "outbox": []}
    assert told["audit"].keys() == {"entries", "verified"}
    assert told["audit"]["verified"] is True


def test_what_is_left_waiting_goes_on_in_a_new_process_with_the_command_that_was_printed(tmp_path: Path) -> None:
    run = reopen(tmp_path / "run")
    left = start([*COMMAND, "demo", "--folder", str(run.folder)])
    assert left.returncode == 0, left.stderr
    assert "waiting" in left.stdout
    assert effects(run.folder) == {"refunds": [], "outbox": []}
    look, answer = re.findall(r"^  (\S*python(?:[^\n\\]|\\\n)*)", left.stdout, re.MULTILINE)
    shown = start(look)
    assert '"amount_cents": 12900' in shown.stdout
    done = start(answer)
    assert done.returncode == 0, done.stderr
    assert "the agent says:\n    I read Mia Keller's mail and refunded order 1001" in done.stdout
    assert re.search(r"payments/refund +permit +permit:payments/refund +ana@example.com executed", done.stdout)
    assert "AUDIT LOG  verified" in done.stdout
    assert effects(run.folder) == {"refunds": [REFUND], "outbox": []}
    tables = done.stdout[done.stdout.index("TOOL") :].splitlines()
    assert max(map(len, tables)) <= 80
    again = start(answer)
    assert (again.returncode, again.stdout) == (1, "")
    assert "expected a pending request, got one that is consumed, approved by " in again.stderr
    assert effects(run.folder)["refunds"] == [REFUND]


def test_at_a_terminal_the_request_is_shown_and_asked_about(tmp_path: Path) -> None:
    control, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "demo", "--folder", str(tmp_path / "run")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
    )
    os.close(terminal)
    seen = b""
    while b"approve, reject or leave" not in seen:
        seen += os.read(control, 4096)
    os.write(control, b"?\nreject\n")
    while b"signs: reject" not in seen:
        seen += os.read(control, 4096)
    out, _ = process.communicate(timeout=150)
    os.close(control)
    assert process.returncode == 0
    assert b'"amount_cents": 12900' in seen
    assert b"approval refund-over-50: rejected" in out
    assert effects(tmp_path / "run") == {"refunds": [], "outbox": []}


UNUSABLE = {
    "holds-a-run": (["--folder", "taken"], "taken: expected a folder without a run"),
    "is-a-file": (["--folder", "file"], "file: expected a folder that can be made and written to"),
    "no-provider": (["--model", "gpt", "--folder", "new"], "model 'gpt': expected provider:model"),
}


@pytest.mark.parametrize(("options", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_folder_or_model_that_cannot_be_used_starts_nothing(
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from guarded_agents.cli import main

    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "policy.yaml").touch()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["demo", *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_without_the_folder_of_applications_the_demo_says_where_to_run_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from guarded_agents.cli import main

    monkeypatch.setitem(sys.modules, "graphs.refund_desk.run", None)
    assert main(["demo", "--folder", str(tmp_path / "new")]) == 2
    assert "run it in a checkout, where `make demo` sets everything up" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
