"""A worker that does to its caller what decoders of foreign bytes do: crash, hang, leak, babble, and sometimes work."""

import os
import signal
import sys
import time
from typing import Any

from mediad.adapters.photo_worker import receive, send


def main() -> None:
    while (job := receive(sys.stdin.buffer)) is not None:
        send(sys.stdout.buffer, answer_to(job["do"]))


def answer_to(do: str) -> dict[str, Any]:
    match do:
        case "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "be killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "use it all up":  # as the kernel tells it, once the limit is reached
            os.kill(os.getpid(), signal.SIGXCPU)
        case "hang":
            time.sleep(600)
        case "babble":
            sys.stdout.buffer.write(b"\xff\xff\xff\xff no answer")
            sys.stdout.buffer.flush()
        case "leak":
            return {"answer": {"pid": os.getpid()}, "rss_bytes": 1 << 40}
        case "full":
            fault = {
                "sort": "operator",
                "what": "full",
                "code": "space.full",
                "remedy": "",
                "site": "spool",
            }
            return {"fault": fault}
        case _:
            pass
    return {"answer": {"pid": os.getpid()}, "rss_bytes": 0}


if __name__ == "__main__":
    main()
