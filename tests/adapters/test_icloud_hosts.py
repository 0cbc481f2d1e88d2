"""Guards where requests go: to Apple over https, or to this very machine in its place, and nowhere else."""

import pytest

from mediad.adapters.icloud.hosts import APPLE, CONTENT, FAKE_HOST, is_sign_in, route
from mediad.errors import NeedsOperator, Retryable

GATEWAY = "http://127.0.0.1:8099"


@pytest.mark.parametrize(
    "url",
    [
        "https://cvws.icloud-content.com.evil.example/B/x",
        "https://evil.example/icloud-content.com",
        "https://noticloud-content.com/B",
        "http://cvws.icloud-content.com/B/x",
        "https://me@cvws.icloud-content.com/B/x",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://[::1/B",
        "https://cvws.icloud-content.com:port/B",
        "",
    ],
)
@pytest.mark.parametrize("gateway", ["", GATEWAY])
def test_nobody_but_apple_is_asked(url: str, gateway: str) -> None:
    with pytest.raises(Retryable) as caught:
        route(url, gateway, CONTENT)
    assert caught.value.code == "icloud.wrong_host"
    assert "evil" not in str(caught.value)


def test_a_content_host_may_not_be_any_host_of_apples() -> None:
    with pytest.raises(Retryable):
        route("https://www.apple.com/a.jpg", "", CONTENT)


def test_without_a_gateway_nothing_is_changed() -> None:
    url = "https://cvws.icloud-content.com/B/x/original?s=a-_%2B%3D"
    assert route(url, "") == (route(url, "", CONTENT))
    assert route(url, "").url == url
    assert route(url, "").headers == {}


def test_the_gateway_gets_the_same_address_and_is_told_for_whom() -> None:
    way = route("https://p61-ckdatabasews.icloud.com:443/a/b%2Fc?d=%7B&e", GATEWAY)
    assert way.url == "http://127.0.0.1:8099/a/b%2Fc?d=%7B&e"
    assert way.headers == {FAKE_HOST: "p61-ckdatabasews.icloud.com:443"}


@pytest.mark.parametrize("gateway", ["http://127.0.0.2:1", "http://localhost:1", "http://[::1]:1"])
def test_a_gateway_on_this_machine_is_used(gateway: str) -> None:
    assert route("https://www.icloud.com/", gateway).url == f"{gateway}/"


@pytest.mark.parametrize(
    "gateway", ["http://192.168.1.4:80", "http://example.com", "http://0.0.0.0"]
)
def test_a_gateway_elsewhere_is_refused(gateway: str) -> None:
    with pytest.raises(NeedsOperator) as caught:
        route("https://www.icloud.com/", gateway, APPLE)
    assert caught.value.code == "icloud.not_local"


def test_the_sign_in_is_told_from_the_photos() -> None:
    assert is_sign_in("https://setup.icloud.com/setup/ws/1/validate")
    assert is_sign_in("https://idmsa.apple.com/appleauth/auth")
    assert not is_sign_in("https://p61-ckdatabasews.icloud.com/database")
