"""Whatever is read and in whatever order: a permit comes from the user, a named record or a person, and once."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from guarded_agents.provenance import (
    AuthorityRule,
    Facts,
    Ruling,
    SeenResult,
    UserText,
    endorsements,
    fields_of,
    joined,
    result_labels,
    value_digest,
    weigh,
)
from guarded_agents.provenance._text import canonical_target, licenses, spelling
from guarded_agents.provenance._tokens import fold, spelt, tokens_of
from guarded_agents.records import ArgumentTerms, Confidentiality, Endorsement, Integrity, Labels, Licence, ResultTerms
from tests.support.provenance import DELETE, FILES, KEY, PAY, SEND, UNTRUSTED, file

pytestmark = pytest.mark.requirement("provenance:authority-of-values")

# Few words, so that what is written, read and proposed meets often.
PEOPLE = [
    "ana@x.com",
    "bob@x.com",
    "eve@x.com",
    "Ana",
    "Team Sync",
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
]
NAMES = ["plan.txt", "old.txt", "plan", "Team Sync", "Team Sync Weekly"]
WORDS = [
    *PEOPLE,
    *NAMES,
    "send",
    "pay",
    "delete",
    "not",
    "f-1",
    "f-2",
    "50",
    "1,000 EUR",
    "1.125",
    "7",
    ".",
    ",",
    "\n",
    "the",
    "\u0430na@x.com",
]
LEAVES = st.sampled_from(
    [*PEOPLE, *NAMES, "f-1", "f-2", "\u0430na@x.com", "ana@x.com ", "*", "", 7, 50, 1_000, 1_125, -50, True, None]
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
WISHES = st.sampled_from(
    ["send it to ana@x.com, bob@x.com and Ana.", "pay 50 and 1,000 EUR to Ana and Team Sync.", "delete plan.txt, f-1."]
)
USER_TEXTS = st.tuples(st.lists(WISHES, min_size=1, max_size=3).map(" ".join), TEXTS).map(" ".join) | TEXTS

CALLS: st.SearchStrategy[tuple[AuthorityRule, dict[str, JsonValue]]] = st.one_of(
    st.tuples(
        st.just(SEND), st.fixed_dictionaries({"to": LEAVES | st.lists(LEAVES, max_size=3)}, optional={"cc": LEAVES})
    ),
    st.tuples(st.just(PAY), st.fixed_dictionaries({"to": LEAVES, "amount": LEAVES}, optional={"note": LEAVES})),
    st.tuples(st.just(DELETE), st.fixed_dictionaries({"file_id": LEAVES})),
)
LISTED = st.builds(file, st.sampled_from(["f-1", "f-2", 7]), st.sampled_from(NAMES), TEXTS, st.sampled_from(PEOPLE))
TRUSTED_RESULTS = st.builds(
    lambda message, listed: SeenResult(message, "files", "list", {"files": listed}, FILES),
    st.sampled_from(["r1", "r2"]),
    st.lists(LISTED, max_size=3),
)
UNTRUSTED_RESULTS = st.builds(
    lambda message, value, terms: SeenResult(message, "mail", "read", value, terms),
    st.sampled_from(["r3", "r4"]),
    TEXTS | st.fixed_dictionaries({"files": st.lists(LISTED, max_size=2)}) | st.lists(LEAVES, max_size=3),
    st.sampled_from([ResultTerms(UNTRUSTED), ResultTerms(UNTRUSTED, {}, "/files", ("/name",))]),
)
USES = st.lists(CALLS, max_size=1).map(tuple)


@st.composite
def known_facts(draw: st.DrawFn) -> Facts:
    texts = tuple(UserText(f"m{number}", text) for number, text in enumerate(draw(st.lists(USER_TEXTS, max_size=2))))
    results = tuple(draw(st.lists(TRUSTED_RESULTS | UNTRUSTED_RESULTS, max_size=3)))
    given_to: list[Endorsement] = []
    for number, (rule, arguments) in enumerate(draw(st.lists(CALLS, max_size=2))):
        given_to += endorsements(arguments, rule, approval=f"q{number}", key=KEY)
    facts = Facts(KEY, UNTRUSTED, texts, results, tuple(given_to))
    for rule, arguments in draw(USES):
        use = weigh(arguments, rule, facts).use
        assert use is not None
        facts = replace(facts, spent=(*facts.spent, use))
    return facts


@given(facts=known_facts(), call=CALLS, more=UNTRUSTED_RESULTS)
def test_reading_untrusted_text_licenses_nothing(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]], more: SeenResult
) -> None:
    rule, arguments = call
    before = weigh(arguments, rule, facts)
    after = weigh(arguments, rule, replace(facts, results=(*facts.results, more)))
    assert (after.ruling, after.use) == (before.ruling, before.use)


@given(facts=known_facts(), call=CALLS, one=UNTRUSTED_RESULTS, other=UNTRUSTED_RESULTS)
def test_changing_what_is_untrusted_licenses_nothing(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]], one: SeenResult, other: SeenResult
) -> None:
    rule, arguments = call
    rulings = {
        weigh(arguments, rule, replace(facts, results=(*facts.results, result))).ruling for result in (one, other)
    }
    assert len(rulings) == 1


@given(facts=known_facts(), call=CALLS, text=TEXTS)
def test_changing_the_untrusted_fields_of_trusted_records_licenses_nothing(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]], text: str
) -> None:
    rule, arguments = call
    changed = tuple(replace(result, value=_with_text(result, text)) for result in facts.results)
    before = weigh(arguments, rule, facts)
    after = weigh(arguments, rule, replace(facts, results=changed))
    assert (after.ruling, after.use) == (before.ruling, before.use)


def _with_text(result: SeenResult, text: str) -> JsonValue:
    """Return its value with another text in the one field of each file that is not trusted."""
    if result.terms is not FILES or not isinstance(result.value, dict):
        return result.value
    listed = result.value["files"]
    assert isinstance(listed, list)
    return {"files": [{**entry, "text": text} for entry in listed if isinstance(entry, dict)]}


@given(facts=known_facts(), call=CALLS)
def test_a_permit_follows_only_from_the_users_text_a_named_record_or_an_endorsement(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]]
) -> None:
    rule, arguments = call
    if weigh(arguments, rule, facts).ruling is not Ruling.UNATTENDED:
        return
    assert any(text.asks(rule.verbs) for text in facts.texts)
    written = "".join(text.text for text in facts.texts)
    for name, value in arguments.items():
        digest = value_digest(KEY, rule.tool, name, value)
        if any(one[:3] == (rule.tool, name, digest) for one in facts.endorsed):
            continue
        for leaf in value if isinstance(value, list) else [value]:
            assert leaf is None or leaf == "" or _is_written(leaf, written) or _is_held(leaf, facts)


def _is_written(leaf: JsonValue, written: str) -> bool:
    """Return whether *leaf* is in the text at all, by the roughest comparison there is: its letters and digits."""
    return not isinstance(leaf, bool) and _rough(str(leaf)) in _rough(written)


def _rough(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _is_held(leaf: JsonValue, facts: Facts) -> bool:
    return not isinstance(leaf, bool) and any(
        leaf in (found := {value for _, value in record.fields}) and any(_is_written(key, _all(facts)) for key in found)
        for result in facts.results
        for record in result.records
    )


def _all(facts: Facts) -> str:
    return " ".join(text.text for text in facts.texts)


@given(facts=known_facts(), call=CALLS)
def test_without_the_users_text_nothing_runs_unattended(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]]
) -> None:
    rule, arguments = call
    assert weigh(arguments, rule, replace(facts, texts=())).ruling is Ruling.ASK


@given(facts=known_facts(), call=CALLS)
def test_one_asking_is_spent_by_one_use(facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]]) -> None:
    rule, arguments = call
    permitted = 0
    for _ in range(len(facts.texts) + 2):
        said = weigh(arguments, rule, facts)
        assert said.use is not None
        permitted += said.ruling is Ruling.UNATTENDED
        facts = replace(facts, spent=(*facts.spent, said.use))
    assert permitted <= max(1, len(facts.texts))
    assert weigh(arguments, rule, facts).ruling is Ruling.ASK


@given(facts=known_facts(), call=CALLS, spent=USES)
def test_what_is_spent_never_makes_a_permit(
    facts: Facts,
    call: tuple[AuthorityRule, dict[str, JsonValue]],
    spent: tuple[tuple[AuthorityRule, dict[str, JsonValue]], ...],
) -> None:
    rule, arguments = call
    more = facts
    for other, values in spent:
        use = weigh(values, other, more).use
        assert use is not None
        more = replace(more, spent=(*more.spent, use))
    if weigh(arguments, rule, more).ruling is Ruling.UNATTENDED:
        assert weigh(arguments, rule, facts).ruling is Ruling.UNATTENDED


@given(facts=known_facts(), call=CALLS, data=st.data())
def test_the_order_of_facts_does_not_matter(
    facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]], data: st.DataObject
) -> None:
    rule, arguments = call
    shuffled = Facts(
        KEY,
        facts.labels,
        tuple(data.draw(st.permutations(facts.texts))),
        tuple(data.draw(st.permutations(facts.results))),
        tuple(data.draw(st.permutations(facts.endorsed))),
        tuple(data.draw(st.permutations(facts.spent))),
    )
    turned = dict(reversed(arguments.items()))
    one, other = weigh(arguments, rule, facts), weigh(turned, rule, shuffled)
    assert (one.ruling, one.use, _located(one.misses)) == (other.ruling, other.use, _located(other.misses))


def _located(misses: tuple[object, ...]) -> list[str]:
    return sorted(map(repr, misses))


@given(facts=known_facts(), call=CALLS)
def test_stricter_labels_never_make_a_permit(facts: Facts, call: tuple[AuthorityRule, dict[str, JsonValue]]) -> None:
    rule, arguments = call
    strict = replace(facts, labels=Labels())
    trusted = replace(facts, labels=Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.PUBLIC))
    assert weigh(arguments, rule, trusted).ruling is Ruling.UNATTENDED
    if weigh(arguments, rule, strict).ruling is Ruling.UNATTENDED:
        assert weigh(arguments, rule, facts).ruling is Ruling.UNATTENDED


# -- tokens ---------------------------------------------------------------------------------------

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCRIPTS = st.text(
    st.sampled_from("aeopcxy\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u03bf\u03b1.@-1l"), min_size=1, max_size=8
)


@given(text=ANY)
def test_a_token_has_one_spelling_and_a_value_is_split_as_a_text_is(text: str) -> None:
    for token in tokens_of(text):
        assert token
    found = spelt(text)
    assert found is None or found == tuple(tokens_of(text))


@given(one=SCRIPTS, other=SCRIPTS)
def test_two_words_are_the_same_only_if_they_are_without_case(one: str, other: str) -> None:
    assert (fold(one) == fold(other)) is (one.lower() == other.lower())


@given(text=ANY, value=ANY)
def test_a_licensed_value_has_all_its_letters_in_the_text(text: str, value: str) -> None:
    if licenses(UserText("m", text), value, spelling(value), ArgumentTerms()):
        written = unicodedata.normalize("NFKC", text).lower()
        assert all(char.lower() in written or not char.isalnum() for char in "".join(tokens_of(value)))


@given(
    before=TEXTS,
    value=st.sampled_from(["ana@x.com", "plan.txt", "A-17"]),
    glued=st.sampled_from(list("abz019_-+@/&=%$")),
)
def test_a_part_of_a_token_is_never_licensed(before: str, value: str, glued: str) -> None:
    for text in (f"{glued}{value}", f"{value}{glued}"):
        if glued == "@" and text.startswith("@"):
            continue  # a handle is what it calls
        assert not UserText("m", f"1 {text} 2").has(value)


@given(leaf=st.sampled_from(PEOPLE), other=st.sampled_from(PEOPLE))
def test_two_targets_are_one_only_if_one_spelling_licenses_both(leaf: str, other: str) -> None:
    is_one = canonical_target(leaf, spelling(leaf)) == canonical_target(other, spelling(other))
    found = spelling(other)
    assert is_one is licenses(UserText("m", f"'{leaf}'"), other, found, ArgumentTerms()) or (leaf, other) == ("", "")


# -- labels ---------------------------------------------------------------------------------------

LABELS = st.builds(Labels, integrity=st.sampled_from(Integrity), confidentiality=st.sampled_from(Confidentiality))
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", ""]), inner, max_size=3)
    ),
    max_leaves=10,
)
POINTERS = st.sampled_from(["", "/a", "/b", "/a/0", "/a~1b", "/~0", "/", "/a/b"])
TERMS = st.builds(
    ResultTerms, LABELS, st.dictionaries(POINTERS, LABELS, max_size=3), st.none() | POINTERS, st.just(("/a", "/b"))
)


@pytest.mark.requirement("I9")
@given(parts=st.lists(st.none() | LABELS, max_size=4), more=st.none() | LABELS)
def test_seeing_more_never_loosens_a_label(parts: list[Labels | None], more: Labels | None) -> None:
    before, after = joined(parts), joined([*parts, more])
    assert before.join(after) == (after if parts else Labels())
    assert joined([*parts, None]) == Labels()


@pytest.mark.requirement("I9")
@given(value=JSON, terms=TERMS)
def test_an_answer_is_as_strict_as_each_of_its_fields(value: JsonValue, terms: ResultTerms) -> None:
    whole = result_labels(value, terms)
    fields = list(fields_of(value, terms))
    assert fields
    assert len({field.pointer for field in fields}) == len(fields)
    for field in fields:
        assert whole.join(field.labels) == whole
        assert field.labels in {terms.labels, *terms.fields.values()} or field.labels == terms.labels


@given(one=st.lists(st.sampled_from("abc"), max_size=3), two=st.lists(st.sampled_from("abc"), max_size=3))
def test_spending_is_mutual(one: list[str], two: list[str]) -> None:
    uses = [Licence("t", ("m",), (("to", tuple(sorted(set(values)))),) if values else ()) for values in (one, two)]
    assert uses[0].spends(uses[1]) is uses[1].spends(uses[0])
    assert uses[0].spends(uses[0])


LONG = [
    "a ",
    "1 ",
    "not ",
    "1,",
    "de89 ",
    "( ",
    "a.",
    "20. ",
    "\u00bd ",
    "a\n",
    "https://",
    "a b c ",
    "10.10.",
    "may 1 ",
]


@pytest.mark.timeout(20)  # a quadratic one takes minutes
@pytest.mark.parametrize("filler", LONG)
def test_a_long_text_takes_no_quadratic_time(filler: str) -> None:
    text = UserText("m", filler * 100_000)
    found = spelling("a " * 20_000 + "b")
    assert found is not None
    assert not text.names(found)
