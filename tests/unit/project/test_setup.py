"""What a clean clone sets up by itself, and what it leaves behind."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9._!+]+)")

# A stand-in for Python that makes an environment without the network: `-m venv DIR` gives DIR a bin/python that
# notes what it was asked, and fails where FAIL_AT names a word of it.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
    --version) echo "Python ${FAKE_VERSION:-3.11.9}" ;;
    *version_info\\[:2\\]*|*"%d.%d"*) echo 3.11 ;;
    *"sys.exit(sys.version_info"*) [ -z "${FAKE_VERSION:-}" ] ;;
    *ensurepip*) [ -z "${NO_ENSUREPIP:-}" ] ;;
    "-m venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac || exit 1
[ -z "${FAIL_AT:-}" ] || case "$*" in *"$FAIL_AT"*) exit 1 ;; esac
"""


class Checkout:
    """A folder, with a space in its name, that holds what `make venv` needs and a fake Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        (self.folder / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "venv.sh", self.folder / ".ci")
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.folder)
        self.python = folder / "fake-python"
        self.python.write_text(FAKE_PYTHON)
        self.python.chmod(0o755)
        self.calls = folder / "calls"

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run make with neither HOME nor anything else of the caller's environment but PATH."""
        return self.run("make", *(arguments or ("venv",)), **environment)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        given = {"PATH": os.environ["PATH"], "CALLS": str(self.calls), "PYTHON": str(self.python)}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=given | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def was_made(self) -> bool:
        return "-m venv .venv" in self.calls.read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def locked(name: str = "requirements.lock") -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    matches = [PINNED.fullmatch(line) for line in lines if not line.startswith("#")]
    assert None not in matches
    return {match["name"].lower().replace("_", "-"): match["version"] for match in matches if match}


LOCKS = {"requirements.lock": ("mcp", "otel", "langchain", "dev"), "requirements-bench.lock": ("mcp", "bench")}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_and_versions_and_no_address(lock: str) -> None:
    assert len(locked(lock)) > 50
    assert "guarded-agents" not in locked(lock)


@pytest.mark.parametrize(("lock", "chosen"), LOCKS.items(), ids=LOCKS)
def test_a_lock_holds_every_direct_dependency_of_its_extras(lock: str, chosen: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [line for name in chosen for line in extras[name]]
    names = {re.split(r"[<>=\[]", line)[0].lower() for line in wanted}
    assert names - locked(lock).keys() == set()


def test_another_environment_is_made_from_another_lock(checkout: Checkout) -> None:
    shutil.copy(ROOT / "requirements-bench.lock", checkout.folder)
    made = checkout.run("sh", ".ci/venv.sh", ".venv", "requirements-bench.lock")
    assert made.returncode == 0, made.stderr
    assert "--requirement requirements-bench.lock" in checkout.calls.read_text()
    assert checkout.make().returncode == 0
    assert "--requirement requirements.lock" in checkout.calls.read_text()  # made again: it is another environment


def test_a_whole_environment_is_not_made_again(checkout: Checkout) -> None:
    first = checkout.make()
    assert (first.returncode, checkout.was_made()) == (0, True), first.stderr
    second = checkout.make()
    assert (second.returncode, second.stdout, second.stderr, checkout.was_made()) == (0, "", "", False)


@pytest.mark.parametrize("word", ["venv .venv", "requirements.lock", "--editable"], ids=["venv", "lock", "editable"])
def test_a_half_made_environment_is_reported_and_made_again(checkout: Checkout, word: str) -> None:
    broken = checkout.make(FAIL_AT=word)
    assert broken.returncode == 2
    assert "That failed." in broken.stderr
    mended = checkout.make()
    assert (mended.returncode, checkout.was_made()) == (0, True), mended.stderr


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_an_outdated_environment_is_made_again(checkout: Checkout, name: str) -> None:
    checkout.make()
    with (checkout.folder / name).open("a") as file:
        file.write("# changed\n")
    assert checkout.make().returncode == 0
    assert checkout.was_made()


def test_an_environment_that_was_moved_is_made_again(checkout: Checkout) -> None:
    checkout.make()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    assert checkout.make().returncode == 0
    assert checkout.was_made()


def test_another_python_than_that_of_the_environment_is_obeyed_and_none_named_takes_what_is_there(
    checkout: Checkout,
) -> None:
    checkout.make()
    assert checkout.make(PYTHON="").returncode == 0
    assert not checkout.was_made()
    other = shutil.copy(checkout.python, checkout.python.with_name("other-python"))
    assert checkout.make(PYTHON=str(other)).returncode == 0
    assert checkout.was_made()


def test_no_output_of_pip_is_left_behind(checkout: Checkout) -> None:
    checkout.make()
    assert sorted(path.name for path in (checkout.folder / ".venv").iterdir()) == [".made-from", "bin"]


UNUSABLE = {
    "too old": ({"FAKE_VERSION": "3.9.2"}, "expected Python 3.11 or newer, got Python 3.9.2"),
    "no venv": ({"NO_ENSUREPIP": "1"}, "apt install python3.11-venv"),
    "missing": ({"PYTHON": "/nowhere/python3"}, "PYTHON=/nowhere/python3: not found"),
}


@pytest.mark.parametrize(("environment", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_python_that_cannot_be_used_is_named_with_what_to_install(
    checkout: Checkout, environment: dict[str, str], message: str
) -> None:
    run = checkout.make(**environment)
    assert run.returncode == 2
    assert message in run.stderr
    assert "make PYTHON=" in run.stderr
    assert not (checkout.folder / ".venv").exists()


def test_make_alone_says_what_there_is_and_sets_up_nothing(checkout: Checkout) -> None:
    run = checkout.make("help")
    targets = {"demo", "test", "test-long", "check", "fix", "bench", "lock", "clean"}
    assert targets <= set(re.findall(r"^make ([a-z-]+) ", run.stdout, re.MULTILINE))
    assert not (checkout.folder / ".venv").exists()


MODEL_RUNS = {
    "all hold": ("echo 'a err=0 states=1'; echo 'b err=0 states=2'", 0, "all 2 configurations hold"),
    "one does not": ("echo 'a err=0 states=1'; echo 'b err=1 states=2'", 1, "1 of 2 configurations do not hold"),
    "one says nothing": ("echo 'a err= states='", 1, "1 of 1 configurations do not hold"),
    "none ran": ("exit 1", 1, "0 of 0 configurations do not hold"),
}


@pytest.mark.parametrize(("script", "status", "message"), MODEL_RUNS.values(), ids=MODEL_RUNS)
def test_a_configuration_of_the_model_that_does_not_hold_fails_the_run(
    tmp_path: Path, script: str, status: int, message: str
) -> None:
    stubs = {"bin/spin": "", "bin/gcc": "", "bin/bc": "", "docs/model/main.sh": script}
    for name, body in stubs.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "model.sh", tmp_path / ".ci")
    run = subprocess.run(
        ["sh", str(tmp_path / ".ci" / "model.sh")],
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, message in run.stdout) == (status, True), run.stdout


def test_the_tests_run_with_strict_msgpack_and_without_tracing() -> None:
    from langgraph.checkpoint.serde import _msgpack

    assert _msgpack.STRICT_MSGPACK_ENABLED
    assert os.environ["LANGSMITH_TRACING"] == "false"
