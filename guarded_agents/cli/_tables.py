"""Tables for a terminal of 80 columns or more, with or without colour."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from guarded_agents.catalog import visible
from guarded_agents.cli._report import Call, Report
from guarded_agents.cli._text import brief, brief_json
from guarded_agents.records import StandingRequest

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS: Final = ("tool", "decision", "rule", "approver", "outcome")
_FOLDED_CHARS: Final = 16  # a column is never made narrower than this to fit
_STYLES: Final = {"permit": "green", "deny": "red", "executed": "green", "refused": "red", "waiting": "yellow"}


def print_report(report: Report) -> None:
    """Print the closing tables: calls, effects, and whether the log verifies."""
    console = _console()
    _print_calls(console, report.calls)
    if report.effects is not None:
        _print_effects(console, report.effects)
    audit = report.audit
    verdict = "verified" if audit.verified else "NOT VERIFIED"
    console.print(f"AUDIT LOG  {verdict}, {audit.entries:,} entries", style="bold" if audit.verified else "bold red")
    for sequence, what in audit.findings:
        console.print(f"    entry {sequence}: {what}")


def print_requests(found: Sequence[StandingRequest]) -> None:
    """Print one line a request."""
    console = _console()
    rows = [("ID", "TOOL", "ASKED BY", "HELD BY", "STATUS", "UNTIL (UTC)")]
    for standing in found:
        request = standing.request
        rows.append(
            (
                request.id,
                visible(f"{request.server}/{request.tool}"),
                visible(request.requester.id),
                visible(request.approval_rule),
                standing.status.value,
                f"{request.decide_by:%Y-%m-%d %H:%M}",
            )
        )
    _print_rows(console, rows)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _print_calls(console: "Console", calls: Sequence[Call]) -> None:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    rows += [
        (visible(call.tool), call.decision, visible(call.rule), visible(call.approver or "-"), call.outcome)
        for call in calls
    ]
    _print_rows(console, rows, ["", *("\n".join(_below(call)) for call in calls)])


def _below(call: Call) -> Iterator[str]:
    if call.approval is not None:
        yield f"approval {visible(call.approval_rule or '')}: {call.approval}"
    if call.reason and call.reason != call.approval:
        yield f"reason: {call.reason.replace('_', ' ')}"
    yield from brief(call.arguments)


def _print_effects(console: "Console", effects: object) -> None:
    console.print("EFFECTS  found in the servers' databases", style="bold")
    for name, rows in (effects if isinstance(effects, Mapping) else {"effects": effects}).items():
        found = rows if isinstance(rows, list) else [rows]
        console.print(f"  {visible(str(name))}: {len(found) or 'none'}", soft_wrap=True)
        for row in found:
            first, *rest = brief_json(row) or ["{}"]
            _print_indented(console, [f"- {first}", *(f"  {line}" for line in rest)])
    console.print()


def _print_rows(console: "Console", rows: Sequence[tuple[str, ...]], below: Sequence[str] = ()) -> None:
    """Print *rows*, the first of which is the heading, each with what stands *below* it over the whole width."""
    from rich.table import Table
    from rich.text import Text

    widths = _widths(rows, console.width)
    for number, row in enumerate(rows):
        table = Table.grid(padding=(0, 1))
        for width in widths:
            table.add_column(width=width, overflow="fold")
        style = "" if number else "bold"
        table.add_row(
            *(Text(_folded(cell, width), _STYLES.get(cell, style)) for cell, width in zip(row, widths, strict=True))
        )
        console.print(table)
        if below:
            _print_indented(console, below[number].split("\n") if below[number] else ())
            console.print()


def _widths(rows: Sequence[tuple[str, ...]], available: int) -> list[int]:
    """Return the width of each column; the widest give way until all fit."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + len(widths) > available and max(widths) > _FOLDED_CHARS:
        widths[widths.index(max(widths))] -= 1
    return widths


def _folded(cell: str, width: int) -> str:
    """Return *cell*, which does not fit, folded after the colon of a rule's id where it has one."""
    return cell if len(cell) <= width else cell.replace(":", ":\n", 1)


def _print_indented(console: "Console", lines: Sequence[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for line in lines:
        console.print(Padding(Text(line, "dim", overflow="fold"), (0, 0, 0, 4), expand=False))


__all__ = ["print_report", "print_requests"]
