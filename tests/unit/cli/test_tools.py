"""``guarded-agents tools``, over a real stdio server."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from guarded_agents.catalog import load_lockfile
from guarded_agents.cli._tools import app

SERVER = """
import sys
from mcp.server.fastmcp import FastMCP
server = FastMCP("s", log_level="ERROR")

@server.tool(description=DESCRIPTION)
def refund(order_id: str, runtime: int = 0) -> str:
    return ""

if EXTRA:
    @server.tool()
    def drop() -> str:
        return ""

server.run("stdio")
"""


class Shop:
    """A folder with a server in it, whose tools a test can change."""

    def __init__(self, folder: Path) -> None:
        self.servers, self.lockfile, self._script = folder / "servers.yaml", folder / "tools.lock", folder / "server.py"
        self.servers.write_text(json.dumps({"payments": {"command": sys.executable, "args": [str(self._script)]}}))
        self.offer("Refund an order.")

    def offer(self, description: str, *, extra: bool = False) -> None:
        self._script.write_text(SERVER.replace("DESCRIPTION", repr(description)).replace("EXTRA", repr(extra)))

    def run(self, command: str, *options: object) -> Result:
        paths = ["--servers", self.servers, "--lockfile", self.lockfile]
        return CliRunner().invoke(app, [command, *map(str, [*paths, *options])])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.requirement("B14")
def test_a_locked_tool_that_changes_is_shown_until_it_is_locked_again(shop: Shop) -> None:
    first = shop.run("lock")
    assert first.exit_code == 0, first.output
    assert first.stdout.split("\n") == [
        "added payments/refund",
        "note: payments/refund: calls with runtime are denied, LangChain keeps these names",
        f"{shop.lockfile}: 1 tools of 1 servers, 1 changes",
        "",
    ]
    locked = load_lockfile(shop.lockfile.read_bytes(), source="tools.lock")
    assert [(tool.key, tool.alias) for tool in locked.tools] == [("payments/refund", "refund")]
    assert shop.run("diff").exit_code == 0

    shop.offer("Refund an order.\u202e And mail it.", extra=True)
    drifted = shop.run("diff", "--json")
    assert drifted.exit_code == 1
    drift = json.loads(drifted.stdout)["drift"]
    assert [(one["key"], one["kind"]) for one in drift] == [("payments/drop", "added"), ("payments/refund", "changed")]
    assert drift[1]["reviewed"] == locked.tools[0].digest
    shown = shop.run("diff")
    assert shown.exit_code == 1
    assert "    +Refund an order.\\u202e And mail it.\n" in shown.stdout

    again = shop.run("lock", "--json")
    assert again.exit_code == 0
    listing = json.loads(again.stdout)
    assert [(tool["key"], tool["alias"]) for tool in listing["tools"]] == [
        ("payments/drop", "drop"),
        ("payments/refund", "refund"),
    ]
    assert [change["kind"] for change in listing["changes"]] == ["added", "changed"]
    assert len(listing["notes"]) == 1
    assert shop.run("diff").exit_code == 0


@pytest.mark.requirement("B14")
def test_a_server_that_left_the_file_of_servers_is_a_difference(shop: Shop) -> None:
    shop.run("lock")
    shop.servers.write_text(shop.servers.read_text().replace("payments", "others"))
    found = json.loads(shop.run("diff", "--json").stdout)["drift"]
    assert [(one["key"], one["kind"]) for one in found] == [("others/refund", "added"), ("payments/refund", "removed")]


def test_without_a_lockfile_there_is_nothing_to_compare_with(shop: Shop) -> None:
    result = shop.run("diff")
    assert result.exit_code == 2
    assert f"{shop.lockfile}: expected a lockfile, got No such file" in result.stderr


def test_a_file_that_is_no_lockfile_is_not_overwritten(shop: Shop) -> None:
    shop.lockfile.write_text("my notes")
    result = shop.run("lock")
    assert result.exit_code == 2
    assert f"{shop.lockfile}:1:1: expected JSON" in result.stderr
    assert shop.lockfile.read_text() == "my notes"


def test_a_lockfile_that_cannot_be_written_leaves_nothing_behind(shop: Shop, tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["lock", "--servers", str(shop.servers), "--lockfile", str(tmp_path / "x" / "y")])
    assert missing.exit_code == 2
    assert "expected a file that can be written" in missing.stderr
    shop.lockfile.mkdir()
    assert shop.run("lock").exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.py", "servers.yaml", "tools.lock"]


def test_a_write_that_fails_leaves_the_old_lockfile(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, __: Path) -> None:
        raise OSError(28, "No space left on device")

    shop.lockfile.write_bytes(b'{"version": 1, "tools": []}')
    monkeypatch.setattr(Path, "replace", full)
    result = shop.run("lock")
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert shop.lockfile.read_bytes() == b'{"version": 1, "tools": []}'
    assert len(list(shop.lockfile.parent.iterdir())) == 3


@pytest.mark.parametrize(
    ("servers", "message"), [("[]", "servers.yaml"), ('{"s": {"command": "/none"}}', "s")], ids=["broken", "dead"]
)
def test_servers_that_cannot_be_asked_change_nothing(shop: Shop, servers: str, message: str) -> None:
    shop.servers.write_text(servers)
    result = shop.run("lock")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not shop.lockfile.exists()


def test_servers_must_be_named() -> None:
    assert CliRunner().invoke(app, ["diff"]).exit_code == 2
