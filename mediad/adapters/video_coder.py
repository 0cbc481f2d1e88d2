"""
The coders of pictures that ffmpeg brings: what each is told, in software and in hardware.

A software coder takes a rate factor and keeps every colour there is. A hardware coder is quicker, makes larger files
of the same quality, and is given eight-bit pictures without HDR only.
"""

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mediad.adapters.video_probe import Probe, threads

_PRESETS: Final = {"libx265": "fast", "libx264": "medium", "libsvtav1": "10"}
_TAGS: Final = {"hevc": "hvc1", "h264": "avc1", "av1": "av01"}
_CODECS: Final = {"libx265": "hevc", "libx264": "h264", "libsvtav1": "av1"}
_HARDWARE_FORMATS: Final = frozenset({"yuv420p", "yuvj420p"})
_BITRATE_AT: Final = {
    24: 0.6,
    26: 0.5,
}  # share of the source's, for coders that know no rate factor
_LEAST_BITRATE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Family:
    """One way to a chip: which device files show that there is one, and what ffmpeg needs to use it."""

    nodes: str  # a pattern
    before: tuple[str, ...] = ()  # the input; {node} is the first device
    picture: str = ""  # the filter that takes a picture to the chip
    quality: tuple[str, ...] = ()  # {crf}, {bitrate}
    memory_bytes: int = 16 << 30  # of addresses: drivers map the chip's own


FAMILIES: Final[Mapping[str, Family]] = {
    "nvenc": Family(
        "/dev/nvidia[0-9]*",
        quality=("-rc", "vbr", "-cq", "{crf}", "-b:v", "0", "-bf", "0"),
        memory_bytes=1 << 40,  # CUDA reserves as many as there are
    ),
    "qsv": Family(
        "/dev/dri/renderD*",
        before=("-init_hw_device", "vaapi=va:{node}", "-init_hw_device", "qsv=hw@va"),
        picture="format=nv12",
        quality=("-global_quality", "{crf}", "-bf", "0"),
    ),
    "vaapi": Family(
        "/dev/dri/renderD*",
        before=("-vaapi_device", "{node}"),
        picture="format=nv12,hwupload",
        quality=("-rc_mode", "CQP", "-qp", "{crf}", "-bf", "0"),
    ),
    "v4l2m2m": Family(
        "/dev/video1[0-9]",
        picture="format=yuv420p",
        quality=("-b:v", "{bitrate}"),
    ),
}


@dataclass(frozen=True, slots=True)
class Coder:
    name: str  # as ffmpeg calls it
    codec: str  # hevc, h264, av1
    preset: str = ""
    family: str = ""  # of hardware; "" is software
    note: str = ""  # why it is not the hardware that was asked for

    @property
    def is_hardware(self) -> bool:
        return bool(self.family)


def software(encoder: str) -> Coder | None:
    """`encoder` is libx265, libx264 or libsvtav1, with "/preset" when not the usual one. None: no such coder."""
    name, _, preset = encoder.partition("/")
    if name not in _PRESETS:
        return None
    return Coder(name, _CODECS[name], preset or _PRESETS[name])


def hardware(family: str, codec: str) -> Coder:
    return Coder(f"{codec}_{family}", codec, family=family)


def device_of(family: str) -> str:
    """The first device file of this family that we may use; "" when there is none."""
    found = sorted(glob.glob(FAMILIES[family].nodes))  # noqa: PTH207 - a pattern with its folder
    return next((node for node in found if os.access(node, os.R_OK | os.W_OK)), "")


def may_use_hardware(seen: Probe) -> bool:
    return seen.pixel_format in _HARDWARE_FORMATS and not seen.is_hdr


def before_input(coder: Coder) -> list[str]:
    if not coder.is_hardware:
        return []
    node = device_of(coder.family)
    return [word.replace("{node}", node) for word in FAMILIES[coder.family].before]


def coding(coder: Coder, seen: Probe, crf: float, bitrate: int) -> list[str]:
    """From the coder's name to the container; `bitrate` of the source's picture, in bits a second."""
    colour = seen.colour
    named = (
        ("-color_range", colour.range),
        ("-colorspace", colour.space),
        ("-color_trc", colour.transfer),
        ("-color_primaries", colour.primaries),
    )
    how = _in_hardware(coder, crf, bitrate) if coder.is_hardware else _in_software(coder, seen, crf)
    return [
        *("-c:v", coder.name, *how),
        *(word for option, value in named if value for word in (option, value)),
        *("-tag:v", _TAGS[coder.codec], "-video_track_timescale", str(seen.timescale)),
        *("-f", "mp4" if coder.codec == "av1" else "mov"),  # MOV cannot hold AV1
    ]


def _in_hardware(coder: Coder, crf: float, bitrate: int) -> list[str]:
    family = FAMILIES[coder.family]
    share = next((share for most, share in _BITRATE_AT.items() if crf <= most), _LEAST_BITRATE)
    told = {"{crf}": f"{crf:.0f}", "{bitrate}": str(max(100_000, int(bitrate * share)))}
    filtered = ["-vf", family.picture] if family.picture else []
    return [*filtered, *(told.get(word, word) for word in family.quality)]


def _in_software(coder: Coder, seen: Probe, crf: float) -> list[str]:
    return [
        *("-preset", coder.preset, "-crf", f"{crf:g}", "-pix_fmt", seen.pixel_format),
        *_threading(coder, seen),
    ]


def _threading(coder: Coder, seen: Probe) -> list[str]:
    if coder.name != "libx265":
        return ["-threads", str(threads())]
    # Two frames at once: with one, cores are idle at the begin and the end of each.
    options = ["log-level=error", f"pools={threads()}", f"frame-threads={min(2, threads())}"]
    if seen.colour.mastering:
        options.append(f"master-display={seen.colour.mastering}")
    if seen.colour.light:
        options.append(f"max-cll={seen.colour.light}")
    return ["-x265-params", ":".join(options)]
