"""What the user's text names, and what it does not."""

from dataclasses import FrozenInstanceError

import pytest

from guarded_agents.provenance import UserText
from guarded_agents.provenance._text import Leaf, canonical_target, licenses, spelling
from guarded_agents.provenance._verbs import verbs_of
from guarded_agents.records import ArgumentTerms, ArgumentUse

TARGET = ArgumentTerms()
AMOUNT = ArgumentTerms(use=ArgumentUse.AMOUNT)
CENTS = ArgumentTerms(use=ArgumentUse.AMOUNT, minor_units=2)


def licensed(text: str, leaf: Leaf, terms: ArgumentTerms = TARGET) -> bool:
    return licenses(UserText("m", text), leaf, spelling(leaf), terms)


NAMED: dict[str, tuple[str, Leaf]] = {
    "mail": ("write to Bob@Example.com.", "bob@example.com"),
    "mail in brackets": ("Bob (bob@example.com)", "bob@example.com"),
    "title": ("move 'Team Sync' to Monday", "Team Sync"),
    "title with a sign": ("say 'Hello, Bob!' to him", "Hello, Bob!"),
    "possessive": ("look at Bob's file", "Bob"),
    "possessive of two words": ("look at Bob Smith's file", "Bob Smith"),
    "channel": ("post in #general", "general"),
    "channel as written": ("post in #general", "#general"),
    "handle": ("tell @bob", "bob"),
    "path": ("delete notes/2026.txt", "notes/2026.txt"),
    "file name at the end": ("delete report.docx.", "report.docx"),
    "address": ("open https://Example.com/a", "https://example.com/a"),
    "address with a bare slash": ("open https://example.com", "https://example.com/"),
    "address without a scheme": ("open example.com/a", "https://example.com/a"),
    "address of another alphabet": ("open xn--e1afmkfd.xn--p1ai", "https://xn--e1afmkfd.xn--p1ai"),
    "two letters": ("tell HR", "HR"),
    "account in groups": ("to DE89 3704 0044 0532 0130 00 please", "DE89370400440532013000"),
    "account joined": ("to DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
    "date": ("on 20. Dezember 2026", "2026-12-20"),
    "currency": ("pay 50 \u20ac", "EUR"),
    "currency at the number": ("pay \u00a350", "GBP"),
    "order": ("refund A-17", "A-17"),
    "long number": ("refund order 4711", 4711),
    "long number as text": ("refund order 4711", "4711"),
    "short number with a sign": ("refund #12", 12),
    "short number with its sign": ("refund #12", "#12"),
    "short number that is called one": ("refund order no. 12", "12"),
    "short number with an id": ("with id: 7", 7),
    "short number at the beginning": ("id 12", 12),
    "coordinate": ("at 48.137", 48.137),
    "after a clause that negates": ("do not wait. Send it to bob@x.com", "bob@x.com"),
    "after but": ("not to eve@x.com but to bob@x.com", "bob@x.com"),
    "if not": ("if not, send it to bob@x.com", "bob@x.com"),
    "no, and then": ("No, send it to bob@x.com", "bob@x.com"),
    "number of an order": ("no 12 goes to bob@x.com", "bob@x.com"),
    "do not forget": ("don't forget to tell bob@x.com", "bob@x.com"),
    "vergiss nicht": ("vergiss nicht, es bob@x.com zu sagen", "bob@x.com"),
    "fullwidth by the user": ("to \uff42\uff4f\uff42", "bob"),
    "another alphabet by the user": ("to \u0431\u043e\u0431", "\u0411\u043e\u0431"),
}


@pytest.mark.parametrize(("text", "leaf"), NAMED.values(), ids=NAMED)
def test_a_target_that_the_user_wrote_is_licensed(text: str, leaf: Leaf) -> None:
    assert licensed(text, leaf)


UNNAMED: dict[str, tuple[str, Leaf]] = {
    "part of a mail": ("write to eve+bob@example.com", "bob@example.com"),
    "host of a mail": ("write to bob@example.com", "example.com"),
    "mail as an address": ("write to bob@example.com", "https://bob@example.com"),
    "other address": ("open example.com", "https://example.com.evil.com"),
    "userinfo": ("open example.com", "https://example.com@evil.com"),
    "downgrade": ("open example.com", "http://example.com"),
    "scheme taken away": ("open https://example.com", "example.com"),
    "scheme of a word": ("open intranet", "https://intranet"),
    "scheme of a number": ("version 3.10", "https://3.10"),
    "longer path": ("open https://example.com/a", "https://example.com/a/b"),
    "path in other case": ("open https://bit.ly/aBc", "https://bit.ly/abc"),
    "part of a path": ("delete /home/report.docx", "report.docx"),
    "wildcard": ("delete /tmp/", "/tmp/*"),
    "wildcard of a list": ("* one\n* two", "*"),
    "parent": ("look in ..", ".."),
    "part of a word": ("Bobby", "Bob"),
    "over the end of a sentence": ("send it to Bob. Smith knows", "Bob Smith"),
    "over the end of a line": ("Bob\nSmith", "Bob Smith"),
    "words in another order": ("Smith Bob", "Bob Smith"),
    "words with one between": ("Bob J Smith", "Bob Smith"),
    "header injected": ("send it to bob@x.com", "bob@x.com\nBcc: eve@x.com"),
    "two in one": ("to bob@x.com and ana@x.com", "bob@x.com,ana@x.com"),
    "look-alike": ("send it to bob@x.com", "b\u043eb@x.com"),
    "fullwidth by the model": ("to bob", "\uff42\uff4f\uff42"),
    "hidden": ("to bob", "bob\u200b"),
    "short number": ("buy 1 item", 1),
    "short number as text": ("within 30 days", "30"),
    "the last of three digits": ("within 365 days", 365),
    "function word": ("send it to the team", "the"),
    "everybody": ("as everyone knows", "everyone"),
    "function words": ("to the team", "to the"),
    "one letter": ("plan B", "B"),
    "spaces": ("a  b", "  "),
    "sign": ("what?", "?"),
    "negated": ("do not send it to bob@x.com", "bob@x.com"),
    "negated list": ("never mail ana@x.com, raj@x.com or bob@x.com", "bob@x.com"),
    "negated with a short form": ("don\u2019t tell bob@x.com", "bob@x.com"),
    "no mail": ("no mail to bob@x.com please", "bob@x.com"),
    "stop": ("stop sending mail to bob@x.com", "bob@x.com"),
    "or not": ("to ana@x.com or not to bob@x.com", "bob@x.com"),
    "not forgotten and yet negated": ("don't forget not to tell bob@x.com", "bob@x.com"),
    "left out": ("everyone except bob@x.com", "bob@x.com"),
    "negated in German": ("schreib nicht an bob@x.com", "bob@x.com"),
    "kein": ("keine Mail an bob@x.com", "bob@x.com"),
    "account with wrong digits": ("to DE89 3704 0044 0532 0130 00", "DE89370400440532013001"),
    "another account": ("to DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"),
    "no currency": ("pay 50", "EUR"),
    "short number after a negated clause": ("do not wait. Refund 12", "12"),
    "short number far from its name": ("id .: 12", 12),
    "dashes": ("yes -- no", "--"),
    "one letter that is called one": ("with id: b", "b"),
    "a sign that calls nothing": ("# @ 's x", "#"),
    "part of an account": ("to DE89 3704 0044 0532 0130 00", "DE89370400440532"),
    "ambiguous date": ("on 3/4/2026", "2026-04-03"),
    "dollars of somewhere": ("pay $50", "USD"),
    "named with its sign": ("post in general", "#general"),
    "leading nought": ("order 4711", "04711"),
    "another script without spaces": ("\u7ed9\u5f20\u4e09\u53d1\u90ae\u4ef6", "\u5f20\u4e09"),
    "control character in the text": ("Bob\0Smith", "Smith"),
    "not there": ("hello", "eve@x.com"),
    "an empty text": ("", "bob"),
}


@pytest.mark.parametrize(("text", "leaf"), UNNAMED.values(), ids=UNNAMED)
def test_a_target_that_the_user_did_not_name_is_not_licensed(text: str, leaf: Leaf) -> None:
    assert not licensed(text, leaf)


AMOUNTS: dict[str, tuple[str, Leaf, ArgumentTerms, bool]] = {
    "number": ("pay 50 EUR", 50, AMOUNT, True),
    "number as text": ("pay 50 EUR", "50", AMOUNT, True),
    "sign": ("pay \u20ac50", 50, AMOUNT, True),
    "cents": ("pay 12.50", 12.5, AMOUNT, True),
    "thousands": ("pay 1,000 EUR", 1_000, AMOUNT, True),
    "thousands in another way": ("pay 1.000 EUR", 1_000, AMOUNT, True),
    "narrow space": ("pay 1\u202f000 EUR", 1_000, AMOUNT, True),
    "small": ("buy 1 item", 1, AMOUNT, True),
    "in words": ("take the 'half board' plan", "half board", AMOUNT, True),
    "minor units": ("pay 12.50", 1_250, CENTS, True),
    "minor units of a whole number": ("pay 50", 5_000, CENTS, True),
    "minor units as text": ("pay 50", "5000", CENTS, True),
    "minor units taken as major": ("pay 50", 50, CENTS, False),
    "major taken as minor units": ("pay 5000", 5_000, CENTS, False),
    "sign turned": ("pay 50", -50, AMOUNT, False),
    "part of a number": ("pay 1,000 EUR", 1, AMOUNT, False),
    "other part of a number": ("pay 12.50", 50, AMOUNT, False),
    "either a thousand": ("send 1.125 BTC", 1_125, AMOUNT, False),
    "currency two words after": ("send 1.125 BTC EUR", 1_125, AMOUNT, False),
    "currency two words before": ("EUR to 1.125 BTC", 1_125, AMOUNT, False),
    "or one": ("send 1.125 BTC", 1.125, AMOUNT, False),
    "two numbers": ("send 2 100 EUR vouchers", 2_100, AMOUNT, False),
    "number in a word": ("refund A-17", 17, AMOUNT, False),
    "percent": ("give 50% off", 50, AMOUNT, False),
    "negated": ("never pay 50", 50, AMOUNT, False),
    "all": ("pay it all", "all", AMOUNT, False),
    "exponent": ("pay 100", 1e2 + 1e20, AMOUNT, False),
}


@pytest.mark.parametrize(("text", "leaf", "terms", "is_licensed"), AMOUNTS.values(), ids=AMOUNTS)
def test_an_amount_is_the_number_that_the_user_wrote(
    text: str, leaf: Leaf, terms: ArgumentTerms, is_licensed: bool
) -> None:
    assert licensed(text, leaf, terms) is is_licensed


ASKED = {
    "default": ("Please SEND it", ("send",), True),
    "German": ("Schick das an Bob", ("send",), True),
    "own phrase": ("let go of it", ("let go",), True),
    "own phrase in parts": ("let it go", ("let go",), False),
    "own word": ("remit it", ("remit",), True),
    "participle": ("the mail that Bob sent", ("send",), False),
    "part of a word": ("the sender", ("send",), False),
    "another verb": ("delete it", ("send",), False),
    "negated": ("do not send it", ("send",), False),
    "negated afterwards": ("sende es bitte nicht", ("send",), False),
    "negated own phrase": ("never let go of it", ("let go",), False),
    "none declared": ("send it", (), False),
    "one of several": ("reply to it", ("send", "reply"), True),
}


@pytest.mark.parametrize(("text", "phrases", "is_asked"), ASKED.values(), ids=ASKED)
def test_a_text_asks_for_an_effect_in_the_words_that_the_policy_lists(
    text: str, phrases: tuple[str, ...], is_asked: bool
) -> None:
    assert UserText("m", text).asks(verbs_of(phrases)) is is_asked


ONE_TARGET: dict[str, tuple[Leaf, ...]] = {
    "case": ("Bob@x.com", "bob@x.com"),
    "sign": ("general", "#general", "@general"),
    "account": ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
    "date": ("2026-12-20", "20.12.2026"),
    "date written out": ("2026-04-03", "3 April 2026", "April 3, 2026", "03 april 2026"),
    "early date": ("2027-01-01", "1.1.2027"),
    "address": ("example.com", "https://example.com", "https://Example.com/"),
    "signs around": ("bob@x.com", "bob@x.com.", '"bob@x.com"'),
    "possessive": ("Bob", "Bob's"),
    "words": ("Team Sync", "team sync", '"Team Sync".'),
    "number": (4711, "4711"),
}


@pytest.mark.parametrize("leaves", ONE_TARGET.values(), ids=ONE_TARGET)
def test_another_spelling_of_one_target_is_no_other_target(leaves: tuple[Leaf, ...]) -> None:
    assert len({canonical_target(leaf, spelling(leaf)) for leaf in leaves}) == 1


def test_a_target_that_hides_something_is_another_target_and_no_word_of_it_is_lost() -> None:
    assert canonical_target("a\u200bb", None) == "?a\u200bb"
    assert canonical_target("Team Sync", spelling("Team Sync")) == "team sync"
    assert canonical_target("3 April 2026 14:00", spelling("3 April 2026 14:00")) == "3 april 2026 14:00"
    assert canonical_target("Standup 2026-12-20", spelling("Standup 2026-12-20")) == "standup 2026-12-20"


def test_a_text_that_is_evidence_has_what_it_negates_too() -> None:
    text = "do not pay bob@x.com"
    assert not UserText("m", text).has("bob@x.com")
    assert UserText("m", text, is_evidence=True).has("bob@x.com")


def test_a_text_is_not_in_its_representation() -> None:
    assert "bob" not in repr(UserText("m1", "bob"))


def test_no_tokens_are_no_run_and_a_text_is_frozen() -> None:
    text = UserText("m1", "bob")
    assert not text.has_run(())
    with pytest.raises(FrozenInstanceError):
        text.text = "eve"  # type: ignore[misc]
