"""The route table of /api/v1. A handler only turns a request into one call of the service."""

from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from mediad.config.schema import toml_text
from mediad.control.care_routes import CARE_ROUTES
from mediad.control.cloud_routes import CLOUD_ROUTES
from mediad.control.near_routes import NEAR_ROUTES
from mediad.control.person_routes import PERSON_ROUTES
from mediad.control.phone_routes import PHONE_ROUTES
from mediad.control.table import Ask, BadRequest, Field, Reply, Route
from mediad.model import AssetId
from mediad.service import Service
from mediad.service.answers import AssetDoc, DoctorDoc, PageDoc, StatusDoc, StoryDoc

PAGE: Final = 100


async def status(service: Service, _: Ask) -> Reply:
    return Reply(await service.status())


async def assets(service: Service, ask: Ask) -> Reply:
    page = await service.assets(
        stage=ask.query.get("stage", ""),
        state=ask.query.get("state", ""),
        since=moment(ask.query.get("since")),
        cursor=ask.query.get("cursor"),
        limit=ask.query.get("limit", PAGE),
    )
    return Reply(page)


def moment(text: str | None, name: str = "since") -> int | None:
    """An ISO date or time (without an offset: this machine's own), or UTC milliseconds."""
    if text is None:
        return None
    if text.isdecimal() and len(text) > len("20260101"):
        return int(text)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{name}={text!r} is no time", remedy="write it as 2026-01-15 or 2026-01-15T14:30:00Z"
        ) from None


def _id(ask: Ask) -> AssetId:
    return AssetId(int(ask.params["id"]))


async def asset(service: Service, ask: Ask) -> Reply:
    at = moment(ask.query.get("as_of"), "as_of")
    if at is not None:
        return Reply(await service.person.as_of(str(_id(ask)), at))
    return Reply(await service.asset(_id(ask)))


async def history(service: Service, ask: Ask) -> Reply:
    return Reply({"history": await service.history(_id(ask), ask.query.get("after", 0))})


async def explain(service: Service, ask: Ask) -> Reply:
    if "what" not in ask.query:
        raise BadRequest("'what' is missing: an id, a path, a hash or a name")
    return Reply(await _story(service, ask.query["what"], ask.query.get("as_of")))


async def explain_body(service: Service, ask: Ask) -> Reply:
    """For names that no address can carry: bytes that are no UTF-8."""
    return Reply(await _story(service, ask.body["what"], ask.body.get("as_of")))


async def _story(service: Service, what: str, as_of: str | None) -> StoryDoc:
    """`as_of`: as it was known then, from the history alone."""
    at = moment(as_of, "as_of")
    return await (service.explain(what) if at is None else service.person.as_of(what, at))


async def retry_one(service: Service, ask: Ask) -> Reply:
    return Reply({"retried": await service.retry([_id(ask)])})


async def retry(service: Service, ask: Ask) -> Reply:
    marks = ask.body.get("marks", ["failed"])
    if not set(marks) <= {"failed", "held", "retry"}:
        raise BadRequest("'marks' can hold failed, held and retry")
    return Reply({"retried": await service.retry(None, marks)})


async def skip(service: Service, ask: Ask) -> Reply:
    if not ask.body["why"].strip():
        raise BadRequest("'why' must say something: it is kept in the history")
    return Reply(await service.skip(_id(ask), ask.body["stage"], ask.body["why"]))


async def errors(service: Service, _: Ask) -> Reply:
    return Reply({"errors": await service.troubles()})


async def stages(service: Service, _: Ask) -> Reply:
    return Reply({"stages": await service.stages()})


async def pause_stage(service: Service, ask: Ask) -> Reply:
    return Reply({"paused": await service.pause(ask.params["name"])})


async def resume_stage(service: Service, ask: Ask) -> Reply:
    return Reply({"paused": await service.resume(ask.params["name"])})


async def pause_all(service: Service, _: Ask) -> Reply:
    return Reply({"paused": await service.pause(None)})


async def resume_all(service: Service, _: Ask) -> Reply:
    return Reply({"paused": await service.resume(None)})


async def run(service: Service, ask: Ask) -> Reply:
    wanted = ask.body.get("stages")
    if wanted is not None and not wanted:
        raise BadRequest("'stages' is empty: leave it out for all of them")
    if ask.body.get("dry_run", False):
        return Reply({"dry_run": True, "plan": await service.plan(wanted)})
    number = await service.run(wanted)
    place = {"Location": "/api/v1/workflow/status"}
    return Reply({"id": number, "state": "running"}, HTTPStatus.ACCEPTED, place)


async def workflow_status(service: Service, _: Ask) -> Reply:
    whole, runs = await service.status(), await service.runs(1)
    doc = {
        "state": whole["state"],
        **whole["workflow"],
        "run": whole["run"],
        "last_run": runs[0] if runs else None,
    }
    return Reply(doc)


async def workflow_runs(service: Service, ask: Ask) -> Reply:
    return Reply({"runs": await service.runs(ask.query.get("limit", 20))})


async def config(service: Service, _: Ask) -> Reply:
    doc = service.config.show()
    return Reply(doc, headers={"ETag": f'"{doc["etag"]}"'})


async def put_config(service: Service, ask: Ask) -> Reply:
    """Only what differs is written, so that what GET gave can be changed and given back."""
    now = service.config.show()["values"]
    changed = {
        key: value if isinstance(value, str) else toml_text(value)
        for key, value in ask.body["values"].items()
        if (key not in now or now[key] != value) and value != "***"
    }
    match = ask.headers.get("If-Match", "").removeprefix("W/").strip('"')
    doc = await service.config.change(changed, match if match and match != "*" else None)
    return Reply(doc, headers={"ETag": f'"{doc["etag"]}"'})


async def check_config(service: Service, ask: Ask) -> Reply:
    faults = [
        {"where": f.where, "what": f.what} for f in await service.config.check(ask.body.get("toml"))
    ]
    return Reply({"ok": not faults, "faults": faults})


async def doctor(service: Service, _: Ask) -> Reply:
    return Reply(await service.doctor())


async def backup(service: Service, ask: Ask) -> Reply:
    target = ask.body.get("path")
    if target is not None and not Path(target).is_absolute():
        raise BadRequest("'path' must be absolute: the daemon does not know where you stand")
    return Reply({"path": str(await service.keeping.backup(Path(target) if target else None))})


async def reload(service: Service, _: Ask) -> Reply:
    faults = await service.reload()
    return Reply({"ok": not faults, "faults": faults})


async def nas_init(service: Service, ask: Ask) -> Reply:
    folder = Path(ask.body["path"])
    if not folder.is_absolute():
        raise BadRequest("'path' must be absolute: the daemon does not know where you stand")
    done = await service.enrol(folder, force=ask.body.get("force", False))
    return Reply({"path": str(folder), "done": done})


async def wait(service: Service, ask: Ask) -> Reply:
    return Reply(await service.wait(ask.body.get("what"), ask.body.get("timeout")))


async def add(service: Service, _: Ask) -> Reply:
    return Reply(service.incoming())


async def rescan(service: Service, _: Ask) -> Reply:
    return Reply({"arrived": await service.rescan()})


async def healthz(_: Service, __: Ask) -> Reply:
    return Reply({"status": "ok"})


async def readyz(service: Service, _: Ask) -> Reply:
    why = await service.unready()
    code = HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK
    return Reply({"ready": not why, "state": service.phase, "why": why}, code)


_LIMIT = Field("limit", "integer", "at most so many", least=1)
_AS_OF = Field("as_of", "string", "as it was known at this time, from the history alone")
_STAGES = Field("stages", "array", "names of stages; left out: all")

ROUTES: Final = (
    Route("GET", "/status", status, "The whole picture", StatusDoc),
    Route("GET", "/assets", assets, "Assets, the newest first, in pages", PageDoc, query=(
        Field("stage", "string", "only those that stand before this stage"),
        Field("state", "string", "active, completed, failed, held, duplicate, quarantined, or a lane's state"),
        Field("since", "string", "first seen at or after this time"),
        Field("cursor", "integer", "where the last page ended", least=1), _LIMIT,
    )),
    Route("GET", r"/assets/{id:\d{1,18}}", asset, "One asset, now or as it was known at a time", AssetDoc,
          query=(_AS_OF,)),
    Route("GET", r"/assets/{id:\d{1,18}}/history", history, "Every transition of one asset",
          query=(Field("after", "integer", "only rows after this seq", least=0),)),
    Route("POST", r"/assets/{id:\d{1,18}}/retry", retry_one, "Try its failed and held lanes again"),
    Route("POST", r"/assets/{id:\d{1,18}}/skip", skip, "Pass a stage by hand", AssetDoc, body=(
        Field("stage", "string", "the stage to pass", is_required=True),
        Field("why", "string", "kept in the history", is_required=True),
    )),
    Route("GET", "/explain", explain, "One asset's whole story, and what is next", StoryDoc,
          query=(Field("what", "string", "an id, a path, a hash or a name"), _AS_OF)),
    Route("POST", "/explain", explain_body, "The same, for names that no address can carry", StoryDoc,
          body=(Field("what", "string", "an id, a path, a hash or a name", is_required=True), _AS_OF)),
    Route("POST", "/retry", retry, "Try again whatever has one of these marks",
          body=(Field("marks", "array", "failed, held, retry; failed when left out"),)),
    Route("GET", "/errors", errors, "What went wrong, grouped by code"),
    Route("GET", "/stages", stages, "Every stage with its counts"),
    Route("POST", "/stages/{name}/pause", pause_stage, "Start nothing new in this stage"),
    Route("POST", "/stages/{name}/resume", resume_stage, "Let this stage work again"),
    Route("POST", "/workflow/run", run, "Look for arrivals now and work; one run at a time",
          body=(_STAGES, Field("dry_run", "boolean", "answer with the plan and change nothing")), status=202),
    Route("GET", "/workflow/status", workflow_status, "The stages and the run that is under way"),
    Route("GET", "/workflow/runs", workflow_runs, "The last runs", query=(_LIMIT,)),
    Route("POST", "/workflow/pause", pause_all, "Start nothing new anywhere"),
    Route("POST", "/workflow/resume", resume_all, "Work again everywhere"),
    Route("GET", "/config", config, "Every setting with where it came from; secrets as ***"),
    Route("PUT", "/config", put_config, "Change settings in the file; with If-Match only if nobody else did", body=(
        Field("values", "object", "section.key and its new value", is_required=True),
        Field("file", "string", "ignored"), Field("origins", "object", "ignored"), Field("etag", "string", "ignored"),
    )),
    Route("POST", "/config/check", check_config, "What would be wrong with this text as the configuration",
          body=(Field("toml", "string", "the text; left out: the file as it is now"),)),
    Route("GET", "/doctor", doctor, "Everything a run needs, each finding with a remedy", DoctorDoc),
    Route("POST", "/backup", backup, "A checked copy of the journal",
          body=(Field("path", "string", "a new file; left out: state/backups"),)),
    Route("POST", "/reload", reload, "Read the configuration anew"),
    Route("POST", "/nas/init", nas_init, "Make a folder the archive", body=(
        Field("path", "string", "the folder", is_required=True),
        Field("force", "boolean", "even on the root file system"),
    )),
    Route("POST", "/wait", wait, "Answers when nothing is left to do", body=(
        Field("what", "string", "one asset; left out: everything"),
        Field("timeout", "number", "seconds", least=0),
    )),
    Route("GET", "/add", add, "Where to put files for mediad to take"),
    Route("POST", "/rescan", rescan, "Compare the drop folder with the journal now"),
    Route("GET", "/healthz", healthz, "It lives"),
    Route("GET", "/readyz", readyz, "It works"),
    *CARE_ROUTES,
    *PHONE_ROUTES,
    *CLOUD_ROUTES,
    *PERSON_ROUTES,
    *NEAR_ROUTES,
)  # fmt: skip
