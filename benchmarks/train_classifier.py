"""``python -m benchmarks.train_classifier --data PATH``: make the table that the package ships, again.

The file comes from outside (its rows' licences stand in `_injections.LICENCES`). One half is held back before training;
the threshold is chosen by cross-validation on the other. Minutes, in plain Python; the same data, the same bytes.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from benchmarks._drawn import own_attacks, plain_texts
from benchmarks._fit import Example, example, fit, pack, stretch
from benchmarks._hard_negatives import hard_negatives
from benchmarks._injections import USER_TEXT, WORDING, Text, dealt, read, split, without, wordings

SHIPPED: Final = Path(__file__).parents[1] / "guarded_agents" / "weights" / "injection.bin"
FALSE_POSITIVES: Final = 0.008
"""Of the benign documents and tool results of the training half that may be found: less than the 1 % aimed at."""
_FOLDS: Final = 4
_JUST_ABOVE: Final = 0.05  # more than a step of a packed weight
_MADE: Final = 0.7  # what a benign text of our own counts: they are much alike
_PIECE: Final = 40  # words of an attack that are learnt from at a time, so that short ones are found as well
_LEARNT: Final = 600  # words of a part: beyond them an attack repeats itself
_SPREAD: Final = 0.7  # how much less each of the attacks counts that share a wording: 1 would make them count as one

_Wording = tuple[str, ...]


def train(texts: Sequence[Text], *, every: int = 1) -> bytes:
    """Return the table that is learnt from the training half of *texts*, and of our own texts each *every*-th."""
    training, held = split(texts)
    made = [Text(text, "made", is_attack=False) for text in (*hard_negatives(), *plain_texts())[::every]]
    own = without([Text(text, "own", is_attack=True) for text in own_attacks()[::every]], held)
    weights = fit(_examples([*training, *own, *made]))
    return pack(weights, threshold=_threshold(training, own, made))


def _threshold(rows: Sequence[Text], own: Sequence[Text], made: Sequence[Text]) -> float:
    """Return the score that FALSE_POSITIVES of the documents in *rows* pass, of each fold as the others see it."""
    folds = dealt(rows, sides=_FOLDS)
    scores = []
    for fold in folds:
        rest = [text for other in folds if other is not fold for text in other]
        weights = fit(_examples([*without([*rest, *own], fold), *made]))
        for text in fold:
            found = example(text.parts, is_attack=False).pieces
            if text.is_document and found:
                scores.append(stretch(weights, found).score)
    scores.sort(reverse=True)
    return scores[math.floor(FALSE_POSITIVES * len(scores))] + _JUST_ABOVE


def _examples(texts: Sequence[Text]) -> list[Example]:
    shared = Counter(wording for text in texts if text.is_attack for wording in wordings([text]))
    return [one for text in texts if text.source not in USER_TEXT for one in _examples_of(text, shared)]


def _examples_of(text: Text, shared: Mapping[_Wording, int]) -> list[Example]:
    """Return the examples that *text* gives: a benign one as a whole, an attack piece by piece.

    What an attack shares with others counts less for each: a wording with a hundred rows does not drown the rest.
    """
    if not text.is_attack:
        return [example(text.parts, is_attack=False, weight=_MADE if text.source == "made" else 1.0)]
    cut = [
        part[at : at + _PIECE]
        for part in map(str.split, text.parts)
        for at in range(0, min(len(part), _LEARNT), _PIECE)
    ]
    pieces = [" ".join(piece) for piece in [piece for piece in cut if len(piece) >= WORDING] or cut]
    share = 1 / max(1, len(pieces)) ** 0.7
    return [example([piece], is_attack=True, weight=share * _rarity(piece, shared)) for piece in pieces]


def _rarity(piece: str, shared: Mapping[_Wording, int]) -> float:
    """Return 1 for a *piece* whose wordings no other attack has, less the more have them."""
    found = wordings([Text(piece, "", is_attack=True)])
    return math.fsum(sorted(max(1, shared.get(wording, 1)) ** -_SPREAD for wording in found)) / len(found)


def main() -> None:
    """Parse the command line, write the table, and print its digest."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_classifier", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dev.jsonl")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the table goes")
    given = parser.parse_args()
    table = train(read(given.data))
    given.out.write_bytes(table)
    print(json.dumps({"out": str(given.out), "bytes": len(table), "sha256": sha256(table).hexdigest()}, indent=2))


if __name__ == "__main__":
    main()
