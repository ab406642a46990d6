"""The verifier of one file, run here."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from guarded_agents.audit.standalone_verify import main
from tests.support.plain_log import KEY, WITNESS

VKEY = ("--vkey", str(KEY.verifier))
WITNESSED = ("--witness", str(WITNESS.verifier))


class Told(NamedTuple):
    """How a run ended, and what it told."""

    status: int
    told: dict[str, object]
    err: str

    @property
    def faults(self) -> list[str]:
        found = self.told["faults"]
        assert isinstance(found, list)
        return [f"{one['place']}: {one['what']}" for one in found]


def run(path: Path, *arguments: object) -> Told:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(path), "--json", *map(str, arguments)])
    return Told(status, json.loads(out.getvalue() or "{}"), err.getvalue())
