r"""Texts drawn from a grammar of this project: a file of names in brackets, each followed by what may stand for it.

Alternatives are parted by ``||`` or stand on lines of their own; a name in braces stands for one of its own, drawn at
random; ``\n`` is a line feed, ``(nothing)`` is empty, and a line that begins with ``#`` and a blank says something.
"""

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

_TEXTS: Final = Path(__file__).parent / "texts"
_ATTACKS: Final = {
    "planted": 900,
    "extraction": 220,
    "role": 500,
    "harmful": 1200,
    "side": 1300,
    "office": 600,
    "foreign": 80,
}
_PLAIN: Final = {"document": 900, "mail": 500, "record": 150, "fact": 250, "code": 150, "step": 150}


def own_attacks() -> list[str]:
    """Return orders to a model planted in texts, of every kind, the data holding few; the same each time."""
    return _drawn_of("attacks.txt", _ATTACKS, seed=6)


def plain_texts() -> list[str]:
    """Return benign texts that use the words of such orders for what they mean elsewhere; the same each time."""
    return _drawn_of("plain.txt", _PLAIN, seed=9)


def _drawn_of(file: str, kinds: Mapping[str, int], *, seed: int) -> list[str]:
    chance = random.Random(seed)  # noqa: S311 - the same texts each time
    grammar = _grammar(file)
    return sorted({_drawn(grammar, kind, chance).strip() for kind, count in kinds.items() for _ in range(count)})


def _drawn(grammar: Mapping[str, Sequence[str]], name: str, chance: random.Random) -> str:
    line = chance.choice(grammar[name])
    return re.sub(r"\{([a-z_]+)\}", lambda found: _drawn(grammar, found[1], chance), line)


@cache
def _grammar(file: str) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    name = ""
    for line in (_TEXTS / file).read_text(encoding="utf-8").split("\n"):
        if line.startswith("[") and line.endswith("]") and line[1:-1].isidentifier():
            name = line[1:-1]
        elif not line.startswith("# ") or name:
            found[name] += [_plain(each) for each in line.split("||") if each.strip()]
    return {name: lines for name, lines in found.items() if name}


def _plain(alternative: str) -> str:
    text = alternative.strip()
    return "" if text == "(nothing)" else text.replace("\\n", "\n").replace("\\\\", "\\")
