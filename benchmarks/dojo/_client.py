"""The harness's side of a world's server: the held MCP session, and the control channel."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from benchmarks.dojo._world import Call, Cases, Opening, Verdict

ROOT: Final = Path(__file__).resolve().parents[2]
_MAX_LINE: Final = 16 * 1024 * 1024  # an episode's calls carry whole mailboxes


@dataclass(frozen=True, slots=True)
class Dojo:
    """A running world: *session* is for the agent, the methods are for the harness."""

    session: ClientSession
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def cases(self) -> Cases:
        """Return what there is to run."""
        return cast("Cases", await self._say(do="cases"))

    async def begin(self, task: str, attack: str | None) -> Opening:
        """Start an episode over a fresh environment."""
        return cast("Opening", await self._say(do="begin", task=task, attack=attack))

    async def attack(self) -> list[Call]:
        """Return what the injected text asks for."""
        return cast("list[Call]", await self._say(do="attack"))

    async def judge(self, answer: str) -> Verdict:
        """Have the episode judged that *answer* ended."""
        return cast("Verdict", await self._say(do="judge", answer=answer))

    async def _say(self, **order: str | None) -> object:
        self.writer.write(json.dumps(order).encode() + b"\n")
        await self.writer.drain()
        line = await self.reader.readline()
        if not line:
            raise RuntimeError(f"the world's server ended the control channel at {order}; its errors are on stderr")
        return json.loads(line)


@asynccontextmanager
async def served(world: str) -> AsyncIterator[Dojo]:
    """Start the server of *world* (MODULE:NAME) over stdio; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="dojo-") as folder:  # short: a socket's path has 107 bytes
        socket = str(Path(folder) / "control")
        arguments = ["-m", "benchmarks.dojo._server", world, socket]
        parameters = StdioServerParameters(command=sys.executable, args=arguments, cwd=ROOT)
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            reader, writer = await asyncio.open_unix_connection(socket, limit=_MAX_LINE)
            try:
                yield Dojo(session, reader, writer)
            finally:
                writer.close()
