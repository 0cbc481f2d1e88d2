"""Whom mediad speaks with for iCloud: Apple's hosts over https, or all of them behind one address on this machine."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mediad.adapters.icloud.faults import GATEWAY, WRONG_HOST, fault

FAKE_HOST: Final = "X-Fake-Host"
CONTENT: Final = ("icloud-content.com", "icloud-content.com.cn")
APPLE: Final = (*CONTENT, "icloud.com", "icloud.com.cn", "apple.com", "apple.com.cn")
SIGN_IN: Final = (
    "idmsa.apple.com",
    "setup.icloud.com",
    "setup.icloud.com.cn",
    "idmsa.apple.com.cn",
)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request really goes, and the header that then tells for whom it was."""

    url: str
    headers: dict[str, str]


def is_within(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def is_sign_in(url: str) -> bool:
    return (urlsplit(url).hostname or "") in SIGN_IN


def route(url: str, gateway: str, domains: tuple[str, ...] = APPLE) -> Route:
    """Raises when `url` is not https on a host of `domains`, or the gateway is not on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # no address at all
        raise fault(WRONG_HOST) from None
    if parts.scheme != "https" or parts.username is not None or not is_within(host, domains):
        raise fault(WRONG_HOST)
    if not gateway:
        return Route(url, {})
    return Route(_moved(parts, gateway), {FAKE_HOST: parts.netloc})


def _moved(parts: SplitResult, gateway: str) -> str:
    through = urlsplit(gateway)
    if not is_loopback(through.hostname or ""):
        raise fault(GATEWAY)
    return parts._replace(scheme=through.scheme, netloc=through.netloc).geturl()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
