"""``guarded-agents approvals``: find what waits, see exactly what will be sent, answer it, look after the rest."""

from typing import Final

import typer

from guarded_agents.cli import _answering, _extending, _keygen, _looking, _tending

app: Final = typer.Typer(
    name="approvals", help="Find what waits for an answer, look at it, answer it.", no_args_is_help=True
)

for _panel, _commands in (
    ("Look", {"list": _looking.list_requests, "show": _looking.show}),
    (
        "Answer",
        {
            "approve": _answering.approve,
            "edit": _answering.edit,
            "reject": _answering.reject,
            "respond": _answering.respond,
            "delegate": _answering.delegate,
            "break-glass": _answering.break_glass,
        },
    ),
    (
        "Look after",
        {
            "review": _tending.review,
            "resolve": _tending.resolve,
            "extend-plan": _extending.extend_plan,
            "sweep": _tending.sweep,
            "wake": _tending.wake_command,
            "keygen": _keygen.keygen,
        },
    ),
):
    for _name, _command in _commands.items():
        app.command(name=_name, rich_help_panel=_panel)(_command)

__all__ = ["app"]
