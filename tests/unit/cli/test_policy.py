"""``guarded-agents policy check`` and ``policy explain``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guarded_agents.cli._policy import app

TEXT = """\
version: 1
principals:
  desk: {scopes: [a]}
approvers:
  fin: {members: [ana]}
tools:
  s/t:
    scope: a
    effect: write
    verbs: [send]
    permit_when: args.n <= 5 && labels.integrity == 'trusted'
    approval: {when: args.n > 2, approvers: fin, decide_within: 1h, execute_within: 1m}
  s/u: {scope: b, effect: read}
exceptions:
  - {id: old, allows: s/t, when: args.n < 9, until: 2020-01-31, reason: r, granted_by: [ana]}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    return str(path)


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_check_says_what_the_file_holds_and_what_is_seldom_meant(policy: str) -> None:
    code, out, _ = run("check", policy)
    assert code == 0
    assert ": ok, 2 tools, 1 principals, 1 exceptions, SHA-256 " in out
    assert "note: tool s/u: no principal has its scope b" in out
    assert "note: exception old: it ended at 2020-01-31" in out
    assert "note: signers:" in out
    assert "note: operators:" in out


def test_check_prints_json(policy: str) -> None:
    code, out, _ = run("check", policy, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["tools"], len(told["digest"]), len(told["notes"])) == (2, 64, 4)


def test_what_is_said_of_a_file_moves_no_cursor() -> None:
    code, _, err = run("check", "gone\x1b[2J\n.yaml")
    assert code == 2
    assert err.startswith("error: gone\\u001b[2J\\u000a.yaml: expected a policy file")


def test_check_of_a_clean_policy_has_no_notes(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\nsigners: keys\ntools: {}\n")
    assert json.loads(run("check", str(path), "--json")[1])["notes"] == []


def test_a_broken_file_is_one_error_with_its_place_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\ntools: {a/b: {scope: x, effect: maybe}}\n")
    code, out, err = run("check", str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path}:2:33: expected 'read', 'write' or 'egress' at tools.a/b.effect")


def test_a_missing_file_is_one_error_and_status_2(tmp_path: Path) -> None:
    code, _, err = run("check", str(tmp_path / "none.yaml"))
    assert code == 2
    assert "expected a policy file, got No such file or directory" in err


def test_explain_names_the_rule_and_why(policy: str) -> None:
    words = ("explain", policy, "--principal", "desk", "--tool", "s/t", "--label", "integrity=trusted", "--args")
    code, out, _ = run(*words, '{"n": 3}')
    assert code == 0
    assert out.startswith("PERMIT s/t for desk by rule permit:s/t\n  after 1 of ana agree within 1 h")
    code, out, _ = run(*words, '{"n": 7}', "--json")
    told = json.loads(out)
    assert (code, told["effect"], told["reason"], told["rule"]) == (0, "deny", "condition_not_met", "permit:s/t")


def test_explain_looks_at_another_moment_and_at_the_scopes_of_the_token(policy: str) -> None:
    words = ("explain", policy, "--principal", "desk", "--tool", "s/t", "--label", "integrity=trusted", "--args")
    assert run(*words, '{"n": 7}', "--at", "2019-12-31")[1].startswith("PERMIT s/t for desk by rule old")
    assert "missing_scope" in run(*words, '{"n": 1}', "--scopes", "b,c")[1]
    assert "missing_scope" in run(*words, '{"n": 1}', "--scopes", "")[1]
    assert "unknown_principal" in run("explain", policy, "--principal", "eve", "--tool", "s/t")[1]


def test_without_labels_the_strictest_are_taken(policy: str) -> None:
    _, out, _ = run("explain", policy, "--principal", "desk", "--tool", "s/t", "--args", '{"n": 1}')
    assert out.startswith("DENY s/t")


@pytest.mark.parametrize(
    "words",
    [
        ("--tool", "st"),
        ("--tool", "s/t", "--args", "{n: 1}"),
        ("--tool", "s/t", "--args", "[1]"),
        ("--tool", "s/t", "--label", "integrity=Trusted"),
        ("--tool", "s/t", "--label", "secrecy=public"),
    ],
    ids=["no server", "no JSON", "no object", "an unknown label", "an unknown kind of label"],
)
def test_wrong_use_has_status_2(policy: str, words: tuple[str, ...]) -> None:
    code, out, err = run("explain", policy, "--principal", "desk", *words)
    assert (code, out) == (2, "")
    assert err
