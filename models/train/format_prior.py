"""What knowledge of formats would add to a read: texts weighed anew by how usual their pattern of letters and digits is. An experiment; nothing ships from it.

    garita eval plates TUNE.jsonl --split train --reads READS
    python models/train/format_prior.py READS

A pattern's probability is learnt from the training texts: whole patterns, mixed with a chain of order three for those that never came. A read's candidates exchange
up to four of its characters for what else they may be (the posterior in READS); each is worth log p(pixels) + weight * log p(pattern).
"""

import argparse
import itertools
import json
import math
from collections import Counter
from pathlib import Path

from reader_net import edits, fold
from splits import crops

WHOLE = 0.7  # share of whole patterns in the mixture
LEAST = 0.003  # probability of a character that is tried
MOST = 4  # characters exchanged at once


def pattern(text: str) -> str:
    return "".join("9" if character.isdigit() else "A" for character in text)


class Prior:
    """Log-probability of a pattern."""

    def __init__(self, texts: list[str]):
        self.whole, self.count = Counter(map(pattern, texts)), len(texts)
        self.steps, self.befores = Counter(), Counter()
        for text in texts:
            for before, step in self.chain(pattern(text)):
                self.steps[before, step] += 1
                self.befores[before] += 1

    @staticmethod
    def chain(line: str) -> list[tuple[str, str]]:
        line = "^^^" + line + "$"
        return [(line[i - 3 : i], line[i]) for i in range(3, len(line))]

    def __call__(self, text: str) -> float:
        line = pattern(text)
        chained = math.prod((self.steps[step] + 1) / (self.befores[step[0]] + 3) for step in self.chain(line))
        return math.log(WHOLE * self.whole[line] / self.count + (1 - WHOLE) * chained)


def weighed(plate: dict, prior: Prior, weight: float) -> str:
    """The text of a read that is worth most."""
    text, own = plate["text"], [dict(map(tuple, place)) for place in plate["chars"]]
    tried = [[(c, math.log(p / place[said])) for c, p in place.items() if p > LEAST or c == said] for said, place in zip(text, own)]
    unsure = sorted((i for i, place in enumerate(tried) if len(place) > 1), key=lambda i: own[i][text[i]])[:MOST]
    best = (-math.inf, text)
    for choice in itertools.product(*(tried[i] for i in unsure)):
        changed = list(text)
        for i, (character, _) in zip(unsure, choice):
            changed[i] = character
        candidate = "".join(changed)
        best = max(best, (sum(more for _, more in choice) + weight * prior(candidate), candidate))
    return best[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/data/plates"))
    options.add_argument("reads", type=Path)
    chosen = options.parse_args()
    prior = Prior([row["text"] for row in crops(chosen.data, "train") if "?" not in row["text"]])
    plates = [plate for line in chosen.reads.read_text().splitlines() for plate in json.loads(line)["plates"]]
    plates = [plate for plate in plates if plate.get("truth") and "?" not in plate["truth"]]
    for weight in (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1):
        texts = [weighed(plate, prior, weight) for plate in plates]
        far = [edits(fold(text), fold(plate["truth"])) for text, plate in zip(texts, plates)]
        changed = sum(text != plate["text"] for text, plate in zip(texts, plates))
        share = lambda most: f"{100 * sum(one <= most for one in far) / len(far):.1f}"
        print(f"weight {weight}: exact {share(0)} %, within one edit {share(1)} % (n={len(far)}), {changed} reads changed")


if __name__ == "__main__":
    main()
