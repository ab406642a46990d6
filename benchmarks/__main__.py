"""``python -m benchmarks``: progress goes to standard error, one JSON document to standard output."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("LANGSMITH_TRACING", "false")  # before LangChain is imported: a benchmark sends nothing anywhere

from benchmarks._machine import machine, yardstick_ms
from benchmarks._sections import FULL, QUICK, SECTIONS


async def measure(names: list[str], *, quick: bool) -> dict[str, object]:
    """Run the sections *names*; return the report."""
    form = QUICK if quick else FULL
    report: dict[str, object] = {"machine": machine(), "form": "quick" if quick else "full"}
    before, results = yardstick_ms(), {}
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows = []
        async for row in SECTIONS[name](form):
            shown = row.as_json()
            verdict = {True: "met", False: "MISSED", None: ""}[shown["met"]]  # type: ignore[index]  # bool or None
            print(f"  {row.name}: {shown['value']} {row.unit} {verdict}", file=sys.stderr, flush=True)
            rows.append(shown)
        results[name] = rows
    return report | {"yardstick_sha256_1_mb_ms": [before, yardstick_ms()], "sections": results}


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that everything runs")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="one section; may be repeated")
    parser.add_argument("--out", type=Path, help="write the report to this file too")
    given = parser.parse_args()
    report = asyncio.run(measure(given.only or list(SECTIONS), quick=given.quick))
    text = json.dumps(report, indent=2)
    if given.out is not None:
        given.out.write_text(text + "\n")
    print(text)


main()
