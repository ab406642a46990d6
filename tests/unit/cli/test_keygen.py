"""``guarded-agents approvals keygen``: a key that counts, or nothing at all."""

import stat
from pathlib import Path

import pytest

from guarded_agents.approval import load_private_key, load_public_key, parse_allowed_signers
from guarded_agents.keys import new_approver_key
from tests.support.commands import Command, command_line

ANA = "ana@example.com"
MADE = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDUnq7rx5
Q+G/7U0mk+P4mHAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINRMs+Udn2+YCbPt
ZEBlLpmcgOAHOYir5pep/O13cxd0AAAAkI6vVKDa2SKuN3DpVsVJz9OtNiwDHUQG24wlsK
fFYMchMxG+Y9NOXuwybJbLlvZ89dIg+X7Zhr20FIeVC/r6QiMch25U6M33W35I8t7pFRsH
CopF0Vz3J0zJdHPSZkqxYSCI+NP13Iy9Md7nYScfGyAaWIhHmKBG0bar8FqCJPiyNKL+Dy
uORvDI8jtghA5Gcg==
-----END OPENSSH PRIVATE KEY-----
"""  # as `ssh-keygen -t ed25519 -N "correct horse"` of OpenSSH 9 wrote it; for this test only
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINRMs+Udn2+YCbPtZEBlLpmcgOAHOYir5pep/O13cxd0\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def keygen(folder: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    return command_line(capfd, "approvals", "keygen")


def keys_of(name: str, signers: Path) -> list[bytes]:
    found = parse_allowed_signers(signers.read_text(), source="signers")
    return [key.public_key.public_bytes_raw() for key in found.get(name, ())]


def held_by(key: Path) -> bytes:
    return load_private_key(key.read_bytes()).public_key().public_bytes_raw()


def test_a_new_key_is_written_for_its_owner_and_counts(keygen: Command, folder: Path) -> None:
    told = keygen(ANA, "--key", "ana.key", "--json")
    assert told.status == 0, told.err
    assert stat.S_IMODE((folder / "ana.key").stat().st_mode) == 0o600
    assert keys_of(ANA, folder / "allowed_signers") == [held_by(folder / "ana.key")]
    said = told.json
    assert load_public_key(said.pop("public_key"), source="stdout").public_bytes_raw() == held_by(folder / "ana.key")
    assert said == {"name": ANA, "key": "ana.key", "signers": "allowed_signers"}


def test_a_key_that_was_handed_over_counts(keygen: Command, folder: Path) -> None:
    (folder / "ana.key.pub").write_text(new_approver_key(folder / "ana.key") + " ana at work\n")
    told = keygen(ANA, "--public", "ana.key.pub", "--signers", "team")
    assert (told.status, told.out) == (0, f"team: the public key of {ANA} was added\n")
    assert keys_of(ANA, folder / "team") == [held_by(folder / "ana.key")]


def test_a_key_as_ssh_keygen_makes_it_counts(keygen: Command, folder: Path) -> None:
    (folder / "ana.key").write_text(MADE)
    (folder / "ana.key.pub").write_text(PUBLIC)
    said = keygen(ANA, "--public", "ana.key.pub", "--json").json
    assert (folder / "ana.key.pub").read_text().startswith(said["public_key"])
    private = load_private_key((folder / "ana.key").read_bytes(), password=b"correct horse")
    assert keys_of(ANA, folder / "allowed_signers") == [private.public_key().public_bytes_raw()]


def test_what_stands_in_the_file_stays(keygen: Command, folder: Path) -> None:
    signers = folder / "allowed_signers"
    keygen("raj@example.com", "--key", "raj.key")
    before = signers.read_text().removesuffix("\n")
    signers.write_text(before)  # as some editors leave it
    keygen(ANA, "--key", "ana.key")
    assert signers.read_text().startswith(f"{before}\n{ANA} ")
    assert keys_of("raj@example.com", signers) == [held_by(folder / "raj.key")]
    assert keys_of(ANA, signers) == [held_by(folder / "ana.key")]


REFUSED = {
    "folder of the signers missing": ([ANA, "--key", "new", "--signers", "nowhere/s"], "nowhere/s: expected a file"),
    "signers are a folder": ([ANA, "--key", "new", "--signers", "."], ".: expected an allowed_signers file"),
    "signers broken": ([ANA, "--key", "new", "--signers", "broken"], "broken:1: expected NAME before the key"),
    "name of two words": (["ana b", "--key", "new"], "principal:1: expected a name"),
    "folder of the key missing": ([ANA, "--key", "nowhere/new"], "nowhere/new: expected a folder to write to"),
    "key is there": ([ANA, "--key", "ana.key"], "ana.key: expected a file that does not exist yet"),
    "public key counts already": (
        [ANA, "--public", "ana.key.pub", "--signers", "team"],
        f"team: expected a key that is not listed yet, got one that is listed for {ANA}; it needs no second line",
    ),
    "public key of somebody else": (
        ["raj@example.com", "--public", "ana.key.pub", "--signers", "team"],
        f"got one that is listed for {ANA}; have raj@example.com make a key of their own",
    ),
    "public key listed twice before": (
        [ANA, "--public", "ana.key.pub", "--signers", "twice"],
        "twice:2: expected a key that stands once",
    ),
    "public key missing": ([ANA, "--public", "nowhere"], "nowhere: expected a public key"),
    "private key handed over": ([ANA, "--public", "ana.key"], "ana.key: expected one line, ssh-ed25519 KEY"),
    "neither": ([ANA], "name one of --key and --public"),
    "both": ([ANA, "--key", "new", "--public", "ana.key.pub"], "name one of --key and --public"),
}


@pytest.mark.parametrize(("typed", "said"), REFUSED.values(), ids=REFUSED)
def test_what_fails_says_why_and_leaves_everything_as_it_was(
    keygen: Command, folder: Path, typed: list[str], said: str
) -> None:
    public = new_approver_key(folder / "ana.key")
    (folder / "ana.key.pub").write_text(public)
    (folder / "team").write_text(f"{ANA} {public}\n")
    (folder / "twice").write_text(f"{ANA} {public}\nraj@example.com {public}\n")
    (folder / "broken").write_text(f"{public} ana\n")
    before = contents(folder)
    told = keygen(*typed)
    assert told.status == 2
    assert said in told.err
    assert "Traceback" not in told.err
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
