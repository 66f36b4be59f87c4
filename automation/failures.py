"""Explain any exception in one line: with a remedy what an operator can cause, with its traceback's place the rest."""

import errno
import logging
from pathlib import Path

from components.errors import OperatorError

LOG_FILE = Path(".local/log/automation.log")
FULL = "Free some space and run it again: what was done is kept, the rest is done then."
CLOSED = "Make it writable for the user who runs this, or run it where one may write."
REMEDIES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: CLOSED,
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.ENOENT: "Check the path: its folder must exist.",
    errno.ENOTDIR: "Check the path: a part of it is no folder.",
    errno.EISDIR: "Name a file: this is a folder.",
    errno.ELOOP: "Check the path: its links lead in a circle.",
    errno.ENAMETOOLONG: "Take a shorter path.",
    errno.EMFILE: "Take fewer clients at a time (--parallel), or raise the limit: ulimit -n.",
    errno.ENFILE: "Take fewer clients at a time (--parallel): the machine has no file handles left.",
    errno.ENOMEM: "Take fewer clients at a time (--parallel): the machine has no memory left.",
    errno.EAGAIN: "Take fewer clients at a time (--parallel): the machine starts no more processes.",
    errno.EIO: "Look at the disk: it gives errors.",
}


def explain(error: Exception) -> str:
    """One line about an exception: what failed, where, and what to do. Writes the traceback of an unexpected one."""
    if isinstance(error, OperatorError):
        return str(error)
    if isinstance(error, OSError) and error.errno in REMEDIES:
        what = error.strerror or type(error).__name__
        return str(OperatorError(what, str(error.filename or "this machine"), REMEDIES[error.errno]))
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
