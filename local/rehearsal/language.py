"""Runs the Pulumi program of the current folder as Pulumi's language host does; its own process.

Started as a file, not as a module: the folder of this file is no place for a program to import from. Its standard input
is a pipe that the engine holds: a program whose engine was killed would wait for ever, so it ends.

Usage: language.py ADDRESS PROJECT STACK ORGANIZATION PARALLEL DRY_RUN
"""

import asyncio
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pulumi
from pulumi import runtime


def main(address: str, project: str, stack: str, organization: str, parallel: str, dry_run: str) -> int:
    """Run the program against the monitor and engine at `address`; gives the exit code."""
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(
        runtime.Settings(
            monitor=address,
            engine=address,
            project=project,
            stack=stack,
            organization=organization,
            parallel=int(parallel),
            dry_run=dry_run == "true",
            root_directory=os.getcwd(),
        )
    )
    sys.argv = ["."]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # A program that stops early leaves futures behind; asyncio would report each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with ThreadPoolExecutor(max_workers=int(parallel) * 4) as executor:
        loop.set_default_executor(executor)
        try:
            loop.run_until_complete(runtime.run_in_stack(_program))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            return 1
        except Exception as error:  # the program is not ours: whatever it raises is told in one line
            traceback.print_exc()
            frame = next((f for f in reversed(traceback.extract_tb(error.__traceback__)) if _own(f.filename)), None)
            where = f" ({os.path.relpath(frame.filename)}:{frame.lineno})" if frame else ""
            pulumi.log.error(f"{type(error).__name__}: {error}{where}")
            return 1
    return 0


def _program() -> None:
    # As a folder: sibling modules are importable then.
    runpy.run_path(".", run_name="__main__")


def _own(filename: str) -> bool:
    path = os.path.abspath(filename)
    return path.startswith(os.getcwd() + os.sep) and "site-packages" not in path


def _end_with_engine() -> None:
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_engine, daemon=True).start()
    sys.exit(main(*sys.argv[1:]))
