"""Unmodified pyicloud, its requests to Apple carried to the server on loopback instead."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from pyicloud import PyiCloudService
from pyicloud.common.cloudkit.client import CloudKitContainerClient
from requests.adapters import HTTPAdapter

ZONE = {"zoneName": "PrimarySync"}


class Detour(HTTPAdapter):
    """Names the host that was meant in a header, and lets the client believe it was there."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        meant = urlsplit(str(request.url))
        sent = request.copy()
        sent.url = f"{self._address}{meant.path}" + (f"?{meant.query}" if meant.query else "")
        sent.headers["X-Fake-Host"] = str(meant.hostname)
        given = super().send(sent, *args, **{**kwargs, "timeout": kwargs.get("timeout") or 5})
        given.request, given.url = request, str(request.url)
        return given


PASSWORD = "correct horse"  # noqa: S105 - made up


def service(
    address: str, folder: Path, password: str | None = PASSWORD, *, name: str = "anna@example.com"
) -> PyiCloudService:
    """Not signed in yet."""
    api = PyiCloudService(name, password, cookie_directory=str(folder), authenticate=False)
    api.session.mount("https://", Detour(address))
    return api


def signed_in(address: str, folder: Path, code: str = "135790") -> PyiCloudService:
    api = service(address, folder)
    api.authenticate()
    assert api.validate_2fa_code(code)
    return api


def database(api: PyiCloudService) -> CloudKitContainerClient:
    root = api.get_webservice_url("ckdatabasews")
    return CloudKitContainerClient(
        f"{root}/database/1/com.apple.photos.cloud/production/private",
        api.session,
        {**api.params, "remapEnums": True, "getCurrentSyncToken": True},
    )


def by_rank(client: CloudKitContainerClient, start: int, **more: Any) -> dict[str, Any]:
    words = {"startRank": ("INT64", start), "direction": ("STRING", "ASCENDING")}
    answer: dict[str, Any] = client.raw_post(
        "/records/query",
        {
            "query": {
                "recordType": "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted",
                "filterBy": [
                    {"fieldName": n, "comparator": "EQUALS", "fieldValue": {"type": t, "value": v}}
                    for n, (t, v) in words.items()
                ],
            },
            "resultsLimit": 200,
            "zoneID": ZONE,
            **more,
        },
    )
    return answer
