"""A Python that has imported everything already: importing takes a second and a half, a fork some milliseconds.

`python -m tests.support.warm SOCKET` waits for ``warm_client.py``, which stands in for ``python -m MODULE ARGUMENTS``.
Each run is a process of its own, with the client's streams, environment and working directory. The warm process opens
nothing and starts no thread, so that nothing crosses the fork; it ends when its standard input does.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading

IMPORTED = ("tests.support.bank", "mcp.server.fastmcp", "langgraph.checkpoint.sqlite.aio", "aiosqlite")


def serve(path: str) -> list[str] | None:
    """Fork for each client. Return the module and its arguments in the process that is to run them."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by themselves
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("warm", flush=True)  # noqa: T201
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if listener not in ready:
                return None
            client, _ = listener.accept()
            if os.fork() == 0:
                break
            client.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
    return _child(client)


def _child(client: socket.socket) -> list[str]:
    """Fork again: the parent waits and tells the client how it ended, the child takes the client's place."""
    told, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    run = json.loads(told)
    pid = os.fork()
    if pid:
        for stream in (*streams, 0, 1, 2):
            os.close(stream)  # who reads the child's output waits for its end, not for ours
        _, status = os.waitpid(pid, 0)
        client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    client.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115 - they stay open
    os.environ.clear()
    os.environ.update(run["environment"])
    os.chdir(run["folder"])
    return list(run["arguments"])


if __name__ == "__main__":
    for name in IMPORTED:
        __import__(name)
    if (threads := threading.active_count()) != 1:
        raise SystemExit(f"{threads} threads: a fork would lose all but one")
    gc.collect()
    gc.freeze()  # so that a child's collector copies no pages
    if (arguments := serve(sys.argv[1])) is not None:
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        os._exit(0)  # taking a thousand modules apart costs more than all the rest
