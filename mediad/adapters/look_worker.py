"""
One worker that looks at photos: `python -m mediad.adapters.look_worker`. Messages and limits are photo_worker's.

Only what a decoder says of a picture is final. Whatever else ends a look may be otherwise at another time.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mediad.adapters import likeness
from mediad.adapters.errnos import translate
from mediad.adapters.photo_worker import begin, limit, receive, rss_bytes, send, told
from mediad.adapters.workers import Limits
from mediad.errors import MediadError, Retryable
from mediad.model import Site


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
        return told(Retryable("there is no memory to look at this photo", code="io.memory"))
    except OSError as no:
        return told(translate(no, Site.SPOOL, Path(job["source"]).name))


if __name__ == "__main__":
    main()
