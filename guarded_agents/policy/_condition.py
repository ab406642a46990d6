"""Conditions: CEL inside a fence (FACTS L3).

The library compiles unknown names and functions, calls ``foo(1) || true`` true, nests macros
without bound and dies on deep nesting. So a condition is split into tokens here, the tokens are
checked, and what the parser gets is written from the checked tokens: it cannot read another text
than was checked. Allowed are comparisons, logic, arithmetic, lists, ``args.…``,
``principal.id|tenant|acting_for``, ``labels.integrity|confidentiality`` compared with a known
label, ``has``, ``size``, ``startsWith``, ``endsWith``, ``contains``, ``matches`` with a literal
pattern, and ``all``, ``exists``, ``exists_one`` that do not nest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Final

import cel
from pydantic import JsonValue

from guarded_agents.policy._fence import ConditionFault, check_tokens, tokens_of
from guarded_agents.records import AccessRequest

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,14}")
_MAX_STRING: Final = 65_536
_MAX_ITEMS: Final = 1_000
_MAX_DEPTH: Final = 32
_MAX_SAFE_INT: Final = 2**53 - 1
# What the library raises: a missing key, a wrong type, division by zero, overflow, a value that
# it cannot convert. A panic of its Rust code is a BaseException that it does not export.
_FAILURES: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_PANIC: Final = "PanicException"


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition and the names that it reads, so that only these are converted."""

    program: cel.Program
    arguments: tuple[str, ...] | None  # None: the expression reads ``args`` as a whole
    principal: tuple[str, ...]
    labels: tuple[str, ...]

    def holds(self, request: AccessRequest) -> bool | None:
        """Return what the condition says; None where it fails or says anything but true or false."""
        given = request.arguments
        if self.arguments is not None:
            given = {name: given[name] for name in self.arguments if name in given}
        if not _is_bounded(given):
            return None
        names: dict[str, Mapping[str, JsonValue]] = {"args": given}
        if self.principal:
            names["principal"] = _principal(request, self.principal)
        if self.labels:
            names["labels"] = {name: str(getattr(request.labels, name)) for name in self.labels}
        try:
            answer: object = self.program.execute(dict(names))
        except _FAILURES:
            return None
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            return None
        return answer if isinstance(answer, bool) else None


@lru_cache(maxsize=32_768)
def compile_condition(text: str) -> Condition:
    """Return the compiled condition. Raises ConditionFault where it leaves the fence or is no CEL."""
    tokens = tokens_of(text)
    _check_shape(" ".join("1" if _NUMBER.fullmatch(token) else token for token in tokens))
    return _compiled(tokens)


@lru_cache(maxsize=32_768)
def check_condition(text: str) -> None:
    """Raise ConditionFault where *text* leaves the fence or is no CEL; compiles it only if its shape is new."""
    _check_shape(" ".join("1" if _NUMBER.fullmatch(token) else token for token in tokens_of(text)))


@lru_cache(maxsize=4_096)
def _check_shape(shape: str) -> None:
    """Check what *shape* shares with every condition that differs from it in positive integers only."""
    tokens = tokens_of(shape)
    check_tokens(tokens)
    _compiled(tokens)


def _compiled(tokens: list[str]) -> Condition:
    try:
        program = cel.compile(" ".join(tokens))
    except ValueError as error:
        raise ConditionFault("a CEL expression", _parser_said(error)) from None
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise ConditionFault("a CEL expression", "one that its parser cannot take") from None
    _check_patterns(tokens)
    return Condition(program, _arguments(tokens), _fields(tokens, "principal"), _fields(tokens, "labels"))


def _check_patterns(tokens: list[str]) -> None:
    for position, token in enumerate(tokens):
        if token == "matches" and tokens[position + 1 : position + 2] == ["("]:  # noqa: S105  a token of CEL
            try:
                cel.compile(f"''.matches({tokens[position + 2]})").execute({})
            except _FAILURES:
                raise ConditionFault("a regular expression that RE2 syntax allows", "another pattern") from None


def _parser_said(error: ValueError) -> str:
    problem = str(error).partition("ERROR: ")[2].partition("\n")[0]
    return problem.removeprefix("<input>:")[:160] or "something else"


def _arguments(tokens: list[str]) -> tuple[str, ...] | None:
    """Return the top-level arguments read, or None where ``args`` is used in another way."""
    found = set()
    for position, token in enumerate(tokens):
        if token == "args" and tokens[position - 1 : position] != ["."]:  # noqa: S105  a token of CEL
            after = tokens[position + 1 : position + 4]
            if after[:1] != ["."] or after[2:] == ["("]:
                return None
            found.add(after[1])
    return tuple(sorted(found))


def _fields(tokens: list[str], root: str) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                tokens[position + 2]
                for position, token in enumerate(tokens)
                if token == root and tokens[position - 1 : position] != ["."]
            }
        )
    )


def _principal(request: AccessRequest, fields: tuple[str, ...]) -> dict[str, JsonValue]:
    every = {
        "id": request.principal.id,
        "tenant": request.tenant,
        "acting_for": request.principal.acting_for,
    }
    return {name: every[name] for name in fields}


def _is_bounded(arguments: Mapping[str, JsonValue]) -> bool:
    """Return whether *arguments* are within what the library converts safely; without recursion."""
    level: list[JsonValue] = list(arguments.values())
    items = len(level)
    for _ in range(_MAX_DEPTH):
        deeper: list[JsonValue] = []
        for child in level:
            if isinstance(child, dict):
                deeper.extend(child.values())
            elif isinstance(child, list):
                deeper.extend(child)
            elif not _is_safe_leaf(child):
                return False
        if not deeper:
            return True
        level, items = deeper, items + len(deeper)
        if items > _MAX_ITEMS:
            return False
    return False


def _is_safe_leaf(value: JsonValue) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_STRING
    if isinstance(value, float):
        return isfinite(value)
    return not isinstance(value, int) or -_MAX_SAFE_INT <= value <= _MAX_SAFE_INT
