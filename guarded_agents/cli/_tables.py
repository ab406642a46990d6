"""Tables for a terminal of 80 columns or more, with or without colour."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import TYPE_CHECKING, Final

from guarded_agents.catalog import visible
from guarded_agents.cli._listed import Line, left
from guarded_agents.cli._report import Call, Report
from guarded_agents.cli._text import brief, brief_json
from guarded_agents.records import RequestStatus

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS: Final = ("tool", "decision", "rule", "approver", "outcome")
_FOLDED_CHARS: Final = 16  # a column is never made narrower than this to fit
_NAMES: Final = range(2, 5)  # the columns of requests that may be folded: an id is there to be copied
_NAME_CHARS: Final = 8
_ESCALATES: Final = 7  # its column
_PIECE: Final = re.compile(r"[^-/:@._ ]*[-/:@._ ]|[^-/:@._ ]+")
_STYLES: Final = {
    "permit": "green",
    "deny": "red",
    "executed": "green",
    "refused": "red",
    "waiting": "yellow",
    "high": "red",
}


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
        console.print(f"    entry {sequence}: {visible(what)}")


def print_requests(lines: Sequence[Line], *, with_status: bool, now: datetime) -> None:
    """Print a line for each question, with the time left at *now* (UTC) to answer, and until a backup joins."""
    rows = [("RISK", "ID", "TOOL", "ASKED BY", "GROUP", "VOTES", "LEFT", "ESCALATES", "STATUS")]
    for request, number, fewest, most in lines:
        is_open = request.status is RequestStatus.PENDING
        rows.append(
            (
                request.risk.value,
                visible(request.id),
                visible(request.tool) + (f" x{number:,}" if number > 1 else ""),
                visible(request.principal),
                visible(request.group),
                f"{fewest if fewest == most else f'{fewest}-{most}'}/{request.quorum}",
                left(request.decide_by, now=now) if is_open else "-",
                left(request.escalate_at, now=now, then="escalated") if is_open else "-",
                request.status.value,
            )
        )
    said = [with_status or name != "STATUS" for name in rows[0]]
    if all(row[_ESCALATES] == "-" for row in rows[1:]):
        said[_ESCALATES] = False
    _print_rows(_console(), [tuple(compress(row, said)) for row in rows], folded=_NAMES)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _print_calls(console: "Console", calls: Sequence[Call]) -> None:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    for call in calls:
        approvers = "\n".join(map(visible, call.approvers)) or "-"
        rows.append((visible(call.tool), visible(call.decision), visible(call.rule), approvers, visible(call.outcome)))
    _print_rows(console, rows, ["", *("\n".join(_below(call)) for call in calls)])


def _below(call: Call) -> Iterator[str]:
    if call.approval is not None:
        yield f"approval {visible(call.approval_rule or '')}: {visible(call.approval)}"
    if call.reason and call.reason != call.approval:
        yield f"reason: {visible(call.reason).replace('_', ' ')}"
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


def _print_rows(
    console: "Console", rows: Sequence[tuple[str, ...]], below: Sequence[str] = (), *, folded: range | None = None
) -> None:
    """Print *rows*, the first of which is the heading, each with what stands *below* it over the whole width.

    Where they do not fit, the columns *folded* give way, by default all that are wide.
    """
    from rich.table import Table
    from rich.text import Text

    widths = _widths(rows, console.width, folded)
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


def _widths(rows: Sequence[tuple[str, ...]], available: int, folded: range | None) -> list[int]:
    """Return the width of each column; the widest give way until all fit."""
    from rich.cells import cell_len  # a wide character takes two columns

    widths = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)]
    least = _FOLDED_CHARS if folded is None else _NAME_CHARS
    giving = range(len(widths)) if folded is None else folded
    while sum(widths) + len(widths) > available:
        widest = max(giving, key=widths.__getitem__)
        if widths[widest] <= least:
            break
        widths[widest] -= 1
    return widths


def _folded(cell: str, width: int) -> str:
    """Return *cell*, where it does not fit folded after the colon of a rule's id, or the slash of a tool.

    What is too long even so is folded after the other marks of a name.
    """
    if max(map(len, cell.split("\n"))) <= width:
        return cell
    halved = cell.replace(":", ":\n", 1) if ":" in cell else cell.replace("/", "/\n", 1)
    return "\n".join(part for line in halved.split("\n") for part in _parts(line, width))


def _parts(line: str, width: int) -> Iterator[str]:
    """Yield *line* in parts of at most *width* characters, each up to a mark; one that has none is longer."""
    part = ""
    for piece in _PIECE.findall(line):
        if part and len(part) + len(piece) > width:
            yield part
            part = ""
        part += piece
    yield part


def _print_indented(console: "Console", lines: Sequence[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for line in lines:
        console.print(Padding(Text(line, "dim", overflow="fold"), (0, 0, 0, 4), expand=False))


__all__ = ["print_report", "print_requests"]
