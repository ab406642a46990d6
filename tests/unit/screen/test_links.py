"""Addresses in an answer lead nowhere but where they may."""

import pytest

from guarded_agents.errors import ConfigurationError
from guarded_agents.screen import Finding, Kind, LinkScreen, Stage
from guarded_agents.screen import _links as module

LINKS = LinkScreen(hosts=["docs.example.com", "Wiki.example.com:8443"])

KEPT: dict[str, str] = {
    "prose": "a < b, c[0](d), x: y; see section 3 [1]: done.",
    "an allowed address": "see https://docs.example.com/a_(b)?q=1#c.",
    "an allowed link": '[t](https://docs.example.com/x "title")',
    "an allowed picture": "![t](<https://docs.example.com/x.png>)",
    "an allowed definition": "[t][r]\n\n[r]: https://docs.example.com/x",
    "an allowed autolink": "<https://docs.example.com/x>",
    "an allowed port": "https://wiki.example.com:8443/x",
    "in capitals": "HTTPS://DOCS.EXAMPLE.COM/x",
    "in brackets and quotes": '("https://docs.example.com/x"), `https://docs.example.com`',
    "what stays on the site": "[a](#part) [b](/help/x.md) [c](x.md?y=z) [d]() [e](/)",
    "code": "xs[i](a, b); d[k]: dict[str, int] = f<int>(x); List<String>, Map<K, V>",
    "harmless tags": "<b>bold</b><br/><br />",
    "no address": ":// and example.com",
}
REMOVED: dict[str, tuple[str, str]] = {
    "a picture": ("![a](https://evil.example/?d=x)", "![a] (link removed (evil[.]example))"),
    "a link": ("[a](http://evil.example/x)", "[a] (link removed (evil[.]example))"),
    "a link with a title": ('[a](http://evil.example "t")', '[a] (link removed (evil[.]example) "t")'),
    "a link on the next line": ("[a](\nhttp://evil.example)", "[a] (\nlink removed (evil[.]example))"),
    "a picture in a link": (
        "[![a](http://e.example/1)](http://e.example/2)",
        "[![a] (link removed (e[.]example))] (link removed (e[.]example))",
    ),
    "a definition": ("[r]: http://evil.example/x", "[r]: link removed (evil[.]example)"),
    "a definition in angles": ("[r]: <http://evil.example/x>", "[r]: link removed (evil[.]example)"),
    "an autolink": ("<http://evil.example/x>", "&lt;link removed (evil[.]example)>"),
    "an autolink that goes on": (
        "<https://docs.example.com/x>https://docs.example.com](a",
        "&lt;link removed (docs[.]example[.]com)](a",
    ),
    "an address in angles without a scheme": ("<www.evil.example>", "&lt;link removed (www[.]evil[.]example)>"),
    "a bare address": ("see http://evil.example/x.", "see link removed (evil[.]example)."),
    "another scheme": ("ftp://evil.example/x", "link removed (evil[.]example)"),
    "no scheme before another address": ("://http://evil.example", "link removed (http)"),
    "www": ("WWW.evil.example/x", "link removed (WWW[.]evil[.]example)"),
    "a script": ("[a](javascript:alert(1))", "[a] (link removed (no host))"),
    "data": ("![](data:image/png;base64,AAAA)", "![] (link removed (no host))"),
    "a mail": ("<mailto:eve@evil.example>", "&lt;mailto:eve@evil.example>"),
    "no scheme, two slashes": ("![a](//evil.example/x)", "![a] (link removed (evil[.]example))"),
    "escaped slashes": (r"![a](\/\/evil.example)", "![a] (link removed (no host))"),
    "an escaped colon": (r"![a](https\://evil.example)", "![a] (link removed (evil[.]example))"),
    "an entity in the scheme": ("![a](&#104;ttps://evil.example)", "![a] (link removed (evil[.]example))"),
    "an entity for a slash": ("![a](/&sol;evil.example)", "![a] (link removed (no host))"),
    "a name below an allowed one": ("http://x.docs.example.com/", "link removed (x[.]docs[.]example[.]com)"),
    "a name before an allowed one": ("http://docs.example.com.evil/", "link removed (docs[.]example[.]com[.]evil)"),
    "credentials": ("http://docs.example.com@evil.example", "link removed (docs[.]example[.]com)"),
    "another port": ("http://docs.example.com:81/", "link removed (docs[.]example[.]com:81)"),
    "a backslash after the host": (r"http://docs.example.com\.evil/", "link removed (docs[.]example[.]com)"),
    "an entity after the host": ("http://docs.example.com&period;e/", "link removed (docs[.]example[.]com)"),
    "a brace in the host": ("http://docs.example.com{x.evil/", "link removed (docs[.]example[.]com)"),
    "letters of another script": ("http://d\u043ecs.example.com/", "link removed (d)"),
    "a bracket after the host": (
        "http://docs.example.com]@evil.example/",
        "link removed (docs[.]example[.]com)]@evil.example/",
    ),
    "an angle after the host": ("http://docs.example.com>@evil.example/", "link removed (docs[.]example[.]com)"),
    "a tag after the host": (
        "http://docs.example.com<b@e.example/>",
        "link removed (docs[.]example[.]com)<b@e.example/>",
    ),
    "an angle after the host of a link": (
        "[a](http://docs.example.com<@evil.example/)",
        "[a] (link removed (docs[.]example[.]com)<@evil.example/)",
    ),
    "an escaped bracket after the host of a link": (
        r"[a](http://docs.example.com\)@evil.example/)",
        "[a] (link removed (docs[.]example[.]com))@evil.example/)",
    ),
    "a bracket after the host of a link": (
        "[a](http://docs.example.com]@evil.example/)",
        "[a] (link removed (docs[.]example[.]com)]@evil.example/)",
    ),
    "nested brackets after the host of a link": (
        "[a](http://docs.example.com((@evil.example/)))",
        "[a](link removed (docs[.]example[.]com))))",
    ),
    "a space of another width after the host": (
        "http://docs.example.com\xa0@evil.example/",
        "link removed (docs[.]example[.]com)",
    ),
    "a space of another width in a link": (
        "[a](http://docs.example.com\u3000@evil.example/)",
        "[a] (link removed (docs[.]example[.]com))",
    ),
    "a space of another width before two slashes": ("[a](\xa0//evil.example)", "[a] (link removed (evil[.]example))"),
    "two in one": ("http://docs.example.com/,http://evil.example/", "link removed (docs[.]example[.]com)"),
    "a long query": ("http://docs.example.com/?" + "d" * 129, "link removed (docs[.]example[.]com)"),
    "a picture of HTML": ("<img src=//evil.example>", "&lt;img src=//evil.example>"),
    "a link of HTML": ('<a href="x">a</a>', '&lt;a href="x">a</a>'),
    "HTML in capitals": ("<IMG SRC=x>", "&lt;IMG SRC=x>"),
    "an attribute that runs": ("<b/onclick=x>", "&lt;b/onclick=x>"),
    "a broken tag": ("<img <b src=x>", "&lt;img &lt;b src=x>"),
    "a quote in a tag": ("<p title='>' style=x>", "&lt;p title='>' style=x>"),
    "a tag that does not end": ("<img src=x", "&lt;img src=x"),
    "a tag that runs": ("<Script>x</script>", "&lt;Script>x&lt;/script>"),
    "a declaration": ("<!-- x -->", "&lt;!-- x -->"),
    "an instruction": ("<?xml?>", "&lt;?xml?>"),
    "a tag after a definition": ("]: <script>", "]: link removed (no host)"),
    "an address in a tag": ("<b www.evil.example>", "<b link removed (www[.]evil[.]example)>"),
    "an address where a link stays": ("[a](x,www.evil.example)", "[a](x,link removed (www[.]evil[.]example))"),
    "a link made by what is removed": ("[a]http://evil.example", "[a]link removed (evil[.]example)"),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_leads_nowhere_else_stays(text: str) -> None:
    assert LINKS.neutralise(text).text is text
    assert LINKS.neutralise(text).findings == ()


@pytest.mark.parametrize(("text", "left"), REMOVED.values(), ids=REMOVED)
def test_an_address_that_could_carry_data_out_is_text_afterwards(text: str, left: str) -> None:
    assert LINKS.neutralise(text).text == left
    assert LINKS.neutralise(left).text == left


def test_how_many_were_found_is_said_and_not_which() -> None:
    neutralised = LINKS.neutralise("http://a.example and http://b.example")
    assert neutralised.findings == (
        Finding(id="exfiltration:link", kind=Kind.EXFILTRATION, stage=Stage.RESPONSE, count=2),
    )
    assert "example" not in repr(neutralised)


def test_without_hosts_no_address_stays() -> None:
    assert LinkScreen(hosts=[]).neutralise("https://docs.example.com/").text == "link removed (docs[.]example[.]com)"


def test_a_longer_query_may_be_allowed() -> None:
    text = "https://docs.example.com/?" + "q" * 200
    assert LinkScreen(hosts=["docs.example.com"], max_query=200).neutralise(text).text == text


def test_after_very_many_the_rest_is_neutralised_without_looking() -> None:
    tail = "![a](https://docs.example.com) <b> [r]: x www.x"
    text = "http://a.example " * module.MAX_LINKS + tail
    assert LINKS.neutralise(text).text.endswith("![a] (https: //docs.example.com) &lt;b> [r] : x www[.]x")


@pytest.mark.parametrize("host", ["", "https://x", "*.example.com", "a/b", "a b", ".example.com"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^allowed hosts: expected names"):
        LinkScreen(hosts=[host])
