"""Holds a running server to its own OpenAPI document.

contract.py URL REQUESTS   REQUESTS: a JSON object a line, with `method`, `path`, `route` and perhaps `body` (JSON), or a
`file` with its `type`, or a `form` of texts and of files (`@PATH`). Prints how many answers were held to a schema.
"""

import json
import sys
import urllib.error
import urllib.request

import jsonschema
import openapi_spec_validator


def ask(url: str, request: dict) -> tuple[int, str, bytes]:
    body, headers = None, {}
    if "body" in request:
        body, headers = json.dumps(request["body"]).encode(), {"Content-Type": "application/json"}
    elif "file" in request:
        body, headers = open(request["file"], "rb").read(), {"Content-Type": request["type"]}
    elif "form" in request:
        body, headers = form(request["form"]), {"Content-Type": "multipart/form-data; boundary=parts"}
    asked = urllib.request.Request(url + request["path"], data=body, headers=headers, method=request["method"])
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type", ""), error.read()


def main() -> None:
    url, requests = sys.argv[1:]
    document = json.loads(urllib.request.urlopen(url + "/v1/openapi.json", timeout=30).read())
    openapi_spec_validator.validate(document)
    held = 0
    for line in open(requests, encoding="utf-8"):
        request = json.loads(line)
        status, kind, body = ask(url, request)
        operation = document["paths"][request["route"]][request["method"].lower()]
        told = operation["responses"].get(str(status))
        assert told is not None, f"{request}: answered {status}, which the document does not know: {body[:300]!r}"
        kind = kind.split(";")[0]
        content = told.get("content", {})
        assert not content or kind in content, f"{request}: answered {kind}, the document says {list(content)}"
        if "schema" in content.get(kind, {}) and kind.endswith("json"):
            # Answers have what the schema names and nothing else, so that the document is whole.
            schemas = document["components"]["schemas"]
            schema = {**closed(content[kind]["schema"], schemas), "components": {"schemas": {name: closed(one, schemas) for name, one in schemas.items()}}}
            if kind == "application/problem+json":
                # But for problems: RFC 9457 lets them say more.
                schema = {**content[kind]["schema"], "components": document["components"]}
            try:
                jsonschema.Draft202012Validator(schema).validate(json.loads(body))
            except jsonschema.ValidationError as error:
                raise SystemExit(f"{request['method']} {request['path']} ({status}): {error}") from error
            held += 1
    print(held)


def form(parts: dict) -> bytes:
    body = b""
    for name, value in parts.items():
        file = value.startswith("@")
        named = '; filename="x.jpg"' if file else ""
        body += f'--parts\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += (open(value[1:], "rb").read() if file else value.encode()) + b"\r\n"
    return body + b"--parts--\r\n"


def closed(schema, schemas):
    """The schema with no room for properties that it does not name."""
    if isinstance(schema, list):
        return [closed(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value, schemas) for key, value in schema.items()}
    if "allOf" in schema:
        result["allOf"] = [joined(one, schemas) for one in schema["allOf"]]
        result["unevaluatedProperties"] = False
    elif isinstance(schema.get("properties"), dict) and "type" in schema and "additionalProperties" not in schema:
        result["additionalProperties"] = False
    return result


def joined(schema, schemas):
    """A part of a schema that is joined of several: what it does not name another part may."""
    if "$ref" in schema:
        return joined(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "allOf" in schema:
        return {"allOf": [joined(one, schemas) for one in schema["allOf"]]}
    return {key: closed(value, schemas) for key, value in schema.items()}


main()
