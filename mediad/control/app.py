"""The aiohttp application: routes from the table, checked requests, problems instead of tracebacks."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from mediad.control import metrics, openapi, problems
from mediad.control.routes import ROUTES
from mediad.control.sse import Streams
from mediad.control.table import Ask, BadRequest, Route, checked_body, checked_query
from mediad.errors import MediadError, Refused
from mediad.service import Service

log = structlog.get_logger()

PREFIX: Final = "/api/v1"
MOST_BODY: Final = 1 << 20
_ALSO_AT_ROOT: Final = frozenset({"/healthz", "/readyz"})

# With what `curl -d` says and what a client without a word about it is taken to have said.
_JSON: Final = frozenset(
    {"application/json", "application/x-www-form-urlencoded", "application/octet-stream"}
)

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(service: Service) -> web.Application:
    app = web.Application(middlewares=[_as_problems], client_max_size=MOST_BODY)
    for route in ROUTES:
        handler = _bound(service, route)
        for path in (PREFIX + route.path, route.path)[: 1 + (route.path in _ALSO_AT_ROOT)]:
            app.router.add_route(route.method, path, handler)
            if route.method == "GET":  # whoever may GET may ask for the head alone (RFC 9110)
                app.router.add_route("HEAD", path, handler)
    streams = Streams(service)
    app.router.add_get(f"{PREFIX}/events", streams.events)
    app.router.add_get(f"{PREFIX}/logs", streams.logs)

    async def figures(_: web.Request) -> web.Response:
        if not service.has_metrics:
            raise Refused("metrics are off", code="metrics.off", remedy="[metrics] enabled = true")
        body = metrics.text(await service.status(), service.icloud.trust_left_s())
        return web.Response(body=body.encode(), headers={"Content-Type": metrics.MEDIA_TYPE})

    async def described(_: web.Request) -> web.Response:
        return _json(openapi.document(ROUTES, service.version))

    for prefix in ("", PREFIX):
        app.router.add_get(f"{prefix}/metrics", figures)
    app.router.add_get(f"{PREFIX}/openapi.json", described)
    return app


def _bound(service: Service, route: Route) -> Handle:
    async def handle(request: web.Request) -> web.StreamResponse:
        ask = Ask(
            params=dict(request.match_info),
            query=checked_query(request.query, route.query),
            body=await _body(request, route),
            headers=request.headers,
        )
        try:
            reply = await route.handler(service, ask)
        except Refused as fault:
            if fault.code != "run.already_running":
                raise
            return _problem({**problems.of_fault(fault), "id": service.current_run})
        return _json(reply.doc, reply.status, dict(reply.headers))

    return handle


async def _body(request: web.Request, route: Route) -> Any:
    if route.method == "GET" or not request.can_read_body:
        return checked_body(None, route.body)
    if request.content_type not in _JSON and not request.content_type.endswith("+json"):
        raise web.HTTPUnsupportedMediaType
    raw = await request.read()
    try:
        said = json.loads(raw) if raw.strip() else None
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON", code="request.not_json") from None
    return checked_body(said, route.body)


@web.middleware
async def _as_problems(request: web.Request, handler: Handle) -> web.StreamResponse:
    try:
        return await handler(request)
    except MediadError as fault:
        return _problem(problems.of_fault(fault))
    except web.HTTPException as fault:
        if fault.status < HTTPStatus.BAD_REQUEST:
            raise
        code = f"http.{HTTPStatus(fault.status).name.lower()}"
        said = problems.problem(
            fault.status, f"{request.method} {request.path}: {fault.reason.lower()}", code=code,
            remedy=f"the routes are in {PREFIX}/openapi.json",
        )  # fmt: skip
        return _problem(said, {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else {})
    except Exception:
        log.exception("request.crashed", method=request.method, path=request.path)
        said = problems.problem(
            500, "something unexpected went wrong while answering; no file was touched by this request",
            code="bug.request", remedy="please report it with the log lines of `mediactl logs`",
        )  # fmt: skip
        return _problem(said)


def _json(doc: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=problems.dumps(doc),
        status=status,
        headers={
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            **(headers or {}),
        },
    )


def _problem(said: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=problems.dumps(said),
        status=said["status"],
        headers={"Content-Type": problems.MEDIA_TYPE, **(headers or {})},
    )
