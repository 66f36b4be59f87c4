"""Programs that the emulators run end with them."""

import os
import subprocess

from emulators import children

WRAPPER = "(sleep 20; echo outlived) & echo started; wait"


def test_what_a_wrapper_started_ends_with_it() -> None:
    process = children.start(["sh", "-c", WRAPPER], os.environ, output=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.stdin.close()
    assert process.stdout.read() == b""
    children.end(process)
