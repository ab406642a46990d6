"""B16: what was agreed is one call. A server that asks for more, of a person, a model or the file system, gets nothing.

Token step-up belongs to the transport with OAuth, which does not exist yet.
"""

import sys
from pathlib import Path

import pytest

from tests.support import asking_server
from tests.support.bank import answers, calls
from tests.support.siege import Siege, Wires

pytestmark = pytest.mark.requirement("B16", "I2")


def test_a_server_that_asks_back_is_granted_nothing(siege: Siege) -> None:
    script = Path(asking_server.__file__)
    server = {
        "command": sys.executable,
        "args": [str(script), str(siege.line.bank.database)],
        "env": {"PYTHONPATH": str(script.parents[2])},
    }
    post = siege.open(
        calls(("balance", {"account": "A"})), wires=Wires(siege.line.transport({"bank": server}, name="asking"))
    )
    result = post.ask()
    assert answers(result["messages"])["call-0"] == "asked 3 times"
    assert post.waits() == []
    assert siege.effects == []
