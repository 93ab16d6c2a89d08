"""The engines that `compare.py` measures: one small class each. `python engines.py NAME < paths` prints one JSON object.

An engine has a `name` and `read(paths)`, which yields for each picture its answers `{"text", "confidence", "box": [left, top, width, height]}` in pixels.
To add one, write such a class and name it in ENGINES.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Before any library counts the cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"


class Garita:
    """This repository's `garita read`."""

    def __init__(self, binary: str):
        self.binary, self.name = binary, "garita"

    def read(self, paths):
        # Outside of cargo nobody else says where ONNX Runtime is.
        environment = {"ORT_DYLIB_PATH": str(ROOT / ".runtime/libonnxruntime.so"), **os.environ}
        command = [self.binary, "read", "--json", "--threads", "1", *paths]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for line in process.stdout:
            said = json.loads(line)
            if said["error"]:
                raise SystemExit(f"garita: {said['image']}: {said['error']}")
            yield [{"text": plate["text"], "confidence": plate["confidence"], "box": plate["box"]} for plate in said["plates"]]
        if process.wait():
            raise SystemExit(f"garita ended with {process.returncode}: see above; `cargo xtask runtime` fetches ONNX Runtime")


class RapidOcr:
    """PyPI `rapidocr`: reads any text; lines that could be a plate's count as answers."""

    def __init__(self, _):
        from rapidocr import RapidOCR

        self.name = f"rapidocr {version('rapidocr')} (any text)"
        self.engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1, "Global.log_level": "error"})

    def read(self, paths):
        for path in paths:
            result, answers = self.engine(path), []
            for corners, text, score in zip(*((result.boxes, result.txts, result.scores) if result.boxes is not None else ((), (), ()))):
                text = re.sub("[^0-9A-Za-z]", "", text)
                if 3 <= len(text) <= 10:
                    xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
                    answers.append({"text": text, "confidence": float(score), "box": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]})
            yield answers


class SimpleLpr:
    """PyPI `simplelpr` (commercial, runs unlicensed for evaluation): all its countries at equal weight."""

    def __init__(self, _):
        import simplelpr

        self.name = f"simplelpr {version('simplelpr')}"
        self.engine = simplelpr.SimpleLPR(simplelpr.EngineSetupParms())
        for country in range(self.engine.numSupportedCountries):
            self.engine.set_countryWeight(country, 1.0)
        self.engine.realizeCountryWeights()
        self.processor = self.engine.createProcessor()
        self.processor.plateRegionDetectionEnabled = True
        self.processor.cropToPlateRegionEnabled = True

    def read(self, paths):
        for path in paths:
            answers = []
            for candidate in self.processor.analyze(path):
                # One match per country, and one without a country's format: the surest counts.
                best = max(candidate.matches, key=lambda match: match.confidence)
                xs, ys = [v.x for v in candidate.plateRegionVertices], [v.y for v in candidate.plateRegionVertices]
                answers.append({"text": best.text, "confidence": best.confidence, "box": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]})
            yield answers


ENGINES = {"garita": Garita, "rapidocr": RapidOcr, "simplelpr": SimpleLpr}


def cpu_seconds() -> float:
    """CPU time of this process and of the children that it has waited for."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--garita")
    arguments = parser.parse_args()
    paths = sys.stdin.read().split("\n")
    engine = ENGINES[arguments.engine](arguments.garita)
    start = cpu_seconds()
    list(engine.read(paths[:1]))  # warms up; for an engine that is a process, its start
    warm = cpu_seconds() - start
    start = cpu_seconds()
    answers = list(engine.read(paths))
    # Of an engine that is a process, the start and one picture are taken off.
    is_process = arguments.engine == "garita"
    spent, counted = cpu_seconds() - start - (warm if is_process else 0.0), len(paths) - is_process
    if len(answers) != len(paths):
        raise SystemExit(f"{engine.name}: {len(answers)} answers for {len(paths)} pictures")
    peak = max(resource.getrusage(who).ru_maxrss for who in ((resource.RUSAGE_CHILDREN,) if arguments.engine == "garita" else (resource.RUSAGE_SELF,)))
    print(json.dumps({"name": engine.name, "answers": answers, "cpu_ms": 1000 * spent / max(counted, 1), "peak_mb": peak / 1024}))


if __name__ == "__main__":
    main()
