"""How a session to one server is opened and closed. Nothing is initialised here."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO, TextIO, cast
from urllib.parse import urlsplit

from langchain_mcp_adapters.sessions import create_session
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from guarded_agents.errors import NotSentError
from guarded_agents.transport._config import ServerConfig, ServerStderr, StdioServer
from guarded_agents.transport._http import http_client


def connection(name: str, server: ServerConfig) -> AbstractAsyncContextManager[ClientSession]:
    """Return what opens a session to *server* on entry and closes it on exit, both in one task.

    Neither way passes callbacks on: the client then declares none of sampling, elicitation and roots,
    and answers each such request with an error, so that no server can ask a person or a
    model anything behind the guard's back (FACTS F7, B16).
    Raises NotSentError where an environment variable that the record names is not set.
    """
    if isinstance(server, StdioServer):
        return _stdio(server, {**server.env, **_from_environment(name, server.env_from_env)})
    headers = _from_environment(name, server.headers_from_env)
    return create_session(
        {
            "transport": "streamable_http",
            "url": server.url,
            "headers": dict(headers),
            # A plain-text request to this machine must not pass through a proxy that the environment names.
            "httpx_client_factory": partial(http_client, trust_env=urlsplit(server.url).scheme == "https"),
        }
    )


@asynccontextmanager
async def _stdio(server: StdioServer, env: dict[str, str]) -> AsyncIterator[ClientSession]:
    # Not by the adapter's create_session, which wraps the same two lines: it lets the server write to this
    # process's terminal, and replaces ${NAME} in values by variables that the record does not name.
    parameters = StdioServerParameters(command=server.command, args=list(server.args), env=env, cwd=server.cwd)
    with _stderr(server) as errlog:
        async with (
            stdio_client(parameters, errlog=cast("TextIO", errlog)) as (read, write),
            ClientSession(read, write) as session,
        ):
            yield session


def _stderr(server: StdioServer) -> IO[bytes]:
    if server.stderr_file is not None:
        return Path(server.stderr_file).open("ab")
    if server.stderr is ServerStderr.INHERIT:
        # Descriptor 2 and not sys.stderr, which has none in a notebook or under a test runner.
        return open(2, "wb", closefd=False)
    return Path(os.devnull).open("wb")


def _from_environment(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    missing = sorted(variable for variable in variables.values() if variable not in os.environ)
    if missing:
        raise NotSentError(
            f"server {name}",
            expected=f"the environment variable {missing[0]}",
            got="none of that name",
            action="set it and start again",
        )
    return {key: os.environ[variable] for key, variable in variables.items()}
