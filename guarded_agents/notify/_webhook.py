"""Notices as signed webhooks (Standard Webhooks 1.0.0, https://www.standardwebhooks.com)."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx
import orjson
from standardwebhooks import Webhook as Signer

from guarded_agents.addresses import safe_address
from guarded_agents.errors import ConfigurationError, DeliveryError
from guarded_agents.notify._notifier import link_of
from guarded_agents.records import Notice

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)  # "Signature scheme": 192 to 512 bits
_MAX_RETRY_AFTER_S: Final = 24 * 60 * 60


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Webhook:
    """Posts each notice to one URL: JSON, signed with HMAC-SHA256 (signature identifier ``v1``).

    The body holds ``type`` (``approval.asked``, ``approval.escalated``, …), ``timestamp`` (when it came about,
    RFC 3339, UTC) and ``data`` (``request``, ``risk``, ``to``, ``link``): no tool, no argument, no text of the thread.
    The header ``webhook-id`` is the same for every attempt to deliver one notice.
    """

    def __init__(
        self,
        url: str,
        secret: str | Sequence[str],
        *,
        link: str | None = None,
        timeout_s: float = 10.0,
        client: httpx.AsyncClient | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Check the address and the secrets; nothing is sent yet.

        *url* is https, or http to this machine, without user and fragment. *secret* is base64 with or without the
        prefix ``whsec_``; several are all used, so that the receiver can change from one to the other. In *link*
        ``{request}`` stands for the request's id. *now* tells the time that is signed (UTC). Raises ConfigurationError.
        """
        self._url, self._name = url, _checked_host(url)
        secrets = (secret,) if isinstance(secret, str) else tuple(secret)
        self._signers = tuple(Signer(_secret_bytes(text, self._name)) for text in secrets)
        if not self._signers:
            raise _unusable_secret(self._name, "none")
        self._link, self._timeout_s, self._client, self._now = link, timeout_s, client, now

    async def notify(self, notice: Notice) -> None:
        """Post *notice*, once. A redirect is not followed. Raises DeliveryError for any answer but 2xx.

        410 Gone is permanent: the receiver wants no more. Retry-After is kept where it is given in seconds.
        """
        body = self._body(notice)
        headers = {"content-type": "application/json", **self._signature(notice.id, body)}
        try:
            async with asyncio.timeout(self._timeout_s), self._open() as client:
                sending = client.stream(
                    "POST", self._url, content=body, headers=headers, timeout=self._timeout_s, follow_redirects=False
                )
                async with sending as answer:  # what the receiver says beyond its status is not read
                    if not answer.is_success:
                        raise self._refused(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            raise DeliveryError(
                self._name, expected="an answer", got=type(error).__name__, action="it is tried again"
            ) from error

    def _open(self) -> httpx.AsyncClient | nullcontext[httpx.AsyncClient]:
        if self._client is not None:
            return nullcontext(self._client)  # the caller's to close
        # A plain-text request to this machine must not pass through a proxy that the environment names.
        return httpx.AsyncClient(trust_env=urlsplit(self._url).scheme == "https")

    def _body(self, notice: Notice) -> bytes:
        data = {
            "request": notice.request,
            "risk": notice.risk.value,
            "to": notice.to,
            "link": link_of(notice, self._link),
        }
        fields = {"type": f"approval.{notice.kind.value}", "timestamp": notice.at, "data": data}
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z)

    def _signature(self, identifier: str, body: bytes) -> dict[str, str]:
        """Return the headers of the section "Webhook headers"; the time is that of this attempt."""
        now = self._now()
        signed = (signer.sign(msg_id=identifier, timestamp=now, data=body.decode()) for signer in self._signers)
        return {
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signed),
        }

    def _refused(self, answer: httpx.Response) -> DeliveryError:
        is_gone = answer.status_code == HTTPStatus.GONE
        return DeliveryError(
            self._name,
            expected="a 2xx answer",
            got=str(answer.status_code),
            action="the receiver wants no more: take this webhook out" if is_gone else "it is tried again",
            is_permanent=is_gone,
            retry_after_s=_seconds(answer.headers.get("retry-after", "")),
        )


def _seconds(text: str) -> int | None:
    """Return a Retry-After in seconds (RFC 9110 section 10.2.3), at most a day; None for a date or nothing."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_RETRY_AFTER_S))):
        return None
    return min(int(text), _MAX_RETRY_AFTER_S)


def _checked_host(url: str) -> str:
    """Return the name of the webhook for messages: its host only, for a path may be a secret."""
    parts = safe_address(url)
    if parts is None:
        raise ConfigurationError(
            f"webhook {_host(url)}",
            expected="an https address, or http to this machine, without user and fragment",
            got="another one",
            action="change its url",
        )
    return f"webhook {parts.hostname}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _secret_bytes(text: str, name: str) -> bytes:
    try:
        secret = b64decode(text.removeprefix(_PREFIX) + "==", validate=False)
    except (binascii.Error, ValueError):
        raise _unusable_secret(name, "no base64") from None
    if len(secret) not in _SECRET_BYTES:
        raise _unusable_secret(name, f"{len(secret)} bytes")
    return secret


def _unusable_secret(name: str, got: str) -> ConfigurationError:
    return ConfigurationError(
        f"secret of {name}",
        expected="24 to 64 random bytes in base64, with or without the prefix whsec_",
        got=got,
        action="make one, for example by `openssl rand -base64 32`",
    )
