"""What a finding of a car is worth: fits of `probability` and `in_part` in `src/rail/inspect.rs`, and how they hold.

    garita eval rail DIR [--earlier DIR/earlier] --answers ANSWERS      # tuning trains, with their truth
    python models/train/rail_odds.py odds ANSWERS...                    # per detector: where half of the findings are real, and the power of the rate
    python models/train/rail_odds.py cut DIR --garita BIN               # cuts each train inside some of its cars: how many findings there are real, how many were expected

`cut` fits too (with `--fit`, from probabilities that `in_part` has not seen yet). Needs numpy alone.
"""

import argparse
import json
import random
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def overlap(a: list[int], b: list[int]) -> bool:
    return all(a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1))


def odds(answers: list[Path]) -> None:
    found: dict[str, list[tuple[float, bool]]] = {}
    for line in (line for path in answers for line in path.read_text().splitlines()):
        car = json.loads(line)
        anomaly = car["truth"]["anomaly"]
        for finding in car["findings"] if car["kind"] != "locomotive" else []:
            if finding["detector"] != "manifest":
                real = bool(anomaly) and overlap(finding["box"], anomaly["box"])
                found.setdefault(finding["detector"], []).append((-np.log10(max(finding["false_alarm_rate"], 1e-6)), real))
    for detector, rows in sorted(found.items()):
        x, real = (np.array(column, float) for column in zip(*rows))
        loss = lambda even, power: np.logaddexp(0, (1 - 2 * real) * power * (x - even) * np.log(10)).sum()
        even, power = min(((e, p) for e in np.arange(0.2, 6.1, 0.1) for p in (0.3, 0.5, 0.7, 1.0, 1.5)), key=lambda pair: loss(*pair))
        print(f"{detector:16} {len(rows):5} findings, {real.mean():.2f} real: even {even:.1f}, power {power}")


def columns_of(path: Path) -> tuple[bytes, int, str]:
    """Counts (time-major, little-endian), detectors and description of a scan that garita wrote."""
    data = path.read_bytes()
    at = struct.unpack_from("<I", data, 4)[0]
    tags = {}
    for entry in range(struct.unpack_from("<H", data, at)[0]):
        tag, kind, count, value = struct.unpack_from("<HHII", data, at + 2 + 12 * entry)
        tags[tag] = (kind, count, value)
    described, length = tags[270][2], tags[270][1]
    return data[tags[273][2] :], tags[256][2], data[described : described + length].rstrip(b"\0").decode()


def cut(folder: Path, garita: str, each: int, fit: bool) -> None:
    draw, rows, cars = random.Random(6), [], 0
    with tempfile.TemporaryDirectory() as made:
        truths = {}
        for scan in sorted(folder.glob("*.tif")):
            counts, detectors, description = columns_of(scan)
            whole = [car for car in json.loads(scan.with_suffix(".json").read_text())["cars"] if car["kind"] != "locomotive"][1:]
            for number, car in enumerate(draw.sample(whole, min(each, len(whole)))):
                first, end = car["columns"]
                at = int(first + (end - first) * draw.uniform(0.3, 0.92))
                name = Path(made) / f"{scan.stem}-{number}.raw"
                name.write_bytes(counts[: at * detectors * 2])
                name.with_suffix(".scan.json").write_text(description)
                truths[name] = (at, car)
        for name, (at, car) in truths.items():
            lines = subprocess.run([garita, "inspect", "--json", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
            last = [line for line in map(json.loads, lines) if "position" in line][-1]
            # Too short a rest is no car of its own; of loads nobody knows what belongs.
            if not last["columns"][0] < at <= last["columns"][1] + 2 or not (car["empty"] or car["anomaly"]):
                continue
            cars += 1
            rows += [(finding["probability"], bool(car["anomaly"]) and overlap(finding["box"], car["anomaly"]["box"])) for finding in last["findings"]]
    said, real = (np.array(column, float) for column in zip(*rows))
    print(f"{cars} cut cars, {len(rows)} findings: {real.sum():.0f} real, {said.sum():.1f} expected, none said to be above {said.max():.2f}")
    if fit:
        logit = np.log(said.clip(1e-4, 1 - 1e-4) / (1 - said.clip(1e-4, 1 - 1e-4)))
        loss = lambda power, shift: np.logaddexp(0, (1 - 2 * real) * (power * logit + shift)).mean()
        power, shift = min(((p, s) for p in np.arange(0.2, 1.6, 0.1) for s in np.arange(-8, 1, 0.1)), key=lambda pair: loss(*pair))
        print(f"log-odds times {power:.1f} and {shift:+.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("odds").add_argument("answers", type=Path, nargs="+")
    of_cut = commands.add_parser("cut")
    of_cut.add_argument("folder", type=Path)
    of_cut.add_argument("--garita", default="target/release/garita")
    of_cut.add_argument("--each", type=int, default=3, help="cars of a train that are cut")
    of_cut.add_argument("--fit", action="store_true")
    chosen = parser.parse_args()
    if chosen.command == "odds":
        odds(chosen.answers)
    else:
        cut(chosen.folder, chosen.garita, chosen.each, chosen.fit)
