"""Change bytes of what was read, and see whether a call that nobody had licensed may then run unattended."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Final

from pydantic import JsonValue

from benchmarks.dojo._weighed import Weighed, Weighing
from benchmarks.dojo._world import Cases
from guarded_agents.provenance import Facts, Ruling, SeenResult, fields_of, weigh
from guarded_agents.records import Integrity

_SEED: Final = 20_261_123
_ANY: Final = "".join(map(chr, range(256)))


def changed_readings(weighed: Weighed, cases: Cases, changes: int) -> dict[str, object]:
    """Play every pair of *cases* and weigh each call that was not permitted again, after each of so many *changes*.

    Each changes one untrusted field that the thread had read. What became a permit is listed: there is to be nothing.
    """
    random, count, calls, turned = Random(_SEED), 0, 0, list[str]()  # noqa: S311 - no secret is made of it
    for task in cases["tasks"]:
        for attack in [None, *cases["attacks"]]:
            for weighing in weighed.run(task, attack).weighings:
                if weighing.ruling is Ruling.UNATTENDED:
                    continue
                calls += 1
                for facts in _changed(weighing, random, changes):
                    count += 1
                    after = weigh(weighing.call["args"], weighing.rule, facts)
                    if after.ruling is Ruling.UNATTENDED:
                        turned.append(f"{task} {attack} {weighing.call['tool']}")
    return {"calls": calls, "changed_readings": count, "turned_into_permits": turned}


def _changed(weighing: Weighing, random: Random, changes: int) -> Iterator[Facts]:
    facts = weighing.facts
    places = [(number, pointer) for number, result in enumerate(facts.results) for pointer in _untrusted(result)]
    useful = [*_words(weighing.call["args"]), *facts.texts[0].text.split(), facts.texts[0].text]
    for _ in range(changes if places else 0):
        number, pointer = random.choice(places)
        results = [*facts.results]
        results[number] = replace(results[number], value=_put(results[number].value, pointer, useful, random))
        yield replace(facts, results=tuple(results))


def _untrusted(result: SeenResult) -> list[str]:
    fields = fields_of(result.value, result.terms)
    return [one.pointer for one in fields if one.labels.integrity is not Integrity.TRUSTED]


def _put(value: JsonValue, pointer: str, useful: list[str], random: Random) -> JsonValue:
    """Return *value* with other bytes at *pointer*: any, or what would suit an attacker, in a part or as the whole."""
    changed = part = deepcopy(value)
    if not pointer:
        return _other(value, useful, random)
    *above, last = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
    for name in above:
        part = part[int(name)] if isinstance(part, list) else part[name]  # type: ignore[index]
    if isinstance(part, list):
        part[int(last)] = _other(part[int(last)], useful, random)
    elif isinstance(part, dict):
        part[last] = _other(part[last], useful, random)
    return changed


def _other(before: JsonValue, useful: list[str], random: Random) -> JsonValue:
    word = random.choice(useful) if random.random() < 0.8 else "".join(random.choices(_ANY, k=random.randint(1, 9)))  # noqa: PLR2004
    old = before if isinstance(before, str) else ""
    start = random.randint(0, len(old))
    end = random.randint(start, len(old))
    forms: list[JsonValue] = [word, [word], {word: word}, f"{old[:start]}{word}{old[end:]}", f"{old[:start]} {word} "]
    return random.choice(forms)


def _words(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    else:
        yield str(value)
