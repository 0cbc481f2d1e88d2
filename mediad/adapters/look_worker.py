"""
One worker that looks at photos: `python -m mediad.adapters.look_worker`. Messages and limits are photo_worker's.

A picture that kills it is its own fault, and is compared with nothing.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mediad.adapters import likeness
from mediad.adapters.photo_worker import begin, limit, receive, rss_bytes, send, told, too_large
from mediad.adapters.workers import Limits
from mediad.errors import MediadError


def main() -> None:
    answers = begin()
    while (job := receive(sys.stdin.buffer)) is not None:
        send(answers, {**done(job), "rss_bytes": rss_bytes()})


def done(job: dict[str, Any]) -> dict[str, Any]:
    limit(replace(Limits(**job["limits"]), file_bytes=0))  # it writes no file at all
    try:
        return {"answer": likeness.looked(Path(job["source"]), job["media"])}
    except MediadError as no:
        return told(no)
    except MemoryError:
        return too_large()


if __name__ == "__main__":
    main()
