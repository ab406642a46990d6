"""`python -I -S warm_client.py SOCKET MODULE ARGUMENTS…`: `python -m MODULE ARGUMENTS…`, forked from a warm process."""

import json
import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as warm:
    warm.connect(sys.argv[1])
    run = {"arguments": sys.argv[2:], "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 - importing pathlib takes as long as all the rest
    socket.send_fds(warm, [json.dumps(run).encode()], [0, 1, 2])
    for stream in (0, 1, 2):
        os.close(stream)
    ended = int(warm.recv(16) or 1)
if ended < 0:
    if -ended != signal.SIGKILL:
        signal.signal(-ended, signal.SIG_DFL)
    os.kill(os.getpid(), -ended)
os._exit(ended)
