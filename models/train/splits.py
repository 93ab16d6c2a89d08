"""The one place that says which photographs train, tune and report.

`shared/data/plates` comes as `train.jsonl` and `dev.jsonl`. `dev` is reported on and nothing else: no network,
threshold, temperature or augmentation strength is chosen by looking at it. Whatever must be tuned (early stopping,
score thresholds, calibration) uses `tune`, a twelfth of `train` chosen by group, so that near-duplicates stay together.
"""

import json
import zlib
from pathlib import Path


def is_tune(group: str) -> bool:
    """True where the near-duplicate group `group` of `train.jsonl` belongs to the tuning slice."""
    return zlib.crc32(group.encode()) % 12 == 0


def read_jsonl(path: Path) -> list[dict]:
    """Every object of a JSON-lines file, in order."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def pictures(data: Path, split: str) -> list[dict]:
    """Manifest rows of `split` ("train" | "tune" | "dev") for detection; `data` is the folder with `train.jsonl`."""
    if split == "dev":
        return read_jsonl(data / "dev.jsonl")
    return [row for row in read_jsonl(data / "train.jsonl") if is_tune(row["group"]) == (split == "tune")]


def crops(data: Path, split: str) -> list[dict]:
    """Rows of `texts.jsonl` of `split` for reading; a crop follows the group of its picture, or its source if that is not here."""
    rows = read_jsonl(data / "texts.jsonl")
    if split == "dev":
        return [row for row in rows if row["split"] == "dev"]
    group = {row["image"]: row["group"] for row in read_jsonl(data / "train.jsonl")}
    return [row for row in rows if row["split"] == "train" and is_tune(group.get(row["image"], row["source"])) == (split == "tune")]
