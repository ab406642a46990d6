"""What a command opens: the store alone to look, or a guard that judges and votes and starts no server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from guarded_agents.cli._graph import made_by
from guarded_agents.cli._options import STORE_ENVIRONMENT, Deployment
from guarded_agents.errors import ConfigurationError, ProofError, UnknownRequestError

if TYPE_CHECKING:
    from guarded_agents import Guard
    from guarded_agents.approval import Authenticator, Directory
    from guarded_agents.records import Scheme, StandingRequest
    from guarded_agents.stores import SqliteStore, Store


def require_store(path: Path) -> Path:
    """Return *path*. Raises ConfigurationError where no store lies there; none is made."""
    if not path.is_file() or not path.stat().st_size:
        raise ConfigurationError(
            f"store {path}",
            expected="the store of a guard",
            got="no file, or an empty one",
            action=f"name another file with --store or {STORE_ENVIRONMENT}",
        )
    return path


@contextmanager
def opened(path: Path) -> Iterator["SqliteStore"]:
    """Open the store, which has to exist, and close it again. Raises ConfigurationError and StoreError."""
    from guarded_agents.stores import SqliteStore

    store = SqliteStore.open(require_store(path))
    try:
        yield store
    finally:
        asyncio.run(store.aclose())


@asynccontextmanager
async def voting_guard(deployment: Deployment) -> AsyncIterator["Guard"]:
    """Open a guard that judges and votes and starts no server. Raises ConfigurationError and StoreError."""
    from guarded_agents import Guard
    from guarded_agents.catalog import load_lockfile
    from guarded_agents.keys import RootKey
    from guarded_agents.transport import ReviewedTransport

    require_store(deployment.store)
    RootKey.load(deployment.root_key_file, create=False)  # a key made here would fit no request
    lockfile = deployment.lockfile_file
    reviewed = load_lockfile(read(lockfile, "a lockfile", option="--lockfile"), source=str(lockfile))
    async with Guard.open(
        deployment.policy_file,
        lockfile=lockfile,
        store=deployment.store,
        transport=ReviewedTransport(reviewed),
        root_key=deployment.root_key_file,
        authenticators=authenticators(deployment),
        directory=directory_of(deployment),
    ) as guard:
        yield guard


def directory_of(deployment: Deployment) -> "Directory | None":
    """Return what ``--directory`` names, None where it names nothing. Raises ConfigurationError."""
    if deployment.directory is None:
        return None
    return cast("Directory", made_by(deployment.directory, option="--directory", kind="Directory", method="members"))


def authenticators(deployment: Deployment) -> "dict[Scheme, Authenticator]":
    """Return what ``--oidc`` names. Raises ConfigurationError."""
    if deployment.oidc is None:
        return {}
    from guarded_agents.cli._oidc import id_tokens
    from guarded_agents.records import Scheme

    return {Scheme.OIDC: id_tokens(deployment.oidc)}


def standing_request(store: "Store", request_id: str) -> "StandingRequest":
    """Return the request of that id. Raises UnknownRequestError."""
    standing = store.request(request_id)
    if standing is None:
        raise UnknownRequestError(
            f"approval {request_id}",
            expected="the id of a recorded request",
            got="one that is not in the store",
            action="list what waits with `guarded-agents approvals list`, and check --store",
        )
    if standing.request.id != request_id:
        raise _changed(request_id, "another one in its place")
    return standing


def require_intact(standing: "StandingRequest", deployment: Deployment) -> bool:
    """Return whether the request is as the guard wrote it, False where that cannot be told: its arguments were erased.

    Raises ProofError for a request that was changed, for what is shown of it may be a lie, and for an open one whose
    arguments are gone: they are what is signed. Raises ConfigurationError where the root key cannot be read.
    """
    from guarded_agents.approval import is_intact
    from guarded_agents.keys import RootKey

    root = RootKey.load(deployment.root_key_file, create=False)
    if is_intact(standing.request, key=root.derive("request")):
        return True
    if standing.request.arguments:
        raise _changed(standing.request.id, "one that was changed in the store")
    if standing.status.is_open:
        raise _changed(standing.request.id, "one that is open and has no arguments")
    return False


def _changed(request_id: str, got: str) -> ProofError:
    return ProofError(
        f"approval {request_id}",
        expected="the request as the guard wrote it",
        got=got,
        action="answer nothing, and verify the audit log",
    )


def read(path: Path, expected: str, *, option: str) -> bytes:
    """Return the bytes of *path*. Raises ConfigurationError that says that *expected* was, and names *option*."""
    try:
        return path.read_bytes()
    except OSError as error:
        got = error.strerror or type(error).__name__
        raise ConfigurationError(str(path), expected=expected, got=got, action=f"name one with {option}") from None


__all__ = [
    "authenticators",
    "directory_of",
    "opened",
    "read",
    "require_intact",
    "require_store",
    "standing_request",
    "voting_guard",
]
