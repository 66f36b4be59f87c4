"""Explain any exception in one line: with a remedy what an operator can cause, with its traceback's place the rest."""

import logging
from pathlib import Path

from common.errors import OperatorError
from common.system_errors import explained

LOG_FILE = Path(".local/log/automation.log")


def explain(error: Exception) -> str:
    """One line about an exception: what failed, where, and what to do. Writes the traceback of an unexpected one."""
    if isinstance(error, OperatorError):
        return str(error)
    if isinstance(error, OSError) and (known := explained(error)):
        return str(known)
    return f"unexpected {type(error).__name__}. {_logged(error)}"


def _logged(error: Exception) -> str:
    try:
        LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(LOG_FILE)
    except OSError as refused:
        return f"Its traceback could not be written to {LOG_FILE}: {refused.strerror}."
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    record = logging.LogRecord(
        "automation", logging.ERROR, __file__, 0, "unexpected", None, (type(error), error, error.__traceback__)
    )
    handler.handle(record)
    handler.close()
    return f"The traceback is in {LOG_FILE}."
