"""What exiftool tells of a file, and what of that may differ between an original and its rendition."""

import json
import subprocess
from pathlib import Path

Tags = dict[str, object]

# The written lists of docs/renditions.md: facts of the code and of the file, none of the moment.
OF_A_PHOTO = {
    "EncodingProcess",  # progressive or baseline, as the coder writes it
    "MPImageStart", "MPImageLength",  # where the pictures behind the first one lie, in bytes
    "MediaDataOffset", "MediaDataSize",  # where a HEIC's pictures lie
    # How HEVC describes the code of a tile: Main instead of Main Still Picture, with the level of one tile.
    "GeneralProfileIDC", "GenProfileCompatibilityFlags", "ConstraintIndicatorFlags", "GeneralLevelIDC",
    "NumTemporalLayers", "TemporalIDNested",
}  # fmt: skip
OF_A_FILM = {
    "CompressorID", "CompressorName", "MediaDataOffset", "MediaDataSize", "AvgBitrate", "AverageBitrate",
    "MaxBitrate", "BufferSize",
}  # fmt: skip
# Exiftool stops reading a description of the picture at some coders' boxes; behind them these stood all along.
SHOWN_NOW = {
    "CleanApertureHeight", "CleanApertureOffsetX", "CleanApertureOffsetY", "CleanApertureWidth", "ColorPrimaries",
    "ColorProfiles", "MatrixCoefficients", "TransferCharacteristics",
}  # fmt: skip
_OF_THE_NAME = {"SourceFile", "System"}  # and of the moment


def tags(*paths: Path) -> list[Tags]:
    """All that exiftool can tell of each, pictures inside too, by group and name."""
    options = ("-j", "-a", "-G1", "-struct", "-b", "-ee", "-api", "largefilesupport=1")
    done = subprocess.run(["exiftool", *options, *paths], check=False, capture_output=True)
    told: list[Tags] = json.loads(done.stdout.decode("utf-8", "surrogateescape"))
    assert len(told) == len(paths)
    return [
        {key: value for key, value in one.items() if key.partition(":")[0] not in _OF_THE_NAME}
        for one in told
    ]


def differences(source: Path, target: Path, written: set[str]) -> list[str]:
    """What is told otherwise, without the written list and what shows now for the first time."""
    before, after = tags(source, target)
    names = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    shown_now = {key for key in names - before.keys() if key.rpartition(":")[2] in SHOWN_NOW}
    return sorted(key for key in names - shown_now if key.rpartition(":")[2] not in written)
