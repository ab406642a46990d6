"""``python -m benchmarks.train_classifier --data PATH``: make the table that the package ships, again.

The file comes from outside (its rows' licences stand in `_injections.LICENCES`). One half is held back before training;
the threshold is chosen by cross-validation on the other. Runs a minute, in plain Python; the same data, the same bytes.
"""

import argparse
import json
import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from benchmarks._fit import Example, example, fit, pack, stretch
from benchmarks._hard_negatives import hard_negatives
from benchmarks._injections import USER_TEXT, WORDING, Text, dealt, read, split, without
from benchmarks._own_attacks import own_attacks

SHIPPED: Final = Path(__file__).parents[1] / "guarded_agents" / "weights" / "injection.bin"
FALSE_POSITIVES: Final = 0.005
"""Of the benign documents and tool results of the training half that may be found: half of what is promised."""
_FOLDS: Final = 4
_JUST_ABOVE: Final = 0.05  # more than a step of a packed weight
_WEIGHTS: Final = {"made": 0.7, "own": 2.0}  # by source: what is much alike less, what the data have little of more
_PIECE: Final = 40  # words of an attack that are learnt from at a time, so that short ones are found as well
_LEARNT: Final = 600  # words of a part: beyond them an attack repeats itself


def train(texts: Sequence[Text]) -> bytes:
    """Return the table that is learnt from the training half of *texts*."""
    training, held = split(texts)
    made = [Text(text, "made", is_attack=False) for text in hard_negatives()]
    own = without([Text(text, "own", is_attack=True) for text in own_attacks()], held)
    rows = [*training, *made]
    return pack(fit(_examples([*rows, *own])), threshold=_threshold(rows, own))


def _threshold(rows: Sequence[Text], own: Sequence[Text]) -> float:
    """Return the score that FALSE_POSITIVES of the documents in *rows* pass, of each fold as the others see it.

    Our own texts do not count: they are there to be learnt from, harder and more alike than what servers answer.
    """
    folds = dealt(rows, sides=_FOLDS)
    scores = []
    for fold in folds:
        rest = [text for other in folds if other is not fold for text in other]
        weights = fit(_examples(without([*rest, *own], fold)))
        for text in fold:
            found = example(text.parts, is_attack=False).pieces
            if text.is_document and text.source != "made" and found:
                scores.append(stretch(weights, found).score)
    scores.sort(reverse=True)
    return scores[math.floor(FALSE_POSITIVES * len(scores))] + _JUST_ABOVE


def _examples(texts: Sequence[Text]) -> list[Example]:
    return [one for text in texts if text.source not in USER_TEXT for one in _examples_of(text)]


def _examples_of(text: Text) -> list[Example]:
    """Return the examples that *text* gives: a benign one as a whole, an attack piece by piece."""
    weight = _WEIGHTS.get(text.source, 1.0)
    if not text.is_attack:
        return [example(text.parts, is_attack=False, weight=weight)]
    pieces = [
        part[at : at + _PIECE]
        for part in map(str.split, text.parts)
        for at in range(0, min(len(part), _LEARNT), _PIECE)
    ]
    chosen = [piece for piece in pieces if len(piece) >= WORDING] or pieces
    share = weight / max(1, len(chosen)) ** 0.7
    return [example([" ".join(piece)], is_attack=True, weight=share) for piece in chosen]


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
