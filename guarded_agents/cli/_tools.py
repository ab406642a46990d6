"""``guarded-agents tools``: lock the tools of running servers, and show how they differ from what was locked."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Final

import orjson
import typer

from guarded_agents.catalog import (
    Drift,
    Lockfile,
    ToolDefinition,
    diff,
    dump_lockfile,
    load_lockfile,
    make_lock,
    of_observed,
    reserved_arguments,
    visible,
)
from guarded_agents.cli._exits import FAILED, wrong_use
from guarded_agents.cli._options import AsJson
from guarded_agents.errors import ConfigurationError, GuardError
from guarded_agents.transport import load_servers

app: Final = typer.Typer(
    name="tools", help="Lock the tools of running servers, and see how they differ from that.", no_args_is_help=True
)

_Servers = Annotated[
    Path, typer.Option("--servers", metavar="FILE", help="The servers (YAML or JSON).", show_default=False)
]
_Lock = Annotated[Path, typer.Option("--lockfile", metavar="FILE", help="The lockfile.")]
_LOCKFILE: Final = Path("tools.lock")


@app.command(name="lock")
def lock(servers: _Servers, lockfile: _Lock = _LOCKFILE, *, as_json: AsJson = False) -> None:
    """Write what the servers offer now to the lockfile. Review the difference before you commit it."""
    try:
        before = _locked(lockfile) if lockfile.exists() else None
        observed = _observed(servers)
        after = make_lock(definition for found in observed.values() for definition in found)
        _write(lockfile, dump_lockfile(after))
    except GuardError as error:
        raise wrong_use(error) from None
    changes, problems = _changes(before or Lockfile(), observed), diff(after, observed)
    notes = [*(f"{visible(drift.key)}: quarantined, {drift.text}" for drift in problems), *_reserved(after)]
    if as_json:
        tools = [{"key": tool.key, "alias": tool.alias, "digest": tool.digest} for tool in after.tools]
        _echo_json({"lockfile": str(lockfile), "tools": tools, "changes": _json(changes), "notes": notes})
        return
    for drift in changes:
        _show(drift, with_text=before is not None)  # the first time the lockfile itself is what to review
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{lockfile}: {len(after.tools)} tools of {len(observed)} servers, {len(changes)} changes")


@app.command(name="diff")
def diff_command(servers: _Servers, lockfile: _Lock = _LOCKFILE, *, as_json: AsJson = False) -> None:
    """Show how what the servers offer now differs from the lockfile. Exit status 0 where nothing does, else 1."""
    try:
        locked = _locked(lockfile)
        observed = _observed(servers)
    except GuardError as error:
        raise wrong_use(error) from None
    drifts = _changes(locked, observed)
    if as_json:
        _echo_json({"lockfile": str(lockfile), "drift": _json(drifts)})
    else:
        for drift in drifts:
            _show(drift, with_text=True)
        typer.echo(f"{lockfile}: {len(locked.tools)} tools, {len(drifts)} differ from what the servers offer")
    if drifts:
        raise typer.Exit(FAILED)


def _locked(path: Path) -> Lockfile:
    return load_lockfile(_read(path, "a lockfile"), source=str(path))


def _read(path: Path, expected: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, expected, error) from None


def _write(path: Path, data: bytes) -> None:
    """Put *data* in place of the file at once: a reader sees the old or the new one, and a failure leaves the old."""
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
                Path(file.name).replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise _unusable(path, "a file that can be written", error) from None


def _unusable(path: Path, expected: str, error: OSError) -> ConfigurationError:
    got = error.strerror or type(error).__name__
    return ConfigurationError(str(path), expected=expected, got=got, action="name another file")


def _observed(servers: Path) -> Mapping[str, tuple[ToolDefinition, ...]]:
    """Return what each server offers now. Starts the servers, and ends them again."""
    found = load_servers(_read(servers, "a file of servers"), source=str(servers))
    from guarded_agents.transport import AdapterTransport  # takes a second to load

    async def ask() -> dict[str, tuple[ToolDefinition, ...]]:
        transport = AdapterTransport(found)
        try:
            offered = await asyncio.gather(*(transport.list_tools(name, principal="") for name in transport.servers))
        finally:
            await transport.aclose()
        return {name: tuple(map(of_observed, tools)) for name, tools in zip(transport.servers, offered, strict=True)}

    return asyncio.run(ask())


def _changes(locked: Lockfile, observed: Mapping[str, Sequence[ToolDefinition]]) -> tuple[Drift, ...]:
    """Return every difference; a server that has locked tools and is not in the file of servers offers none."""
    nothing: dict[str, Sequence[ToolDefinition]] = {tool.definition.server: () for tool in locked.tools}
    return diff(locked, {**nothing, **observed})


def _reserved(lockfile: Lockfile) -> list[str]:
    """Return a note for each tool with an argument that no call can carry."""
    notes = []
    for tool in lockfile.tools:
        properties = tool.definition.input_schema.get("properties")
        names = reserved_arguments(properties if isinstance(properties, dict) else ())
        if names:
            notes.append(f"{visible(tool.key)}: calls with {', '.join(names)} are denied, LangChain keeps these names")
    return notes


def _json(drifts: tuple[Drift, ...]) -> list[dict[str, object]]:
    return [drift.model_dump(mode="json") for drift in drifts]


def _echo_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def _show(drift: Drift, *, with_text: bool) -> None:
    typer.echo(f"{drift.kind.value} {visible(drift.key)}")
    for line in drift.text.split("\n") if with_text else ():
        typer.echo(f"    {line}")


__all__ = ["app"]
