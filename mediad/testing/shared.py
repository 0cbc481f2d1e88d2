"""The shared folder in memory, and how Syncthing's configuration says the same."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mediad.ports import SharedFolder

HOST = "HOSTAAA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH"
PIXEL = "PIXELAA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH"

FOLDER = SharedFolder(
    id="pixel-photos",
    label="",
    path="pixel_sync",
    type="sendonly",
    is_paused=False,
    devices=(PIXEL,),
    encrypted_for=(),
    ignore_delete=False,
    marker=".stfolder",
    state="idle",
)
NO_FOLDER = replace(FOLDER, id="", devices=())
_WORDS = {  # Syncthing's, and ours
    "id": "id",
    "label": "label",
    "path": "path",
    "type": "type",
    "paused": "is_paused",
    "ignoreDelete": "ignore_delete",
    "markerName": "marker",
}


def in_our_words(value: Mapping[str, Any]) -> dict[str, Any]:
    """What Syncthing's configuration says of a folder, as far as SharedFolder says it too."""
    said = {_WORDS[key]: value[key] for key in value.keys() & _WORDS.keys()}
    if "devices" in value:
        rows = value["devices"]
        said["devices"] = tuple(row["deviceID"] for row in rows)
        said["encrypted_for"] = tuple(row["deviceID"] for row in rows if row["encryptionPassword"])
    return said
