"""Holds a running server to its own OpenAPI document.

contract.py URL REQUESTS   REQUESTS: a JSON object a line, with `method`, `path`, `route` and perhaps `body`. Prints how many answers were held to a schema.
"""

import json
import sys
import urllib.error
import urllib.request

import jsonschema
import openapi_spec_validator


def ask(url: str, request: dict) -> tuple[int, str, bytes]:
    body = json.dumps(request["body"]).encode() if "body" in request else None
    headers = {"Content-Type": "application/json"} if body else {}
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
            schema = {**closed(content[kind]["schema"]), "components": closed(document["components"])}
            jsonschema.Draft202012Validator(schema).validate(json.loads(body))
            held += 1
    print(held)


def closed(schema):
    """The schema with no room for properties that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if "allOf" in schema:
        result["unevaluatedProperties"] = False
    return result


main()
