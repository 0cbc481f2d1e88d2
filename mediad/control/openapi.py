"""The OpenAPI 3.1 document, made from the route table and from the documents' own types."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from mediad.control import problems
from mediad.control.table import Field, Route

_PARAMETER: Final = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_STREAMS: Final = {"/events": "Every transition as it is recorded; resumes after Last-Event-ID",
                   "/logs": "The log's last lines, then every new one"}  # fmt: skip


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    for path, summary in _STREAMS.items():
        paths[path] = {"get": _stream(summary)}
    paths["/metrics"] = _plain("Figures for Prometheus", "get_metrics", "text/plain")
    paths["/openapi.json"] = _plain("This document", "get_openapi_json", "application/json")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mediad",
            "version": version,
            "summary": "What a person may ask or order",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        name: {"type": "integer" if name == "status" else "string"}
        for name in ("type", "title", "status", "detail", "code", "remedy")
    },
}


def _operation(route: Route, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", f"{route.method.lower()}{path}").strip("_")
    said: dict[str, Any] = {
        "summary": route.summary,
        "operationId": name,
        "parameters": [
            *({"name": n, "in": "path", "required": True, "schema": {"type": "integer" if n == "id" else "string"}}
              for n in _PARAMETER.findall(route.path)),
            *({"name": f.name, "in": "query", "description": f.what, "schema": _schema(f)} for f in route.query),
        ],
        "responses": {
            str(int(route.status)): _content("application/json", _answer(route.answer, schemas)),
            "default": _content(problems.MEDIA_TYPE, {"$ref": "#/components/schemas/Problem"}),
        },
    }  # fmt: skip
    if route.body:
        said["requestBody"] = {
            "required": any(f.is_required for f in route.body),
            "content": {"application/json": {"schema": _body(route.body)}},
        }
    return said


def _body(fields: Sequence[Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in fields if f.is_required],
        "properties": {f.name: {**_schema(f), "description": f.what} for f in fields},
    }


def _schema(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": field.kind}
    if field.kind == "array":
        kinds = field.items
        schema["items"] = {"type": kinds[0] if len(kinds) == 1 else list(kinds)}
    if field.least is not None:
        schema["minimum"] = field.least
    return schema


def _answer(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind is None:
        return {"type": "object"}
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    if "$ref" in schema:
        return schema
    schemas[schema["title"]] = schema
    return {"$ref": f"#/components/schemas/{schema['title']}"}


def _stream(summary: str) -> dict[str, Any]:
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    name = f"get_{summary.split(maxsplit=1)[0].lower()}_stream"
    return {
        "summary": summary,
        "operationId": name,
        "responses": {"200": {"description": "server-sent events", "content": content}},
    }


def _plain(summary: str, name: str, media_type: str) -> dict[str, Any]:
    schema = {"type": "object" if media_type.endswith("json") else "string"}
    answers = {"200": _content(media_type, schema)}
    return {"get": {"summary": summary, "operationId": name, "responses": answers}}


def _content(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    what = "an error" if media_type == problems.MEDIA_TYPE else "done"
    return {"description": what, "content": {media_type: {"schema": schema}}}
