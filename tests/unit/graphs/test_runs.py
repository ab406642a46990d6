"""Prepared run folders, scripts and models of the applications."""

import builtins
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from graphs._models import chat_model
from graphs._run import Run
from graphs._script import tool_name
from graphs.records_clerk import run as records_clerk
from graphs.records_clerk import script as clerk_script
from graphs.refund_desk import run as refund_desk
from graphs.refund_desk import script as desk_script
from guarded_agents.approval import parse_allowed_signers
from guarded_agents.errors import ConfigurationError
from guarded_agents.policy import load_policy

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
APPLICATIONS = {"refund_desk": refund_desk, "records_clerk": records_clerk}
SCRIPTED = desk_script.scripted_model()


def dump(run: Run) -> list[str]:
    with closing(sqlite3.connect(run.database)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
def test_a_run_is_the_same_for_the_same_time_and_seed(application: ModuleType, tmp_path: Path) -> None:
    one = application.prepare(tmp_path / "one", now=NOW, unsafe_key_seed=b"seed")
    two = application.prepare(tmp_path / "two", now=NOW, unsafe_key_seed=b"seed")
    later = application.prepare(tmp_path / "later", now=NOW + timedelta(days=1))
    assert dump(one) == dump(two) != dump(later)
    assert one.signers.read_bytes() == two.signers.read_bytes() != later.signers.read_bytes()
    assert one.policy.read_bytes() == two.policy.read_bytes()


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
def test_each_approver_has_a_private_key_that_only_its_owner_reads(application: ModuleType, tmp_path: Path) -> None:
    run: Run = application.prepare(tmp_path, now=NOW)
    signers = parse_allowed_signers(run.signers.read_text(), source="allowed_signers")
    assert tuple(signers) == run.approvers
    holders: tuple[str, ...] = getattr(application, "HOLDERS", ())
    for approver, allowed in signers.items():
        files = [run.key(approver), run.second_key(approver)] if approver in holders else [run.key(approver)]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        secrets = [load_ssh_private_key(file.read_bytes(), password=None) for file in files]
        assert [secret.public_key() for secret in secrets if isinstance(secret, Ed25519PrivateKey)] == [
            key.public_key for key in allowed
        ]


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
def test_who_may_break_the_glass_has_two_keys_that_count(application: ModuleType, tmp_path: Path) -> None:
    run: Run = application.prepare(tmp_path, now=NOW)
    policy = load_policy(run.policy.read_bytes(), source=str(run.policy))
    signers = parse_allowed_signers(run.signers.read_text(), source="allowed_signers")
    for holder in () if policy.glass is None else policy.glass.holders:
        assert len(signers[holder]) == 2
        assert run.key(holder).read_bytes() != run.second_key(holder).read_bytes()


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
def test_a_folder_that_holds_a_run_is_left_as_it_is(application: ModuleType, tmp_path: Path) -> None:
    run: Run = application.prepare(tmp_path, now=NOW)
    before = dump(run)
    with pytest.raises(ConfigurationError, match="choose another folder"):
        application.prepare(tmp_path, now=NOW)
    assert dump(run) == before
    assert application.reopen(tmp_path) == run


@pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
def test_nothing_has_happened_in_a_fresh_run(application: ModuleType, tmp_path: Path) -> None:
    application.prepare(tmp_path, now=NOW)
    assert not any(application.effects(tmp_path).values())


def play(script: ModuleType, answers: dict[str, str], failing: frozenset[str]) -> tuple[list[tuple[str, ...]], str]:
    """Play a script against canned answers; return the tools of each turn and the last text."""
    model, messages, turns = script.scripted_model(), [HumanMessage(script.REQUEST)], []
    while (reply := model.invoke(messages)).tool_calls:
        messages.append(reply)
        turns.append(tuple(call["name"] for call in reply.tool_calls))
        for call in reply.tool_calls:
            status = "error" if call["name"] in failing else "success"
            text = answers.get(call["name"], "{}")
            messages.append(ToolMessage(text, tool_call_id=call["id"], name=call["name"], status=status))
    return turns, reply.text


REFUND = tool_name("payments/refund")


@pytest.mark.parametrize(
    ("failing", "said"),
    [(frozenset[str](), "refunded order 1001: paid"), (frozenset({REFUND}), "Order 1001 was not refunded: paid")],
    ids=["approved", "rejected"],
)
def test_the_scripted_clerk_of_the_refund_desk_obeys_the_mail_and_reports(failing: frozenset[str], said: str) -> None:
    turns, text = play(desk_script, {REFUND: "paid"}, failing)
    assert turns == [
        ("get_order",),
        ("read_mail",),
        ("search_orders",),
        ("send_mail", REFUND),
        (REFUND,),
    ]
    assert said in text


def test_the_scripted_records_clerk_first_asks_for_too_much() -> None:
    turns, text = play(clerk_script, {}, frozenset())
    export = tool_name("export/export_records")
    assert turns == [("get_record", "list_visits"), (export,), (export,)]
    assert "were sent" in text


def test_the_order_list_that_was_read_is_what_the_script_forwards() -> None:
    messages = [
        HumanMessage(desk_script.REQUEST),
        *(AIMessage("") for _ in range(3)),
        ToolMessage("the list", tool_call_id="c", name=tool_name("orders/search_orders")),
    ]
    reply = SCRIPTED.invoke(messages)
    assert reply.tool_calls[0]["args"]["body"] == "the list"


def test_without_a_name_the_script_drives_the_graph() -> None:
    assert chat_model(None, scripted=SCRIPTED) is SCRIPTED
    assert chat_model("", scripted=SCRIPTED) is SCRIPTED


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gpt-5", "provider:model"), ("nobody:gpt-5", "a provider that init_chat_model knows")],
    ids=["no provider", "unknown provider"],
)
def test_a_model_that_cannot_be_had_is_a_clear_error(name: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        chat_model(name, scripted=SCRIPTED)


@pytest.mark.parametrize(
    ("missing", "action"),
    [("langchain.chat_models", r"guarded-agents\[langchain\]"), ("langchain_openai", "pip install langchain-openai")],
    ids=["langchain", "the provider's package"],
)
def test_a_missing_package_is_named(missing: str, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: object, **named: object) -> object:
        if name == missing:
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigurationError, match=action):
        chat_model("openai:gpt-5", scripted=SCRIPTED)
