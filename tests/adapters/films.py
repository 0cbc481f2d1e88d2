"""Small films made by ffmpeg, for the tests of all that reads or grafts films."""

import struct
import subprocess
from pathlib import Path

from mediad.adapters.video_tool import untimed

_PICTURE = "testsrc2=size=192x144:rate=25:duration=2.4,noise=alls=6:allf=t"
_SOUND = "sine=frequency=440:duration=2.4"

TURNED = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
UPRIGHT = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def ffmpeg(*words: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True)


def film(path: Path, *options: str, picture: str = _PICTURE, sound: str = "aac") -> Path:
    """Two seconds and a bit of H.264 with B-frames and a tone, turned by 90 degrees, with a place."""
    ffmpeg(
        *("-f", "lavfi", "-i", picture),
        *("-f", "lavfi", "-i", _SOUND),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12", "-crf", "4"),
        *("-pix_fmt", "yuv420p", "-c:a", sound),
        *("-metadata", "location=+47.1-008.5/", "-movflags", "+use_metadata_tags"),
        *options,
        path,
    )
    content = path.read_bytes()
    head = content.find(b"tkhd") + 4  # of the first track, the picture
    if head > 4 and b"vmhd" in content:
        path.write_bytes(content[: head + 40] + TURNED + content[head + 76 :])
    return path


def coded(source: Path, path: Path, *options: str, timescale: str = "12800") -> Path:
    """Its picture alone, coded again."""
    ffmpeg(
        *("-noautorotate", "-ignore_editlist", "1", "-i", str(source), "-map", "0:v:0", "-an"),
        *(*untimed(), "-c:v", "libx265", "-preset", "ultrafast"),
        *("-crf", "30", "-x265-params", "log-level=error:pools=1", "-tag:v", "hvc1"),
        *("-video_track_timescale", timescale, "-f", "mov"),
        *options,
        path,
    )
    return path


def probed(path: Path, *question: str) -> str:
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", *question, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def times(path: Path) -> list[str]:
    """When each frame is shown, edit list and all."""
    shown = probed(path, "-select_streams", "v:0", "-show_entries", "packet=pts")
    return sorted(shown.replace(",", " ").split())


def grown(content: bytes, path: tuple[str, ...], addition: bytes) -> bytes:
    """`addition` at the end of a box of moov, the sizes of all that hold it put right."""
    out, start, end = bytearray(content), 0, len(content)
    for kind in path:
        at = content.index(kind.encode(), start, end) - 4
        size = int.from_bytes(content[at : at + 4], "big")
        out[at : at + 4] = struct.pack(">I", size + len(addition))
        start, end = at + 8, at + size
    return bytes(out[:end]) + addition + bytes(out[end:])
