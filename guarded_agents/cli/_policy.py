"""``guarded-agents policy``: check a policy file, explain a decision."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from pydantic import ValidationError

from guarded_agents.binding import canonical, parse
from guarded_agents.cli._exits import wrong_use
from guarded_agents.cli._options import AsJson
from guarded_agents.cli._text import columns, wrapped
from guarded_agents.errors import BindingError, ConfigurationError
from guarded_agents.policy import Policy, explain, load_policy, seldom_meant
from guarded_agents.records import AccessRequest, Labels, Principal, ToolRef

app: Final = typer.Typer(
    name="policy", help="Check a policy file, and ask why it decides as it does.", no_args_is_help=True
)

_PolicyPath = Annotated[Path, typer.Argument(metavar="FILE", help="The policy file.", show_default=False)]


@app.command()
def check(path: _PolicyPath, *, as_json: AsJson = False) -> None:
    """Load FILE as the guard would. Exit status 0 where it can be used, 2 where not."""
    policy = _loaded(path)
    notes = seldom_meant(policy, now=datetime.now(UTC))
    summary = {
        "source": policy.source,
        "digest": policy.digest,
        "principals": len(policy.principals),
        "approvers": len(policy.approvers),
        "tools": len(policy.tools),
        "exceptions": len(policy.exceptions),
        "notes": notes,
    }
    if as_json:
        typer.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
        return
    typer.echo(
        f"{policy.source}: ok, {len(policy.tools)} tools, {len(policy.principals)} principals,"
        f" {len(policy.exceptions)} exceptions, SHA-256 {policy.digest}"
    )
    for note in notes:
        typer.echo(f"note: {note}")


@app.command(name="explain")
def explain_command(  # noqa: PLR0913  the options of a command
    path: _PolicyPath,
    *,
    principal: Annotated[str, typer.Option(help="Who asks.")],
    tool: Annotated[str, typer.Option(help="The tool, as server/tool.")],
    scopes: Annotated[
        str | None, typer.Option(help="What the caller's token grants, with commas; left out, all of the policy's.")
    ] = None,
    args: Annotated[str, typer.Option(help="The arguments, a JSON object.")] = "{}",
    label: Annotated[
        list[str] | None, typer.Option(help="A label of the thread, such as integrity=trusted; the rest is strict.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant it asks in.")] = "default",
    acting_for: Annotated[str | None, typer.Option(help="Whom the principal acts for.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="The moment (UTC); left out, now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how FILE decides one call, by which rule, and why. Exit status 0 for permit and deny alike."""
    policy = _loaded(path)
    try:
        request = AccessRequest(
            principal=Principal(id=principal, scopes=_scopes(policy, principal, scopes), acting_for=acting_for),
            tenant=tenant,
            tool=_tool(tool),
            arguments=parse(canonical(_json(args))),
            labels=_labels(label or []),
        )
    except BindingError as error:
        raise wrong_use(error) from None
    now = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    explanation = explain(policy, request, now=now)
    if as_json:
        typer.echo(explanation.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(wrapped(explanation.text().split("\n"), columns=columns(), hanging=6)))


def _loaded(path: Path) -> Policy:
    try:
        return load_policy(path.read_bytes(), source=str(path))
    except OSError as error:
        got = error.strerror or type(error).__name__
        missing = ConfigurationError(str(path), expected="a policy file", got=got, action="name another file")
        raise wrong_use(missing) from None
    except ConfigurationError as error:
        raise wrong_use(error) from None


def _scopes(policy: Policy, principal: str, scopes: str | None) -> tuple[str, ...]:
    if scopes is not None:
        return tuple(sorted({scope for scope in scopes.split(",") if scope}))
    entry = policy.principals.get(principal)
    return () if entry is None else entry.scopes


def _tool(tool: str) -> ToolRef:
    server, slash, name = tool.partition("/")
    if not slash:
        raise typer.BadParameter("write it as server/tool", param_hint="--tool")
    return ToolRef(server, name, "")


def _json(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise typer.BadParameter("it is no JSON", param_hint="--args") from None
    return value


def _labels(given: list[str]) -> Labels:
    pairs = dict(label.partition("=")[::2] for label in given)
    try:
        return Labels.model_validate_json(orjson.dumps(pairs))
    except ValidationError:
        raise typer.BadParameter(
            "integrity=trusted|untrusted or confidentiality=public|internal|confidential|restricted",
            param_hint="--label",
        ) from None
