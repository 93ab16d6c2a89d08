"""Counts how usual the patterns of letters and digits of registrations are, and writes it into `models/reader.json` (`formats`).

    python models/train/formats.py

Half of it is the labelled training texts (never those of tune or dev), half what the renderer draws by what is publicly known of formats (`plate_formats.py`), for
the photographs have no Mexican plate and mostly vanity ones of the US. `src/lane/formats.rs` weighs it against the pixels. The weight was chosen on tune.
"""

import argparse
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np

from render_plates import ALPHABET
from splits import crops

HERE = Path(__file__).parent
RARE = 2e-5  # patterns rarer than this are not listed


def pattern(text: str) -> str:
    return "".join("9" if character.isdigit() else "A" for character in text)


def counted(texts: list[str]) -> dict[str, float]:
    """Share of each pattern."""
    counts = Counter(map(pattern, texts))
    return {key: count / len(texts) for key, count in counts.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/data/plates"))
    options.add_argument("--pool", type=Path, default=HERE / "runs/cache/pool0", help="a pool that render_plates.py drew")
    options.add_argument("--settings", type=Path, default=HERE.parent / "reader.json")
    options.add_argument("--weight", type=float, default=0.4)
    chosen = options.parse_args()
    labelled = counted([row["text"] for row in crops(chosen.data, "train") if "?" not in row["text"]])
    classes = np.load(chosen.pool / "classes.npy")
    drawn = counted(["".join(ALPHABET[klass - 1] for klass in row if klass) for row in classes])
    shares = {key: 0.5 * labelled.get(key, 0) + 0.5 * drawn.get(key, 0) for key in labelled.keys() | drawn.keys()}
    patterns = {key: round(math.log(share), 2) for key, share in sorted(shares.items()) if share >= RARE}
    settings = json.loads(chosen.settings.read_text())
    settings["formats"] = {"weight": chosen.weight, "unseen": round(math.log(RARE), 2), "patterns": patterns}
    chosen.settings.write_text(json.dumps(settings, indent=1) + "\n")
    print(f"{len(patterns)} patterns; most usual: {sorted(patterns.items(), key=lambda item: -item[1])[:12]}")


if __name__ == "__main__":
    main()
