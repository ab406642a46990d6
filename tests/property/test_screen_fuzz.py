"""Whatever a text holds: it is screened, nothing hides in what goes on, and nothing in it leads out."""

import re
import unicodedata
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from guarded_agents.screen import (
    WORDINGS,
    CleanText,
    Finding,
    HidingDetector,
    Kind,
    LinkScreen,
    PatternDetector,
    Redactor,
    Required,
    Spotlight,
    Stage,
    ValueKind,
    clean,
    raised,
    screen,
)

HIDDEN = st.sampled_from(
    [
        *"\u200b\u200c\u200d\ufe0f\ufe0e\ufe01\u180b\U000e0101\U000e0141\u202e\u2066\u00ad\ufeff\u3164\U000e0041\U000e0001",
        *"\x00\x07\x1b\x9b\x9d\x85\r\n\x0b\x7f\ufdd0\uffff\ud800\udc00",
        *(
            "\x1b[31m",
            "\x1b]0;",
            "\x1b\\",
            "\x1b(",
            "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
    ]
)
SHOWN = st.sampled_from([*"aZ9é\u0301\u0316\u0f73\uff9e\ufdfa\u3316م\u064eकष्葛❤😀👨👩\U0001f3f4#1ｉ²", "\u0301" * 29])
ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates too
TEXTS = ANY_TEXT | st.lists(HIDDEN | SHOWN, max_size=40).map("".join)
REDACTOR = Redactor(bytes(32))
VALUES = st.sampled_from(
    [
        "ana@b.co",
        "4111 1111 1111 1111",
        "DE89370400440532013000",
        "+49 30 1234567",
        "123-45-6789",
        "ghp_" + "a1" * 18,
        "password=hunter22x",
        "eyJhbGciOi.eyJzdWIi.x",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----",
        "[[email:aaaaaaaaaaaaaaaa]]",
        "https://ana:pa55@b.co/",
        *" .,-+@[]:=/",
        "\u0664",
        "４",
    ]
)
PARTS = st.sampled_from(
    [
        *("](", "]:", "[", "![", "]", "(", ")", "<", ">", "</", "<!", "<?", "img", "a", "b", "svg", "src=", "href="),
        *("on=x", "style=", "//", "/", "\\", ":", "://", "http", "https://", "ftp://", "javascript:", "data:"),
        *("evil.example", "docs.example.com", "@", "?", "#", "&", "&colon;", "&#58;", "&sol;", "&#x2F;", "&Tab;"),
        *("{x", '"', "'", "`", "**", "_", "www.", "x", "1", "-", "--", "=", "~", " ", "\n", "\t", "\n\n", "    "),
        *(
            "[r]: ",
            "[r]",
            "```\n",
            "<https://docs.example.com/x>",
            "https://docs.example.com",
            "@evil.example/",
            "\xa0",
        ),
        *("](https://docs.example.com", "\u3000"),
    ]
)
FINDINGS = st.builds(
    Finding,
    id=st.just("test:one"),
    kind=st.sampled_from(Kind),
    stage=st.sampled_from(Stage),
    required=st.sampled_from(Required),
)
HOST = "docs.example.com"


@given(TEXTS)
@settings(max_examples=300)
def test_nothing_hides_in_a_clean_text_and_cleaning_it_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    again = clean(cleaned.text)
    assert again.text == cleaned.text
    assert not any(dict(again.removed).values())
    cleaned.text.encode()
    left = set(cleaned.text) - set("\n\t")
    assert not {char for char in left if unicodedata.category(char) in ("Cc", "Cs")} - {"\r"}
    assert re.search(r"\r(?!\n)|[\u200b\u202a-\u202e\u2066-\u2069\ufeff]", cleaned.text) is None


@given(TEXTS)
def test_whatever_goes_is_counted(text: str) -> None:
    cleaned = clean(text)
    counted = sum(dict(cleaned.removed).values())
    assert counted >= len(text) - len(cleaned.text)  # a break that becomes a line feed is counted too
    assert (counted == 0) is (cleaned.text == text)


@given(st.lists(st.sampled_from(["a", "\u0301", "\u0316", "\u200d", "\u200b", "\x1b[m"]), max_size=400).map("".join))
def test_no_run_of_marks_is_left_that_takes_time_to_sort(text: str) -> None:
    assert re.search("[\u0301\u0316]{31}", clean(text + text).text) is None


@pytest.mark.requirement("I10")
@given(st.lists(VALUES | st.sampled_from(["a", "\n"]), max_size=12).map("".join) | TEXTS)
@settings(max_examples=300)
def test_a_redacted_text_holds_only_tokens_of_its_own_and_comes_back_whole(text: str) -> None:
    cleaned = clean(text)
    redacted = REDACTOR.redact(cleaned, stage=Stage.TOOL_RESULT)
    assert set(re.findall(r"\[\[[a-z-]+:[a-z2-7]{16}\]\]", redacted.text)) == redacted.values.keys()
    restored = REDACTOR.restore(redacted.text, redacted.values, travels=tuple(ValueKind))
    assert (restored.text, restored.refused) == (cleaned.text, 0)
    nothing = REDACTOR.restore(redacted.text, redacted.values, travels=())
    look_alikes = sum(redacted.text.count(token) for token in redacted.values if token.startswith("[[token:"))
    assert nothing.refused == sum(finding.count for finding in redacted.findings) - look_alikes


@pytest.mark.requirement("I3")
@given(st.dictionaries(st.from_regex(r"\A\[\[email:[a-z2-7]{16}\]\]\Z"), st.text(max_size=5), max_size=5))
def test_a_forged_table_restores_nothing(values: dict[str, str]) -> None:
    text = " ".join(values)
    assert REDACTOR.restore(text, values, travels=tuple(ValueKind)).text == text


class Leads(HTMLParser):
    """Collects what a browser would follow, load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "iframe", "svg", "base", "form"):
            self.found.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.address(value or "")
            elif value is not None and name not in ("alt", "title", "class", "start"):
                self.found.append(f"{name}={value}")

    def address(self, written: str) -> None:
        if leads_out(written):
            self.found.append(written)


BARE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^ \t\n\r\f\v<]*")  # as long as cmark-gfm takes it to be


def leads_out(written: str) -> bool:
    """Return whether a browser would go to another host, or run something (URL Standard section 4.4)."""
    plain = re.sub(r"[\t\n\r]", "", written).strip().replace("\\", "/")
    authority = re.match(r"([A-Za-z][A-Za-z0-9+.-]*:)?//+([^/?#]*)", plain)
    if authority is None:
        return urlsplit(plain).scheme != ""
    host = authority[2].rpartition("@")[2].lower()
    if re.search(r"[\s%\[\]<>^|:]", host) or not host:
        return False  # no host: the browser goes nowhere
    return (authority[1] or "").lower() not in ("http:", "https:") or host.rstrip(".,;!?'\"*_~)`") != HOST


def leads(markdown: str) -> list[str]:
    """Return what leads out of *markdown* as CommonMark renders it, with raw HTML."""
    parser = Leads()
    parser.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
    parser.close()
    return parser.found


def test_the_oracle_sees_what_leads_out() -> None:
    assert leads("![a](https://evil.example/x)") == ["https://evil.example/x"]
    assert leads("[a][r]\n\n[r]: //evil.example") == ["//evil.example"]
    assert leads("<img src=//evil.example>") == ["//evil.example"]
    assert leads("<b onclick=x>") == ["onclick=x"]
    assert leads(f"[a](https://{HOST}/x) <https://{HOST}>") == []


@given(st.lists(PARTS, max_size=24).map("".join))
@settings(max_examples=1_000)
def test_nothing_leads_out_of_a_neutralised_answer(text: str) -> None:
    links = LinkScreen(hosts=[HOST])
    left = links.neutralise(text).text
    assert leads(left) == []
    assert leads(links.neutralise(left).text) == []
    assert [address for address in BARE.findall(left) if leads_out(address)] == []


@given(st.sampled_from(Required), st.lists(FINDINGS, max_size=5), st.lists(FINDINGS, max_size=5))
def test_findings_only_raise_in_whatever_order_they_come(
    before: Required, first: list[Finding], second: list[Finding]
) -> None:
    order = list(Required)
    after = raised(before, [*first, *second])
    assert order.index(after) >= order.index(raised(before, first)) >= order.index(before)
    assert after is raised(raised(before, second), first)


@given(TEXTS, st.sampled_from(Stage))
def test_any_text_is_screened(text: str, stage: Stage) -> None:
    screened = screen(
        text,
        stage=stage,
        detectors=[HidingDetector(), PATTERNS],
        redactor=REDACTOR,
        links=LinkScreen(hosts=[]),
    )
    assert all(finding.stage is stage for finding in screened.findings)
    assert all(text not in finding.model_dump_json() for finding in screened.findings if len(text) > 15)


@given(TEXTS, st.sampled_from(Stage), st.sampled_from(Required))
def test_screening_again_changes_nothing_and_lowers_nothing(text: str, stage: Stage, before: Required) -> None:
    links, detectors = LinkScreen(hosts=["docs.example.com"]), [HidingDetector(), PATTERNS]
    once = screen(text, stage=stage, detectors=detectors, links=links)
    again = screen(once.text, stage=stage, detectors=detectors, links=links)
    assert again.text == once.text
    order, after = list(Required), raised(before, once.findings)
    assert order.index(raised(after, again.findings)) >= order.index(after) >= order.index(before)


PATTERNS = PatternDetector(WORDINGS)


@given(
    st.sampled_from([known.pattern for known in WORDINGS if known.pattern.isascii() and r"\x{" not in known.pattern]),
    st.data(),
)
@settings(max_examples=60)
def test_what_a_wording_says_is_found_in_any_surroundings(pattern: str, data: st.DataObject) -> None:
    """The set finds what the expression alone finds."""
    import re2

    text = data.draw(
        st.from_regex(re.compile(pattern, re.IGNORECASE | re.ASCII), alphabet=st.characters(max_codepoint=126))
    )
    options = re2.Options()
    options.case_sensitive = False
    alone = re2.compile(pattern, options)
    seen = CleanText(text, text, clean("").removed)
    ids = {finding.id for finding in PATTERNS.detect(seen, stage=Stage.TOOL_RESULT)}
    expected = {known.id for known in WORDINGS if known.pattern == pattern and alone.search(text) is not None}
    assert expected <= ids


@given(st.text(st.sampled_from("aB3 \n\t<>\u02c6"), max_size=60), st.booleans())
def test_no_text_closes_its_delimiter(text: str, marks: bool) -> None:
    light = Spotlight("aB3aB3aB3aB3aB3a", marks_words=marks)
    shown = light.apply(text)
    assert shown.lower().count(light.nonce.lower()) == 2
    assert shown.startswith(light.opens)
    assert shown.endswith(light.closes)
