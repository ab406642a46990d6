"""An OpenID provider in a few lines: real keys, its key set, and ID tokens for statements, good and bad."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guarded_agents.approval import Proof, commitment, statement
from guarded_agents.records import Answer, Scheme, Vote

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
ISSUER = "https://login.example.com/realms/acme"
CLIENT = "guarded-agents-approvals"
ANA = "ana@example.com"

VOTE = Vote(request="req-1", digest="d" * 64, approver=ANA, answer=Answer.APPROVE, at=TEN, nonce="0" * 32)
OTHER_VOTE = VOTE.model_copy(update={"request": "req-2"})

_CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def after(seconds: float) -> datetime:
    return TEN + timedelta(seconds=seconds)


def stamp(seconds: float) -> int:
    return int(after(seconds).timestamp())


def private_key(algorithm: str, name: str = "first", bits: int = 2_048) -> Any:
    """Return the key of that name, the same each time; RSA serves RS* and PS* alike."""
    return _made_once("RS256" if algorithm[:2] in {"RS", "PS"} else algorithm, name, bits)


@cache
def _made_once(algorithm: str, name: str, bits: int) -> Any:
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.generate()
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm]())
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def jwk(key: Any, key_id: str | None = "k1", **members: object) -> dict[str, object]:
    """Return *key* as a JSON Web Key; a member None is left out."""
    algorithms = jwt.algorithms
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        spelt = algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        spelt = algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        spelt = algorithms.OKPAlgorithm.to_jwk(key, as_dict=True)
    made = {**spelt, "key_ops": None, "kid": key_id, "use": "sig", **members}
    return {name: value for name, value in made.items() if value is not None}


def key_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(**changes: object) -> dict[str, object]:
    """Return the claims of a good token for VOTE; a change to None leaves the claim out."""
    found: dict[str, object] = {
        "iss": ISSUER,
        "aud": CLIENT,
        "sub": "00u1",
        "email": ANA,
        "email_verified": True,
        "groups": ["everyone", "approve-finance"],
        "iat": stamp(30),
        "exp": stamp(330),
        "nonce": commitment(VOTE),
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def token(
    body: Mapping[str, object] | bytes | None = None,
    *,
    algorithm: str = "RS256",
    key: Any = None,
    key_id: str | None = "k1",
    **header: object,
) -> str:
    """Return a token that *key* signed, the first of its algorithm where none is given."""
    payload = body if isinstance(body, bytes) else json.dumps(claims() if body is None else dict(body)).encode()
    headers = {"kid": key_id, **header} if key_id is not None else dict(header)
    return jwt.PyJWS().encode(payload, key or private_key(algorithm), algorithm=algorithm, headers=headers)


def raw_token(header: Mapping[str, object] | bytes, body: bytes, signature: bytes = b"") -> str:
    """Return a token put together by hand."""
    head = header if isinstance(header, bytes) else json.dumps(dict(header)).encode()
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (head, body, signature))


def proof(signature: str, vote: Vote = VOTE, **changes: Any) -> Proof:
    made = Proof(vote.approver, statement(vote), vote.at, Scheme.OIDC, signature)
    return made._replace(**changes)


def digest_of(message: bytes) -> str:
    return urlsafe_b64encode(sha256(message).digest()).rstrip(b"=").decode()


class Site:
    """The provider's web site: answers with what it is given to say, and counts how often it is asked."""

    def __init__(self, content: bytes) -> None:
        self.content, self.asked = content, 0
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, content=self.content)
        self.urls: list[str] = []

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        self.urls.append(str(request.url))
        return self.answer()


@asynccontextmanager
async def loopback_site(*pieces: bytes, stays_open: bool = False) -> AsyncIterator[str]:
    """Serve *pieces* to whoever connects, on a loopback port; with *stays_open* the answer never ends."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if stays_open:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    finally:
        done.set()
        server.close()
        await server.wait_closed()
