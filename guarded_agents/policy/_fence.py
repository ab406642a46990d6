"""The fence around CEL: which tokens a condition may have, and in which order (FACTS L3)."""

import re
from typing import Final, NoReturn

from guarded_agents.records import Confidentiality, Integrity

MAX_LENGTH: Final = 1_000  # characters; the parser dies at a nesting of about 8,400
MAX_DEPTH: Final = 16  # brackets; the parser refuses 96
_MAX_TERNARIES: Final = 8  # each one nests to the right
_MAX_MACROS: Final = 4  # each one is a loop over at most 1,000 items
_MAX_READS_IN_MACROS: Final = 4  # ``x in args.list`` makes it quadratic: 40 ms at 1,000 items
_MAX_PATTERNS: Final = 4  # the library compiles a pattern anew each time, 10 µs to 100 ms
_MAX_PATTERN: Final = 128
_MAX_SUMS: Final = 4  # joined lists would make a loop longer than the arguments are

_SPACE: Final = " \t\r\n"
_STRING: Final = (
    r"""r?'[^'\\\n\r]*'|r?"[^"\\\n\r]*"|r'[^'\n\r]*'|r"[^"\n\r]*"|'(?:[^'\\\n\r]|\\.)*'|"(?:[^"\\\n\r]|\\.)*\""""
)
_TOKEN: Final = re.compile(
    rf"[ \t\r\n]+|{_STRING}|[A-Za-z_][A-Za-z0-9_]*|[0-9]+\.[0-9]+|[0-9]+|&&|\|\||==|!=|<=|>=|[<>+\-*/%!?:.,()\[\]]"
)
_IS_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IS_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_IS_ZERO: Final = re.compile(r"0+(?:\.0+)?")
_WORDS: Final = frozenset(("true", "false", "null", "in"))
_FIELDS: Final = {
    "principal": frozenset(("id", "tenant", "acting_for")),
    "labels": frozenset(("integrity", "confidentiality")),
}
_LABELS: Final = {"integrity": frozenset(Integrity), "confidentiality": frozenset(Confidentiality)}
_ROOTS: Final = frozenset(("args", *_FIELDS))
_METHODS: Final = frozenset(("startsWith", "endsWith", "contains", "size", "matches"))
_MACROS: Final = frozenset(("all", "exists", "exists_one"))
_FUNCTIONS: Final = frozenset(("has", "size"))
_RELATIONS: Final = frozenset(("<", "<=", ">", ">=", "==", "!=", "in"))
_ENDS_RELATION: Final = frozenset(("&&", "||", "?", ":", ","))
_ENDS_VALUE: Final = frozenset((")", "]"))
_BEFORE_LABEL: Final = frozenset(("", "(", "&&", "||", "?", ":", ","))
_AFTER_LABEL: Final = frozenset(("", ")", "&&", "||", "?", ":", ","))


class ConditionFault(ValueError):  # noqa: N818  an answer to the loader, which words the error
    """A condition that cannot be used: what was expected, and what was got."""

    def __init__(self, expected: str, got: str) -> None:
        """Keep both; the loader adds the position."""
        self.expected, self.got = expected, got
        super().__init__(f"expected {expected}, got {got}")


def tokens_of(text: str) -> list[str]:
    """Return the tokens of *text*, without space. Raises ConditionFault for what is no token."""
    if len(text) > MAX_LENGTH:
        raise ConditionFault(f"a condition of at most {MAX_LENGTH} characters", str(len(text)))
    found = _TOKEN.findall(text)
    if sum(map(len, found)) != len(text):
        raise ConditionFault(
            "names, numbers, text in quotes, brackets ( ) [ ] and the operators of CEL", "another character"
        )
    tokens = [token for token in found if token[0] not in _SPACE]
    if not tokens:
        raise ConditionFault("a condition", "nothing")
    return tokens


def check_tokens(tokens: list[str]) -> None:
    """Raise ConditionFault where *tokens* leave the fence. Whether they are CEL is for the parser to say."""
    _Fence(tokens).check()


def _is_string(token: str) -> bool:
    return token[-1] in "'\""


class _Fence:
    """One walk over the tokens, with what is open and what was counted so far."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.depth = 0
        self.related = [False]  # for each open bracket, whether a comparison stands in this part of it
        self.macro_depth = 0  # depth outside the open macro's bracket, 0 based; see macro_name
        self.macro_name: str | None = None  # its variable, while a macro is open
        self.macros = self.reads = self.ternaries = self.patterns = self.sums = 0

    def at(self, position: int) -> str:
        """Return the token at *position*, empty outside."""
        return self.tokens[position] if 0 <= position < len(self.tokens) else ""

    def check(self) -> None:
        for position, token in enumerate(self.tokens):
            self.relation(token)
            if _IS_NAME.fullmatch(token):
                self.name(position, token)
            elif token[0].isdigit():
                if not _IS_NUMBER.fullmatch(token):
                    _refuse("decimal numbers of at most 15 digits, without leading zeros", "another number")
            elif not _is_string(token):
                self.sign(position, token)

    def relation(self, token: str) -> None:
        """``0 < a < 5`` compares a boolean with 5: it parses, and fails whatever a is."""
        if token in _RELATIONS:
            if self.related[-1]:
                _refuse("comparisons joined by && or ||", "a chain of them")
            self.related[-1] = True
        elif token in _ENDS_RELATION:
            self.related[-1] = False

    def sign(self, position: int, token: str) -> None:
        before, after = self.at(position - 1), self.at(position + 1)
        if token in "([":
            self.open()
        elif token in ")]":
            self.close()
        elif token in "-!":
            self.prefix(token, before, after)
        elif token in "?+":
            self.count(token)
        elif token == "." and not (self.ends_value(before) and _IS_NAME.fullmatch(after)):
            _refuse("'.' between a value and a name", "another '.'")
        elif token in "/%" and (not _IS_NUMBER.fullmatch(after) or _IS_ZERO.fullmatch(after)):
            _refuse("division by a number other than zero", "another divisor")

    def count(self, token: str) -> None:
        self.ternaries += token == "?"
        self.sums += token == "+"
        if self.ternaries > _MAX_TERNARIES:
            _refuse(f"at most {_MAX_TERNARIES} '?'", "more")
        if self.sums > _MAX_SUMS or (token == "+" and self.macro_name is not None):
            _refuse(f"at most {_MAX_SUMS} '+', none inside all, exists and exists_one", "more")

    def open(self) -> None:
        self.depth += 1
        self.related.append(False)
        if self.depth > MAX_DEPTH:
            _refuse(f"brackets nested at most {MAX_DEPTH} deep", "more")

    def close(self) -> None:
        self.depth -= 1
        if self.depth < 0:
            _refuse("balanced brackets", "one too many closed")
        self.related.pop()
        if self.macro_name is not None and self.depth == self.macro_depth:
            self.macro_name = None

    def prefix(self, token: str, before: str, after: str) -> None:
        if token == "!":
            if after == "!":
                _refuse("one '!' at a time", "two")
        elif not (self.ends_value(before) or before[:1].isdigit() or _IS_NUMBER.fullmatch(after)):
            _refuse("'-' between two values or before a number", "another '-'")  # -(-2^63) wraps round

    def ends_value(self, token: str) -> bool:
        is_name = _IS_NAME.fullmatch(token) is not None and token not in _WORDS
        return is_name or token in _ENDS_VALUE or (token != "" and _is_string(token))

    def name(self, position: int, token: str) -> None:
        called = self.at(position + 1) == "("
        if self.at(position - 1) == ".":
            if called:
                self.method(position, token)
        elif called:
            if token not in _FUNCTIONS:
                _refuse(f"one of the functions {_listed(_FUNCTIONS)}", f"{token[:40]!r}")
        elif token in _FIELDS:
            self.field(position, token)
        elif token == "args":
            self.reads += self.macro_name is not None
            if self.reads > _MAX_READS_IN_MACROS:
                _refuse(f"at most {_MAX_READS_IN_MACROS} readings of args inside all, exists and exists_one", "more")
        elif token not in _WORDS and token != self.macro_name:
            _refuse(f"one of the names {_listed(_ROOTS)}", f"{token[:40]!r}")

    def field(self, position: int, root: str) -> None:
        name = self.at(position + 2)
        if self.at(position + 1) != "." or name not in _FIELDS[root]:
            _refuse(f"{root}. and one of {_listed(_FIELDS[root])}", "another use")
        if root == "labels":
            self.label(position + 3, name)

    def label(self, position: int, name: str) -> None:
        """A misspelt label would differ from every label, and so permit always."""
        operator, first, before = self.at(position), self.at(position + 1), self.at(position - 4)
        values, end = [first], position + 2
        if operator == "in" and first == "[":
            values = []
            while self.at(end) not in ("]", ""):
                values.append(self.at(end))
                end += 1 + (self.at(end + 1) == ",")
            end += 1
        elif operator not in ("==", "!="):
            values = []
        known = _LABELS[name]
        whole = before in _BEFORE_LABEL and self.at(end) in _AFTER_LABEL
        if not whole or not values or any(not v or not _is_string(v) or v[1:-1] not in known for v in values):
            _refuse(f"labels.{name} compared by ==, != or in with {_listed(known)}", "another use")

    def method(self, position: int, token: str) -> None:
        if token in _MACROS:
            self.macro(position)
        elif token not in _METHODS:
            _refuse(f"one of the methods {_listed(_METHODS | _MACROS)}", f"{token[:40]!r}")
        elif token == "matches":
            pattern = self.at(position + 2)
            if not pattern or not _is_string(pattern) or self.at(position + 3) != ")":
                _refuse("matches with one pattern written in the policy", "another pattern")
            self.patterns += 1
            if self.patterns > _MAX_PATTERNS or len(pattern) > _MAX_PATTERN or self.macro_name is not None:
                _refuse(
                    f"at most {_MAX_PATTERNS} patterns of at most {_MAX_PATTERN} characters,"
                    " none inside all, exists and exists_one",
                    "more",
                )

    def macro(self, position: int) -> None:
        variable = self.at(position + 2)
        self.macros += 1
        if self.macro_name is not None or self.macros > _MAX_MACROS:
            _refuse(f"at most {_MAX_MACROS} of all, exists and exists_one, none inside another", "more")
        if not _IS_NAME.fullmatch(variable) or self.at(position + 3) != ",":
            _refuse("a variable and a condition, as in args.list.all(x, x > 0)", "something else")
        if variable in _ROOTS | _WORDS | _METHODS | _MACROS | _FUNCTIONS:
            _refuse("a variable with a name of its own", f"{variable!r}")
        self.macro_name, self.macro_depth = variable, self.depth


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _refuse(expected: str, got: str) -> NoReturn:
    raise ConditionFault(expected, got)
