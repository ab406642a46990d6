"""The store that a command is pointed at."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guarded_agents.errors import ConfigurationError, ProofError, UnknownRequestError

if TYPE_CHECKING:
    from guarded_agents.records import StandingRequest
    from guarded_agents.stores import SqliteStore, Store

ENVIRONMENT: Final = "GUARDED_AGENTS_STORE"
DEFAULT: Final = Path("guard.db")
StoreOption = Annotated[Path, typer.Option("--store", metavar="FILE", envvar=ENVIRONMENT, help="The guard's store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]


def require_store(path: Path) -> Path:
    """Return *path*. Raises ConfigurationError where no store lies there; none is made."""
    if not path.is_file() or not path.stat().st_size:
        raise ConfigurationError(
            f"store {path}",
            expected="the store of a guard",
            got="no file, or an empty one",
            action=f"name another file with --store or {ENVIRONMENT}",
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
    return standing


def require_intact(standing: "StandingRequest", store: Path, root_key: Path | None) -> None:
    """Raise ProofError for a request that is not as the guard wrote it: what is shown of it may be a lie.

    Erased arguments are no lie. Raises ConfigurationError where the root key cannot be read.
    """
    from guarded_agents.approval import is_intact
    from guarded_agents.keys import RootKey

    root = RootKey.load(root_key or store.with_name(f"{store.name}.key"), create=False)
    if standing.request.arguments and not is_intact(standing.request, key=root.derive("request")):
        raise ProofError(
            f"approval {standing.request.id}",
            expected="the request as the guard wrote it",
            got="one that was changed in the store",
            action="answer nothing, and verify the audit log",
        )


__all__ = [
    "DEFAULT",
    "ENVIRONMENT",
    "AsJson",
    "StoreOption",
    "opened",
    "require_intact",
    "require_store",
    "standing_request",
]
