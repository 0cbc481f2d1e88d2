"""Guards that whatever the kernel says about a file comes out as one of our errors, with the right reach."""

import errno
import os

import pytest

from mediad.adapters.errnos import MEANINGS, faults_of, translate
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import Site

FILE_SYSTEM_ERRNOS = [
    "EPERM", "ENOENT", "EINTR", "EIO", "ENXIO", "EAGAIN", "ENOMEM", "EACCES", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "ENFILE", "EMFILE", "ETXTBSY", "EFBIG", "ENOSPC", "EROFS", "EDEADLK", "ENAMETOOLONG", "ELOOP",
    "EILSEQ", "ENETDOWN", "ENETUNREACH", "ECONNABORTED", "ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ETIMEDOUT",
    "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ESTALE", "EUCLEAN", "EBADMSG", "EREMOTEIO", "EDQUOT",
]  # fmt: skip


@pytest.mark.parametrize("name", FILE_SYSTEM_ERRNOS)
def test_every_errno_of_a_file_system_has_its_meaning(name: str) -> None:
    assert getattr(errno, name) in MEANINGS


@pytest.mark.parametrize("number", sorted(MEANINGS))
def test_a_fault_says_what_it_means_and_who_can_help(number: int) -> None:
    fault = translate(OSError(number, os.strerror(number)), Site.ARCHIVE, "a.jpg")
    assert "{" not in f"{fault} {fault.remedy}"
    assert "archive/a.jpg" in fault.what
    assert "." in fault.code
    assert fault.site in {"", "archive"}
    if isinstance(fault, NeedsOperator):
        assert fault.remedy


@pytest.mark.parametrize(
    ("number", "kind", "code", "site"),
    [
        (errno.ENOSPC, NeedsOperator, "space.full", "archive"),
        (errno.EROFS, NeedsOperator, "archive.read_only", "archive"),
        (errno.ESTALE, NeedsOperator, "archive.stale", "archive"),
        (errno.EIO, Retryable, "io.error", ""),
        (errno.EXDEV, Refused, "place.outside", ""),
        (errno.EACCES, NeedsOperator, "file.denied", ""),
        (errno.EOVERFLOW, Retryable, "io.error", ""),
    ],
)
def test_a_fault_of_the_site_pauses_the_site_and_one_of_a_file_does_not(
    number: int, kind: type[MediadError], code: str, site: str
) -> None:
    with pytest.raises(kind) as caught, faults_of(Site.ARCHIVE, "a.jpg"):
        raise OSError(number, os.strerror(number))
    assert (caught.value.code, caught.value.site) == (code, site)


def test_a_foreign_name_is_fit_for_a_message() -> None:
    fault = translate(OSError(errno.EIO, "?"), Site.SPOOL, os.fsdecode(b"\xff.jpg"))
    assert "\N{REPLACEMENT CHARACTER}.jpg" in fault.what
    fault.what.encode()
