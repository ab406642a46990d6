"""``python -m benchmarks.text_screening --data PATH``: what patterns and classifier find of the half held back.

The classifier has seen no wording of an attack there. The patterns were written while looking at all of the data, so
that their rows, and those of both, are not held back in that sense. A table goes to standard error, JSON to standard
output.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks._injections import HELD_BACK, Text, digest, groups, read, split, wordings
from benchmarks._machine import machine
from guarded_agents.screen import WORDINGS, Detector, InjectionClassifier, PatternDetector, Stage, clean
from guarded_agents.weights import injection_weights

_Z: Final = 1.959964  # of a 95 % interval


class Share(NamedTuple):
    """How many of how many were found, with Wilson's 95 % interval."""

    found: int
    of: int

    def as_json(self) -> dict[str, object]:
        """Return the share as the report has it; nothing of nothing has none."""
        if not self.of:
            return {"found": 0, "of": 0}
        return {
            "found": self.found,
            "of": self.of,
            "share": round(self.found / self.of, 4),
            "wilson": [round(end, 4) for end in wilson(self.found, self.of)],
        }


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of the share *found* of *of* (Wilson 1927)."""
    share, square = found / of, _Z * _Z / of
    middle = share + square / 2
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def measure(texts: Sequence[Text]) -> dict[str, object]:
    """Return the report on the half of *texts* that is held back, and whether that is the half that was fixed."""
    training, held = split(texts)
    shared = wordings(filter(_is_attack, training)) & wordings(filter(_is_attack, held))
    detectors: dict[str, Detector] = {
        "patterns": PatternDetector(WORDINGS),
        "classifier": InjectionClassifier(injection_weights()),
    }
    found = {name: [_finds(detector, text) for text in held] for name, detector in detectors.items()}
    found["both"] = [one or other for one, other in zip(*found.values(), strict=True)]
    return {
        "machine": machine(),
        "held_back": len(held),
        "held_back_sha256": digest(held),
        "as_fixed_beforehand": digest(held) == HELD_BACK,
        "wordings_of_attacks_on_both_sides": len(shared),
        "overall": {name: _overall(held, hits) for name, hits in found.items()},
        "recall_where_each_group_of_wordings_counts_one": {
            name: round(_by_group(held, hits), 4) for name, hits in found.items()
        },
        "by_source": _by_source(held, found),
    }


def _is_attack(text: Text) -> bool:
    return text.is_attack


def _finds(detector: Detector, text: Text) -> bool:
    return bool(detector.detect(clean(text.text), stage=Stage.TOOL_RESULT))


def _overall(held: Sequence[Text], hits: Sequence[bool]) -> dict[str, object]:
    kinds: dict[str, Callable[[Text], bool]] = {
        "recall": _is_attack,
        "recall_in_tool_results": lambda text: text.is_attack and text.source.endswith("-injected"),
        "false_positives": lambda text: text.is_document,
        "found_of_user_text": lambda text: not text.is_attack and not text.is_document,
    }
    return {name: _share(held, hits, kind).as_json() for name, kind in kinds.items()}


def _by_group(held: Sequence[Text], hits: Sequence[bool]) -> float:
    """Return the mean of the shares found of each group of attacks that have a wording in common; 0 of none."""
    found = {id(text): hit for text, hit in zip(held, hits, strict=True)}
    shares = [
        sum(found[id(text)] for text in group) / len(group) for group in groups(held) if all(map(_is_attack, group))
    ]
    return sum(shares) / max(1, len(shares))


def _by_source(held: Sequence[Text], found: Mapping[str, Sequence[bool]]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for source, is_attack in sorted({(text.source, text.is_attack) for text in held}):

        def belongs(text: Text, source: str = source, *, is_attack: bool = is_attack) -> bool:
            return text.source == source and text.is_attack == is_attack

        shares = {name: _share(held, hits, belongs).as_json() for name, hits in found.items()}
        rows.append({"source": source, "kind": "attack" if is_attack else "benign", **shares})
    return rows


def _share(held: Sequence[Text], hits: Sequence[bool], belongs: Callable[[Text], bool]) -> Share:
    chosen = [hit for text, hit in zip(held, hits, strict=True) if belongs(text)]
    return Share(sum(chosen), len(chosen))


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    lines = [f"{'source':36}{'kind':8}{'patterns':>12}{'classifier':>12}{'both':>12}"]
    for row in rows:
        cells = [row[name] for name in ("patterns", "classifier", "both")]
        shown = [f"{cell['found']}/{cell['of']}" for cell in cells if isinstance(cell, dict)]
        lines.append(f"{row['source']:36}{row['kind']:8}" + "".join(f"{cell:>12}" for cell in shown))
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text_screening", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dev.jsonl")
    given = parser.parse_args()
    report = measure(read(given.data))
    rows = report["by_source"]
    if isinstance(rows, list):
        print(_table(rows), file=sys.stderr)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
