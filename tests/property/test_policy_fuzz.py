"""Whatever stands in a policy file or a condition: one clear error or a policy, and no permit that it does not give."""

import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from guarded_agents.errors import PolicyError
from guarded_agents.policy import RulePolicy, explain, load_policy
from guarded_agents.policy._condition import compile_condition
from guarded_agents.policy._fence import ConditionFault
from guarded_agents.records import UNEXPOSED, AccessRequest, Effect, Principal, Reason, ToolRef

NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
bounded = settings(max_examples=120, derandomize=True)

VALID: Final = """\
version: 1
signers: keys
principals:
  desk: {scopes: [a, b]}
approvers:
  fin: {members: [ana, raj], backup: top, capacity: 9}
  top: {external: true}
operators: fin
queue: {per_principal: 5, per_tenant: 20, ask_again_after: 15m}
break_glass: {holders: [lea], tools: [s/t], reviewers: fin, per_person: 1, period: 7d, execute_within: 15m}
tools:
  s/t:
    scope: a
    effect: write
    permit_when: args.n <= 5 && args.m.startsWith('x')
    deny_when: [{id: d, when: args.n == 3, hard: true}]
    schema: {type: object}
    approval: {when: args.n > 2, approvers: fin, quorum: 2, decide_within: 4h, execute_within: 15m,
      escalate_within: 1h}
    limits: {per_thread: 3}
exceptions:
  - {id: e, allows: s/t, when: args.n < 9, until: 2027-01-31, reason: r, granted_by: [ana]}
"""
# Samples of what YAML readers and CEL are known to trip over.
SAMPLES: Final = (
    *("no", "012", "1:30", "&x", "*x", "!!python/object/apply:os.system [ls]", "<<: {a: 1}", "\n---\n", "[" * 200),
    *("foo(1) || true", "(" * 500, "args.a.map(x, x)", "1.0/0.0", "\u202e", "\x00", "\ufeff", "? ", "|\n", "'", '"'),
    *("-9223372036854775808", "null", "true", ": ", "%TAG ! x\n", "{" * 200, "\t", "~"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
arguments = st.dictionaries(st.sampled_from(["n", "m", "xs"]) | st.text(max_size=3), json_values, max_size=4)


def ask(
    given_arguments: dict[str, JsonValue], *, tool: str = "t", principal: str = "desk", scopes: tuple[str, ...] = ("a",)
) -> AccessRequest:
    return AccessRequest(
        Principal(id=principal, scopes=scopes), "tenant", ToolRef("s", tool, "d"), given_arguments, UNEXPOSED
    )


def use(text: bytes, given_arguments: dict[str, JsonValue]) -> None:
    policy = None
    fault: PolicyError | None = None
    try:
        policy = load_policy(text, source="fuzz")
    except PolicyError as error:
        fault = error
    if fault is not None or policy is None:
        assert fault is not None
        assert str(fault).startswith("fuzz:")
        assert min(fault.line or 0, fault.column or 0) >= 1
        return
    decision = RulePolicy(policy).decide(ask(given_arguments), now=NOW)
    assert decision.effect in Effect
    assert decision.policy


@pytest.mark.requirement("policy:yaml")
@bounded
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_arbitrary_bytes_are_a_policy_or_an_error_with_its_place(text: bytes) -> None:
    use(text, {})


@pytest.mark.requirement("policy:yaml")
@settings(max_examples=250, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(VALID)),
            st.integers(0, 12),
            st.sampled_from(SAMPLES) | st.text(string.printable, max_size=6),
        ),
        min_size=1,
        max_size=3,
    ),
    arguments,
)
def test_a_mutated_policy_is_a_policy_or_an_error_with_its_place(
    mutations: list[tuple[int, int, str]], given_arguments: dict[str, JsonValue]
) -> None:
    text = VALID
    assert load_policy(text.encode(), source="fuzz").glass is not None
    for start, length, put in mutations:
        text = text[:start] + put + text[start + length :]
    use(text.encode(errors="surrogatepass"), given_arguments)


WORDS: Final = (
    "args . n m xs ( ) [ ] , && || ! == != < <= in + - * / % ? : 1 0 2.5 'x' r'y' true null size has all exists map "
    "matches x principal id labels integrity 'trusted' foo args.n args.m args.xs { 9007199254740993"
)
words = st.sampled_from(WORDS.split())


@pytest.mark.requirement("policy:fence")
@settings(max_examples=250, derandomize=True)
@given(st.lists(words, max_size=14).map(" ".join) | st.text(max_size=60), arguments)
def test_arbitrary_conditions_are_refused_or_say_true_false_or_nothing(
    text: str, given_arguments: dict[str, JsonValue]
) -> None:
    try:
        condition = compile_condition(text)
    except ConditionFault:
        return
    assert condition.holds(ask(given_arguments)) in {True, False, None}


# -- an oracle ----------------------------------------------------------------------------------


class Case(NamedTuple):
    """A condition, and what it says of n; None where n is missing or no number."""

    text: str
    bound: int


CASES: Final = (Case("args.n <= 5", 5), Case("args.n <= 50", 50), Case("args.n <= 500", 500))


def oracle(tool: dict[str, object] | None, request: AccessRequest, held: tuple[str, ...], limit: datetime) -> bool:
    """Decide as a reader of the documentation would, without any index, cache or CEL."""
    if tool is None or request.principal.id != "desk":
        return False
    if tool["scope"] not in held or tool["scope"] not in request.principal.scopes:
        return False
    n = request.arguments.get("n")
    conditions = [tool["deny"], tool["permit"]]
    if any(isinstance(case, Case) for case in conditions) and type(n) is not int:
        return False
    assert isinstance(n, int | str | None)

    def says(case: object) -> bool:
        return isinstance(case, Case) and isinstance(n, int) and n <= case.bound

    if says(tool["deny"]) and tool["deny_hard"]:
        return False
    refused = says(tool["deny"]) or (tool["permit"] is not None and not says(tool["permit"]))
    if refused:
        refused = not (says(tool["exception"]) and limit > NOW)
    if refused:
        return False
    return tool["approval"] is None or type(n) is int


tools = st.fixed_dictionaries(
    {
        "scope": st.sampled_from(["a", "b", "ab"]),
        "permit": st.none() | st.sampled_from(CASES),
        "deny": st.none() | st.sampled_from(CASES),
        "deny_hard": st.booleans(),
        "exception": st.none() | st.sampled_from(CASES),
        "approval": st.none() | st.sampled_from(CASES),
    }
)


def written(tools_by_name: dict[str, dict[str, object]], held: tuple[str, ...], until: datetime) -> bytes:
    """Write the policy as JSON, which is YAML."""
    entries: dict[str, JsonValue] = {}
    exceptions: list[JsonValue] = []
    for name, tool in tools_by_name.items():
        entry: dict[str, JsonValue] = {"scope": str(tool["scope"]), "effect": "write"}
        permit, deny, exception, approval = (tool[key] for key in ("permit", "deny", "exception", "approval"))
        if isinstance(permit, Case):
            entry["permit_when"] = permit.text
        if isinstance(deny, Case):
            entry["deny_when"] = [{"id": f"d:{name}", "when": deny.text, "hard": bool(tool["deny_hard"])}]
        if isinstance(approval, Case):
            entry["approval"] = {
                "when": approval.text, "approvers": "g", "decide_within": "1h", "execute_within": "1h",
            }  # fmt: skip
        if isinstance(exception, Case) and (permit or deny):
            exceptions.append(
                {
                    "id": f"e:{name}",
                    "allows": f"s/{name}",
                    "when": exception.text,
                    "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "reason": "r",
                    "granted_by": ["ana"],
                }
            )
        entries[f"s/{name}"] = entry
    return json.dumps(
        {
            "version": 1,
            "principals": {"desk": {"scopes": list(held)}},
            "approvers": {"g": {"members": ["ana"]}},
            "tools": entries,
            "exceptions": exceptions,
        }
    ).encode()


@pytest.mark.requirement("I6")
@pytest.mark.requirement("policy:default-deny")
@settings(max_examples=300, derandomize=True)
@given(
    tools_by_name=st.dictionaries(st.sampled_from(["drop", "drop_table", "DROP", "bash"]), tools, max_size=4),
    held=st.sets(st.sampled_from(["a", "b", "ab"])).map(lambda scopes: tuple(sorted(scopes))),
    scopes=st.sets(st.sampled_from(["a", "b", "ab"])).map(lambda scopes: tuple(sorted(scopes))),
    tool=st.sampled_from(["drop", "drop_table", "DROP", "bash", "bash_session", " drop", "Bash"]),
    principal=st.sampled_from(["desk", "desk", "desk", "Desk", "eve"]),
    n=st.none() | st.sampled_from(["5", ""]) | st.integers(0, 600),
    ends_in=st.sampled_from([-1, 0, 1]),
)
def test_no_permit_is_given_that_the_policy_does_not_give(
    tools_by_name: dict[str, dict[str, object]],
    held: tuple[str, ...],
    scopes: tuple[str, ...],
    tool: str,
    principal: str,
    n: JsonValue,
    ends_in: int,
) -> None:
    until = NOW + timedelta(seconds=ends_in)
    policy = load_policy(written(tools_by_name, held, until), source="p")
    request = ask({} if n is None else {"n": n}, tool=tool, principal=principal, scopes=scopes)
    decision = RulePolicy(policy).decide(request, now=NOW)
    entry = tools_by_name.get(tool)
    assert decision.permitted == oracle(entry, request, held, until)
    assert (decision.reason is Reason.PERMITTED) == decision.permitted
    approval = entry["approval"] if entry is not None else None
    if decision.permitted and isinstance(approval, Case):
        assert isinstance(n, int)
        assert (decision.approval is not None) == (n <= approval.bound)
    told = explain(policy, request, now=NOW)
    assert (told.effect, told.rule) == (decision.effect, decision.rule)


# -- an oracle of who can answer ------------------------------------------------------------------

NAMES: Final = ("ana", "Ana", "\uff41na", "raj", "lea")
PERSON: Final = {"ana": "ana", "Ana": "ana", "\uff41na": "ana", "raj": "raj", "lea": "lea"}
GROUPS: Final = ("g", "h", "k")
names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
backups: dict[str, st.SearchStrategy[Any]] = {"backup": st.sampled_from(GROUPS)}
groups = (
    st.fixed_dictionaries({"members": names}, optional=backups)
    | st.fixed_dictionaries({"external": st.just(value=True)}, optional=backups)
    | st.just({"members": ["raj", "lea", "zoe"]})
    | st.just({"members": ["raj", "zoe"], "backup": "k"})
    | st.fixed_dictionaries({}, optional={"members": names, "external": st.booleans(), **backups})
)
approvals = st.fixed_dictionaries(
    {"approvers": st.sampled_from(GROUPS), "quorum": st.integers(1, 3)}, optional={"escalate_within": st.just("1h")}
)
glasses = st.fixed_dictionaries(
    {
        "holders": st.sampled_from([["lea"], ["ana"], ["raj", "lea"]]) | names,
        "tools": st.just(["s/t"])
        | st.just(["s/t"])
        | st.lists(st.sampled_from(["s/t", "s/u", "s/v"]), max_size=2, unique=True),
        "reviewers": st.sampled_from(GROUPS),
    }
)
documents = st.fixed_dictionaries(
    {
        "principals": st.dictionaries(st.sampled_from([*NAMES, "desk"]), st.sampled_from([["a"], ["b"]]), max_size=3),
        "approvers": st.fixed_dictionaries(dict.fromkeys(GROUPS, groups))
        | st.dictionaries(st.sampled_from(GROUPS), groups, min_size=1, max_size=3),
        "hard": st.sampled_from([False, False, False, True]),
        "approval": approvals,
        "glass": st.none() | glasses,
        "operators": st.none() | st.sampled_from(GROUPS),
    }
)


def persons(listed: list[str]) -> set[str]:
    return {PERSON.get(name, name) for name in listed}


def answerable(document: dict[str, Any]) -> bool:
    """Return whether a reader of docs/policy.md would say that the file can be used."""
    approvers, glass = document["approvers"], document["glass"]
    return (
        all(
            bool(group.get("external")) != bool(group.get("members"))
            and group.get("backup") != name
            and group.get("backup", name) in approvers
            for name, group in approvers.items()
        )
        and document["approval"]["approvers"] in approvers
        and attainable(document["approval"], approvers, document["principals"])
        and (document["operators"] is None or document["operators"] in approvers)
        and (glass is None or breakable(glass, approvers, hard=document["hard"]))
    )


def attainable(approval: dict[str, Any], approvers: dict[str, Any], principals: dict[str, list[str]]) -> bool:
    asked, escalates, quorum = approvers[approval["approvers"]], "escalate_within" in approval, approval["quorum"]
    if escalates and "backup" not in asked:
        return False
    if not asked.get("external") and quorum > len(persons(asked["members"])):
        return False
    voters = [asked, approvers[asked["backup"]]] if escalates else [asked]
    askers = persons([name for name, scopes in principals.items() if "a" in scopes])
    if not askers or any(group.get("external") for group in voters):
        return True
    known = set[str]().union(*(persons(group["members"]) for group in voters))
    return any(len(known - {asker}) >= quorum for asker in askers)


def breakable(glass: dict[str, Any], approvers: dict[str, Any], *, hard: bool) -> bool:
    if not glass["holders"] or len(persons(glass["holders"])) < len(glass["holders"]):
        return False
    if glass["tools"] != ["s/t"] or hard or glass["reviewers"] not in approvers:
        return False
    reviewers = approvers[glass["reviewers"]]
    return bool(
        reviewers.get("external")
        or all(persons(reviewers["members"]) - {holder} for holder in persons(glass["holders"]))
    )


@pytest.mark.requirement("B9")
@pytest.mark.requirement("I12")
@settings(max_examples=400, derandomize=True)
@given(documents)
def test_a_policy_can_be_used_exactly_where_its_approvals_and_its_glass_could_be_answered_by_others(
    document: dict[str, Any],
) -> None:
    tool = {
        "scope": "a",
        "effect": "write",
        "hard": document["hard"],
        "approval": {**document["approval"], "decide_within": "4h", "execute_within": "1h"},
    }
    file: dict[str, Any] = {
        "version": 1,
        "principals": {name: {"scopes": scopes} for name, scopes in document["principals"].items()},
        "approvers": document["approvers"],
        "tools": {"s/t": tool, "s/u": {"scope": "a", "effect": "write"}},
    }
    file |= {"break_glass": document["glass"]} if document["glass"] is not None else {}
    file |= {"operators": document["operators"]} if document["operators"] is not None else {}
    text = json.dumps(file).encode()
    if not answerable(document):
        with pytest.raises(PolicyError):
            load_policy(text, source="fuzz")
        return
    policy = load_policy(text, source="fuzz")
    assert policy.glass is None or not any(policy.tools[key].hard for key in policy.glass.tools)
    obligation = RulePolicy(policy).decide(ask({}, principal="desk"), now=NOW).approval
    if obligation is not None:
        assert (obligation.backup is None) == (obligation.escalate_within_s is None)
        assert set(policy.members(obligation.group)) == set(obligation.members)
