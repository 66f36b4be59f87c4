"""Errors of the operating system that an operator can cause: a full disk, a closed folder, a wrong path."""

import errno

from common.errors import OperatorError

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


def explained(error: OSError) -> OperatorError | None:
    """Return what failed, where, and what to do; None for an error that says nothing to an operator."""
    if error.errno not in REMEDIES:
        return None
    what = error.strerror or type(error).__name__
    return OperatorError(what, str(error.filename or "this machine"), REMEDIES[error.errno])
