"""What many tests ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real photos and videos: `MEDIAD_SHARED`, or `shared` beside the repository."""
    shared = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[2] / "shared"))
    media = shared / "data" / "media"
    if not media.is_dir():
        pytest.skip("no real media here: set MEDIAD_SHARED")
    return media
