"""The one real sequence of the photographs, as a manifest of `garita eval passages`: RobertLucian's night drives, a frame a second at best, from a car that moves itself.

    python models/train/sequence.py --out DIR        DIR/manifest.jsonl, with a link to the pictures
    garita eval passages DIR/manifest.jsonl --gap 15000

Frames in which a plate of known text is seen, the widest of them; a vehicle is its text. Nine in ten of these frames train the networks, so single reads are flattered:
what it can show is whether frames become passages, and what voting adds.
"""

import argparse
import json
import re
from pathlib import Path

from splits import read_jsonl


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/data/plates"))
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    rows = []
    for row in read_jsonl(chosen.data / "train.jsonl") + read_jsonl(chosen.data / "dev.jsonl"):
        moment = re.search(r"images/(dayride.*?)\.mp4#t=(\d+)", row["source"])
        known = [plate for plate in row["plates"] if plate["text"]]
        if moment and known:
            plate = max(known, key=lambda plate: plate["box"][2])
            second = int(moment[2])
            rows.append(row | {"plates": [plate], "lane": moment[1], "sequence": second, "captured_ms": 1000 * second, "vehicle": plate["text"]})
    chosen.out.mkdir(parents=True, exist_ok=True)
    link = chosen.out / "img"
    if not link.exists():
        link.symlink_to((chosen.data / "img").resolve())
    (chosen.out / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} frames of {len({row['vehicle'] for row in rows})} vehicles")


if __name__ == "__main__":
    main()
