"""R14 by hand: a sink of webhooks is away for hours while vehicles pass; then every event must come, in order of its subject, each rightly signed.

    python tests/outward/sink_down.py --garita target/release/garita --hours 2

Needs tests/outward/requirements.txt (`standardwebhooks` checks the signatures: not our code) and ORT_DYLIB_PATH. Everything is on loopback and in a
folder of its own; exit code 1 where an event is missing, out of order, or wrongly signed. The short form, with a killed server and a changed secret
besides, is in webhooks.rs and runs with the tests.
"""

import argparse
import base64
import collections
import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from standardwebhooks import webhooks

FRAME = pathlib.Path(__file__).parents[2] / "testdata" / "lane" / "img" / "lane000-00004.jpg"
PATIENCE_S = 600
SITE = """data_dir = "data"
listen = "127.0.0.1:0"
workers = 1
[login]
required = "no"
[[lane]]
id = "south-1"
silence_s = 0
[[lane]]
id = "south-2"
silence_s = 0
[[list]]
name = "sought"
file = "list.csv"
[[webhook]]
id = "sink"
url = "http://127.0.0.1:{port}/"
secret_file = "secret"
networks = ["127.0.0.1"]
"""


class Sink:
    """Takes events, and checks each signature by the second implementation."""

    def __init__(self, secret):
        self.taken, self.bad, self.secret = [], [], secret
        self.port = 0

    def up(self):
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                try:
                    event = webhooks.Webhook(sink.secret).verify(body, {name.lower(): value for name, value in self.headers.items()})
                    sink.taken.append((time.time(), event["id"], event["type"], event["subject"]))
                except Exception as error:  # whatever the verifier says is counted, and shown at the end
                    sink.bad.append(repr(error))
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            allow_reuse_address, daemon_threads = True, True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()


class Site:
    """The real server on its own folder, and a camera."""

    def __init__(self, garita, folder, port, secret):
        (folder / "secret").write_text(secret)
        (folder / "list.csv").write_text("plate,list,priority,reason\nXPX802H,wanted,0,test\n")
        (folder / "site.toml").write_text(SITE.format(port=port))
        log = (folder / "log").open("w")
        self.process = subprocess.Popen([garita, "serve", "--site", folder / "site.toml"], stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = next(word for word in self.process.stdout.readline().split() if word.startswith("http")).rstrip("/")
        self.vehicles = 0

    def ask(self, method, path, body=None, headers={}):
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        return urllib.request.urlopen(request, timeout=60).read()

    def vehicle(self):
        """One frame and a trigger, which ends the passage: two events, the passage and its hit."""
        self.vehicles += 1
        lane = f"south-{1 + self.vehicles % 2}"
        headers = {"content-type": "image/jpeg", "idempotency-key": f"vehicle {self.vehicles}"}
        self.ask("POST", f"/v1/lanes/{lane}/frames", FRAME.read_bytes(), headers)
        self.ask("POST", f"/v1/lanes/{lane}/triggers", b"")

    def waiting(self):
        return json.loads(self.ask("GET", "/v1/webhooks"))["webhooks"][0]["waiting"]


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def until_none_waits(site):
    begun = time.time()
    while site.waiting():
        if time.time() - begun > PATIENCE_S:
            sys.exit(f"{site.waiting()} events still wait {PATIENCE_S} s after the sink is back")
        time.sleep(0.2)
    return time.time() - begun


def out_of_order(taken):
    """Events that came after a later one of the same subject: the number in an event's id rises in the order of writing."""
    last, wrong = {}, 0
    for _, event, _, subject in taken:
        number = int(event.split("_")[2])
        wrong += last.get(subject, -1) > number
        last[subject] = number
    return wrong


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--garita", required=True)
    ask.add_argument("--hours", type=float, default=2.0)
    ask.add_argument("--seconds-between", type=float, default=1.5, help="from one vehicle to the next")
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink("whsec_" + base64.b64encode(os.urandom(32)).decode())
        sink.up()
        site = Site(asked.garita, pathlib.Path(folder), sink.port, sink.secret)
        try:
            for _ in range(10):
                site.vehicle()
            until_none_waits(site)
            before = len(sink.taken)
            sink.down()
            say(f"{before} events taken; the sink is down")
            ends = time.time() + asked.hours * 3600
            while time.time() < ends:
                site.vehicle()
                time.sleep(asked.seconds_between)
            say(f"{site.waiting()} events of {site.vehicles} vehicles wait")
            sink.up()
            took = until_none_waits(site)
        finally:
            site.process.terminate()
            site.process.wait()
        unique = {event for _, event, _, _ in sink.taken}
        kinds = collections.Counter(kind for _, event, kind, _ in {one[1]: one for one in sink.taken}.values())
        wrong = out_of_order(sink.taken)
        say(f"all taken {took:.0f} s after the sink was back: {dict(kinds)}, {len(sink.taken) - len(unique)} twice, {wrong} out of order, {len(sink.bad)} wrongly signed {sink.bad[:1]}")
        missing = 2 * site.vehicles - len(unique)
        if missing or wrong or sink.bad:
            sys.exit(f"{missing} events are missing of {2 * site.vehicles}")


if __name__ == "__main__":
    main()
