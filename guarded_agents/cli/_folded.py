"""JSON as an approver reads it: nothing hides in it, and what is long is folded to its start, length and digest."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

import orjson
import rfc8785

from guarded_agents.catalog import visible_json

FOLD_CHARS: Final = 400  # of a text; beyond it length and digest stand for the rest
FOLD_MEMBERS: Final = 100  # of a list or object
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def folded(value: object, *, is_full: bool) -> str:
    r"""Return *value* as indented JSON, invisible characters as ``\uXXXX``, what is long folded unless *is_full*.

    What tells of a fold stands outside of the quotes, so that no text can pretend one.
    """
    return _container(value, "", is_full=is_full)


def difference(before: object, after: object, *, is_full: bool) -> list[str]:
    """Return a line for each member that differs: ``- path: value`` as it was, ``+ path: value`` as it is."""
    lines = []
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in dict.fromkeys((*old, *new)):
        if path in old and path in new and _same(old[path], new[path]):
            continue
        lines += [
            f"{sign} {path}: {_value(leaves[path], is_full=is_full)}"
            for sign, leaves in (("-", old), ("+", new))
            if path in leaves
        ]
    return lines


def _container(value: object, indent: str, *, is_full: bool) -> str:
    inner = f"{indent}  "
    if isinstance(value, Mapping) and value:
        lines = [
            f"{inner}{_text(str(name), is_full=is_full)}: {_container(member, inner, is_full=is_full)}"
            for name, member in value.items()
        ]
        return "\n".join(["{", *_some(lines, value, inner, is_full=is_full), f"{indent}}}"])
    if isinstance(value, list) and value:
        lines = [f"{inner}{_container(member, inner, is_full=is_full)}" for member in value]
        return "\n".join(["[", *_some(lines, value, inner, is_full=is_full), f"{indent}]"])
    return _value(value, is_full=is_full)


def _some(lines: list[str], value: object, inner: str, *, is_full: bool) -> Iterator[str]:
    """Yield *lines* with commas between, or the first of them and what stands for the rest."""
    kept = lines if is_full else lines[:FOLD_MEMBERS]
    yield from (f"{line}," for line in kept[:-1])
    if len(kept) == len(lines):
        yield kept[-1]
        return
    yield f"{kept[-1]},"
    yield f"{inner}... {len(lines):,} in all, SHA-256 of its canonical JSON {sha256(rfc8785.dumps(value)).hexdigest()}"  # type: ignore[arg-type]  # it was parsed from JSON


def _value(value: object, *, is_full: bool) -> str:
    if isinstance(value, str):
        return _text(value, is_full=is_full)
    return visible_json(orjson.dumps(value).decode())


def _text(value: str, *, is_full: bool) -> str:
    shown = value if is_full else value[:FOLD_CHARS]
    spelt = visible_json(orjson.dumps(shown).decode())
    if len(shown) == len(value):
        return spelt
    return f"{spelt}... {len(value):,} characters in all, SHA-256 {sha256(value.encode()).hexdigest()}"


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value that holds no other by its path, which tells ``{"a.b": 1}`` from ``{"a": {"b": 1}}``."""
    if isinstance(value, Mapping) and value:
        for name, member in value.items():
            if _PLAIN_NAME.fullmatch(name):
                yield from _leaves(member, f"{path}.{name}" if path else name)
            else:
                yield from _leaves(member, f"{path}[{_text(name, is_full=True)}]")
    elif isinstance(value, list) and value:
        for number, member in enumerate(value):
            yield from _leaves(member, f"{path}[{number}]")
    else:
        yield path or "(all)", value


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other  # True is 1, and 50000.0 is 50000, only to Python


__all__ = ["FOLD_CHARS", "FOLD_MEMBERS", "difference", "folded"]
