"""
What the kernel says about a file, in our words: one literal table, one context manager that applies it.

A fault of the whole site carries the site, so that everything which needs it pauses; a fault of one file does not.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import Site


class Meaning(NamedTuple):
    kind: type[MediadError]
    code: str  # `{site}` is filled in
    says: str
    remedy: str = ""
    is_of_site: bool = False


_FULL = Meaning(
    NeedsOperator, "space.full",
    "the disk of {site} is full; nothing half-written stays and the files wait where they are",
    "free some space, or move {site} to a larger disk under [folders]; work goes on by itself",
    is_of_site=True,
)  # fmt: skip
_AWAY = Meaning(
    Retryable, "io.unreachable",
    "{site} does not answer; nothing is lost, the files wait where they are",
    "check the file server, the cable and the power of the disk",
    is_of_site=True,
)  # fmt: skip
_SICK = Meaning(
    NeedsOperator, "{site}.damaged",
    "the file system of {site} reports damage; mediad writes nothing more to it",
    "stop mediad, check the file system (fsck, or scrub) and the health of the disk",
    is_of_site=True,
)  # fmt: skip
_DENIED = Meaning(
    NeedsOperator, "file.denied",
    "mediad may not open or place this file; it stays where it is, untouched",
    "give mediad's user the right to read and write in this folder (owner, group, ACL)",
)  # fmt: skip
_ODD = Meaning(
    Refused, "place.not_a_file",
    "something on the way to this name is a link or no file; it was not followed and not touched",
    "put the file itself there instead of a link",
)  # fmt: skip
_NAME = Meaning(
    Refused, "place.name",
    "the file system of {site} cannot hold this name; the file stays where it is",
    "rename the file, or choose a shorter template",
)  # fmt: skip
_BUSY = Meaning(Retryable, "io.busy", "the file is in use; it stays where it is for now")

MEANINGS: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: Meaning(
        NeedsOperator, "{site}.read_only",
        "{site} can only be read; nothing was written and nothing is lost",
        "mount it for writing; a disk that turned read-only by itself wants a look at its health",
        is_of_site=True,
    ),
    errno.ESTALE: Meaning(
        NeedsOperator, "{site}.stale",
        "the file server has forgotten the folder that {site} is; nothing was written and nothing is lost",
        "mount {site} again; mediad goes on by itself",
        is_of_site=True,
    ),
    errno.EIO: Meaning(
        Retryable, "io.error",
        "the disk of {site} could not read or write this file; no name was given to doubtful bytes",
        "if it comes again, check the disk's health (smartctl) and the cable",
    ),
    errno.ENOTCONN: _AWAY,
    errno.ESHUTDOWN: _AWAY,
    errno.ECONNABORTED: _AWAY,
    errno.ECONNRESET: _AWAY,
    errno.ECONNREFUSED: _AWAY,
    errno.EHOSTDOWN: _AWAY,
    errno.EHOSTUNREACH: _AWAY,
    errno.ENETDOWN: _AWAY,
    errno.ENETUNREACH: _AWAY,
    errno.ETIMEDOUT: _AWAY,
    errno.ENODEV: _AWAY,
    errno.EREMOTEIO: _AWAY,
    errno.EUCLEAN: _SICK,
    errno.EBADMSG: _SICK,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ELOOP: _ODD,
    errno.ENXIO: _ODD,  # a socket, or a pipe nobody reads
    errno.EISDIR: _ODD,
    errno.ENOTDIR: _ODD,
    errno.EXDEV: Meaning(
        Refused, "place.outside",
        "this name leads out of {site}; nothing outside was read or written",
        "put the file itself there, under an ordinary name",
    ),
    errno.EEXIST: Meaning(
        Refused, "place.taken",
        "other bytes are already there under this name; both files stay as they are",
    ),
    errno.ENOENT: Meaning(
        Retryable, "io.missing", "the file is not there any more; mediad looks again",
    ),
    errno.ENAMETOOLONG: _NAME,
    errno.EILSEQ: _NAME,
    errno.EFBIG: Meaning(
        Refused, "file.too_big",
        "the file system of {site} cannot hold a file of this size; the file stays where it is",
        "use a file system for {site} that holds large files (not FAT)",
    ),
    errno.EBUSY: _BUSY,
    errno.ETXTBSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.EINTR: _BUSY,
    errno.EDEADLK: _BUSY,
    errno.ENOMEM: Meaning(Retryable, "io.memory", "the machine is short of memory; mediad tries again"),
    errno.EMFILE: Meaning(Retryable, "io.handles", "too many files are open; mediad tries again"),
    errno.ENFILE: Meaning(Retryable, "io.handles", "too many files are open; mediad tries again"),
}  # fmt: skip
_ANYTHING_ELSE: Final = Meaning(
    Retryable, "io.error", "the system would not do it; nothing half-done stays under a real name"
)


def translate(error: OSError, site: Site, name: str) -> MediadError:
    """The one way from an errno to ours."""
    meaning = MEANINGS.get(error.errno or 0, _ANYTHING_ELSE)
    reason = os.strerror(error.errno) if error.errno else str(error)
    fault = meaning.kind(
        f"{site}/{shown(name)}: {meaning.says.format(site=site)} ({reason})",
        code=meaning.code.format(site=site),
        remedy=meaning.remedy.format(site=site),
        site=site.value if meaning.is_of_site else "",
    )
    fault.__cause__ = error
    return fault


def shown(name: str) -> str:
    """A foreign name, fit for a message: whatever is no text is a question mark in a diamond."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


@contextmanager
def faults_of(site: Site, name: str = "") -> Iterator[None]:
    """Whatever the system refuses inside comes out as a MediadError."""
    try:
        yield
    except OSError as error:
        raise translate(error, site, name) from error
