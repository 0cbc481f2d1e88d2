"""The main job, whole daemon, compression off: drop to archived and sorted; beside what a person would type."""

import os
import random
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.side import BIN, Table, compare, fresh, sh, timed

HEAD = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + bytes(64) + bytes.fromhex(
    "ffc0000b080008000801011100ffc4001f00000105010101010101000000000000000001020304050607"
    "08090a0bffda0008010100003f00"
)  # fmt: skip


def make_files(folder: Path, count: int, size: int) -> None:
    """JPEGs in structure (a head, noise that holds no marker, an end), each with other bytes."""
    chance = random.Random(count * size)
    for n in range(count):
        body = chance.randbytes(size - len(HEAD) - 2).replace(b"\xff", b"\xfe")
        (folder / f"IMG_{n:05}.jpg").write_bytes(HEAD + body + b"\xff\xd9")


def our_run(source: Path, slow: dict[str, str], _: int) -> float:
    root = fresh("mediad")
    shutil.copytree(source, root / "incoming")
    env = {
        "MEDIAD_COMPRESS__ENABLED": "false", "MEDIAD_INGEST__SETTLE_SECONDS": "0",
        "MEDIAD_LOG__LEVEL": "warning", **slow,
    }  # fmt: skip
    took = timed(partial(sh, BIN / "mediad", "--root", root, "--once", **env))
    count = len(list(source.iterdir()))
    placed = sum(len(files) for _, _, files in os.walk(root / "library"))
    archived = sum(
        not f.startswith(".") and f != "README.txt"
        for _, _, files in os.walk(root / "nas_archive")
        for f in files
    )
    if (placed, archived) < (count, count):
        raise SystemExit(f"only {placed} in the library and {archived} in the archive of {count}")
    return count / took


def rsync_run(source: Path, _: int) -> float:
    target = fresh("rsync")
    copy = timed(partial(sh, "rsync", "-a", "--fsync", f"{source}/", target))
    check = timed(partial(sh, "rsync", "-a", "--checksum", "--dry-run", f"{source}/", target))
    return len(list(source.iterdir())) / (copy + check)


def rclone_run(source: Path, _: int) -> float:
    target = fresh("rclone")
    took = timed(partial(sh, "rclone", "-q", "copy", source, target))
    took += timed(partial(sh, "rclone", "-q", "check", source, target))
    return len(list(source.iterdir())) / took


def cp_run(source: Path, _: int) -> float:
    target = fresh("cp")
    script = (
        'cp -a "$1/." "$2" && sync -f "$2" && (cd "$1" && sha256sum *) && (cd "$2" && sha256sum *)'
    )
    took = timed(partial(sh, "bash", "-c", script, "bash", source, target))
    return len(list(source.iterdir())) / took


def limit_run(source: Path, _: int) -> float:
    """Create, write, fsync, rename, and nothing else, by four threads: the plain limit of the disk."""
    target = fresh("limit")
    files = sorted(source.iterdir())

    def one(file: Path) -> None:
        data = file.read_bytes()
        fd = os.open(target / f".{file.name}", os.O_WRONLY | os.O_CREAT)
        os.write(fd, data)
        os.fdatasync(fd)
        os.close(fd)
        (target / f".{file.name}").rename(target / file.name)

    def all_of_them() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, files))

    return len(files) / timed(all_of_them)


def run(rounds: int) -> list[Table]:
    tables = []
    for count, size, title in (
        (1000, 20_000, "1,000 files of 20 KB"),
        (200, 3_000_000, "200 files of 3 MB"),
    ):
        source = fresh("source")
        make_files(source, count, size)
        contenders: dict[str, Callable[[int], float]] = {
            "mediad --once": partial(our_run, source, {}),
            "create + write + fsync + rename, 4 threads": partial(limit_run, source),
            "rsync --fsync, then --checksum": partial(rsync_run, source),
            "cp -a, sync, sha256sum of both": partial(cp_run, source),
        }
        goals = {
            "create + write + fsync + rename, 4 threads": "≥ 0.5" if size < 1e6 else "",
            "rsync --fsync, then --checksum": "≥ 1.0",
            "cp -a, sync, sha256sum of both": "" if size < 1e6 else "≥ 2.5",
        }
        if shutil.which("rclone"):
            contenders["rclone copy, then check"] = partial(rclone_run, source)
        rows = compare(contenders, "files/s", rounds=rounds, ours="mediad --once", goals=goals)
        tables.append(
            Table(
                f"Drop to sorted: {title}", "python -m bench pipeline", rows,
                note="mediad's figure is the whole process, start-up and library copy included; it reads its copies "
                "back from the medium, the peers verify from the page cache and keep no journal.",
            )
        )  # fmt: skip
    return tables
