"""Where a provider's keys come from, for how long they count, and what happens while nobody answers."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from guarded_agents.errors import ConfigurationError, DirectoryError, ProofError
from guarded_agents.identity import IdTokens, JwksFile, JwksUrl
from tests.support.issuer import (
    CLIENT,
    ISSUER,
    Site,
    after,
    claims,
    jwk,
    key_set,
    loopback_site,
    private_key,
    proof,
    stamp,
    token,
)

OLD, NEW = (private_key("RS256", name) for name in ("first", "second"))
OLD_SET = key_set(jwk(OLD.public_key()))
BOTH = key_set(jwk(OLD.public_key()), jwk(NEW.public_key(), "k2"))
NEW_SET = key_set(jwk(NEW.public_key(), "k2"))
URL = "https://login.example.com/jwks"


def refuses() -> httpx.Response:
    raise httpx.ConnectError("no such host as secret.example.com")


def says(status: int = 200, content: bytes = OLD_SET, **headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_keys_are_kept_for_a_while_and_then_asked_for_again() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    for seconds, asked in ((0, 1), (1, 1), (299, 1), (300, 2), (599, 2), (600, 3)):
        assert await keys.find("k1", "RS256", now=after(seconds)) == OLD.public_key()
        assert site.asked == asked
    assert set(site.urls) == {URL}


@pytest.mark.requirement("I7")
async def test_a_new_key_counts_at_once_and_a_withdrawn_one_no_longer_than_the_cache() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    assert await keys.find("k1", "RS256", now=after(0))
    site.content = BOTH
    assert await keys.find("k2", "RS256", now=after(40)) == NEW.public_key()
    site.content = NEW_SET
    assert await keys.find("k1", "RS256", now=after(339)) == OLD.public_key()
    with pytest.raises(ProofError, match="publishes now"):
        await keys.find("k1", "RS256", now=after(340))


async def test_a_rotated_key_proves_new_tokens_and_old_ones_while_it_is_published() -> None:
    site = Site(OLD_SET)
    given = IdTokens(issuer=ISSUER, audience=CLIENT, keys=JwksUrl(URL, client=site.client))

    async def proven(signature: str, seconds: int) -> str:
        return await given.verify(proof(signature), group="finance", now=after(seconds), is_fresh=False)

    before, later = token(), token(claims(iat=stamp(100), exp=stamp(400)), key=NEW, key_id="k2")
    assert await proven(before, 60)
    with pytest.raises(ProofError):
        await proven(later, 110)
    site.content = BOTH
    assert await proven(later, 141)
    assert await proven(before, 141)
    site.content = NEW_SET
    assert await proven(later, 500)
    with pytest.raises(ProofError):
        await proven(before, 500)


async def test_unknown_key_ids_do_not_make_the_provider_be_asked_more_often() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    for seconds, asked in ((0, 1), (1, 1), (29, 1), (30, 2), (31, 2), (59, 2), (60, 3)):
        with pytest.raises(ProofError):
            await keys.find(f"made-up-{seconds}", "RS256", now=after(seconds))
        assert site.asked == asked
    assert await keys.find("k1", "RS256", now=after(61))


FAILURES = {
    "refused": (refuses, "ConnectError"),
    "error": (says(503), "status 503"),
    "not-found": (says(404), "status 404"),
    "redirect": (says(302, location="http://login.example.com/jwks"), "status 302"),
    "no-content": (says(204, b""), "status 204"),
    "login-page": (says(content=b"<html>"), "no JSON"),
    "no-keys": (says(content=b"{}"), "JSON without keys"),
    "large": (says(content=b"x" * 300_000), "more than 262,144 bytes"),
    "encoded": (says(content=gzip.compress(OLD_SET), content_encoding="gzip"), "an encoded answer"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("answer", "got"), FAILURES.values(), ids=FAILURES)
async def test_without_an_answer_held_keys_serve_for_a_bounded_time(
    answer: Callable[[], httpx.Response], got: str
) -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    assert await keys.find("k1", "RS256", now=after(0))
    site.answer = answer
    assert await keys.find("k1", "RS256", now=after(3_599))
    with pytest.raises(DirectoryError) as caught:
        await keys.find("k2", "RS256", now=after(3_599))  # whether it is a key now cannot be told
    assert caught.value.got == got
    with pytest.raises(DirectoryError) as caught:
        await keys.find("k1", "RS256", now=after(3_600))
    assert caught.value.got == got
    assert "secret" not in str(caught.value)
    site.answer = says()
    assert await keys.find("k1", "RS256", now=after(3_640))


@pytest.mark.parametrize(("answer", "got"), FAILURES.values(), ids=FAILURES)
async def test_without_any_answer_it_cannot_be_told(answer: Callable[[], httpx.Response], got: str) -> None:
    site = Site(OLD_SET)
    site.answer = answer
    keys = JwksUrl(URL + "?key=secret", client=site.client)
    for seconds, asked in ((0, 1), (1, 1), (30, 2)):
        with pytest.raises(DirectoryError) as caught:
            await keys.find("k1", "RS256", now=after(seconds))
        assert (caught.value.subject, caught.value.got, site.asked) == (f"key set {URL}", got, asked)


async def test_a_set_that_names_two_keys_alike_cannot_tell() -> None:
    site = Site(key_set(jwk(OLD.public_key()), jwk(NEW.public_key())))
    with pytest.raises(DirectoryError, match="two keys of one id"):
        await JwksUrl(URL, client=site.client).find("k1", "RS256", now=after(0))


async def test_callers_at_once_ask_once_even_where_their_clocks_differ_a_little() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    found = await asyncio.gather(*(keys.find("k1", "RS256", now=after(-n / 1000)) for n in range(20)))
    assert (len(found), site.asked) == (20, 1)


async def test_a_clock_that_was_set_back_keeps_no_key_alive() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)
    assert await keys.find("k1", "RS256", now=after(86_400))
    site.content = NEW_SET
    with pytest.raises(ProofError):
        await keys.find("k1", "RS256", now=after(0))


def test_guards_on_several_loops_may_share_the_keys() -> None:
    site = Site(OLD_SET)
    keys = JwksUrl(URL, client=site.client)

    async def at_once(seconds: int) -> None:
        await asyncio.gather(*(keys.find("k1", "RS256", now=after(seconds)) for _ in range(5)))

    for seconds in (0, 400):
        asyncio.run(at_once(seconds))
    assert site.asked == 2


async def test_a_caller_that_gives_up_leaves_no_answer_behind() -> None:
    never = asyncio.Event()

    class Hangs(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await never.wait()
            raise AssertionError

    keys = JwksUrl(URL, client=lambda: httpx.AsyncClient(transport=Hangs()))
    asked = asyncio.ensure_future(keys.find("k1", "RS256", now=after(0)))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with pytest.raises(DirectoryError, match="no answer"):
        await keys.find("k1", "RS256", now=after(1))


async def test_keys_come_from_a_real_server() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(OLD_SET)
    async with loopback_site(head, OLD_SET) as url:
        assert await JwksUrl(url).find("k1", "RS256", now=after(0)) == OLD.public_key()


@pytest.mark.parametrize("pieces", [(), (b"HTTP/1.1 200 OK\r\n\r\n", OLD_SET)], ids=["silent", "never-ends"])
async def test_a_server_that_does_not_finish_is_given_up(pieces: tuple[bytes, ...]) -> None:
    async with loopback_site(*pieces, stays_open=True) as url:
        with pytest.raises(DirectoryError, match=r"TimeoutError|ReadTimeout"):
            await JwksUrl(url, timeout_s=0.2).find("k1", "RS256", now=after(0))


BAD_URLS = {
    "without-tls": "http://login.example.com/jwks",
    "like-loopback": "http://localhost.example.com/jwks",
    "file": "file:///etc/keys",
    "no-host": "https:///jwks",
    "user": "https://me:secret@login.example.com/jwks",
    "fragment": URL + "#k1",
    "port": "https://login.example.com:99999/jwks",
    "port-zero": "https://login.example.com:0/jwks",
    "bracket": "https://[::1/jwks",
    "line-end": URL + "\n",
    "blank": URL + " x",
    "host-that-is-none": "https://☃.example.com/jwks",
    "relative": "/jwks",
    "empty": "",
}


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS)
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        JwksUrl(url)
    assert "secret" not in str(caught.value)


TIMES = {
    "no-time": {"timeout_s": 0},
    "no-pause": {"min_refresh_s": 0},
    "pause-beyond-cache": {"min_refresh_s": 301},
    "cache-beyond-stale": {"cache_s": 3_601},
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_times_that_contradict_one_another_are_refused(times: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="min_refresh_s <= cache_s <= stale_s"):
        JwksUrl(URL, **times)


async def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(OLD_SET)
    keys = JwksFile(path)
    assert await keys.find("k1", "RS256", now=after(0)) == OLD.public_key()
    path.write_bytes(NEW_SET)
    with pytest.raises(ProofError, match="publishes now"):
        await keys.find("k1", "RS256", now=after(0))
    assert await JwksFile(str(path)).find("k2", "RS256", now=after(0)) == NEW.public_key()


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("content", [None, b"", b" " * 300_000], ids=["missing", "empty", "large"])
async def test_a_file_that_cannot_be_used_is_no_answer(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(OLD_SET)
    keys = JwksFile(path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DirectoryError, match="the provider's keys"):
        await keys.find("k1", "RS256", now=after(0))
    with pytest.raises(ConfigurationError, match="a JSON Web Key Set"):
        JwksFile(path)
