"""``guarded-agents audit``: verify the log, look at its end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from guarded_agents.audit import CANNOT_PROVE, Verification, parse_verifier, read_head, verify_log
from guarded_agents.cli._exits import FAILED, wrong_use
from guarded_agents.cli._options import AsJson
from guarded_agents.cli._text import one_line, print_json
from guarded_agents.errors import AuditError, ConfigurationError, DeliveryError, GuardError
from guarded_agents.records import AuditHead

if TYPE_CHECKING:
    from guarded_agents.stores import SqliteStore

app: Final = typer.Typer(
    name="audit", help="Verify the audit log of a store, and look at its end.", no_args_is_help=True
)

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="The store's file.", show_default=False)]


@app.command(name="verify", epilog=CANNOT_PROVE)
def verify_command(
    path: StorePath,
    *,
    since_head: Annotated[
        str | None,
        typer.Option(metavar="FILE|HEAD", help="A head that was kept elsewhere: of `audit head`, or as printed here."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|VKEY", help="The log's public key, as `audit key` prints it; also earlier ones."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|VKEY", help="The public key of a witness that cosigned a head."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry and every signed head of STORE's log.

    Exit status 0 where it is verified, 1 where not, 2 for wrong use.
    """
    with opened(path) as store:
        found = verify_log(
            store,
            head=None if since_head is None else read_head(text_or_file(since_head).encode()),
            keys=[parse_verifier(text_or_file(one)) for one in key or ()],
            witnesses=[parse_verifier(text_or_file(one)) for one in witness or ()],
        )
    cannot_prove = None if found.against_head or found.witnessed else CANNOT_PROVE
    if as_json:
        summary = asdict(found) | {
            "store": str(path),
            "head": found.head._asdict(),
            "findings": [finding._asdict() for finding in found.findings],
            "warnings": [warning._asdict() for warning in found.warnings],
            "cannot_prove": cannot_prove,
        }
        print_json(summary)
    else:
        typer.echo("\n".join([*_report(path, found), *([f"note: {cannot_prove}"] if cannot_prove else [])]))
    if not found.verified:
        raise typer.Exit(FAILED)


@app.command()
def tail(
    path: StorePath,
    *,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many entries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Print the last entries of STORE's log, without checking them (that is ``audit verify``)."""
    with opened(path) as store:
        rows = list(store.audit_rows(store.audit_head().size - number))[-number:]
    entries = [(sequence, _parsed(stored), root) for sequence, stored, root in rows]
    if as_json:
        listing = [{"sequence": sequence, "hash": root, "entry": entry} for sequence, entry, root in entries]
        print_json(listing)
        return
    for sequence, entry, _ in entries:
        typer.echo(f"{sequence} {_line(entry)}")


def text_or_file(given: str) -> str:
    """Return what the file *given* holds, or *given* itself where there is no such file."""
    try:
        return Path(given).read_text()
    except (OSError, ValueError):
        return given


@contextmanager
def opened(path: Path) -> Iterator["SqliteStore"]:
    """Open the store, which has to exist. Whatever goes wrong ends in exit status 2."""
    from guarded_agents.stores import SqliteStore

    try:
        if not path.is_file() or not path.stat().st_size:
            raise ConfigurationError(
                str(path), expected="a store", got="no file, or an empty one", action="name another file"
            )
        store = SqliteStore.open(path)
        try:
            yield store
        finally:
            asyncio.run(store.aclose())
    except (AuditError, DeliveryError):  # the store can be used: it is what was found, or a witness
        raise
    except GuardError as error:
        raise wrong_use(error) from None


def _report(path: Path, found: Verification) -> Iterator[str]:
    count = f"{found.entries:,} {'entry' if found.entries == 1 else 'entries'}"
    against = ", against the head given" if found.against_head else ""
    if found.verified:
        yield f"{path}: verified, {count}{against}"
    else:
        yield f"{path}: NOT VERIFIED, {len(found.findings) + found.omitted:,} findings in {count}{against}"
    yield from (f"entry {sequence}: {one_line(what)}" for sequence, what in found.findings)
    yield from (f"entry {sequence}: warning: {one_line(what)}" for sequence, what in found.warnings)
    if found.omitted:
        yield f"and {found.omitted:,} more"
    yield from _signed(found)
    yield f"head {_spelt(found.head)}"


def _signed(found: Verification) -> Iterator[str]:
    if found.key is None:
        yield "signed: no, the log names no key"
        return
    missing = found.entries - found.signed
    rest = f", the last {missing:,} under no signed head yet" if missing else ""
    yield f"signed: {found.signed:,} of {found.entries:,} entries{rest}"
    if found.witnessed:
        yield f"witnessed: {found.witnessed:,} of {found.entries:,} entries"
    whose = "by the key given" if found.key_given else "as the log names it: compare it with the one you were handed"
    yield f"key {one_line(found.key)}, {whose}"


def _spelt(head: AuditHead) -> str:
    return one_line(f"{head.log}:{head.size}:{head.root}")


def _parsed(stored: bytes) -> object:
    try:
        entry: object = orjson.loads(stored)
    except orjson.JSONDecodeError:
        return None
    return entry


def _line(entry: object) -> str:
    if not isinstance(entry, dict):
        return "not an entry"
    fields = orjson.dumps(entry.get("fields")).decode()
    return one_line(f"{entry.get('at')} {entry.get('kind')} {fields}")
