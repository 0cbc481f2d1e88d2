"""What no single setting can see: settings that contradict one another. Pure."""

import ipaddress
from collections.abc import Iterator
from itertools import permutations
from urllib.parse import urlsplit

from mediad.config.model import Settings
from mediad.config.schema import KeyPath


def contradictions(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Each with the key whose line is to blame."""
    yield from _nested_folders(settings)
    if settings.syncthing.url and not settings.syncthing.api_key.get_secret_value():
        yield (
            ("syncthing", "url"),
            "Syncthing answers nobody without its key; set syncthing.api_key or syncthing.api_key_file",
        )
    if settings.icloud.enabled and not settings.icloud.username:
        yield ("icloud", "enabled"), "iCloud needs to know whose it is; set icloud.username"
    yield from _gateway(settings)
    yield from _listen(settings)


def _nested_folders(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """A folder within another would be taken for its contents: taken in again, sorted again, shared."""
    folders = settings.folders.all()
    for inner, outer in permutations(folders, 2):
        a, b = folders[inner], folders[outer]
        if a == b and inner < outer:
            yield (
                ("folders", inner),
                f"is the same folder as folders.{outer} ({a}); give each a folder of its own",
            )
        elif a != b and a.is_relative_to(b) and not settings.root.is_relative_to(b):
            why = f"{a} lies in folders.{outer} ({b}), whose files it would be taken for"
            yield ("folders", inner), f"{why}; put them beside each other"
    for name, folder in folders.items():
        if settings.root.is_relative_to(folder):
            yield (
                ("folders", name),
                f"{folder} is root itself or holds it; name a folder below {settings.root}",
            )


def _listen(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    listen = settings.web.listen
    if not listen:
        return
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) not in range(1 << 16):
        yield (
            ("web", "listen"),
            f"{listen!r} is no address; write host:port, such as 127.0.0.1:8480",
        )
    elif not _is_loopback(host.strip("[]")) and not settings.web.token.get_secret_value():
        why = f"{listen!r} can be reached by others, who would need no password"
        yield ("web", "listen"), f"{why}; set web.token (or web.token_file), or use 127.0.0.1"


def _gateway(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """The password and the photos go there: it is for tests and demos, on this machine only."""
    gateway = settings.icloud.gateway
    if gateway and not _is_loopback(urlsplit(gateway).hostname or ""):
        why = f"{gateway!r} is another machine, which would be told the password in Apple's place"
        yield ("icloud", "gateway"), f"{why}; use an address such as http://127.0.0.1:8490, or none"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
