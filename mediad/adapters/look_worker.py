"""
One worker that looks at photos: `python -m mediad.adapters.look_worker`. Messages and limits are photo_worker's.

A picture that kills it is its own fault, and is compared with nothing.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Any

from mediad.adapters import likeness
from mediad.adapters.confined import shut_network
from mediad.adapters.photo_worker import NICE, SORTS, TOO_LARGE, receive, send
from mediad.errors import MediadError, Refused

_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    shut_network()
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (job := receive(sys.stdin.buffer)) is not None:
        send(answers, {**done(job), "rss_bytes": _rss_bytes()})


def done(job: dict[str, Any]) -> dict[str, Any]:
    _limit(job["limits"])
    try:
        return {"answer": likeness.looked(Path(job["source"]), job["media"])}
    except MediadError as fault:
        return {"fault": _told(fault)}
    except MemoryError:
        much = Refused("the picture needs more memory than a worker may have", code=TOO_LARGE)
        return {"fault": _told(much)}


def _told(fault: MediadError) -> dict[str, str]:
    return {
        "sort": SORTS.get(type(fault), "refused"),
        "what": fault.what,
        "code": fault.code,
        "remedy": fault.remedy,
        "site": fault.site,
    }


def _limit(most: dict[str, int]) -> None:
    """Soft limits, anew for each picture. It writes no file at all."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = int(spent.ru_utime + spent.ru_stime) + most["cpu_s"]
    for what, limit in (
        (resource.RLIMIT_AS, most["memory_bytes"]),
        (resource.RLIMIT_CPU, until),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, most["open_files"]),
    ):
        hard = resource.getrlimit(what)[1]
        is_free = hard == resource.RLIM_INFINITY
        resource.setrlimit(what, (limit if is_free else min(limit, hard), hard))


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    main()
