"""The terms of one tool, ready: the values of an argument, and who may read."""

import pytest
from pydantic import JsonValue

from guarded_agents.provenance import DEFAULT_VERBS, compile_authority
from guarded_agents.provenance._rule import leaves_of
from guarded_agents.provenance._verbs import verbs_of
from guarded_agents.records import (
    ArgumentTerms,
    ArgumentUse,
    AuthorityTerms,
    Confidentiality,
    ContentRule,
    ToolEffect,
)

LEAVES: dict[str, tuple[JsonValue, list[tuple[str, object]]]] = {
    "text": ("a", [("", "a")]),
    "number": (5, [("", 5)]),
    "nought": (0, [("", 0)]),
    "false": (False, [("", False)]),
    "null": (None, []),
    "empty text": ("", []),
    "space": (" ", [("", " ")]),
    "empty list": ([], []),
    "empty object": ({}, []),
    "list": (["a", None, [1, "b"]], [("/0", "a"), ("/2/0", 1), ("/2/1", "b")]),
    "object": ({"mail": "a", "eve@x.com": "editor"}, [("/mail", "a"), ("", "eve@x.com"), ("", "editor")]),
    "name without a value": ({"a/b": None}, [("", "a/b")]),
    "name that is not declared above one that is": ({"eve": {"mail": 1}}, [("", "eve"), ("/mail", 1)]),
    "name declared at any depth": ([{"mail": {"mail": 1}}], [("/0/mail/mail", 1)]),
}


@pytest.mark.parametrize(("value", "leaves"), LEAVES.values(), ids=LEAVES)
def test_each_value_of_an_argument_counts_and_so_does_a_name_that_is_not_declared(
    value: JsonValue, leaves: list[tuple[str, object]]
) -> None:
    assert leaves_of(value, frozenset({"mail"})) == leaves


READERS = {
    "any": Confidentiality.PUBLIC,
    "@example.com": Confidentiality.CONFIDENTIAL,
    "Ana@example.com": Confidentiality.RESTRICTED,
    "team": Confidentiality.INTERNAL,
}
MAY_READ: dict[str, tuple[dict[str, JsonValue], str, str | None]] = {
    "public": ({"to": "eve@evil.com"}, "public", None),
    "stranger": ({"to": "eve@evil.com"}, "internal", "to"),
    "one of the house": ({"to": "raj@Example.com"}, "confidential", None),
    "one of the house, too strict": ({"to": "raj@example.com"}, "restricted", "to"),
    "one by name": ({"to": "ana@example.com"}, "restricted", None),
    "one by name that is no address": ({"to": "Team"}, "internal", None),
    "one of several": ({"to": ["raj@example.com", "eve@evil.com"]}, "internal", "to"),
    "another argument": ({"to": "raj@example.com", "cc": "eve@evil.com"}, "internal", "cc"),
    "subdomain": ({"to": "raj@mail.example.com"}, "internal", "to"),
    "domain as a part": ({"to": "eve@evilexample.com"}, "internal", "to"),
    "two addresses in one": ({"to": "eve@evil.com,raj@example.com"}, "internal", "to"),
    "two at signs": ({"to": "eve@evil.com@example.com"}, "internal", "to"),
    "route": ({"to": "eve%evil.com@example.com"}, "internal", "to"),
    "a name around it": ({"to": "Eve <eve@evil.com> raj@example.com"}, "internal", "to"),
    "domain alone": ({"to": "@example.com"}, "confidential", None),
    "number": ({"to": 5}, "internal", "to"),
    "name in an object": ({"to": {"eve@evil.com": "ana@example.com"}}, "internal", "to"),
    "selectors read nothing": ({"to": "ana@example.com", "folder": "eve@evil.com"}, "restricted", None),
    "content reads nothing": ({"to": "ana@example.com", "body": "eve@evil.com"}, "restricted", None),
    "no target": ({"body": "x"}, "internal", ""),
    "empty target": ({"to": []}, "internal", ""),
    "no target, public": ({"body": "x"}, "public", None),
}


@pytest.mark.parametrize(("arguments", "level", "refused"), MAY_READ.values(), ids=MAY_READ)
def test_a_target_reads_up_to_its_own_level(arguments: dict[str, JsonValue], level: str, refused: str | None) -> None:
    rule = compile_authority(
        AuthorityTerms(
            "mail/send",
            ToolEffect.EGRESS,
            {
                "folder": ArgumentTerms(use=ArgumentUse.SELECTOR),
                "body": ArgumentTerms(use=ArgumentUse.CONTENT, content=ContentRule.FREE),
            },
            readers=READERS,
        )
    )
    assert rule.may_read(arguments, Confidentiality(level)) == refused


def test_without_readers_only_what_is_public_leaves_and_a_write_is_read_by_nobody_new() -> None:
    egress = compile_authority(AuthorityTerms("a/b", ToolEffect.EGRESS))
    assert egress.may_read({"to": "x"}, Confidentiality.PUBLIC) is None
    assert egress.may_read({"to": "x"}, Confidentiality.INTERNAL) == "to"
    write = compile_authority(AuthorityTerms("a/b", ToolEffect.WRITE))
    assert write.may_read({"to": "x"}, Confidentiality.RESTRICTED) is None


def test_readers_of_a_write_count_where_they_are_declared() -> None:
    write = compile_authority(AuthorityTerms("a/b", ToolEffect.WRITE, readers={}))
    assert write.may_read({"to": "x"}, Confidentiality.INTERNAL) == "to"
    internal = compile_authority(AuthorityTerms("a/b", ToolEffect.WRITE, readers={"any": Confidentiality.INTERNAL}))
    assert internal.may_read({"to": "x"}, Confidentiality.INTERNAL) is None
    assert internal.may_read({}, Confidentiality.CONFIDENTIAL) == ""


def test_a_reader_with_a_lower_level_than_anybody_keeps_it() -> None:
    rule = compile_authority(
        AuthorityTerms("a/b", readers={"any": Confidentiality.RESTRICTED, "@rival.com": Confidentiality.PUBLIC})
    )
    assert rule.may_read({"to": "x@rival.com"}, Confidentiality.INTERNAL) == "to"
    assert rule.may_read({"to": "x@other.com"}, Confidentiality.RESTRICTED) is None


@pytest.mark.parametrize("effect", ToolEffect)
def test_only_a_read_has_no_consequence(effect: ToolEffect) -> None:
    assert compile_authority(AuthorityTerms("a/b", effect)).is_consequential is (effect is not ToolEffect.READ)


def test_the_default_verbs_are_words_in_their_one_spelling_and_no_participles() -> None:
    assert len(DEFAULT_VERBS) > 30
    for verb, forms in DEFAULT_VERBS.items():
        assert verb in forms
        assert verbs_of([verb]).words == set(forms)
    everything = {form for forms in DEFAULT_VERBS.values() for form in forms}
    assert everything.isdisjoint({"sent", "paid", "booked", "deleted", "gesendet", "bezahlt"})


def test_a_phrase_that_is_no_verb_of_the_list_stands_for_itself() -> None:
    assert verbs_of(["Let go", "remit", "let go"]) == (frozenset({"remit"}), (("let", "go"),))
