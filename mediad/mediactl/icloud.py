"""
`icloud`: sign in and out, how it stands, what is missing here, and bringing back what was deleted there.

A password or a code goes from the keyboard to the daemon and nowhere else: never on the command line's own words but
the code, which is worth nothing a minute later.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mediad.mediactl.client import DONE, NO, USAGE, Client, Trouble
from mediad.mediactl.show import clean, columns, complain, document, paint, say

PATIENCE_S: Final = 300.0  # Apple may be slow, and its code may have to come over the network
TRIES: Final = 3
PAGE: Final = 500
READY: Final = "ready"
NEED_CODE: Final = "need-code"
SECURITY_KEY: Final = "security-key"
_COUNTS: Final = (
    "listed", "fetched", "waiting", "filtered", "unsupported", "gone", "marked", "deleted", "recoverable",
)  # fmt: skip


def icloud(client: Client, words: argparse.Namespace) -> int:
    action: str = words.action or "status"
    return {
        "status": _status, "login": _login, "code": _code, "sms": _sms, "key": _key, "logout": _logout,
        "completeness": _completeness, "undelete": _undelete,
    }[action](client, words)  # fmt: skip


# -- the sign-in ------------------------------------------------------------------------------------


def _login(client: Client, words: argparse.Namespace) -> int:
    status = client.get("/icloud")
    if status["state"] == "off":
        return _show(words, status)
    body: dict[str, Any] = {}
    if words.password == "-":  # noqa: S105 - "read it from standard input"
        body["password"] = sys.stdin.readline().rstrip("\r\n")
    elif not status["has_password"]:
        body["password"] = _asked(status)
    doc = client.post("/icloud/login", body, timeout=PATIENCE_S)
    if doc["sign_in"] in {NEED_CODE, SECURITY_KEY} and not words.json and sys.stdin.isatty():
        doc = _ask_for_proof(client, doc)
    return _told(words, doc)


def _asked(status: Mapping[str, Any]) -> str:
    if not sys.stdin.isatty():
        raise Trouble(
            "there is no terminal to ask for the password on",
            USAGE,
            remedy="mediactl icloud login - reads it from standard input",
        )
    from getpass import getpass  # noqa: PLC0415 - nobody else needs it

    account = f" of {clean(status['account'])}" if status["account"] else ""
    return getpass(f"password{account} (empty: the session that still holds): ", sys.stderr)


def _ask_for_proof(client: Client, doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Until there is a session, nothing is typed, or Apple wants something else than a code or a key."""
    for _ in range(TRIES):
        complain(clean(doc["message"]))
        sys.stderr.write(_question(doc))
        sys.stderr.flush()
        typed = sys.stdin.readline().strip()
        if not typed:
            return doc
        try:
            doc = _proved(client, doc, typed)
        except Trouble as trouble:
            if trouble.code != USAGE and typed.lower() != "key":
                raise
            complain(clean(trouble.what))
            if trouble.remedy:
                complain(f"  remedy: {clean(trouble.remedy)}")
        if doc["sign_in"] not in {NEED_CODE, SECURITY_KEY}:
            return doc
    return doc


def _question(doc: Mapping[str, Any]) -> str:
    key = "key: touch a security key at the machine where mediad runs; " if doc["keys"] else ""
    if not doc["code_by"]:
        return f"security key ({key}empty: later): "
    return f"code ({key}sms: have one sent; empty: later): "


def _proved(client: Client, doc: Mapping[str, Any], typed: str) -> Mapping[str, Any]:
    word = typed.lower()
    if word == "key":
        _blinking(doc)
    path, body = (f"/icloud/{word}", None) if word in {"sms", "key"} else ("/icloud/mfa", {"code": typed})  # fmt: skip
    proved: Mapping[str, Any] = client.post(path, body, timeout=PATIENCE_S)
    return proved


def _blinking(doc: Mapping[str, Any]) -> None:
    names = ", ".join(clean(name) for name in doc["keys"])
    complain(
        f"plug it into the machine where mediad runs, and touch it when it blinks, within a minute: {names}"
    )


def _key(client: Client, words: argparse.Namespace) -> int:
    status = client.get("/icloud")
    if status["keys"] and not words.json:
        _blinking(status)
    return _told(words, client.post("/icloud/key", timeout=PATIENCE_S))


def _code(client: Client, words: argparse.Namespace) -> int:
    return _told(words, client.post("/icloud/mfa", {"code": words.code}, timeout=PATIENCE_S))


def _sms(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/icloud/sms", timeout=PATIENCE_S)
    _told(words, doc)
    return DONE if doc["sign_in"] in {READY, NEED_CODE} else NO


def _logout(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/icloud/logout", timeout=PATIENCE_S)
    if words.json:
        document(doc)
    else:
        say("signed out; what is here stays, and nothing more is fetched")
    return DONE


def _told(words: argparse.Namespace, doc: Mapping[str, Any]) -> int:
    if words.json:
        document(doc)
    else:
        say(_sign_in(doc))
        if doc["remedy"]:
            say(f"  remedy: {clean(doc['remedy'])}")
    return DONE if doc["sign_in"] == READY else NO


def _sign_in(doc: Mapping[str, Any]) -> str:
    who = f" as {clean(doc['account'])}" if doc["account"] and doc["sign_in"] == READY else ""
    until = f" (until {doc['until']})" if doc["until"] else ""
    then = f"; Apple wants a code again at {doc['trust_expires_at']}" if doc["trust_expires_at"] else ""  # fmt: skip
    colour = "green" if doc["sign_in"] == READY else "yellow"
    return f"{paint(doc['sign_in'], colour)}: {clean(doc['message'])}{who}{until}{then}"


# -- how it stands ----------------------------------------------------------------------------------


def _status(client: Client, words: argparse.Namespace) -> int:
    return _show(words, client.get("/icloud"))


def _show(words: argparse.Namespace, doc: Mapping[str, Any]) -> int:
    """A link that is off is said to be off, in plain words."""
    if words.json:
        document(doc)
        return DONE if doc["state"] == "up" else NO
    detail = clean(doc["detail"])
    if doc["state"] != "off":  # what the sign-in says comes next, with its state
        detail = detail.removeprefix(clean(doc["message"])).removeprefix("; ")
    say(f"iCloud is {doc['state']}" + (f": {detail}" if detail else ""))
    if doc["state"] != "off":
        say(_sign_in(doc))
        counts = doc["counts"]
        say("  ".join(f"{counts[k]} {k}" for k in _COUNTS))
        for zone in doc["zones"]:
            say(
                f"library {clean(zone['name'])}: compared {zone['listed_at'] or 'never yet, as a whole'}"
            )
        deletion = doc["deletion"]
        say(f"deletion {deletion['state']}: {clean(deletion['why'])}")
        if deletion["remedy"]:
            say(f"  {clean(deletion['remedy'])}")
    if doc["remedy"]:
        say(f"  remedy: {clean(doc['remedy'])}")
    return DONE if doc["state"] == "up" else NO


# -- what is missing --------------------------------------------------------------------------------


def _completeness(client: Client, words: argparse.Namespace) -> int:
    doc = client.get(f"/icloud/completeness?limit={PAGE}")
    cursor = doc["cursor"]
    while cursor:
        from mediad.mediactl.asking import quoted  # noqa: PLC0415 - only for more than a page

        page = client.get(f"/icloud/completeness?limit={PAGE}&cursor={quoted(cursor)}")
        doc["missing"] += page["missing"]
        cursor = page["cursor"]
    doc["cursor"] = None
    if words.json:
        document(doc)
        return DONE if doc["complete"] else NO
    _grid(doc)
    return DONE if doc["complete"] else NO


def _grid(doc: Mapping[str, Any]) -> None:
    sums = doc["sums"]
    rows = [(c["month"] or "unknown", *_cell(c)) for c in doc["grid"]]
    rows.append(("all", *_cell({**sums, "kind": ""})))
    heads = ("month", "kind", "in iCloud", "journal", "archived", "missing")
    if sums["listed"]:
        say("\n".join(columns(rows, heads)))
    for why, n in sums["reasons"].items():
        say(f"{n:>7}  {clean(why)}")
    for m in doc["missing"]:
        ours = f" (asset {m['asset']})" if m["asset"] is not None else ""
        more = f": {clean(m['detail'])}" if m["detail"] else ""
        say(
            f"missing: {m['month'] or 'unknown'}  {clean(m['name'])}{ours}: {clean(m['why'])}{more}"
        )
    for zone in doc["unlisted"]:
        say(f"library {clean(zone)} was never listed whole: nobody knows yet what is in it")
    if doc["complete"]:
        say("complete: all that iCloud has is proved to be in the archive")
    elif not sums["listed"] and not doc["unlisted"]:
        say("iCloud has not listed anything yet")


def _cell(cell: Mapping[str, Any]) -> tuple[object, ...]:
    missing = cell["listed"] - cell["archived"]
    return cell["kind"], cell["listed"], cell["journalled"], cell["archived"], missing or "-"


# -- bringing back ----------------------------------------------------------------------------------


def _undelete(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/icloud/undelete", {"assets": words.assets}, timeout=PATIENCE_S)
    if words.json:
        document(doc)
        return DONE if doc["ok"] else NO
    for line in doc["assets"]:
        say(
            f"{clean(line['name'])} (asset {line['asset']}): {line['state']}: {clean(line['message'])}"
        )
        _remedy(line)
    return DONE if doc["ok"] else NO


# -- why not, and the self-test -----------------------------------------------------------------------


def why_not(client: Client, words: argparse.Namespace) -> int:
    """0 when nothing stands against it."""
    from mediad.mediactl.asking import meant  # noqa: PLC0415 - as above

    doc = client.post("/why-not/delete", {"what": meant(words.what)}, timeout=None)
    is_free = not doc["error"] and bool(doc["reasons"]) and all(r["holds"] for r in doc["reasons"])
    if words.json:
        document(doc)
        return DONE if is_free else NO
    say(f"{clean(doc['name'])} (asset {doc['asset']}): {clean(doc['answer'])}")
    if doc["turn"]:
        say(f"  {clean(doc['turn'])}")
    if doc["error"]:
        complain(f"{doc['error']['code']}: {clean(doc['error']['message'])}")
        _remedy(doc["error"])
    _proofs(doc["reasons"])
    return DONE if is_free else NO


def _proofs(reasons: Iterable[Mapping[str, Any]]) -> None:
    for r in reasons:
        if r["holds"]:
            say(f"  {paint('yes', 'green')}  {clean(r['proof'])}")
        else:
            say(f"  {paint('no', 'red')}   {clean(r['proof'])}: {clean(r['why'])}")


_COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red", "off": "dim"}


def selftest(client: Client, words: argparse.Namespace) -> int:
    if words.probe and not words.json:
        complain("the phone is asked, too: this takes a minute or two")
    doc = client.post("/selftest", {"probe": words.probe}, timeout=None)
    if words.json:
        document(doc)
        return DONE if doc["ok"] else NO
    for c in doc["checks"]:
        code = f" {c['code']}" if c["code"] else ""
        say(f"{paint(c['state'], _COLOURS[c['state']])}  {c['part']}{code}: {clean(c['message'])}")
        _remedy(c)
    say("the self-test is green" if doc["ok"] else "the self-test found a fault")
    deletion = doc["deletion"]
    say(f"deletion in iCloud is {deletion['state']}: {clean(deletion['why'])}")
    if deletion["remedy"]:
        say(f"  {clean(deletion['remedy'])}")
    return DONE if doc["ok"] else NO


def _remedy(line: Mapping[str, Any]) -> None:
    if line["remedy"]:
        say(f"  remedy: {clean(line['remedy'])}")
