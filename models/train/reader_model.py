"""Measures how the reader errs on the tuning slice: the figures behind `ReaderModel::default`, `TEXT_ALONE` and `TO_EQUIVALENT` of `src/watchlist/`.

    python models/train/reader_model.py --data ../shared/data/plates

Runs `garita eval plates --reads` end to end on the tuning pictures, then `garita watchlist fit` on what it wrote. Prints; changes nothing.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from splits import pictures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="folder with train.jsonl and img/")
    arguments.add_argument("--garita", default="target/release/garita", help="the program; its built-in reader is measured")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink((chosen.data / "img").resolve(), Path(folder) / "img")
        manifest, reads = Path(folder) / "tune.jsonl", Path(folder) / "reads.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in pictures(chosen.data, "tune")))
        subprocess.run([chosen.garita, "eval", "plates", manifest, "--reads", reads], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([chosen.garita, "watchlist", "fit", reads], check=True)


if __name__ == "__main__":
    main()
