"""A deployment in a folder of its own: policy, keys, lockfile, store, and a real server on a real database."""

import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from langchain_core.messages import AIMessage

from guarded_agents import Answer, Guard, GuardContext, Principal, SignedVote, load_private_key, sign
from guarded_agents.approval import allowed_signers_line
from guarded_agents.assembly import GuardOpener
from guarded_agents.catalog import dump_lockfile, make_lock, of_observed
from guarded_agents.testing import FixedClock, ScriptedModel
from guarded_agents.transport import AdapterTransport, ObservedTool, SessionTransport, load_servers
from tests.support.bank_server import build

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SERVER = Path(__file__).with_name("bank_server.py")
TELLER = Principal(id="teller", scopes=("bank:read", "bank:write", "bank:drop"))
CONTEXT = GuardContext(principal=TELLER)
ANA, RAJ, EVE = "ana@example.com", "raj@example.com", "eve@example.com"
PEOPLE, KEY_NAMES = (ANA, RAJ, EVE), ("key", "second.key")

POLICY = """\
version: 1
signers: allowed_signers
principals:
  teller: {scopes: [bank:read, bank:write]}
  ana@example.com: {scopes: [bank:read, bank:write]}
approvers:
  finance: {members: [ana@example.com, raj@example.com]}
tools:
  bank/balance: {scope: bank:read, effect: read, result: {integrity: trusted, confidentiality: internal}}
  bank/forge: {scope: bank:read, effect: read, result: {integrity: untrusted, confidentiality: internal}}
  bank/wire:
    scope: bank:write
    effect: write
    result: {integrity: trusted, confidentiality: internal}
    permit_when: 0 < args.amount_cents && args.amount_cents <= 100000
    approval: {id: wire-approval, approvers: finance, quorum: 1, decide_within: 4h, execute_within: 15m}
  bank/topup: {scope: bank:write, effect: write, permit_when: args.amount_cents <= 500, limits: {per_thread: 3},
    result: {integrity: trusted, confidentiality: internal}}
  bank/refuse: {scope: bank:write, effect: write}
  bank/drop_table: {scope: bank:drop, effect: write}
"""
CLEAN_ONLY = POLICY.replace(
    "permit_when: args.amount_cents <= 500",
    "permit_when: 'labels.integrity == \"trusted\" && args.amount_cents <= 500'",
)


@dataclass(frozen=True)
class Bank:
    """One deployment; ``clock`` is its time."""

    folder: Path
    clock: FixedClock

    @property
    def database(self) -> Path:
        return self.folder / "bank.db"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints.db"

    def servers(self, **env: str) -> dict[str, object]:
        return {"bank": {"command": sys.executable, "args": [str(SERVER), str(self.database)], "env": env}}

    def open(self, **changes: Any) -> GuardOpener:
        """Return what opens this deployment's guard over its stdio server; *changes* go to `Guard.open`."""
        settings: dict[str, Any] = {
            "lockfile": self.folder / "tools.lock",
            "store": self.folder / "guard.db",
            "now": self.clock,
            "servers": self.servers(),
        } | changes
        if "transport" in settings:
            settings.pop("servers")
        return Guard.open(self.folder / "policy.yaml", **settings)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[SessionTransport]:
        """Yield a transport to the same server in this process, for tests that are not about processes."""
        from mcp.shared.memory import create_connected_server_and_client_session as connect

        async with connect(build(self.database)._mcp_server) as session:
            yield SessionTransport({"bank": session})

    def effects(self) -> list[tuple[str, str, int]]:
        """Return (tool, account, amount in cents) of every effect that happened, oldest first."""
        if not self.database.exists():
            return []
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("SELECT tool, account, amount_cents FROM effects ORDER BY id").fetchall()
        connection.close()
        return rows

    def signed(self, guard: Guard, request_id: str, answer: Answer = Answer.APPROVE, **more: Any) -> SignedVote:
        """Return *answer* by ``approver`` (default ana), signed with that approver's key."""
        approver = more.pop("approver", ANA)
        vote = guard.prepare(request_id, answer, approver=approver, **more)
        second = self.private_key(approver, "second.key") if answer is Answer.BREAK_GLASS else None
        return sign(vote, self.private_key(approver), second=second)

    def private_key(self, approver: str, name: str = "key") -> Ed25519PrivateKey:
        """Return the key of *approver*, or with ``second.key`` their other one."""
        return load_private_key((self.folder / f"{approver}.{name}").read_bytes())


async def make_bank(folder: Path, *, policy: str = POLICY) -> Bank:
    """Write a deployment into *folder*; the lockfile is made from the tools as the server offers them now."""
    bank = Bank(folder, FixedClock(NOON))
    (folder / "policy.yaml").write_text(policy)
    write_keys(folder, {(who, name): Ed25519PrivateKey.generate() for who in PEOPLE for name in KEY_NAMES})
    (folder / "tools.lock").write_bytes(dump_lockfile(make_lock([of_observed(tool) for tool in await offered(bank)])))
    return bank


def write_keys(folder: Path, keys: Mapping[tuple[str, str], Ed25519PrivateKey]) -> None:
    """Write the private *keys*, by who has them and what they are called, and the list of the public ones."""
    lines = []
    for (who, name), key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        (folder / f"{who}.{name}").write_bytes(pem)
        lines.append(allowed_signers_line(who, key.public_key()) + "\n")
    (folder / "allowed_signers").write_text("".join(lines))


async def offered(bank: Bank) -> tuple[ObservedTool, ...]:
    transport = AdapterTransport(load_servers(bank.servers()))
    try:
        return await transport.list_tools("bank", principal="")
    finally:
        await transport.aclose()


def calls(*proposed: tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], str]) -> AIMessage:
    """Return a model's message that proposes (tool, arguments[, call id]) each."""
    return AIMessage(
        "",
        tool_calls=[
            {"name": call[0], "args": call[1], "id": call[2] if len(call) == 3 else f"call-{index}"}
            for index, call in enumerate(proposed)
        ],
    )


def model(*script: AIMessage) -> ScriptedModel:
    """Return a model that answers with *script*, then with ``done``."""
    return ScriptedModel(script=(*script, AIMessage("done")))


def thread(name: str = "t1") -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def asked(text: str = "please") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def waiting(state: Any) -> list[str]:
    """Return the ids of the requests that a thread waits for."""
    return [found.value["request_id"] for found in state.interrupts]


def answers(messages: Sequence[Any]) -> dict[str, str]:
    """Return the text of each tool message by call id."""
    return {message.tool_call_id: str(message.content) for message in messages if message.type == "tool"}
