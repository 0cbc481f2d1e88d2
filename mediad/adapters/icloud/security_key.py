"""
A security key as the second factor: plugged into the machine where mediad runs, and touched by a person.

pyicloud holds the ceremony and fido2 speaks with the key. Here it is found out which key there is, why there is none,
and that nobody waits for a touch for ever. A key is asked without a touch first whether the account knows it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer
from typing import Any, Final

from mediad.adapters.icloud.faults import (
    KEY_FORBIDDEN,
    KEY_MISSING,
    KEY_REFUSED,
    KEY_UNTOUCHED,
    KEY_UNUSABLE,
    KEY_WRONG,
    Meaning,
    fault,
)

PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.5  # so often it is looked whether a key was plugged in
NAMES: Final = 10  # of keys that are shown; Apple allows six
_NAME: Final = 40
_OF_FIDO: Final = b"\x06\xd0\xf1"  # "usage page: FIDO", as a device describes itself
_DUMMY: Final = b"\0" * 32


def names_in(told: object) -> tuple[str, ...]:
    """What Apple calls the account's keys, fit for showing."""
    found = told if isinstance(told, list) else []
    return tuple(name[:_NAME] for name in found[:NAMES] if isinstance(name, str))


def plugged(sysfs: Path = Path("/sys/class/hidraw"), dev: Path = Path("/dev")) -> list[Any]:
    """The keys that can be used now. Raises icloud.key_forbidden when one is there that may not be opened."""
    from fido2.hid import CtapHidDevice  # noqa: PLC0415 - comes with pyicloud

    try:
        found = list(CtapHidDevice.list_devices())
    except OSError:  # seen, and then not to be written to
        raise fault(KEY_FORBIDDEN) from None
    if not found and _is_shut_out(sysfs, dev):
        raise fault(KEY_FORBIDDEN)
    return found


def _is_shut_out(sysfs: Path, dev: Path) -> bool:
    """The kernel tells everybody what is plugged in; the device's own file may have an owner, or be hidden from us."""
    for node in sysfs.glob("hidraw*"):
        try:
            described = (node / "device" / "report_descriptor").read_bytes()
        except OSError:
            continue
        if _OF_FIDO in described and not os.access(dev / node.name, os.R_OK | os.W_OK):
            return True
    return False


@dataclass(slots=True)
class Ring:
    """Where keys are looked for, and how long a person has to plug one in and touch it."""

    plugged: Callable[[], Sequence[Any]] = plugged
    patience_s: float = PATIENCE_S

    def touch(self, api: Any, last_status: Callable[[], int], stop: Event) -> None:
        """
        Sign Apple's challenge with the account's key and send it. Raises icloud.key_… for what failed.

        `stop` ends the wait from outside. `last_status`: what Apple said to the signature, 0 for nothing.
        """
        with _ringing(self.patience_s, stop):
            device = self._fitting(api, stop)
            try:
                _sign(api, device, last_status, stop)
            finally:
                _closed([device])

    def _fitting(self, api: Any, stop: Event) -> Any:
        challenge = api._auth_data["fsaChallenge"]  # noqa: SLF001 - the ceremony reads it there, too
        while True:
            devices = list(self.plugged())
            for at, device in enumerate(devices):
                if _may_know(device, challenge):
                    _closed([*devices[:at], *devices[at + 1 :]])
                    return device
            _closed(devices)
            if devices:
                raise fault(KEY_WRONG)
            if stop.wait(LOOK_S):
                raise fault(KEY_MISSING)


def _sign(api: Any, device: Any, last_status: Callable[[], int], stop: Event) -> None:
    from fido2.hid import ConnectionFailure  # noqa: PLC0415
    from pyicloud import exceptions as theirs  # noqa: PLC0415

    try:
        api.confirm_security_key(device, event=stop)
    except theirs.PyiCloudSecurityKeyTimeoutException:
        raise fault(KEY_UNTOUCHED) from None
    except theirs.PyiCloudSecurityKeyException as error:
        raise fault(_meaning(error.__cause__)) from None
    except (OSError, ConnectionFailure):  # pulled out
        raise fault(KEY_MISSING) from None
    except (theirs.PyiCloudAPIResponseException, theirs.PyiCloud2FARequiredException):
        if last_status():
            raise fault(KEY_REFUSED) from None
        raise


def _meaning(cause: object) -> Meaning:
    from fido2.client import ClientError  # noqa: PLC0415

    known = {
        ClientError.ERR.DEVICE_INELIGIBLE: KEY_WRONG,
        ClientError.ERR.TIMEOUT: KEY_UNTOUCHED,  # the key itself gave up
    }
    return known.get(getattr(cause, "code", None), KEY_UNUSABLE)  # type: ignore[arg-type]


def _may_know(device: Any, challenge: Any) -> bool:
    """Does it hold one of the account's secrets? Needs no touch. A key that will not say may."""
    from fido2.ctap import CtapError  # noqa: PLC0415
    from fido2.ctap2.base import Ctap2  # noqa: PLC0415
    from fido2.utils import websafe_decode  # noqa: PLC0415

    try:
        ctap = Ctap2(device)
        for handle in challenge["keyHandles"]:
            known: list[Mapping[str, Any]] = [{"type": "public-key", "id": websafe_decode(handle)}]
            try:
                ctap.get_assertion(challenge["rpId"], _DUMMY, known, options={"up": False})
            except CtapError as error:
                if error.code != CtapError.ERR.NO_CREDENTIALS:
                    return True
            else:
                return True
    except (ValueError, CtapError):  # an older key, which has no such question
        return True
    return False


@contextmanager
def _ringing(seconds: float, stop: Event) -> Iterator[None]:
    timer = Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _closed(devices: Sequence[Any]) -> None:
    for device in devices:
        device.close()
