"""The settings of what lies outside: phone, iCloud, web, and who is told. As sections.py: words, no decisions."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, SecretStr

from mediad.config.base import (
    Bytes,
    Count,
    Days,
    Flag,
    Hours,
    Minutes,
    NamedFile,
    Seconds,
    Section,
    Text,
    setting,
)
from mediad.config.units import device_id, http_address

Address: TypeAlias = Annotated[Text, AfterValidator(http_address)]
DeviceId: TypeAlias = Annotated[Text, AfterValidator(device_id)]


class Syncthing(Section):
    """The way to the phone. Without a url the phone lane is off."""

    url: Address = setting(
        "Address of Syncthing's REST interface, such as http://127.0.0.1:8384.", default=""
    )
    api_key: SecretStr = setting("Syncthing's API key (its settings page shows it).", default="")
    api_key_file: NamedFile = setting("A file that holds the API key instead.", default=None)
    folder_id: Text = setting("The id of the shared folder; empty: found by its path.", default="")
    device_id: DeviceId = setting(
        "The phone's device id; empty: the folder's only other device.", default=""
    )
    timeout_seconds: Seconds = setting(
        "How long one answer of Syncthing may take.", default=30.0, unit="seconds", gt=0
    )
    ca_file: NamedFile = setting(
        "The certificate to trust when url is https with a certificate of its own (Syncthing's https-cert.pem).",
        default=None,
    )
    sweep_seconds: Seconds = setting(
        "How often the phone's state is looked at when Syncthing tells of no change.",
        default=300.0,
        unit="seconds",
        ge=1,
    )
    phone_url: Address = setting(
        "Address of the phone's own Syncthing, for a second opinion; needed for certainty where Syncthing here is 2.x.",
        default="",
    )
    phone_api_key: SecretStr = setting("The API key of the phone's own Syncthing.", default="")
    phone_api_key_file: NamedFile = setting("A file that holds that key instead.", default=None)
    phone_ca_file: NamedFile = setting(
        "The certificate to trust when phone_url is https with a certificate of its own.",
        default=None,
    )


class Phone(Section):
    """Batches on their way to the phone."""

    enabled: Flag = setting("Send to the phone at all (needs syncthing.url).", default=True)
    batch_by: Literal["files", "bytes"] = setting(
        "What closes a batch: files or bytes.", default="files"
    )
    batch_files: Count = setting("Files in a batch.", default=5, unit="files", ge=1, le=500)
    batch_bytes: Bytes = setting(
        "Size of a batch.", default=2 << 30, unit="bytes", shown='"2 GiB"', ge=1 << 20
    )
    batch_wait_seconds: Seconds = setting(
        "How long a batch that is not full waits for more files once nothing else is arriving.",
        default=5.0,
        unit="seconds",
        ge=0,
    )
    patience_hours: Hours = setting(
        "After so long with the phone connected, a file that it does not take is a problem to tell of, and the next"
        " batch may go.",
        default=24.0,
        unit="hours",
        gt=0,
    )
    allow_parallel: Flag = setting(
        "Send the next batch before the last one is confirmed by the phone.", default=False
    )
    send: Literal["original", "rendition"] = setting(
        "What the phone gets; with the preset bridge a rendition where there is one.",
        default="original",
    )
    live_pairs: Literal["both", "motion-photo"] = setting(
        "How the halves of a Live Photo go: both files as they are, or one motion photo made of them, which Google"
        " Photos shows moving. Archive and library keep the originals either way.",
        default="both",
    )
    release: Text = setting(
        'When files leave the shared folder again: "freed" when the phone has freed its space, "after 7 d" that'
        ' long after they were verified there, or "never".',
        default="freed",
        pattern=r"^(freed|never|after \d+ d)$",
    )


class ICloud(Section):
    """The source and, once everything is safe, the place to free. Off by default."""

    enabled: Flag = setting("Fetch photos from iCloud.", default=False)
    username: Text = setting("The Apple Account, an e-mail address.", default="")
    password: SecretStr = setting(
        "Its password. Better not stored: `mediactl icloud login` asks once.", default=""
    )
    password_file: NamedFile = setting("A file that holds the password instead.", default=None)
    password_command: Text = setting(
        "A command that prints the password, run when a sign-in needs it; no shell.", default=""
    )
    domain: Literal["com", "cn"] = setting("cn for accounts run in mainland China.", default="com")
    days: Days = setting(
        "Fetch only what was added in so many days; 0: everything.", default=0.0, unit="days", ge=0
    )
    days_by: Literal["added", "taken"] = setting(
        "Which date `days` counts from: when it came to iCloud, or when it was taken.",
        default="added",
    )
    hidden: Flag = setting("Fetch what is in the Hidden album, too.", default=True)
    favourites_only: Flag = setting("Fetch favourites only.", default=False)
    zones: tuple[Text, ...] = setting(
        'Libraries to fetch from: "PrimarySync" is the person\'s own, "SharedSync-…" a shared one; empty: all.',
        default=(),
    )
    albums: tuple[Text, ...] = setting(
        "Fetch only these albums; empty: the whole library.", default=()
    )
    album: Text = setting(
        "The album in which photos wait before they are deleted.",
        default="DeletePending",
        min_length=1,
    )
    gateway: Address = setting(
        "Another server that speaks iCloud's protocol, for tests and demos.", default=""
    )
    at_once: Count = setting("Downloads at a time.", default=4, unit="files", ge=1, le=16)
    poll_minutes: Minutes = setting(
        "How often iCloud is asked for news.", default=15.0, unit="minutes", ge=1
    )


class Upload(Section):
    """Giving renditions back to iCloud."""

    enabled: Flag = setting("Upload renditions to iCloud.", default=False)


class Delete(Section):
    """Freeing iCloud of what is safe at home. Needs safety.armed as well."""

    enabled: Flag = setting(
        "Mark, and after the cool-off delete, what is verified elsewhere.", default=False
    )
    cooloff_days: Days = setting(
        "How long a photo stands in the album before it is deleted.",
        default=30.0,
        unit="days",
        ge=0,
    )
    mode: Literal["auto", "manual"] = setting(
        "auto: mediad moves what has cooled off to Recently Deleted; manual: it only fills the album, and the person"
        " empties it.",
        default="auto",
    )
    keep_favourites: Flag = setting("Never mark or delete favourites.", default=True)
    min_age_days: Days = setting(
        "Only what was taken longer ago than this.", default=0.0, unit="days", ge=0
    )
    per_day: Count = setting(
        "No more deletions than this in a day.", default=100, unit="assets", ge=0
    )
    percent_per_day: float = setting(
        "Nor more than this share of the library in a day.",
        default=5.0,
        unit="per cent",
        gt=0,
        le=100,
    )


class Web(Section):
    """The pages and the API over TCP; the UNIX socket is always there."""

    listen: Text = setting("host:port, such as 127.0.0.1:8480; empty: no TCP.", default="")
    token: SecretStr = setting(
        "The bearer token for TCP. Needed to listen beyond this machine.", default=""
    )
    token_file: NamedFile = setting("A file that holds the token instead.", default=None)


class Notify(Section):
    """Who is told when a person is needed."""

    urls: tuple[SecretStr, ...] = setting("Where messages go, one address each.", default=())
    urls_file: NamedFile = setting("A file with the addresses instead, one a line.", default=None)


class Mirror(Section):
    """A copy of the journal in PostgreSQL, for other programs to read."""

    dsn: SecretStr = setting(
        "postgresql://user:password@host/database; empty: no mirror.", default=""
    )
    dsn_file: NamedFile = setting("A file that holds the address instead.", default=None)


class Metrics(Section):
    """Figures for Prometheus at /metrics."""

    enabled: Flag = setting("Serve /metrics.", default=True)
