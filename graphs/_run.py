"""A run of an application: a folder that holds its policy, lockfile, databases and approvers' keys."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from graphs._environment import endpoints
from guarded_agents.approval import allowed_signers_line
from guarded_agents.errors import ConfigurationError

ROOT: Final = Path(__file__).resolve().parent.parent
"""The folder that holds the package ``graphs``; server processes start there."""

POLICY: Final = "policy.yaml"
LOCKFILE: Final = "tools.lock"


@dataclass(frozen=True, slots=True)
class Run:
    """Where the parts of one run lie. All paths are absolute; ``store`` and ``checkpoints`` need not exist yet."""

    folder: Path
    database: Path  # the servers' own, where effects land
    approvers: tuple[str, ...]  # sorted; the first one answers in the demo

    @property
    def policy(self) -> Path:
        """Return the policy file of this run."""
        return self.folder / POLICY

    @property
    def lockfile(self) -> Path:
        """Return the lockfile of reviewed tools."""
        return self.folder / LOCKFILE

    @property
    def signers(self) -> Path:
        """Return the approvers' public keys (OpenSSH allowed_signers, ssh-keygen(1))."""
        return self.folder / "allowed_signers"

    @property
    def servers(self) -> Path:
        """Return how the servers are started (JSON), for commands that take a file of servers."""
        return self.folder / "servers.json"

    @property
    def store(self) -> Path:
        """Return the guard's database."""
        return self.folder / "guard.db"

    @property
    def checkpoints(self) -> Path:
        """Return the checkpointer's database."""
        return self.folder / "checkpoints.db"

    def key(self, approver: str) -> Path:
        """Return the private key of *approver* (OpenSSH, mode 0600)."""
        return self.folder / "keys" / approver

    def second_key(self, holder: str) -> Path:
        """Return the second private key of a *holder*: breaking the glass takes both."""
        return self.folder / "keys" / f"{holder}.second"


def start_run(
    folder: Path,
    *,
    application: Path,
    database: str,
    approvers: tuple[str, ...],
    holders: tuple[str, ...] = (),
    unsafe_key_seed: bytes | None,
) -> Run:
    """Make *folder* and fill it with the application's policy, its lockfile and fresh keys: *holders* get two.

    *unsafe_key_seed* makes the keys repeatable for tests; None draws them from the operating
    system. Raises ConfigurationError where the folder already holds a run.
    """
    folder = folder.resolve()
    run = Run(folder, folder / database, tuple(sorted(approvers)))
    if run.policy.exists() or run.database.exists():
        raise ConfigurationError(
            str(folder), expected="a folder without a run", got="one that holds a run", action="choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in (POLICY, LOCKFILE):
        source = application / name
        if name == POLICY or source.exists():  # a lockfile is made from a prepared run, so the very first has none
            (folder / name).write_bytes(source.read_bytes())
    owners = {run.key(approver): approver for approver in run.approvers}
    _write_keys(run, owners | {run.second_key(holder): holder for holder in holders}, unsafe_key_seed)
    return run


def _write_keys(run: Run, owners: Mapping[Path, str], seed: bytes | None) -> None:
    run.key("").mkdir(mode=0o700, exist_ok=True)
    lines = []
    for path, owner in owners.items():
        secret = Ed25519PrivateKey.generate()
        if seed is not None:
            secret = Ed25519PrivateKey.from_private_bytes(sha256(seed + b"\x00" + path.name.encode()).digest())
        path.touch(mode=0o600, exist_ok=False)  # never readable by others, not even before it is filled
        path.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        lines.append(allowed_signers_line(owner, secret.public_key()) + "\n")
    run.signers.write_text("".join(lines), encoding="utf-8")


def stdio_server(module: str, database: Path) -> Mapping[str, object]:
    """Return how to start ``python -m module database`` as a stdio server, from any working directory."""
    return {
        "transport": "stdio",
        "command": sys.executable,
        "args": ["-m", module, str(database)],
        "cwd": str(ROOT),
        **({"env": found} if (found := endpoints()) else {}),
    }


__all__ = ["ROOT", "Run", "start_run", "stdio_server"]
