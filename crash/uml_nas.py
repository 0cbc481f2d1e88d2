"""
The first process of a machine whose archive lies on an NFS server that dies in the middle of the work, and comes back.

Server and client are the kernel's own, over the loopback; mediad runs as a service does. `crash.uml --nas` starts it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from crash.rig import until
from crash.soak import BIN, Soak
from crash.uml_init import ENDED, READY, mount, set_up

MODULES: Final = (
    "net/sunrpc/sunrpc", "fs/nfs_common/grace", "fs/lockd/lockd", "fs/nfs_common/nfs_acl", "lib/oid_registry",
    "net/sunrpc/auth_gss/auth_rpcgss", "fs/nfsd/nfsd", "fs/netfs/netfs", "fs/fscache/fscache",
    "net/dns_resolver/dns_resolver", "fs/nfs/nfs", "fs/nfs/nfsv4",
)  # fmt: skip
FINIT_MODULE: Final = 313  # the call's number on x86_64
THREADS: Final = Path("/proc/fs/nfsd/threads")
DEATHS: Final = 3
DROPPED: Final = 12  # files before each death, and as many while the server is dead
DEAD_S: Final = 20.0  # longer than the client's own patience
PATIENCE_S: Final = 120.0


def main() -> None:
    base = set_up()
    serve(base / "export")
    soak = Soak(base, seed=1)
    archive = soak.root / "nas_archive"
    archive.mkdir()
    mount("-t", "nfs4", "-o", "soft,timeo=20,retrans=1", "127.0.0.1:/", str(archive))
    os.environ["TMPDIR"] = "/run"
    soak.start()
    print(READY, flush=True)
    for nth in range(DEATHS):
        die(soak)
        print(f"death {nth + 1}: {soak.day.done['files']} files, told as {told(soak)}", flush=True)
        THREADS.write_text("8")
    soak.settle()
    soak.end(signal.SIGTERM)
    soak.judge()
    inside = sum(1 for path in archive.rglob("*") if path.is_file() and path.name[0] != ".")
    print(
        f"{soak.day.done['files']} files, {inside} in the archive, {len(soak.day.wrong)} wrong",
        flush=True,
    )
    for wrong in soak.day.wrong[:20]:
        print(f"BAD {wrong}", flush=True)
    print(f"{ENDED} {1 if soak.day.wrong else 0}", flush=True)


def serve(folder: Path) -> None:
    kernel = Path(f"/usr/lib/uml/modules/{os.uname().release}/kernel")
    for module in MODULES:
        load(kernel / f"{module}.ko")
    folder.mkdir()
    mount("-t", "tmpfs", "tmpfs", "/var/lib/nfs")
    for name in ("etab", "rmtab", "xtab"):
        Path("/var/lib/nfs", name).touch()
    Path("/var/lib/nfs/v4recovery").mkdir()
    mount("-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    run("/usr/sbin/exportfs", "-o", "rw,sync,no_root_squash,no_subtree_check,fsid=0", f"*:{folder}")
    run("/usr/sbin/rpc.mountd", "-N", "3")
    run("/usr/sbin/rpc.nfsd", "-N", "3", "-V", "4.2", "8")


def load(module: Path) -> None:
    fd = os.open(module, os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(FINIT_MODULE, fd, b"", 0) != 0:
        raise OSError(ctypes.get_errno(), f"{module} could not be loaded")
    os.close(fd)


def die(soak: Soak) -> None:
    """With copies on their way; more files come while it is dead."""
    before = len(list(soak.root.glob("nas_archive/**/*")))
    for _ in range(DROPPED):
        soak.drop()
    until(lambda: len(list(soak.root.glob("nas_archive/**/*"))) > before, PATIENCE_S)
    THREADS.write_text("0")
    end = time.monotonic() + DEAD_S
    for _ in range(DROPPED):
        soak.drop()
    until(lambda: bool(told(soak)), PATIENCE_S)
    time.sleep(max(0.0, end - time.monotonic()))


def told(soak: Soak) -> list[str]:
    """What mediad says of the archive."""
    status = [str(BIN / "mediactl"), "--root", str(soak.root), "status", "--json"]
    said = json.loads(subprocess.run(status, check=False, capture_output=True).stdout or b"{}")  # noqa: S603 - our own
    codes = [str(p.get("code", "")) for p in said.get("problems", ())]
    return sorted(c for c in codes if c.startswith("archive."))


def run(*words: str) -> None:
    subprocess.run(words, check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 - the first process must not end: its machine would only panic
        traceback.print_exc()
        print(f"{ENDED} 1", flush=True)
    sys.stdout.flush()
    while True:
        signal.pause()
