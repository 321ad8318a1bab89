"""Run a program in a fork of `command_server.py`, or as it is where there is no such server for it.

python -I -S command_client.py SOCKET PROGRAM [ARGUMENT ...]
"""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Those that are passed on to the program."""


def status_from_server(address: str, command: list[str]) -> int | None:
    """Exit status of the program; None if the server does not run it."""
    request = {"command": command, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    message = json.dumps(request).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
        except OSError:
            return None
        # A signal goes after the request, so none is handled before.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for number in SIGNALS:
            signal.signal(number, lambda received, _: server.sendall(bytes([received])))
        sent = socket.send_fds(server, [message], [0, 1, 2])
        if sent < len(message):
            server.sendall(message[sent:])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        answer = server.makefile().readline()
    return None if answer == "no\n" else os.waitstatus_to_exitcode(int(answer))


def main() -> None:
    address, *command = sys.argv[1:]
    status = status_from_server(address, command)
    if status is None:
        os.execv(command[0], command)
    if status < 0:  # a signal ended it
        if -status != signal.SIGKILL:  # which has no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
