"""Runs the real `python -m pulumi.dynamic` server for as long as the engine that started it lives.

Started as a file in the program's folder. Its standard input is a pipe that the engine holds: when the engine ends,
however it ends, the server takes no more calls, finishes the one it is in, and exits.

Usage: provider_host.py ADDRESS (of the engine)
"""

import os
import runpy
import signal
import sys
import threading


def _end_with_engine() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    # A shell that starts a job in the background has interrupts ignored; this server ends by one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_engine, daemon=True).start()
    sys.path.insert(0, os.getcwd())
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
