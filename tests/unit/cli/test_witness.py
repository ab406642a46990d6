"""``guarded-agents audit witness|cosign``, over real stores and HTTP on this machine."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from guarded_agents.audit import Algorithm, KeySigner, Kind, Witness, parse_note, parse_verifier
from guarded_agents.cli import main
from guarded_agents.errors import ConfigurationError
from guarded_agents.operations import WitnessFile, witness_server
from guarded_agents.stores import AuditNote, SqliteStore
from tests.support.stores import HOUR, NOTE, TEN

LOG = KeySigner("desk", b"1" * 32)
WITNESS = KeySigner("auditor.example", b"3" * 32, Algorithm.COSIGNATURE)
VKEY = str(WITNESS.verifier)


def fill(path: Path, entries: int, at: datetime = TEN) -> None:
    """Append *entries* to the log of the store at *path*."""

    async def work() -> None:
        store = SqliteStore.open(path, log_id="desk")
        opened = AuditNote(Kind.LOG_OPENED, {"key": str(LOG.verifier)})
        await store.sign_with(LOG, [opened, *[NOTE] * (entries - 1)], now=at)
        await store.aclose()

    asyncio.run(work())


@contextmanager
def witnessing(folder: Path, witness: Witness | None = None) -> Iterator[str]:
    """Serve a witness whose file is in *folder*; yield its address."""
    seen = WitnessFile(folder / "witness.db")
    watching = witness or Witness(WITNESS, {"desk": (LOG.verifier,)})
    with witness_server(watching, seen, address=("127.0.0.1", 0), now_s=lambda: 1_767_600_000) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
            seen.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "guard.db", 5)
    return tmp_path / "guard.db"


def cosign(path: Path, url: str, key: str = VKEY) -> int:
    return main(["audit", "cosign", str(path), "--witness", url, "--key", key])


def verify(path: Path) -> int:
    return main(["audit", "verify", str(path), "--witness", VKEY])


def test_a_head_that_a_witness_signed_is_kept_and_told(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(path) == 1
    assert "no head is cosigned by the witness auditor.example" in capsys.readouterr().out
    with witnessing(tmp_path) as url:
        assert cosign(path, url) == 0
        fill(path, 300)
        assert cosign(path, url) == 0
        assert cosign(path, url) == 0  # the same head again
        fill(path, 2)
    assert verify(path) == 0
    told = capsys.readouterr().out
    assert "the head of 305 entries is cosigned by auditor.example" in told
    assert "witnessed: 305 of 307 entries" in told
    assert "note:" not in told


@pytest.mark.requirement("B10")
def test_a_log_that_was_cut_off_rolled_back_or_written_anew_is_refused(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with witnessing(tmp_path) as url:
        fill(path, 5)
        assert cosign(path, url) == 0
        for entries in (3, 10, 20):  # shorter, as long, longer; by the same key
            path.unlink()
            fill(path, entries, TEN + HOUR)
            assert cosign(path, url) == 1
            assert "keep the store as it is" in capsys.readouterr().err


def test_a_witness_goes_on_from_what_it_signed_before_it_was_stopped(path: Path, tmp_path: Path) -> None:
    with witnessing(tmp_path) as url:
        assert cosign(path, url) == 0
    path.unlink()
    fill(path, 9, TEN + HOUR)
    with witnessing(tmp_path) as url:
        assert cosign(path, url) == 1


def test_a_log_whose_own_heads_were_lost_asks_the_witness_how_far_it_saw(path: Path, tmp_path: Path) -> None:
    async def forget() -> None:
        store = SqliteStore.open(path)
        stored = parse_note(store.signed_head() or b"")
        assert WITNESS.verifier.holds(stored)
        store._writer._db.execute("UPDATE heads SET is_kept = 0")
        await store.aclose()

    with witnessing(tmp_path) as url:
        assert cosign(path, url) == 0
        asyncio.run(forget())
        fill(path, 2)
        assert cosign(path, url) == 0


REFUSED: dict[str, tuple[Witness, str, str]] = {
    "a log that it does not watch": (Witness(WITNESS, {}), VKEY, "got status 404"),
    "another key of the log": (
        Witness(WITNESS, {"desk": (KeySigner("desk", b"2" * 32).verifier,)}),
        VKEY,
        "got status 403",
    ),
    "another key of the witness": (
        Witness(WITNESS, {"desk": (LOG.verifier,)}),
        str(KeySigner("auditor.example", b"4" * 32, Algorithm.COSIGNATURE).verifier),
        "got a cosignature of another key",
    ),
}


@pytest.mark.parametrize(("witness", "key", "what"), REFUSED.values(), ids=REFUSED)
def test_what_a_witness_refuses_is_said(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], witness: Witness, key: str, what: str
) -> None:
    with witnessing(tmp_path, witness) as url:
        assert cosign(path, url, key) == 1
    assert what in capsys.readouterr().err
    assert verify(path) == 1


def test_a_witness_that_is_not_there_or_not_safe_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cosign(path, "http://127.0.0.1:9") == 1
    assert "expected a cosignature, got URLError" in capsys.readouterr().err
    assert cosign(path, "http://witness.example") == 2
    assert "expected an https address" in capsys.readouterr().err


REQUESTS: dict[str, tuple[str, str, dict[str, str], int]] = {
    "another path": ("POST", "/", {}, 404),
    "no length": ("POST", "/add-checkpoint", {"Transfer-Encoding": "chunked"}, 411),
    "a length that is none": ("POST", "/add-checkpoint", {"Content-Length": "-1"}, 411),
    "too much": ("POST", "/add-checkpoint", {"Content-Length": "9" * 30}, 413),
    "zeros before too much": ("POST", "/add-checkpoint", {"Content-Length": "0" * 12 + "9" * 9}, 413),
    "another method": ("GET", "/add-checkpoint", {}, 501),
}


@pytest.mark.parametrize(("method", "place", "headers", "status"), REQUESTS.values(), ids=REQUESTS)
def test_what_is_no_submission_is_refused(
    tmp_path: Path, method: str, place: str, headers: dict[str, str], status: int
) -> None:
    with witnessing(tmp_path) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.putrequest(method, place)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_a_file_that_is_no_witnesss_is_refused(tmp_path: Path) -> None:
    (tmp_path / "witness.db").write_text("x" * 5_000)
    with pytest.raises(ConfigurationError, match="expected the file of a witness"):
        WitnessFile(tmp_path / "witness.db")


def test_the_command_serves_with_a_key_of_its_own_and_prints_it(path: Path, tmp_path: Path) -> None:
    words = ["audit", "witness", "--name", "auditor.example", "--log", str(LOG.verifier)]
    with subprocess.Popen(
        [sys.executable, "-m", "guarded_agents.cli", *words, "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        vkey, serving = process.stdout.readline().strip(), process.stdout.readline().strip()
        try:
            assert cosign(path, f"http://{serving.removeprefix('serving on ')}", vkey) == 0
        finally:
            process.terminate()
    assert parse_verifier(vkey).algorithm is Algorithm.COSIGNATURE
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    assert main(["audit", "verify", str(path), "--witness", vkey]) == 0


@pytest.mark.parametrize("listen", ["8710", "127.0.0.1:x", "192.0.2.1:1"])
def test_an_address_that_cannot_be_served_on_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["audit", "witness", "--name", "w", "--log", str(LOG.verifier), "--listen", listen]
    assert main(words) == 2
    assert "192.0.2.1:1" in (told := capsys.readouterr().err) or "HOST:PORT" in told
