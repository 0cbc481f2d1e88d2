"""
The first process of a machine that is about to lose its power: mounts the disk, and is the daemon on it.

`crash.uml` says in the environment what it is to do. What it writes to the console is all that is heard of it.
"""

import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Final

READY: Final = "mediad is ready to lose its power"
ENDED: Final = "mediad has ended with"


def main() -> None:
    root = set_up()
    from crash.rig import warm  # noqa: PLC0415 - there is no /proc before
    from mediad import daemon  # noqa: PLC0415 - likewise

    warm()
    print(READY, flush=True)
    code = daemon.main(["--root", str(root), "--once"])
    print(f"{ENDED} {code}", flush=True)


def set_up() -> Path:
    """What an init does; where the disk is mounted."""
    sys.stderr = sys.stdout  # nobody reads them apart
    root = os.environ["CRASH_ROOT"]
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "tmpfs", "tmpfs", "/run")
    mount(
        "-t", "ext4", "/dev/ubdb", root
    )  # its kernel puts a devtmpfs there before the first process
    subprocess.run(["/sbin/ip", "link", "set", "lo", "up"], check=True)
    os.environ["TMPDIR"] = "/run"
    return Path(root)


def mount(*words: str) -> None:
    subprocess.run(("/bin/mount", *words), check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 - the first process must not end: its machine would only panic
        traceback.print_exc()
    sys.stdout.flush()
    while True:
        signal.pause()
