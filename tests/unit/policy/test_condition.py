"""CEL inside its fence."""

import pytest
from pydantic import JsonValue

from guarded_agents.policy import _condition
from guarded_agents.policy._condition import Condition, check_condition, compile_condition
from guarded_agents.policy._fence import ConditionFault
from guarded_agents.records import UNEXPOSED, AccessRequest, Labels, Principal, ToolRef


def ask(arguments: dict[str, JsonValue], *, labels: Labels = UNEXPOSED) -> AccessRequest:
    return AccessRequest(
        principal=Principal(id="desk", acting_for="ana"),
        tenant="acme",
        tool=ToolRef("s", "t", "d"),
        arguments=arguments,
        labels=labels,
    )


REFUSED = {
    "an unknown name": "amount > 1",
    "a misspelt root": "arg.amount > 1",
    "an unknown function that logic hides": "foo(1) || true",
    "an unknown method": "args.a.foo()",
    "map": "args.xs.map(x, x) == []",
    "filter": "args.xs.filter(x, x > 1) == []",
    "a nested macro": "args.xs.all(x, args.ys.all(y, y == x))",
    "too many macros": " || ".join(["args.xs.all(x, x > 1)"] * 5),
    "a macro over a root": "args.xs.all(args, args > 1)",
    "a macro over a function": "args.xs.all(size, size > 1)",
    "a macro without a variable": "args.xs.all(1, true)",
    "a macro with a path": "args.xs.all(x.y, true)",
    "a macro as a function": "all(args.xs, x, true)",
    "a variable outside its macro": "args.xs.all(x, x > 1) && x > 1",
    "a sum in a macro": "args.xs.all(x, x + 1 > 1)",
    "too many sums": "args.a" + " + 1" * 9 + " > 1",
    "too many readings in macros": f"args.xs.all(x, {' || '.join(['args.a == x'] * 5)})",
    "a pattern in a macro": "args.xs.all(x, x.matches('a'))",
    "a pattern from an argument": "args.a.matches(args.b)",
    "a pattern that is put together": "args.a.matches('a' + args.b)",
    "a pattern as a function": "matches(args.a, 'x')",
    "matches without a pattern": "args.a.matches(",
    "a broken pattern": "args.a.matches('(')",
    "a pattern without end": r"args.a.matches('(\\w{100}){100}')",
    "too long a pattern": f"args.a.matches('{'a' * 130}')",
    "too many patterns": " && ".join(["args.a.matches('a')"] * 5),
    "bind": "cel.bind(x, 1, x > 0)",
    "optional": "optional.of(1)",
    "an optional field": "args.?a.orValue(1) > 1",
    "a message": "Foo{a: 1} == 1",
    "a map": "{'a': 1} == args.a",
    "a backtick": "args.`a-b` == 1",
    "a comment": "true // args.a > 1",
    "a semicolon": "args.a > 1; true",
    "a leading dot": ".args.a > 1",
    "a dot after a number": "5.foo",
    "a dot before a bracket": "args.(a)",
    "a number without a whole part": ".5 > args.a",
    "octal": "args.a > 010",
    "hexadecimal": "args.a > 0x1F",
    "unsigned": "args.a > 1u",
    "an exponent": "args.a > 1e3",
    "a huge number": "args.a < 9223372036854775808",
    "bytes": "args.a == b'x'",
    "triple quotes": "args.a == '''x'''",
    "text over two lines": "args.a == 'x\ny'",
    "text without end": "args.a == 'x",
    "an unknown escape": r"args.a == '\q'",
    "a look-alike letter": "аrgs.a > 1",
    "division by an argument": "args.a / args.b > 1",
    "division by zero": "args.a / 0 > 1",
    "division by a zero float": "1.0 / 0.0 > args.a",
    "rest by zero": "args.a % 00 == 1",
    "division by nothing": "args.a /",
    "minus an argument": "-args.a < 5",
    "two minus": "--1 < args.a",
    "two nots": "!!args.a",
    "the principal as a whole": "principal != 'mallory'",
    "an unknown field of the principal": "principal.scopes == []",
    "the principal by index": "principal['id'] == 'desk'",
    "labels as a whole": "labels != 'untrusted'",
    "an unknown label": "labels.secrecy == 'public'",
    "a misspelt label": "labels.integrity != 'untrused'",
    "a label compared with an argument": "labels.integrity == args.a",
    "a label by a method": "labels.integrity.startsWith('t')",
    "a label compared backwards": "'trusted' == labels.integrity",
    "a label in an empty list": "labels.confidentiality in []",
    "a label in a list with another word": "labels.confidentiality in ['public', 'secret']",
    "a label in a list without end": "labels.confidentiality in ['public'",
    "a label in an argument": "labels.integrity in args.a",
    "a label joined with more": "labels.integrity != 'trusted' + 'x'",
    "a label after more": "'x' + labels.integrity != 'trusted'",
    "a chain of comparisons": "0 < args.a < 5",
    "a chain of equals": "args.a == args.b == args.c",
    "nothing": "   ",
    "half": "args.a >",
    "two expressions": "args.a args.b",
    "a bracket too many": "args.a > 1)",
    "a bracket too few": "(args.a > 1",
    "too long": "args.a > 1 && " * 80 + "true",
    "brackets beyond the depth": "(" * 17 + "args.a > 1" + ")" * 17,
    "a nesting that kills the parser": "(" * 100_000 + "1" + ")" * 100_000,
    "a list that kills the parser": "[" * 900,
    "minus that kills the parser": "-" * 900 + "1",
    "too many ternaries": "true ? true : " * 9 + "true",
    "a field that is a word of CEL": "args.in == 1",
    "a bare has": "has(args)",
}


@pytest.mark.requirement("policy:fence")
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_leaves_the_fence_is_refused_at_load(text: str) -> None:
    with pytest.raises(ConditionFault) as caught:
        check_condition(text)
    assert caught.value.expected
    assert caught.value.got
    with pytest.raises(ConditionFault):
        compile_condition(text)


ARGUMENTS: dict[str, JsonValue] = {
    "amount": 50,
    "rate": 1.5,
    "note": "hello",
    "flag": True,
    "none": None,
    "xs": [1, 2, 3],
    "to": {"iban": "DE12", "tags": ["a", "b"]},
    "big": 2**53,
}
SAID = {
    "a comparison": ("0 < args.amount && args.amount <= 50", True),
    "a comparison that fails": ("args.amount > 50", False),
    "an integer and a float": ("args.amount > args.rate", True),
    "text": ("args.note == 'hello' && args.note != \"x\"", True),
    "a raw text": (r"args.note.matches(r'^\w+$')", True),
    "an escaped text": (r"args.note == 'hel\u006co'", True),
    "starts and ends": ("args.note.startsWith('he') && args.note.endsWith('lo') && args.note.contains('ell')", True),
    "size": ("size(args.note) == 5 && args.xs.size() == 3", True),
    "has": ("has(args.amount) && !has(args.other)", True),
    "membership": ("args.note in ['hello', 'world']", True),
    "all": ("args.xs.all(x, x > 0 && x < 10)", True),
    "exists": ("args.xs.exists(x, x == args.amount) || args.xs.exists_one(x, x == 2)", True),
    "a nested field": ("args.to.iban == 'DE12' && args.to.tags[0] == 'a'", True),
    "a ternary": ("args.flag ? args.amount < 100 : false", True),
    "arithmetic": ("args.amount * 2 - 1 == 99 && args.amount / 2 == 25 && args.amount % 7 == 1", True),
    "comparisons in brackets": ("(args.amount > 1) == (args.rate > 1)", True),
    "a negative number": ("args.amount > -1 && args.amount - -1 == 51", True),
    "the principal": ("principal.id == 'desk' && principal.tenant == 'acme' && principal.acting_for == 'ana'", True),
    "a label": ("labels.integrity == 'trusted' && labels.confidentiality in ['public', 'internal']", True),
    "a label with not": ("!(labels.integrity != 'trusted')", True),
    "a field named like a root": ("!has(args.principal) && !has(args.labels) && !has(args.args)", True),
    "a field named like a macro": ("!has(args.all) && !has(args.matches)", True),
    "a missing key": ("args.other > 1", None),
    "a missing key inside": ("args.to.bic == 'x'", None),
    "a wrong type": ("args.note > 1", None),
    "a field of a text": ("args.note.iban == 'x'", None),
    "null": ("args.none > 1", None),
    "overflow": ("args.amount * 999999999999999 * 999999999999999 > 1", None),
    "an index beyond": ("args.xs[7] == 1", None),
    "a method of a number": ("args.amount.startsWith('5')", None),
    "a number": ("args.amount", None),
    "the text true": ("'true'", None),
    "a list": ("[true]", None),
    "null itself": ("args.none", None),
    "a big integer": ("args.big > 1", None),
}


@pytest.mark.requirement("policy:only-true-permits")
@pytest.mark.parametrize(("text", "said"), SAID.values(), ids=SAID)
def test_a_condition_is_true_false_or_failed(text: str, said: bool | None) -> None:
    assert compile_condition(text).holds(ask(ARGUMENTS)) is said


def deep(levels: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(levels):
        value = [value]
    return value


UNBOUNDED: dict[str, JsonValue] = {
    "too many items": [0] * 1_001,
    "too deep": deep(33),
    "too deep for the library": deep(100_000),
    "too long a text": "x" * 65_537,
    "not a number": float("nan"),
    "an integer beyond 64 bits": 2**70,
    "a lone surrogate": "\ud800",
}


@pytest.mark.requirement("policy:fence")
@pytest.mark.parametrize("value", UNBOUNDED.values(), ids=UNBOUNDED)
def test_an_argument_beyond_the_limits_fails_the_condition(value: JsonValue) -> None:
    assert compile_condition("args.a != 1").holds(ask({"a": value})) is None
    assert compile_condition("args == args").holds(ask({"a": value})) is None


def test_what_a_condition_does_not_read_does_not_reach_it() -> None:
    assert compile_condition("args.a == 1").holds(ask({"a": 1, "b": float("nan")})) is True


def test_args_read_as_a_whole_are_all_of_them() -> None:
    assert compile_condition("args['a'] == 1 && 'b' in args && !('c' in args)").holds(ask({"a": 1, "b": 2})) is True


def test_items_within_the_limits_are_read() -> None:
    assert compile_condition("size(args.a) == 900").holds(ask({"a": [0] * 900, "b": deep(5)})) is True


def test_a_condition_is_compiled_once() -> None:
    assert compile_condition("args.once == 1") is compile_condition("args.once == 1")


class PanicException(BaseException):
    """Stands in for a panic of the library's Rust code."""


class FakeProgram:
    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    def execute(self, context: object) -> object:
        raise self.fault


def test_a_panic_fails_the_condition_and_an_interrupt_goes_through() -> None:
    assert Condition(FakeProgram(PanicException()), (), (), ()).holds(ask({})) is None  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        Condition(FakeProgram(KeyboardInterrupt()), (), (), ()).holds(ask({}))  # type: ignore[arg-type]


def test_a_panic_of_the_parser_is_a_fault_and_an_interrupt_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(fault: BaseException) -> None:
        def compile_(text: str) -> None:
            raise fault

        monkeypatch.setattr(_condition.cel, "compile", compile_)

    raising(PanicException())
    with pytest.raises(ConditionFault, match="its parser cannot take"):
        check_condition("args.panic0 == 1")
    raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        check_condition("args.panic1 == 1")
    raising(ValueError("odd"))
    with pytest.raises(ConditionFault, match="got something else"):
        check_condition("args.panic2 == 1")
