"""Where the keys of a provider come from: a file, or the provider's ``jwks_uri``."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import httpx

from guarded_agents.addresses import safe_address
from guarded_agents.errors import ConfigurationError, DirectoryError, ProofError
from guarded_agents.identity._key_set import MAX_BYTES, KeySet, PublicKey, UnusableKeySetError, parse_key_set

_CLOCK_STEP: Final = timedelta(seconds=60)  # of two callers at once the later may hand in the earlier time
_HEADERS: Final = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}


class JwksFile:
    """The keys in a file, read anew each time: a key that is taken out of it counts no longer.

    Raises ConfigurationError where *path* is no key set when this is made.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        try:
            parse_key_set(_read(self._path))
        except (OSError, UnusableKeySetError) as error:
            raise ConfigurationError(
                f"key set {self._path}", expected="a JSON Web Key Set", got=_said(error), action="correct the file"
            ) from None

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> PublicKey:  # noqa: ARG002 - the file is always of now
        """Return the key with that id that fits. Raises ProofError for none, DirectoryError for no readable file."""
        try:
            key = parse_key_set(await asyncio.to_thread(_read, self._path)).find(key_id, algorithm)
        except (OSError, UnusableKeySetError) as error:
            raise _untold(str(self._path), _said(error)) from None
        if key is None:
            raise _unknown()
        return key


class _Held(NamedTuple):
    keys: KeySet
    since: datetime


class JwksUrl:
    """The keys at the provider's ``jwks_uri`` (OpenID Connect Discovery 1.0 section 3).

    They are kept for *cache_s* seconds, and fetched earlier where a token names a key that is not among them; but
    never more often than every *min_refresh_s*. Where the URL does not answer within *timeout_s*, those that are
    held serve on until they are *stale_s* old; from then on it cannot be told. So a key that the provider withdraws
    counts for at most *cache_s* more, and *stale_s* where nobody can be asked. *client* makes the HTTP client where
    one of your own is needed (a proxy, a CA bundle). Raises ConfigurationError for an address that is not https
    (http only to a loopback address) and for times that contradict one another.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        cache_s: int = 300,
        stale_s: int = 3_600,
        min_refresh_s: int = 30,
        client: Callable[[], httpx.AsyncClient] | None = None,
    ) -> None:
        parts = safe_address(url)
        if parts is None or not _is_known_to_httpx(url):
            raise _unusable("an https address (http only to a loopback address) without user and fragment", "another")
        if not (timeout_s > 0 and 0 < min_refresh_s <= cache_s <= stale_s):
            raise _unusable("timeout_s above 0 and 0 < min_refresh_s <= cache_s <= stale_s", "others")
        self._url, self._timeout_s = url, timeout_s
        self._name = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a key of its own
        self._cache, self._stale, self._pause = (timedelta(seconds=s) for s in (cache_s, stale_s, min_refresh_s))
        self._client = client or (lambda: httpx.AsyncClient(trust_env=False))
        self._held: _Held | None = None
        self._tried: datetime | None = None
        self._failure: str | None = None  # of the last try
        # A lock belongs to one loop; guards on several loops may share the keys.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> PublicKey:
        """Return the key with that id that fits. Raises ProofError for none, DirectoryError where it cannot be told."""
        key = self._held_key(key_id, algorithm, now=now, at_most=self._cache)
        if key is None:
            async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                if not _is_within(self._tried, now, self._pause):
                    await self._refresh(now)
            key = self._held_key(key_id, algorithm, now=now, at_most=self._stale)
        if key is not None:
            return key
        if self._failure is not None:
            raise _untold(self._name, self._failure)
        raise _unknown()

    def _held_key(self, key_id: str | None, algorithm: str, *, now: datetime, at_most: timedelta) -> PublicKey | None:
        held = self._held
        if held is None or not _is_within(held.since, now, at_most):
            return None
        try:
            return held.keys.find(key_id, algorithm)
        except UnusableKeySetError as error:
            raise _untold(self._name, error.got) from None

    async def _refresh(self, now: datetime) -> None:
        """Fetch the keys. What fails leaves those that are held as they are."""
        self._tried, self._failure = now, "no answer"  # stands where the caller gives up meanwhile
        try:
            self._held = _Held(parse_key_set(await self._fetch()), now)
        except (httpx.HTTPError, OSError, UnusableKeySetError) as error:  # TimeoutError is an OSError
            self._failure = _said(error)
        else:
            self._failure = None

    async def _fetch(self) -> bytes:
        found = bytearray()
        async with (
            asyncio.timeout(self._timeout_s),  # httpx limits each read, and a server may drip
            self._client() as client,
            client.stream("GET", self._url, headers=_HEADERS, follow_redirects=False) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise UnusableKeySetError(f"status {answer.status_code}")
            if "content-encoding" in answer.headers:  # not asked for, and what it unpacks to is not bounded
                raise UnusableKeySetError("an encoded answer")
            async for chunk in answer.aiter_bytes():
                found += chunk
                if len(found) > MAX_BYTES:
                    raise UnusableKeySetError(f"more than {MAX_BYTES:,} bytes")
        return bytes(found)


def _is_within(since: datetime | None, now: datetime, limit: timedelta) -> bool:
    """Return whether *now* is less than *limit* after *since*: never where the clock was set back since."""
    return since is not None and -_CLOCK_STEP <= now - since < limit


def _is_known_to_httpx(url: str) -> bool:
    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return True


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _said(error: Exception) -> str:
    if isinstance(error, UnusableKeySetError):
        return error.got
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _unusable(expected: str, got: str) -> ConfigurationError:
    return ConfigurationError("key set URL", expected=expected, got=got, action="correct the settings")


def _untold(name: str, got: str) -> DirectoryError:
    return DirectoryError(
        f"key set {name}", expected="the provider's keys", got=got, action="look at the provider, then try again"
    )


def _unknown() -> ProofError:
    return ProofError(
        "ID token",
        expected="a signature by a key that the provider publishes now",
        got="another or no key id",
        action="sign in again",
    )
