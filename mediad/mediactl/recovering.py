"""
`recover`: puts an asset's originals back as files, bit for bit and with their old times, from a copy that proves good.

The archive's copy first, then the others. Each is hashed while it is copied; one whose bytes are not the original's is
passed over, said, and left where it is. Nothing is overwritten, and no copy is changed.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mediad.mediactl.adding import PIECE, named, sync
from mediad.mediactl.asking import meant
from mediad.mediactl.client import DONE, NO, Client, Trouble
from mediad.mediactl.show import clean, complain, document, say

ORDER: Final = ("archive", "library", "duplicates", "quarantine", "spool", "phone")


def recover(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/explain", {"what": meant(words.what)})
    folder = Path(words.to).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    put_back: list[dict[str, str]] = []
    lost: list[dict[str, str]] = []
    for file in doc["files"]:
        final = _one(file, doc["copies"], folder)
        (lost if final is None else put_back).append(
            {"name": file["name"], "path": str(final or "")}
        )
    sync(folder)
    if words.json:
        document({"recovered": put_back, "lost": [x["name"] for x in lost]})
    else:
        for item in put_back:
            say(f"{clean(item['name'])}: {clean(item['path'])}")
        for item in lost:
            complain(f"no good copy of {clean(item['name'])} can be read now; see mediactl explain")
    return NO if lost else DONE


def _one(file: Mapping[str, Any], copies: list[dict[str, Any]], folder: Path) -> Path | None:
    """The file's new path; None: none of its copies has its bytes."""
    for source in _sources(file, copies):
        part = folder / f".mediactl-{os.getpid()}-{os.urandom(4).hex()}.part"
        try:
            if _copied(source, part, file["mtime_ns"]) == file["blake3"]:
                return named(part, folder / _file_name(file["name"]))
            complain(f"{clean(source)} is not what it was; it is passed over")
        except FileNotFoundError:
            complain(f"{clean(source)} is not there any more")
        except OSError as fault:
            raise Trouble(
                f"{clean(source)} could not be copied to {clean(folder)}: {fault.strerror}; nothing is lost",
                NO,
                remedy="name a folder that you may write to, with room in it",
            ) from None
        finally:
            part.unlink(missing_ok=True)
    return None


def _sources(file: Mapping[str, Any], copies: list[dict[str, Any]]) -> Iterator[Path]:
    own = [c for c in copies if file["blake3"] and c["blake3"] == file["blake3"]]
    for copy in sorted(
        own, key=lambda c: ORDER.index(c["site"]) if c["site"] in ORDER else len(ORDER)
    ):
        yield Path(copy["path"])


def _copied(source: Path, part: Path, mtime_ns: int) -> str:
    from blake3 import blake3  # noqa: PLC0415 - only who recovers something needs it

    seen = blake3()
    with source.open("rb") as read, part.open("xb") as write:
        while piece := read.read(PIECE):
            seen.update(piece)
            write.write(piece)
        write.flush()
        os.utime(write.fileno(), ns=(mtime_ns, mtime_ns))
        os.fsync(write.fileno())
    return seen.hexdigest()


def _file_name(name: str) -> str:
    """A name from the journal is a label: no path comes out of it."""
    plain = name.replace("/", "_").replace("\0", "_")
    return "unnamed" if plain.strip(". ") == "" else plain
