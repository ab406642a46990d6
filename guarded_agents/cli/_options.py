"""Options that several commands have. Each is declared once, as a field of the record that the commands take.

::

    @app.command()
    @options
    def reject(request_id: RequestId, by: Approver, at: Deployment) -> None: ...

is a command with the argument ID and every option of an approver and of a deployment, in any order after its name.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from shlex import quote
from typing import Annotated, Final, get_type_hints

import typer

STORE_ENVIRONMENT: Final = "GUARDED_AGENTS_STORE"
DEFAULT_STORE: Final = Path("guard.db")

_FILES: Final = "The deployment"
_NO_KEY: Final = "Without a key of your own: by an ID token (OpenID Connect)"
_ONWARD: Final = "Going on at once"

RequestId = Annotated[
    str, typer.Argument(metavar="ID", help="The request's id, as `approvals list` prints it.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The files of a guard. A file that is None lies beside the store, under its usual name."""

    store: Annotated[
        Path,
        typer.Option(
            "--store", metavar="FILE", envvar=STORE_ENVIRONMENT, help="The guard's store.", rich_help_panel=_FILES
        ),
    ] = DEFAULT_STORE
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="By default policy.yaml beside the store.", rich_help_panel=_FILES
        ),
    ] = None
    lockfile: Annotated[
        Path | None,
        typer.Option(
            "--lockfile", metavar="FILE", help="By default tools.lock beside the store.", rich_help_panel=_FILES
        ),
    ] = None
    root_key: Annotated[
        Path | None,
        typer.Option(
            "--root-key", metavar="FILE", help="By default the store's name with .key added.", rich_help_panel=_FILES
        ),
    ] = None
    oidc: Annotated[
        Path | None,
        typer.Option(
            "--oidc", metavar="FILE", help="Whose ID tokens prove who somebody is (YAML).", rich_help_panel=_FILES
        ),
    ] = None
    directory: Annotated[
        str | None,
        typer.Option(
            "--directory",
            metavar="MODULE:FACTORY",
            help="What tells who is in a group, if not the policy.",
            rich_help_panel=_FILES,
        ),
    ] = None

    @property
    def shell_options(self) -> str:
        """Return the options that name other files than the usual ones, as a shell takes them after a blank."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        usual = (DEFAULT_STORE, None)
        return "".join(
            f" --{name.replace('_', '-')} {quote(str(value))}" for name, value in given if value not in usual
        )

    @property
    def folder(self) -> Path:
        """Return the folder of the store."""
        return self.store.resolve().parent

    @property
    def policy_file(self) -> Path:
        """Return the path of the policy."""
        return self.policy or self.folder / "policy.yaml"

    @property
    def lockfile_file(self) -> Path:
        """Return the path of the lockfile."""
        return self.lockfile or self.folder / "tools.lock"

    @property
    def root_key_file(self) -> Path:
        """Return the path of the root key."""
        return self.root_key or self.store.with_name(f"{self.store.name}.key")


@dataclass(frozen=True, slots=True)
class Approver:
    """Who answers, and what proves it: a key of theirs, or an ID token that carries the statement's nonce."""

    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Your name among the approvers.", show_default=False)
    ]
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Your Ed25519 private key (OpenSSH).", show_default=False),
    ] = None
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Send nothing: keep the statement in FILE; with --key signed, as a resume value for other UIs,"
            " else with the nonce for your ID token on stdout.",
            rich_help_panel=_NO_KEY,
        ),
    ] = None
    saved: Annotated[
        Path | None,
        typer.Option(
            "--vote",
            metavar="FILE",
            help="What --save kept; the rest of the command has to say the same again.",
            rich_help_panel=_NO_KEY,
        ),
    ] = None
    id_token: Annotated[
        str | None,
        typer.Option(
            "--id-token",
            metavar="FILE",
            help="In place of a key: your ID token for --vote; - reads stdin.",
            rich_help_panel=_NO_KEY,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Onward:
    """Where the thread goes on once it is answered, and how that is told."""

    graph: Annotated[
        str | None,
        typer.Option(
            "--graph",
            metavar="MODULE:FACTORY",
            help="The graph that the thread goes on in; else a worker wakes it.",
            rich_help_panel=_ONWARD,
        ),
    ] = None
    effects: Annotated[
        str | None,
        typer.Option(
            "--effects",
            metavar="MODULE:FUNCTION",
            help="What tells of the effects, given the store's folder.",
            rich_help_panel=_ONWARD,
        ),
    ] = None
    as_json: AsJson = False


def moment(text: str) -> datetime:
    """Return the moment (UTC) that *text* spells, with its zone (RFC 3339). Raises BadParameter with an example."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter("expected a time with its zone, such as 2026-01-05T10:00:00Z (UTC)")


def options(function: Callable[..., None]) -> Callable[..., None]:
    """Return *function* as typer takes it: each parameter that is a record of options is those options instead."""
    given = signature(function, eval_str=True).parameters.values()
    records: dict[str, type] = {part.name: part.annotation for part in given if _is_record(part.annotation)}

    @wraps(function)
    def command(**found: object) -> None:
        for name, record in records.items():
            found[name] = record(**{field.name: found.pop(field.name) for field in fields(record)})
        function(**found)

    own = [part for part in given if part.name not in records]
    spread = [*own, *(one for record in records.values() for one in _fields(record))]  # its help shows its own first
    command.__signature__ = Signature(  # type: ignore[attr-defined]  # what typer reads (PEP 362)
        [part.replace(kind=Parameter.KEYWORD_ONLY) for part in spread]
    )
    command.__annotations__ = {}
    return command


def _is_record(annotation: object) -> bool:
    return isinstance(annotation, type) and is_dataclass(annotation)


def _fields(record: type) -> Iterator[Parameter]:
    hints = get_type_hints(record, include_extras=True)
    for field in fields(record):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])


__all__ = [
    "DEFAULT_STORE",
    "STORE_ENVIRONMENT",
    "Approver",
    "AsJson",
    "Deployment",
    "Onward",
    "RequestId",
    "moment",
    "options",
]
