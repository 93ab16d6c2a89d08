"""Fits the reader's calibration on the tuning slice and writes it into `models/reader.json`.

    python models/train/calibrate.py --data ../shared/data/plates

Runs `garita eval plates --answers` on the tuning pictures (end to end: boxes that are no plates are wrong answers) and on the tuning crops, and fits
the logistic regression that `src/models.rs` (Calibration) evaluates, by Newton's method with a small ridge.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from splits import crops, pictures

FEATURES = ["bias", "slope", "log_width", "score", "short", "again", "again_slope"]
USUAL_LENGTH, MOST_LOGIT = 5, 8.0


def answers(garita: str, data: Path, rows: list[dict]) -> list[dict]:
    """Every read of `rows` with its features, as `garita` sees them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("img", "crops"):
            os.symlink((data / name).resolve(), Path(folder) / name)
        manifest, out = Path(folder) / "tune.jsonl", Path(folder) / "answers.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        subprocess.run([garita, "eval", "plates", manifest, "--split", "train", "--answers", out], check=True, stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in out.read_text().splitlines()]


def logit(share: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.clip(np.log(share) - np.log1p(-share), -MOST_LOGIT, MOST_LOGIT)


def features(rows: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 7) features in the order of FEATURES, and (n,) 1 where the text was right."""
    column = lambda name: np.array([row[name] for row in rows], dtype=np.float64)
    short = np.maximum(0, USUAL_LENGTH - column("length"))
    sure, again = logit(column("probability")), column("looked_again")
    x = np.stack([np.ones(len(rows)), sure, np.log(np.maximum(column("width"), 1) / 100), logit(column("score")), short, again, again * sure], axis=1)
    return x, column("right")


def fit(x: np.ndarray, y: np.ndarray, ridge: float = 0.5) -> np.ndarray:
    """Weights of the logistic regression of y on x."""
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - y) + ridge * weights
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + ridge * np.eye(len(weights))
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=Path("../shared/data/plates"))
    arguments.add_argument("--garita", default="target/release/garita")
    arguments.add_argument("--settings", type=Path, default=Path("models/reader.json"))
    chosen = arguments.parse_args()
    found = answers(chosen.garita, chosen.data, pictures(chosen.data, "tune"))
    # A crop is read from its labelled box, which has no score: it says nothing of that weight, and counts as the surest box.
    read = answers(chosen.garita, chosen.data, crops(chosen.data, "tune"))
    x, y = features(found + read)
    weights = fit(x, y)
    settings = json.loads(chosen.settings.read_text())
    settings["calibration"] = dict(zip(FEATURES, (round(float(weight), 4) for weight in weights)))
    chosen.settings.write_text(json.dumps(settings, indent=1) + "\n")
    p = 1 / (1 + np.exp(-x @ weights))
    print(f"{len(found)} reads end to end, {len(read)} of crops; right {y.mean():.3f}, mean confidence {p.mean():.3f}")
    print(settings["calibration"])


if __name__ == "__main__":
    main()
