"""Verifies what a sink received by the reference library of Standard Webhooks, which shares nothing with garita.

verify.py RECEIVED SECRET…   RECEIVED: a JSON object a line, with `headers` and `body`. Every event must verify with every secret, and with no other.
"""

import base64
import datetime
import json
import sys

from standardwebhooks import webhooks


def main() -> None:
    received, *secrets = sys.argv[1:]
    stranger = "whsec_" + base64.b64encode(b"a secret that nobody has given").decode()
    lines = open(received, encoding="utf-8").read().splitlines()
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    for line in lines:
        event = json.loads(line)
        headers, body = event["headers"], event["body"]
        for secret in secrets:
            told = webhooks.Webhook(secret).verify(body, headers)
            assert told["id"] == headers["webhook-id"], headers
            assert told["specversion"] == "1.0" and told["type"].startswith("garita."), body
            assert datetime.datetime.fromisoformat(told["time"]) <= now + datetime.timedelta(seconds=5), body
        for wrong in [(stranger, body), (secrets[0], body.replace("garita", "garlta", 1))]:
            try:
                webhooks.Webhook(wrong[0]).verify(wrong[1], headers)
            except webhooks.WebhookVerificationError:
                continue
            raise AssertionError(f"verifies what was not signed: {wrong}")
    print(len(lines))


main()
