"""
One photo worker: `python -m mediad.adapters.photo_worker`, jobs on standard input, answers on standard output.

A message is four bytes of length and a JSON object. The worker limits itself for each job by what the job may use;
when it dies, that job's file is to blame. It ends when its standard input does.
"""

import ctypes
import errno
import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from blake3 import blake3

from mediad.adapters.confined import shut_network
from mediad.adapters.errnos import translate
from mediad.adapters.workers import Limits
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import Media, Site

if TYPE_CHECKING:
    from mediad.adapters.photo_target import Aim

NICE: Final = 10
IDLE_S: Final = 2.0  # then the next picture may wait for its memory
KEPT_BYTES: Final = 320 << 20  # a picture of 12 megapixels needs 250 MB, and so does the next one
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_UNLIMITED: Final = resource.RLIM_INFINITY
TOO_LARGE: Final = "compress.too_large"
SORTS: Final[Mapping[type[MediadError], str]] = {
    NeedsOperator: "operator",
    Refused: "refused",
    Retryable: "retry",
}


def main() -> None:
    answers = begin()
    while (job := receive(sys.stdin.buffer)) is not None:
        answer = _done(job)
        if rss_bytes() > KEPT_BYTES:
            _give_back()
        answer["rss_bytes"] = rss_bytes()
        send(answers, answer)
        if not select([sys.stdin], [], [], IDLE_S)[0]:
            _give_back()


def begin() -> BinaryIO:
    """Before the first foreign byte is read. Where the answers go."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    shut_network()
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return answers


def _give_back() -> None:
    """What the allocator keeps for the next picture, to the system; and workers.py has it keep all."""
    with suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """None: nothing more comes."""
    head = stream.read(4)
    if len(head) < 4:  # noqa: PLR2004 - the four bytes of length
        return None
    message: dict[str, Any] = json.loads(stream.read(int.from_bytes(head, "big")))
    return message


def send(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    data = json.dumps(message).encode()
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def _done(job: dict[str, Any]) -> dict[str, Any]:
    limits = Limits(**job["limits"])
    limit(limits)
    try:
        return {"answer": _joined(job) if "film" in job else _photo(job, limits)}
    except MediadError as no:
        return told(no)
    except MemoryError:
        return too_large()
    except OSError as no:
        return _os_fault(no)


class _Task(NamedTuple):
    recipe: Mapping[str, Any]
    source: Path
    target: Path  # the rendition
    folder: Path  # for scratch
    limits: Limits

    @property
    def aim(self) -> "Aim | None":
        from mediad.adapters.photo_target import Aim  # noqa: PLC0415

        return Aim.of(self.recipe)


def _joined(job: Mapping[str, Any]) -> Mapping[str, object]:
    """Two halves made one, or one that was made before; empty: that is something else."""
    from mediad.adapters import motion  # noqa: PLC0415

    halves = motion.Halves(
        Path(job["source"]), job["source_digest"], Path(job["film"]), job["film_digest"]
    )
    target = Path(job["target"])
    return (
        motion.judge(halves, target) or {} if job["do"] == "judge" else motion.make(halves, target)
    )


def _photo(job: Mapping[str, Any], limits: Limits) -> Mapping[str, object]:
    task = _Task(
        job["recipe"], Path(job["source"]), Path(job["target"]), Path(job["folder"]), limits
    )
    return _judged(task) if job["do"] == "judge" else _rendered(task)


def _rendered(task: _Task) -> Mapping[str, object]:
    """Made, and judged as it lies on the disk."""
    # Codecs are loaded where they are used: a worker for JPEGs never holds libheif.
    seen = None
    if task.recipe["media"] == Media.HEIC:
        from mediad.adapters import photo_heic  # noqa: PLC0415

        figures = photo_heic.render(
            task.source, task.target, task.recipe["crf"], task.limits, task.aim
        )
    else:
        from mediad.adapters import photo_jpeg  # noqa: PLC0415

        quality, encoder = task.recipe["quality"], task.recipe["encoder"]
        figures, seen = photo_jpeg.render(task.source, task.target, quality, encoder, task.aim)
    taken = task.source.stat()
    os.utime(task.target, ns=(taken.st_mtime_ns, taken.st_mtime_ns))
    return _judged(task, seen, figures)


def _judged(
    task: _Task, seen: Any = None, made: Mapping[str, object] | None = None
) -> Mapping[str, object]:
    from mediad.adapters.photo_gates import Failed  # noqa: PLC0415
    from mediad.adapters.photo_target import TIME_WAS_UP  # noqa: PLC0415

    made = made or {}
    try:
        if task.recipe["media"] == Media.HEIC:
            from mediad.adapters import photo_heic  # noqa: PLC0415

            crf = task.recipe["crf"]
            figures = photo_heic.judge(
                task.source, task.target, crf, task.folder, task.limits, task.aim
            )
        else:
            from mediad.adapters import photo_jpeg  # noqa: PLC0415

            quality = task.recipe["quality"]
            figures = photo_jpeg.judge(task.source, task.target, quality, seen, task.aim)
    except Failed as no:
        is_late = no.code == "compress.score" and made.get("search") == TIME_WAS_UP
        why = f"{no.why}; the time for the search was up" if is_late else no.why
        return {"failed": no.code, "why": why, **_sizes(task.target)}
    return {"figures": {**made, **figures}, **_sizes(task.target)}


def _sizes(candidate: Path) -> Mapping[str, object]:
    data = candidate.read_bytes()
    return {"digest": blake3(data).hexdigest(), "size": len(data)}


def limit(limits: Limits) -> None:
    """Anew for each job. Soft limits only: ffmpeg, which a job may start, gets its own."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = int(spent.ru_utime + spent.ru_stime) + limits.cpu_s
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, until),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == _UNLIMITED else min(most, hard), hard))


def too_large() -> dict[str, Any]:
    return _fault("refused", "the picture needs more memory than a worker may have", TOO_LARGE)


def _os_fault(no: OSError) -> dict[str, Any]:
    match no.errno:
        case errno.EFBIG:
            return _fault("refused", "the rendition is no smaller", "compress.larger")
        case errno.ENOMEM:
            return _fault("refused", "the picture needs too much memory", TOO_LARGE)
        case _:
            return told(translate(no, Site.SPOOL, ""))


def told(no: MediadError) -> dict[str, Any]:
    sort = SORTS.get(type(no), "refused")
    return _fault(sort, no.what, no.code, no.remedy, no.site)


def _fault(sort: str, what: str, code: str, remedy: str = "", site: str = "") -> dict[str, Any]:
    return {"fault": {"sort": sort, "what": what, "code": code, "remedy": remedy, "site": site}}


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    main()
