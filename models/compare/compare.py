"""garita beside other engines: one manifest, one run, one table.

    python -m venv .venv && .venv/bin/pip install -r models/compare/requirements.txt
    cargo build --release && .venv/bin/python models/compare/compare.py ../shared/data/plates/dev.jsonl --texts-only

Each engine runs by itself in a process of its own (`engines.py` holds the adapters), on one thread. An answer is judged alike for all: a plate is read by
the surest answer whose middle lies on it; exact and within one edit with O and Q taken for 0, I for 1 (strict: as it is written); found where a box overlaps it by IoU 0.5 (engines
that box the lettering rather than the plate lose there, so their texts are judged by the middle alone). CPU is that of the process, decoding
included, from the first picture after one that warms up; memory is the most that it held.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EUROPE = set("AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LT LU LV MT NL NO PL PT RO RS SE SI SK UA".split())
GROUPS = {"all": lambda region: True, "US": lambda region: region == "US", "Europe": lambda region: region in EUROPE, "Brazil": lambda region: region == "BR"}


def pictures(manifest: Path, limit: int | None, texts_only: bool) -> list[dict]:
    """The manifest's rows: every `n`-th so that `limit` remain; `texts_only` leaves out pictures of which no plate's text is known."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    if texts_only:
        rows = [row for row in rows if any(known(plate) for plate in row["plates"])]
    if limit and limit < len(rows):
        rows = [rows[i * len(rows) // limit] for i in range(limit)]
    return rows


def known(plate: dict) -> bool:
    return bool(plate.get("text")) and "?" not in plate["text"] and plate["box"][2] >= 40


def bare(text: str) -> str:
    """Letters and digits alone."""
    return "".join(c for c in text.upper() if c.isascii() and c.isalnum())


def fold(text: str) -> str:
    return bare(text).replace("O", "0").replace("Q", "0").replace("I", "1")


def edits(a: str, b: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, cb in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (ca != cb))
    return row[-1]


def iou(a: list[float], b: list[float]) -> float:
    """Of two boxes (left, top, width, height)."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-9)


def on(box: list[float], plate: list[float]) -> bool:
    """True where the middle of `box` lies on `plate`."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return plate[0] <= x <= plate[0] + plate[2] and plate[1] <= y <= plate[1] + plate[3]


def run(engine: str, paths: list[Path], arguments) -> dict:
    """What `engine` answers for every path, its CPU time and its memory."""
    command = [sys.executable, str(HERE / "engines.py"), engine, "--garita", str(arguments.garita)]
    process = subprocess.run(command, input="\n".join(map(str, paths)), capture_output=True, text=True)
    sys.stderr.write(process.stderr if engine == "garita" else "")
    if process.returncode:
        sys.exit(f"{engine}: {process.stderr.strip().splitlines()[-1] if process.stderr.strip() else 'failed'}")
    return json.loads(process.stdout.splitlines()[-1])


def score(rows: list[dict], answers: list[list[dict]]) -> dict[str, list]:
    """Per group: [strictly exact, exact, within one edit, plates with text, found, plates]."""
    counts = {group: [0, 0, 0, 0, 0, 0] for group in GROUPS}
    for row, said in zip(rows, answers, strict=True):
        for plate in row["plates"]:
            if plate["box"][2] < 40:
                continue
            region = (plate.get("region") or "").split("-")[0]
            mine = max((answer for answer in said if on(answer["box"], plate["box"])), key=lambda answer: answer["confidence"], default=None)
            found = any(iou(answer["box"], plate["box"]) >= 0.5 for answer in said)
            distance = edits(fold(mine["text"]), fold(plate["text"])) if mine and known(plate) else 99
            strict = bool(mine and known(plate)) and bare(mine["text"]) == bare(plate["text"])
            for group, belongs in GROUPS.items():
                if belongs(region):
                    for index, value in enumerate((strict, distance == 0, distance <= 1, known(plate), found, True)):
                        counts[group][index] += value
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--engines", nargs="+", default=["garita", "rapidocr", "simplelpr"])
    parser.add_argument("--limit", type=int, help="this many pictures, evenly from the manifest")
    parser.add_argument("--texts-only", action="store_true", help="only pictures with a plate whose text is known")
    parser.add_argument("--garita", type=Path, default=HERE.parent.parent / "target/release/garita")
    arguments = parser.parse_args()
    rows = pictures(arguments.manifest, arguments.limit, arguments.texts_only)
    paths = [arguments.manifest.parent / row["image"] for row in rows]
    print(f"{len(rows)} pictures of {arguments.manifest.name}, one thread; percent, of n plates")
    cells = [f"{group} strict | {group} exact | {group} within one edit | {group} found" for group in GROUPS]
    print("| engine | " + " | ".join(cells) + " | CPU-ms a picture | peak MB |")
    print("|---" * (3 + 4 * len(GROUPS)) + "|")
    for engine in arguments.engines:
        result = run(engine, paths, arguments)
        share = lambda hits, n: f"{100 * hits / n:.1f} (n={n})" if n else "-"
        counts = score(rows, result["answers"]).values()
        cells = [f"{share(strict, texts)} | {share(exact, texts)} | {share(one, texts)} | {share(found, plates)}" for strict, exact, one, texts, found, plates in counts]
        print(f"| {result['name']} | " + " | ".join(cells) + f" | {result['cpu_ms']:.1f} | {result['peak_mb']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
