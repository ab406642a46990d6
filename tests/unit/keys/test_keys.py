"""The root key, and what is derived from it."""

import pickle
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from guarded_agents import keys
from guarded_agents.approval import load_private_key, parse_allowed_signers
from guarded_agents.errors import ConfigurationError
from guarded_agents.keys import ENVIRONMENT, RootKey, new_approver_key, read_key_file

SECRET = bytes(range(32))


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_a_missing_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    first = RootKey.load(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert RootKey.load(path, create=True).derive("x") == first.derive("x")
    assert RootKey.load(str(path), create=False).derive("x") == first.derive("x")
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_that_make_it_at_once_both_get_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "root.key"
    first = RootKey.load(path, create=True)
    monkeypatch.setattr(Path, "exists", lambda self: False)  # what the slower one saw
    assert RootKey.load(path, create=True).derive("x") == first.derive("x")


def test_a_key_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="root\\.key: expected a readable key file"):
        RootKey.load(tmp_path / "root.key", create=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a folder to write to"):
        RootKey.load(tmp_path / "none" / "root.key", create=True)


@pytest.mark.requirement("I10")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o601], ids=oct)
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    RootKey.load(path, create=True)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"expected mode 0600, got {mode:04o}; chmod 600"):
        RootKey.load(path, create=True)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 64], ids=len)
def test_a_key_of_another_size_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "root.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="32 bytes"):
        RootKey.load(path, create=True)
    assert path.read_bytes() == content


SPELLINGS = {"hex": SECRET.hex(), "capitals": SECRET.hex().upper(), "base64": b64encode(SECRET).decode() + "\n"}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, text)
    assert RootKey.load(tmp_path / "root.key", create=True).derive("x") == RootKey(SECRET).derive("x")
    assert not list(tmp_path.iterdir())


MISSPELT = {"empty": "", "short": SECRET[:31].hex(), "no-hex": "g" * 64, "no-base64": "ä" * 44, "long": "00" * 33}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("text", MISSPELT.values(), ids=MISSPELT)
def test_a_variable_that_holds_no_key_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises(ConfigurationError, match=ENVIRONMENT) as caught:
        RootKey.load(tmp_path / "root.key", create=True)
    assert not text or text not in str(caught.value)


def test_every_purpose_and_identifier_has_a_key_of_its_own() -> None:
    root = RootKey(SECRET)
    derived = [
        root.derive(*which) for which in (("a",), ("b",), ("a", "b"), ("ab",), ("a", "1"), ("a1", ""), ("", "a"))
    ]
    assert len(set(derived)) == len(derived)
    assert {len(key) for key in derived} == {32}
    assert SECRET not in derived


def test_a_derived_key_stays_the_same_over_versions() -> None:
    assert RootKey(SECRET).derive("binding").hex() == (
        "d249aadfbba68cdd7017aba32f08a818a72222cd48e28a0b2c4c4088dd34c51c"
    )


@pytest.mark.requirement("I10")
def test_a_root_key_shows_and_pickles_nothing() -> None:
    root = RootKey(SECRET)
    assert repr(root) == str(root) == "RootKey(…)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(root)


def test_an_approvers_key_is_written_for_its_owner_and_its_public_line_told(tmp_path: Path) -> None:
    path = tmp_path / "ana"
    line = new_approver_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = load_private_key(read_key_file(path))
    signers = parse_allowed_signers(f"ana@example.com {line}", source="signers")
    assert signers["ana@example.com"][0].public_key == key.public_key()


def test_an_approvers_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ana"
    new_approver_key(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="a file that does not exist yet"):
        new_approver_key(path)
    assert path.read_bytes() == before


def test_modes_are_not_read_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "root.key"
    RootKey.load(path, create=True)
    path.chmod(0o644)
    monkeypatch.setattr(keys, "_HAS_MODES", False)
    assert read_key_file(str(path))
