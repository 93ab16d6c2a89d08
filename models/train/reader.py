"""Trains, exports and measures the plate reader.

    models/train/fonts.sh                                   # free fonts, once
    python models/train/reader.py train                     # pools, training, checkpoints (resumes by itself)
    python models/train/reader.py align CHECKPOINT          # where the characters of the real crops stand
    python models/train/reader.py train --name b --init CHECKPOINT   # again, with the characters dealt anew
    python models/train/reader.py export CHECKPOINT         # reader.onnx, reader.int8.onnx, reader.json
    python models/train/reader.py train --name careful --careful --init models/reader.onnx   # the careful reader, from the reader's weights
    python models/train/reader.py eval models/reader.onnx   # figures on tune and dev
"""

import argparse
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

import reader_export
import splits
from plate_formats import JURISDICTIONS
from reader_data import EDGE, IGNORE, Batches, Real, Rendered, Spoiler, character_cells, jurisdiction_of, plain_input
from reader_net import ALPHABET, CAREFUL, CLASSES, COLUMNS, Reader, beam, edits, fold, greedy, settle, weights, widened

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def evaluation_set(data, split):
    """(rows, inputs float32 [N, 1, 64, 160]) of every crop of the split, cut at the labelled box with the reader's margins."""
    rows = splits.crops(data, split)
    inputs = np.stack([plain_input(cv2.imread(str(data / row["crop"]), cv2.IMREAD_GRAYSCALE)) for row in rows])
    return rows, inputs[:, None]


def right(row, text):
    """(exact, folded exact, folded within one edit) of a read; a '?' in the label matches any one character."""
    truth = row["text"]
    if "?" in truth and len(text) == len(truth):
        text = "".join("?" if t == "?" else c for c, t in zip(text, truth))
    folded = edits(fold(text), fold(truth))
    return text == truth, folded == 0, folded <= 1


def measure(model, rows, inputs):
    """Reads of a torch model: (texts, char logits [N, 80, 37], jurisdiction logits [N, J])."""
    model.eval()
    chars, regions = [], []
    with torch.no_grad():
        for start in range(0, len(inputs), 64):
            c, j = model(torch.from_numpy(inputs[start : start + 64]).contiguous(memory_format=torch.channels_last))
            chars.append(c)
            regions.append(j)
    chars, regions = torch.cat(chars), torch.cat(regions)
    return [greedy(best) for best in chars.argmax(2).tolist()], chars, regions


def summary(rows, texts, regions):
    """One line of figures: folded exact and within one edit, one-line, two-line, US; jurisdiction top-1 where known."""
    marks = np.array([right(row, text) for row, text in zip(rows, texts)])
    lines = np.array([row["lines"] for row in rows])
    american = np.array([(row["region"] or "").startswith("US") for row in rows])
    known = np.array([jurisdiction_of(row["region"]) for row in rows])
    top = regions.argmax(1).numpy()
    state = np.array([(row["region"] or "").startswith("US-") for row in rows])
    part = lambda mask: f"{100 * marks[mask, 1].mean():.1f}/{100 * marks[mask, 2].mean():.1f}" if mask.any() else "-"
    return (
        f"exact/1edit all {part(lines > 0)} one {part(lines == 1)} two {part(lines == 2)} US {part(american)}"
        f" state {100 * (top == known)[state].mean():.0f} region {100 * (top == known)[known != IGNORE].mean():.0f}"
    )


def make_pools(work, fonts, count, pools, seed):
    """Render the pools that are not there yet, each by its own process, one after another."""
    for index in range(pools):
        folder = work / f"pool{index}"
        if not (folder / "ratio.npy").exists():
            command = [sys.executable, str(HERE / "render_plates.py"), "--fonts", str(fonts), "--count", str(count)]
            subprocess.run(command + ["--seed", str(seed * 1000 + index), "--out", str(folder)], check=True)


def column_loss(logs, target, smoothing):
    """Cross-entropy of columns: `logs` [N, CLASSES], `target` [N] a class, or class + EDGE where blank is right as well."""
    edge = target >= EDGE
    klass = torch.where(edge, target - EDGE, target)
    said = logs.gather(1, klass[:, None])[:, 0]
    either = torch.logaddexp(said, logs[:, 0])
    loss = torch.where(edge, -either, -(1 - smoothing) * said - smoothing * logs.mean(1))
    return loss.mean()


class Several:
    """Draws from several rendered pools in turn; pools that appear on disk later join in."""

    def __init__(self, work, rng, spoiler):
        self.work, self.rng, self.spoiler, self.pools, self.count = work, rng, spoiler, {}, 0
        self.look()

    def look(self):
        for folder in sorted(self.work.glob("pool*")):
            if folder.name not in self.pools and (folder / "ratio.npy").exists():
                self.pools[folder.name] = Rendered(folder, self.rng, self.spoiler)

    def next(self, strength):
        self.count += 1
        if self.count % 20000 == 0:
            self.look()
        names = list(self.pools)
        return self.pools[names[self.rng.integers(len(names))]].next(strength)


def train(chosen):
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    chosen.work.mkdir(parents=True, exist_ok=True)
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    make_pools(chosen.work, chosen.fonts, chosen.pool, chosen.pools, chosen.seed)
    rows, inputs = evaluation_set(chosen.data, "tune")
    wide = [CAREFUL] if chosen.careful else []
    model = Reader(len(JURISDICTIONS), *wide).to(memory_format=torch.channels_last)
    average = Reader(len(JURISDICTIONS), *wide)
    average.load_state_dict(model.state_dict())
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": chosen.weight_decay}, {"params": plain, "weight_decay": 0.0}], lr=chosen.lr)
    checkpoint = runs / f"reader_{chosen.name}.pt"
    start, seen_seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        start, seen_seconds = state["step"], state["seconds"]
        if seen_seconds >= chosen.seconds:
            return print(f"{checkpoint.name} has had its {chosen.seconds:.0f} s")
    elif chosen.init:
        own, known = model.state_dict(), weights(chosen.init)
        if own["chars.weight"].shape[1] == 2 * known["chars.weight"].shape[1]:
            known = widened(known, model)
        fits = {key: value for key, value in known.items() if key in own and own[key].shape == value.shape}
        model.load_state_dict(fits, strict=False)
        if chosen.init.suffix == ".onnx":
            _, plates = evaluation_set(chosen.data, "train")
            settle(model, torch.from_numpy(plates[:256]))
        average.load_state_dict(model.state_dict())
    log = open(runs / f"reader_{chosen.name}.log", "a", encoding="utf-8")

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")
        log.flush()

    # progress is measured in seconds of training, so that a run ends on time whatever else the machine does
    clock = {"progress": seen_seconds / chosen.seconds}

    def shares(step):
        progress = clock["progress"]
        share = np.interp(progress, [0, chosen.real_from, chosen.real_from + 0.1, 0.6, 1], chosen.real)
        return float(share), float(np.interp(progress, [0, 0.1, 0.3], [0.4, 0.7, 1.0]) if not chosen.init else 1.0) * chosen.strength

    rng = np.random.default_rng(chosen.seed + 7919 * start)
    spoiler = Spoiler(rng)
    batches = Batches(Several(chosen.work, rng, spoiler), Real(chosen.data, "train", chosen.work, rng, spoiler), chosen.batch, shares, start, 1 << 30)
    step, began, losses, reported = start, time.time(), [], time.time()
    since = 0
    while clock["progress"] < 1:
        clock["progress"] = (seen_seconds + time.time() - began) / chosen.seconds
        progress = min(1.0, clock["progress"])
        rate = chosen.lr * (min(1.0, progress / 0.02 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 0.004)
        for group in optimiser.param_groups:
            group["lr"] = rate
        pictures, labels, texts, jurisdiction = batches.next()
        model.train()
        plate = torch.from_numpy(pictures).float().div_(255).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=chosen.bf16):
            chars, regions = model(plate)
        chars, regions = chars.float(), regions.float()
        drawn = len(labels)
        logs = F.log_softmax(chars, 2)
        columns = column_loss(logs[:drawn].reshape(-1, CLASSES), torch.from_numpy(labels).reshape(-1), chosen.smoothing)
        lengths = torch.tensor([len(text) for text in texts])
        ctc = F.ctc_loss(logs.transpose(0, 1), torch.from_numpy(np.concatenate(texts)), torch.full((len(texts),), 2 * COLUMNS), lengths, reduction="none", zero_infinity=True)
        ctc = ctc.clamp(max=60) / lengths
        share = drawn / len(pictures)
        loss = columns * share + chosen.ctc * ctc[drawn:].sum() / len(pictures) + chosen.ctc_drawn * ctc[:drawn].sum() / len(pictures)
        parts = [columns.item(), ctc[drawn:].mean().item() if share < 1 else 0.0, 0.0]
        known = torch.from_numpy(jurisdiction)
        if (known != IGNORE).any():
            region = F.cross_entropy(regions, known, ignore_index=IGNORE, label_smoothing=0.05)
            loss = loss + chosen.region * region
            parts[2] = region.item()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        step += 1
        since += len(pictures)
        losses.append(parts)
        keep = min(0.998, (1 + step - start) / (4 + step - start))
        with torch.no_grad():
            for slow, fast in zip(average.state_dict().values(), model.state_dict().values()):
                if slow.dtype.is_floating_point:
                    slow.lerp_(fast, 1 - keep)
                else:
                    slow.copy_(fast)
        if step % 50 == 0 and time.time() - reported > chosen.every or clock["progress"] >= 1:
            seconds = seen_seconds + time.time() - began
            speed = since / (time.time() - reported)
            average.to(memory_format=torch.channels_last)
            texts_read, _, region_logits = measure(average, rows, inputs)
            mean = np.mean(losses, 0)
            say(f"step {step} s {seconds:.0f} pics/s {speed:.0f} lr {rate:.5f} real {shares(step)[0]:.2f} loss {mean[0]:.3f} ctc {mean[1]:.3f} region {mean[2]:.3f} | tune {summary(rows, texts_read, region_logits)}")
            state = {"model": model.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").rename(checkpoint)
            losses, reported, since = [], time.time(), 0


def interval(hits, n):
    """Share in percent with its 95 % Wilson interval, as text."""
    z, p = 1.96, hits / n
    scale = 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / scale, z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return f"{100 * p:.1f} [{100 * max(0, middle - half):.1f}, {100 * min(1, middle + half):.1f}]"


def facets(row):
    """The groups of the figures that a labelled crop counts in."""
    region = row["region"] or "unknown"
    country = region.split("-")[0]
    width = row["plate_px"]
    return [
        "all",
        "source " + row["source"].split("/")[0],
        "region " + (country if country in ("US", "GB", "DE", "RO", "PK", "IN", "AU", "AE", "FR", "CA", "NL", "ES") else "rest"),
        f"lines {row['lines']}",
        f"quality {row['quality']}",
        "width " + ("under 80" if width < 80 else "080-119" if width < 120 else "120-199" if width < 200 else "200 and more"),
    ]


def table(rows, texts):
    """Markdown lines: strict, folded, within one edit by source, region, lines, quality and plate width."""
    groups = {}
    for row, text in zip(rows, texts):
        for name in facets(row):
            groups.setdefault(name, []).append(right(row, text))
    lines = ["| crops | n | strict exact | folded exact | within one edit |", "|---|---|---|---|---|"]
    for name, marks in sorted(groups.items(), key=lambda item: (item[0] != "all", item[0])):
        n = len(marks)
        lines.append(f"| {name} | {n} | " + " | ".join(interval(sum(mark[k] for mark in marks), n) for k in range(3)) + " |")
    return lines


def align(chosen):
    """Write where the characters of the training crops stand, for those that the checkpoint reads exactly."""
    torch.set_num_threads(1)
    reader = Reader(len(JURISDICTIONS))
    reader.load_state_dict(weights(chosen.checkpoint))
    rows, inputs = evaluation_set(chosen.data, "train")
    texts, logits, _ = measure(reader, rows, inputs)
    cells = {row["crop"]: character_cells(best) for row, text, best in zip(rows, texts, logits.argmax(2).tolist()) if text == row["text"]}
    assert all(len(found) == len(row["text"]) for row in rows if (found := cells.get(row["crop"])))
    (chosen.work / "cells_train.json").write_text(json.dumps(cells))
    print(f"{len(cells)} of {len(rows)} training crops aligned")


def export(chosen):
    torch.set_num_threads(1)
    state = weights(chosen.checkpoint)
    careful = len(state["trunk.0.1.weight"]) == CAREFUL[0]
    reader = Reader(len(JURISDICTIONS), *[CAREFUL] * careful)
    reader.load_state_dict(state)
    rows, inputs = evaluation_set(chosen.data, "tune")
    _, logits, regions = measure(reader, rows, inputs)
    chosen.work.mkdir(parents=True, exist_ok=True)
    _, calibration = evaluation_set(chosen.data, "train")
    pick = np.random.default_rng(0).permutation(len(calibration))[: chosen.calibration]
    settings = (reader_export.export_careful if careful else reader_export.export)(reader, chosen.models, inputs, logits, regions, rows, calibration[pick], chosen.work)
    print({key: settings[key] for key in ("temperature_in_graph", "jurisdiction_temperature")})
    for name in ("reader.careful.int8.onnx",) if careful else ("reader.onnx", "reader.int8.onnx"):
        figures(chosen.models / name, rows, inputs)


def figures(path, rows, inputs):
    """Print one line of figures of an ONNX file on a labelled set; returns its reads."""
    logs, regions = reader_export.run_all(path, inputs)
    texts, confidence = zip(*(beam(columns) for columns in np.exp(logs)))
    correct = np.array([right(row, text)[1] for row, text in zip(rows, texts)])
    error = reader_export.expected_calibration_error(np.array(confidence), correct)
    best, median = reader_export.milliseconds(path)
    print(f"{path.name} {path.stat().st_size / 1e6:.2f} MB {best:.2f} ms (median {median:.2f}) {summary(rows, texts, torch.from_numpy(regions))} ECE {error:.3f}", flush=True)
    return texts


def rendered(chosen):
    """Figures on a pool of rendered plates that nothing was trained on, moderately spoilt: exact, within one edit, jurisdiction, by country."""
    rng = np.random.default_rng(5)
    pool = Rendered(chosen.pool, rng, Spoiler(rng))
    drawn = [pool.next(0.6) for _ in range(len(pool.array["ratio"]))]
    inputs = (np.stack([sample[0] for sample in drawn])[:, None] / 255).astype(np.float32)
    for path in chosen.onnx:
        logs, regions = reader_export.run_all(path, inputs)
        marks = {}
        for columns, scores, (_, _, text, region) in zip(np.exp(logs), regions, drawn):
            far = edits(fold(beam(columns)[0]), fold("".join(ALPHABET[klass - 1] for klass in text)))
            country = JURISDICTIONS[region].split("-")[0]
            marks.setdefault(country, []).append((far == 0, far <= 1, int(scores.argmax()) == region))
        for country, of in sorted(marks.items()):
            exact, near, state = (interval(sum(mark[k] for mark in of), len(of)) for k in range(3))
            print(f"{path.name} rendered {country}: exact {exact}, within one edit {near}, jurisdiction {state} (n={len(of)})", flush=True)


def evaluate(chosen):
    if chosen.pool:
        return rendered(chosen)
    for split in chosen.splits:
        rows, inputs = evaluation_set(chosen.data, split)
        print(f"\n{split}, {len(rows)} crops")
        for path in chosen.onnx:
            texts = figures(path, rows, inputs)
            print("\n".join(table(rows, texts)))
            if chosen.misses:
                print([(row["text"], text, row["region"]) for row, text in zip(rows, texts) if not right(row, text)[1]])


def curve(chosen):
    """Draw folded exact and within-one-edit accuracy on tune over training time from the logs of runs, one after another."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6, 3.2), dpi=90)
    offset, points = 0.0, []
    for log in chosen.logs:
        found = re.findall(r" s (\d+) .* tune exact/1edit all ([\d.]+)/([\d.]+) .* two ([\d.]+)/.* US ([\d.]+)/", log.read_text(encoding="utf-8"))
        points += [(offset + float(s), *map(float, rest)) for s, *rest in found]
        offset = points[-1][0]
        axis.axvline(offset / 60, color="0.85", lw=1)
    for column, (label, style) in enumerate((("exact", "-"), ("within one edit", "-"), ("two lines, exact", ":"), ("US, exact", "--")), 1):
        axis.plot([p[0] / 60 for p in points], [p[column] for p in points], style, label=label)
    axis.set(xlabel="minutes of training (shared core)", ylabel="% of tune crops, folded", ylim=(0, 100))
    axis.legend(fontsize=7, loc="lower right")
    axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(chosen.out)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/plates", help="folder of the labelled photographs")
    parser.add_argument("--work", type=Path, default=HERE / "runs/cache", help="folder for rendered pools and cached crops")
    tasks = parser.add_subparsers(dest="task", required=True)
    t = tasks.add_parser("train")
    t.add_argument("--name", default="a", help="name of the run: checkpoint and log are runs/reader_NAME.*")
    t.add_argument("--init", type=Path, help="checkpoint whose averaged weights to start from")
    t.add_argument("--fonts", type=Path, default=HERE / "runs/fonts")
    t.add_argument("--pool", type=int, default=24000, help="plates in a pool")
    t.add_argument("--pools", type=int, default=5)
    t.add_argument("--seconds", type=float, default=3000, help="length of the schedule")
    t.add_argument("--every", type=float, default=150, help="seconds between evaluations on tune")
    t.add_argument("--batch", type=int, default=32)
    t.add_argument("--lr", type=float, default=1.5e-3)
    t.add_argument("--smoothing", type=float, default=0.01, help="label smoothing of the columns")
    t.add_argument("--weight-decay", type=float, default=0.05)
    t.add_argument("--ctc", type=float, default=0.4, help="weight of CTC on real crops against column cross-entropy")
    t.add_argument("--ctc-drawn", type=float, default=0.12, help="weight of CTC on rendered plates, which stops one character from being said twice")
    t.add_argument("--region", type=float, default=0.06, help="weight of the jurisdiction loss")
    t.add_argument("--real", type=float, nargs=5, default=[0, 0, 0.2, 0.4, 0.48], help="share of real crops at progress 0, real-from, real-from + 0.1, 0.6, 1")
    t.add_argument("--real-from", type=float, default=0.06)
    t.add_argument("--strength", type=float, default=1.0, help="strength of the photometric damage")
    t.add_argument("--seed", type=int, default=1)
    t.add_argument("--threads", type=int, default=1)
    t.add_argument("--careful", action="store_true", help="the careful reader, twice as wide; from a reader's weights (--init) it starts as what that one computes")
    t.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="bfloat16 convolutions: 2.4 times as fast, of the careful reader 3.3, where the processor has AMX")
    a = tasks.add_parser("align")
    a.add_argument("checkpoint", type=Path)
    e = tasks.add_parser("export")
    e.add_argument("checkpoint", type=Path)
    e.add_argument("--models", type=Path, default=HERE.parent, help="folder for the ONNX files and reader.json")
    e.add_argument("--calibration", type=int, default=400, help="training crops that calibrate int8")
    v = tasks.add_parser("eval")
    v.add_argument("onnx", type=Path, nargs="+")
    v.add_argument("--splits", nargs="+", default=["tune", "dev"])
    v.add_argument("--pool", type=Path, help="a folder that render_plates.py filled with a seed of its own: figures on these instead")
    v.add_argument("--misses", action="store_true", help="print the wrong reads")
    c = tasks.add_parser("curve")
    c.add_argument("logs", type=Path, nargs="+")
    c.add_argument("--out", type=Path, default=HERE / "reader_curve.png")
    return parser


def main():
    chosen = options().parse_args()
    {"train": train, "align": align, "export": export, "eval": evaluate, "curve": curve}[chosen.task](chosen)


if __name__ == "__main__":
    main()
