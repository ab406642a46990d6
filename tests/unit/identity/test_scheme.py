"""Each proof goes to the authenticator of its scheme, and the room opens without PyJWT."""

import subprocess
import sys
from datetime import datetime

import pytest

import guarded_agents.identity
from guarded_agents.approval import Proof
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.identity import ByScheme
from guarded_agents.records import Scheme
from tests.support.issuer import TEN, proof


class Says:
    def __init__(self, credential: str) -> None:
        self.credential = credential

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        return f"{self.credential} {group} {now:%H} {is_fresh}"


@pytest.mark.requirement("I7")
async def test_a_proof_goes_to_the_authenticator_of_its_scheme() -> None:
    both = ByScheme({Scheme.ED25519: Says("key"), Scheme.OIDC: Says("token")})
    made = proof("s")
    assert await both.verify(made, group="finance", now=TEN, is_fresh=True) == "token finance 10 True"
    made = made._replace(scheme=Scheme.ED25519)
    assert await both.verify(made, group="finance", now=TEN, is_fresh=False) == "key finance 10 False"


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("given", [{}, {Scheme.ED25519: Says("key")}], ids=["none", "another"])
async def test_a_scheme_that_is_not_set_up_proves_nothing(given: dict[Scheme, Says]) -> None:
    with pytest.raises(ProofError, match="proof by oidc"):
        await ByScheme(given).verify(proof("s"), group="finance", now=TEN, is_fresh=True)


def test_every_public_name_is_there() -> None:
    room = guarded_agents.identity
    assert room.__all__ == sorted(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)
    with pytest.raises(AttributeError, match="Unheard"):
        _ = room.Unheard


WITHOUT = """
import sys
sys.modules["jwt"] = None
from guarded_agents.identity import ByScheme, PolicyDirectory
from guarded_agents.errors import ConfigurationError
assert "httpx" not in sys.modules
try:
    from guarded_agents.identity import IdTokens
except ConfigurationError as error:
    print(error)
"""


def test_what_is_missing_is_said_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "guarded_agents.identity._sources", None)
    with pytest.raises(ConfigurationError, match=r"identity JwksUrl: .* install guarded-agents\[oidc\]"):
        _ = guarded_agents.identity.JwksUrl


def test_without_pyjwt_only_the_id_tokens_are_missing() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "identity IdTokens: expected PyJWT" in done.stdout
    assert "install guarded-agents[oidc]" in done.stdout
