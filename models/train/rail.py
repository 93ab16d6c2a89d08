"""The generic anomaly network of rail scans: models/rail.onnx.

    garita synth rail ...        normal cars, by `data` below
    python models/train/rail.py data  --garita target/release/garita      about 4 minutes: 1,800 normal cars, 400 + 400 to report on
    python models/train/rail.py train --minutes 150                       resumes from its checkpoint; 10-20 thousand steps
    python models/train/rail.py eval                                      per car: AUROC, detection at 1 % and 5 % false alarms, by d'
    python models/train/rail.py export                                    models/rail.onnx, checked against torch

Goal: say for every 64 mm cell of any car whether something is there that does not belong, without having seen what will be hidden.
How: normal cars only. In a copy of each, a *generic* shape (ellipsoid, polygon, noise blob, slab, cluster of boxes; 1-60 g/cm2 of steel) is put
into the *counts* by binomial thinning, n' ~ Binomial(n, exp(-mu a)), which is exact Poisson physics; benign and threat copy stand in the same
batch. The simulator's own anomalies (person, lead pig, false wall ...) are never trained on: they are what `eval` reports on.

Lessons kept from shared/rail.md 4.6: shapes only inside the car's envelope and air as negatives; only physically visible pixels are labelled,
targets of d' < 3 are nothing, 3-10 and faint ones are don't-care; BCE; inputs are steel-equivalent g/cm2, its sigma, row and local residual,
mirror difference; a car's score is a maximum, so false alarms are reported per car and never pixel AUROC.

Everything below a `FEATURES` line is repeated in src/rail; change both.
"""

import argparse
import json
import multiprocessing
import pathlib
import struct
import subprocess
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
HERE = pathlib.Path(__file__).parent
RUNS = HERE / "runs" / "rail"

# FEATURES: input tile. Rows from the top, 32 mm; columns 32 mm (2 x 2 of 16 mm). 640 columns are 20.5 m: most cars in one tile.
PIXEL_MM = 32.0
ROWS, TILE = 192, 640
CHANNELS = 10
# Shapes of less than this, g/cm2, are don't-care: they look like the doublers that are welded on every second car (1.2-3 mm, 0.9-2.4 g/cm2).
# Tried: 0.5 g/cm2 and d' 6 as positives. After 2,500 steps nothing rose above -1, people included: the labels contradicted each other.
FAINT = 2.5
# mu/rho of steel, cm2/g (src/synth/rail/attenuation.rs): what turns attenuation into g/cm2 of steel. A linac: at 2 MeV.
MU = {"Cs-137": 0.07348, "Co-60": 0.05352, "linac": 0.04265, "linac dual": 0.04265}


# ---------------------------------------------------------------- reading scans


def pages(path):
    """The pages of a time-major TIFF as [(tags, array)], by the layout of shared/rail.md 5.4(1)."""
    raw = np.fromfile(path, np.uint8).tobytes()
    at = struct.unpack("<I", raw[4:8])[0]
    out = []
    while at:
        count = struct.unpack("<H", raw[at : at + 2])[0]
        tags = {}
        for i in range(count):
            tag, kind, n, value = struct.unpack("<HHII", raw[at + 2 + 12 * i : at + 14 + 12 * i])
            if kind == 2:
                value = raw[value : value + n].rstrip(b"\0").decode()
            elif kind == 3:
                value &= 0xFFFF
            tags[tag] = value
        kind = {(16, 1): "<u2", (32, 3): "<f4", (64, 3): "<f8", (8, 1): "u1"}[(tags[258], tags.get(339, 1))]
        data = np.frombuffer(raw, kind, tags[256] * tags[257], tags[273]).reshape(tags[257], tags[256])
        out.append((tags, data))
        at = struct.unpack("<I", raw[at + 2 + 12 * count : at + 6 + 12 * count])[0]
    return out


def cars(path):
    """Normalised cars of a scan: dicts of n (quanta, uint16 [row, column] at 32 mm), air (f32 [row]), mu, truth."""
    path = pathlib.Path(path)
    parts = pages(path)
    stored = parts[0][1].astype(np.float32)
    dark = next(d for t, d in parts if t[270].startswith("dark field"))[0]
    truth = json.loads(path.with_suffix(".json").read_text())
    said = json.loads(parts[0][0][270])
    stored -= dark
    first = truth["cars"][0]["columns"][0]
    air = stored[20 : first - 20]
    mean, var = air.mean(0), air.var(0)
    bad = (mean < 0.3 * np.median(mean)) | (var / np.maximum(mean, 1) > 3 * np.median(var / np.maximum(mean, 1)))
    gain = np.median((var / np.maximum(mean, 1))[~bad])
    quanta = np.clip(stored / gain, 0, None)
    mean = mean / gain
    good = np.flatnonzero(~bad)
    for i in np.flatnonzero(bad):
        # FEATURES: a bad channel is filled from its neighbours, as transmission.
        near = good[np.argsort(np.abs(good - i))[:2]]
        mean[i] = mean[near].mean()
        quanta[:, i] = (quanta[:, near] / mean[near]).mean(1) * mean[i]
    for car in truth["cars"]:
        a, b = car["columns"]
        b = a + (b - a) // 2 * 2
        q = quanta[a:b]
        h = q.shape[1] // 2 * 2
        n = q[:, :h].reshape((b - a) // 2, 2, h // 2, 2).sum((1, 3)).T
        yield dict(
            n=np.clip(np.rint(n), 0, 65535).astype(np.uint16),
            air=(mean[:h].reshape(-1, 2).sum(1) * 2).astype(np.float32),
            mu=MU[truth["source"]],
            top_mm=said["top_mm"] + said["pitch_mm"] / 2,
            truth=car,
            top=a,
        )


# ---------------------------------------------------------------- features


def box(x, k, axis):
    """Running mean of width 2k+1, edges repeated."""
    return cv2.blur(x, (1, 2 * k + 1) if axis == 0 else (2 * k + 1, 1), borderType=cv2.BORDER_REPLICATE)


def thickness(n, air, mu):
    """FEATURES: steel-equivalent g/cm2 and its sigma, [row, column]; half a quantum where there was none (as src/rail/car.rs)."""
    some = np.maximum(n, 0.5)
    x = np.clip(-np.log(some / air[:, None]) / mu, -4, 160).astype(np.float32)
    sigma = (np.sqrt(n + 1.0) / (mu * some)).astype(np.float32)
    return x, sigma


def envelope(x, sigma):
    """FEATURES: where the car is: from the topmost thing that is surely there down to the rail, [row, column] bool."""
    smooth = box(box(x, 1, 0), 1, 1)
    there = smooth > np.maximum(0.5, 1.7 * box(box(sigma, 1, 0), 1, 1))
    # A thing has some height: four rows of five.
    there = box(there.astype(np.float32), 2, 0) > 0.7
    return np.cumsum(there, 0) > 0


def features(n, air, mu, top_mm=5858.0):
    """FEATURES: f32 [CHANNELS, row, column] of one whole car, and its envelope. `top_mm`: upper edge of row 0 over the rail."""
    return channels(*thickness(n.astype(np.float32), air, mu), top_mm)


def channels(x, sigma, top_mm):
    """FEATURES: of g/cm2 and their sigma, [row, column]."""
    inside = envelope(x, sigma)
    rows, columns = x.shape
    squash = lambda v: np.clip(v / 8, -4, 4)
    usual = x - np.median(x, 1, keepdims=True)
    mirrored = x - x[:, ::-1]
    # How surely something differs: over three by three cells, in standard errors. A network does not divide by itself.
    mean3 = lambda v: box(box(np.ascontiguousarray(v), 1, 0), 1, 1)
    variance = mean3(sigma * sigma)
    surely = lambda v, of: np.clip(mean3(v) * 3 / np.sqrt(of) / 4, -4, 4)
    height = np.broadcast_to(((top_mm - PIXEL_MM * (np.arange(rows) + 0.5)) / 6000).astype(np.float32)[:, None], x.shape)
    end = np.minimum(np.arange(columns), np.arange(columns)[::-1]).astype(np.float32)
    f = np.stack(
        [
            np.arcsinh(x / 4) / 3,
            np.log(sigma) / 2,
            squash(usual),
            squash(x - box(x, 20, 1)),
            squash(x - box(x, 8, 0)),
            squash(mirrored),
            height,
            np.broadcast_to(np.minimum(end / 150, 1.5), x.shape) * inside,
            surely(usual, variance),
            surely(mirrored, variance + variance[:, ::-1]),
        ]
    ).astype(np.float32)
    return f, inside


# ---------------------------------------------------------------- generic threats


def shape(rng):
    """A thickness profile, f32 [h, w], its largest value about 1: nothing in particular."""
    kind = rng.integers(6)
    size = lambda lo, hi: int(round(np.exp(rng.uniform(np.log(lo), np.log(hi)))))
    h, w = size(2, 32), size(2, 32)
    if kind == 0:  # a few overlapping ellipsoids, at any angle
        s = np.zeros((h + 8, w + 8), np.float32)
        yy, xx = np.mgrid[: h + 8, : w + 8]
        for _ in range(rng.integers(1, 6)):
            cy, cx = rng.uniform(2, h + 6), rng.uniform(2, w + 6)
            ry, rx = rng.uniform(0.8, max(h / 2, 1)), rng.uniform(0.8, max(w / 2, 1))
            th = rng.uniform(0, np.pi)
            u = ((xx - cx) * np.cos(th) + (yy - cy) * np.sin(th)) / rx
            v = (-(xx - cx) * np.sin(th) + (yy - cy) * np.cos(th)) / ry
            s = np.maximum(s, np.sqrt(np.clip(1 - u * u - v * v, 0, None)) * rng.uniform(0.5, 1))
        return s
    if kind == 1:  # a polygon
        s = np.zeros((h + 2, w + 2), np.float32)
        k = rng.integers(3, 8)
        ang = np.sort(rng.uniform(0, 2 * np.pi, k))
        pts = np.stack([w / 2 + w / 2 * np.cos(ang) * rng.uniform(0.4, 1, k), h / 2 + h / 2 * np.sin(ang) * rng.uniform(0.4, 1, k)], 1)
        cv2.fillPoly(s, [np.round(pts).astype(np.int32)], 1.0)
        return s
    if kind == 2:  # a blob of smoothed noise
        s = box(box(rng.normal(size=(h + 6, w + 6)).astype(np.float32), 2, 0), 2, 1)
        s = np.clip(s - np.quantile(s, rng.uniform(0.3, 0.7)), 0, None)
        return s / max(s.max(), 1e-6)
    if kind == 3:  # an upright slab, as tall as it likes
        return np.ones((size(10, 90), size(2, 28)), np.float32) * rng.uniform(0.5, 1)
    if kind == 4:  # a lying slab
        return np.ones((size(2, 10), size(10, 120)), np.float32) * rng.uniform(0.5, 1)
    s = np.zeros((h + 4, w + 4), np.float32)  # boxes in a cluster
    for _ in range(rng.integers(1, 7)):
        bh, bw = rng.integers(1, max(h // 2, 2) + 1), rng.integers(1, max(w // 2, 2) + 1)
        y, x = rng.integers(0, h + 4 - bh + 1), rng.integers(0, w + 4 - bw + 1)
        s[y : y + bh, x : x + bw] = np.maximum(s[y : y + bh, x : x + bw], rng.uniform(0.3, 1))
    return s


def thread(n, car, inside, rng):
    """A threat thinned into the counts `n` (int [row, column]): new counts, label (1 threat, -1 don't care, 0) ."""
    rows, columns = n.shape
    label = np.zeros(n.shape, np.int8)
    # Several to a car: a step has few threat pixels otherwise; the benign copy beside it keeps the number from meaning anything.
    for _ in range(rng.integers(1, 7)):
        s = shape(rng)[:rows, :columns]
        s = s[:, ::-1] if rng.random() < 0.5 else s
        h, w = s.shape
        # Somewhere inside; sometimes standing on top of what is there.
        for _ in range(20):
            y, x = rng.integers(0, rows - h + 1), rng.integers(0, columns - w + 1)
            if inside[y + h // 2, x + w // 2] or (rng.random() < 0.08 and inside[min(y + h + 3, rows - 1), x + w // 2]):
                break
        else:
            continue
        density = np.exp(rng.uniform(np.log(FAINT / 2), np.log(60)))
        # Soft edges: half a pixel of detector blur.
        a = s * density * (1 + 0.15 * rng.normal() * box(box(rng.normal(size=s.shape).astype(np.float32), 1, 0), 1, 1))
        a = np.clip(a, 0, 120)
        here = (slice(y, y + h), slice(x, x + w))
        before = n[here]
        if rng.random() < 0.1:
            # A hollow: more gets through (over-dispersed, so for training only).
            a = np.minimum(a, 12)
            after = before + rng.poisson(np.minimum(before * np.expm1(car["mu"] * a), 4.0 * car["air"][y : y + h, None]))
        else:
            after = rng.binomial(before, np.exp(-car["mu"] * a))
        change = before - before * np.exp(-car["mu"] * a)
        evidence = change**2 / (before + 1.0)
        d = np.sqrt(evidence.sum())
        seen = (box(box(evidence, 2, 0), 2, 1) * 25 > 2.0) & (a > 0)
        n[here] = after
        if d >= 3:
            patch = label[here]
            patch[(a > 0) & ~seen & (patch == 0)] = -1
            patch[seen] = 1 if d >= 10 and density * s.max() >= FAINT else -1
    return label


def dose(car, rng):
    """The same car with less dose, exact by thinning; counts int32 and air."""
    p = np.exp(rng.uniform(np.log(0.3), 0)) if rng.random() < 0.3 else 1.0
    n = car["n"].astype(np.int32)
    return (rng.binomial(n, p) if p < 1 else n.copy()), car["air"] * np.float32(p)


def sample(car, rng, width):
    """A benign and a threat crop of one car: inputs [2, C, ROWS, width], labels [2, ROWS/2, width/2] (1, 0, -1)."""
    n, air = dose(car, rng)
    if rng.random() < 0.5:
        n = n[:, ::-1].copy()
    x, sigma = thickness(n.astype(np.float32), air, car["mu"])
    inside = envelope(x, sigma)
    # Most shapes fall where nobody could see them (opaque goods, noise): draw again, but keep some, so that nothing there is learnt as nothing.
    for _ in range(6):
        bad = n.copy()
        label = thread(bad, dict(car, air=air), inside, rng)
        if (label == 1).any() or rng.random() < 0.05:
            break
    # The crop: around the threat nine times of ten.
    columns = n.shape[1]
    marked = np.flatnonzero((label == 1).any(0))
    if columns <= width:
        start = 0
    elif len(marked) and rng.random() < 0.9:
        start = int(np.clip(rng.choice(marked) - rng.integers(0, width), 0, columns - width))
    else:
        start = int(rng.integers(0, columns - width + 1))
    outs, labels = [], []
    top_mm = car.get("top_mm", 5858.0)
    f_bad, _ = features(bad, air, car["mu"], top_mm)
    for f, lab in ((channels(x, sigma, top_mm)[0], np.zeros_like(label)), (f_bad, label)):
        outs.append(pad(f[:, :, start : start + width], width))
        labels.append(pool(lab[:, start : start + width], width))
    return np.stack(outs), np.stack(labels)


def pad(f, width):
    out = np.zeros((f.shape[0], ROWS, width), np.float32)
    out[:, : min(f.shape[1], ROWS), : f.shape[2]] = f[:, :ROWS]
    return out


def pool(label, width):
    """Labels at 64 mm: threat where any pixel is, else don't care where any is."""
    out = np.zeros((ROWS, width), np.int8)
    out[: min(label.shape[0], ROWS), : label.shape[1]] = label[:ROWS]
    blocks = out.reshape(ROWS // 2, 2, width // 2, 2)
    return np.where((blocks == 1).any((1, 3)), 1, np.where((blocks == -1).any((1, 3)), -1, 0)).astype(np.int8)


# ---------------------------------------------------------------- network


def network():
    import torch
    from torch import nn

    def block(i, o, stride=1):
        return nn.Sequential(
            nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True), nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True)
        )

    class Net(nn.Module):
        """[B, CHANNELS, 192, W] to logits [B, 1, 96, W/2]: a small U-Net that works from 64 mm up."""

        def __init__(self, w=(16, 24, 40, 64)):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(CHANNELS, w[0], 4, 2, 1, bias=False), nn.BatchNorm2d(w[0]), nn.ReLU(True))
            self.enc = nn.ModuleList([block(w[0], w[0])] + [block(w[i], w[i + 1], 2) for i in range(3)])
            self.dec = nn.ModuleList([block(w[i + 1] + w[i], w[i]) for i in (2, 1, 0)])
            self.head = nn.Conv2d(w[0], 1, 1)
            nn.init.constant_(self.head.bias, -4.0)

        def forward(self, x):
            x = self.stem(x)
            skips = []
            for e in self.enc:
                x = e(x)
                skips.append(x)
            for d, skip in zip(self.dec, skips[-2::-1]):
                x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
                x = d(torch.cat([x, skip], 1))
            return self.head(x)

    return Net()


# ---------------------------------------------------------------- commands

# What normal cars are trained on: name, seed, trains, options. Speeds, ages and sources differ, since no threshold and no network
# may know its portal by heart. The report sets have other seeds.
TRAIN = [
    ("cs", 100_000, 60, "--source cs137 --cars 12"),
    ("cs-fast", 110_000, 25, "--source cs137 --cars 12 --speed 3.2"),
    ("cs-empty", 120_000, 40, "--source cs137 --cars 12 --empties"),
    ("co", 130_000, 20, "--source co60 --cars 12 --speed 2.2"),
    ("li", 140_000, 15, "--source linac --cars 12 --speed 3"),
    ("cs-far", 150_000, 25, "--source cs137 --cars 12 --source-distance 8.6 --source-height 1.7 --top 5.9"),
    ("cs-near", 160_000, 20, "--source cs137 --cars 12 --empties --source-distance 6.2 --source-height 2.7 --top 5.8"),
    ("cs-empty-2", 170_000, 60, "--source cs137 --cars 12 --empties --speed 2.6"),
    ("co-empty", 180_000, 12, "--source co60 --cars 12 --empties --speed 2.2"),
    ("li-empty", 185_000, 8, "--source linac --cars 12 --empties --speed 3"),
]
REPORT = [
    ("r-empty", 500_000, 30, "--source cs137 --cars 12 --empties --anomalies 0.5"),
    ("r-mixed", 510_000, 30, "--source cs137 --cars 12 --anomalies 0.5"),
    ("r-co", 520_000, 10, "--source co60 --cars 12 --speed 2.2 --empties --anomalies 0.5"),
]


def command_data(args):
    RUNS.mkdir(parents=True, exist_ok=True)
    for name, seed, trains, options in (TRAIN + REPORT if not args.only else [r for r in TRAIN + REPORT if r[0] in args.only]):
        out = RUNS / f"{name}.npz"
        if out.exists():
            continue
        ns, meta = [], []
        work = RUNS / "work"
        for k in range(trains):
            run = [args.garita, "synth", "rail", "--seed", str(seed + k), "--out", str(work), "--name", name, *options.split()]
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
            for car in cars(work / f"{name}-{seed + k}.tif"):
                truth = car["truth"]
                ns.append(car["n"])
                anomaly = truth["anomaly"]
                kept = dict(kind=truth["kind"], load=truth["load"], empty=truth["empty"], mu=car["mu"], top=car["top"], top_mm=car["top_mm"])
                kept["anomaly"] = anomaly and dict(kind=anomaly["kind"], d=anomaly["d_ideal"], box=anomaly["box"])
                kept["air"] = car["air"].tolist()
                meta.append(kept)
            for file in work.glob(f"{name}-{seed + k}*"):
                file.unlink()
        np.savez(out, meta=json.dumps(meta), widths=[n.shape[1] for n in ns], counts=np.concatenate([n.T for n in ns]))
        print(name, len(ns), "cars", f"{out.stat().st_size / 1e6:.0f} MB", flush=True)


def load(name):
    z = np.load(RUNS / f"{name}.npz")
    counts, ends, meta = z["counts"], np.cumsum(z["widths"]), json.loads(str(z["meta"]))
    for end, width, m in zip(ends, z["widths"], meta):
        yield dict(m, n=np.ascontiguousarray(counts[end - width : end].T), air=np.array(m["air"], np.float32))


def command_train(args):
    import torch

    torch.set_num_threads(args.threads)
    normals = [car for name, *_ in TRAIN if (RUNS / f"{name}.npz").exists() for car in load(name) if car["kind"] != "locomotive"]
    normals = [c for c in normals if c["n"].shape[1] >= 64]
    print(len(normals), "normal cars", flush=True)
    net = network().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
    step = 0
    checkpoint = RUNS / "last.pt"
    if checkpoint.exists() and not args.fresh:
        # weights_only=False: our own file, with the optimiser's state in it.
        state = torch.load(checkpoint, weights_only=False)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
        print("resumed at step", step, flush=True)
    average = {k: v.clone() for k, v in net.state_dict().items()} if step == 0 else torch.load(checkpoint, weights_only=False)["average"]
    began, mean, told = time.time(), None, step
    net.train()
    # Crops are made ahead by processes of their own.
    made = multiprocessing.Queue(8)
    for _ in range(args.makers):
        multiprocessing.Process(target=make, args=(normals, args, made), daemon=True).start()
    while step < args.steps and time.time() - began < args.minutes * 60:
        rate = 2e-3 * min(1, (step + 1) / 200) * (0.5 * (1 + np.cos(np.pi * min(step / args.steps, 1))) + 0.01)
        for group in optimiser.param_groups:
            group["lr"] = float(rate)
        parts = made.get()
        x = torch.from_numpy(np.concatenate([p[0] for p in parts])).contiguous(memory_format=torch.channels_last)
        y = torch.from_numpy(np.concatenate([p[1] for p in parts])).float()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            logits = net(x)[:, 0]
        logits = logits.float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.clamp(0, 1), reduction="none")
        weight = (y >= 0).float() * torch.where(y > 0, 3.0, 1.0)
        loss = (loss * weight).sum() / weight.sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step += 1
        keep = min(0.998, step / (step + 10))
        with torch.no_grad():
            for k, v in net.state_dict().items():
                average[k] = average[k] * keep + v * (1 - keep) if v.dtype.is_floating_point else v.clone()
        value = loss.item()
        mean = value if mean is None else mean * 0.98 + value * 0.02
        if step % 20 == 0:
            speed = (time.time() - began) / max(step - told, 1)
            print(f"step {step} loss {mean:.4f} {speed:.2f} s/step", flush=True)
        if step % 100 == 0:
            torch.save(dict(net=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step), checkpoint)
    torch.save(dict(net=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step), checkpoint)


def make(normals, args, made):
    """Puts pairs of crops for one step after the other into the queue `made`."""
    rng = np.random.default_rng()
    while True:
        made.put([sample(normals[rng.integers(len(normals))], rng, args.width) for _ in range(args.pairs)])


def trained():
    import torch

    net = network()
    state = torch.load(RUNS / "last.pt", weights_only=False)
    net.load_state_dict(state["average"])
    net.eval()
    return net, state["step"]


def heat(net, car):
    """Logits of a whole car at 64 mm, [row, column], -inf outside its envelope: the car in tiles, half of their overlap from each."""
    import torch

    f, inside = features(car["n"], car["air"], car["mu"], car.get("top_mm", 5858.0))
    columns = f.shape[2]
    whole = np.full((ROWS // 2, -(-columns // 2)), -20.0, np.float32)
    starts = [0] if columns <= TILE else sorted({*range(0, columns - TILE, TILE // 2), (columns - TILE) // 2 * 2})
    for start in starts:
        with torch.no_grad():
            out = net(torch.from_numpy(pad(f[:, :, start : start + TILE], TILE))[None])[0, 0].numpy()
        width = min(TILE // 2, whole.shape[1] - start // 2)
        low = 0 if start == 0 else TILE // 8
        whole[:, start // 2 + low : start // 2 + width] = out[:, low:width]
    rows, cols = inside.shape[0] // 2, inside.shape[1] // 2
    mask = inside[: rows * 2, : cols * 2].reshape(rows, 2, cols, 2).any((1, 3))
    out = np.full((rows, cols), -20.0, np.float32)
    out[mask] = whole[:rows, :cols][mask]
    return out


def score(h):
    """The car's score: the highest mean logit of 3 x 3 cells; and where."""
    smooth = box(box(h, 1, 0), 1, 1)
    at = np.unravel_index(np.argmax(smooth), smooth.shape)
    return float(smooth[at]), at


def auroc(pos, neg):
    pos, neg = np.asarray(pos), np.asarray(neg)
    return float(((pos[:, None] > neg).mean() + 0.5 * (pos[:, None] == neg).mean())) if len(pos) and len(neg) else float("nan")


def wilson(k, n, z=1.96):
    if n == 0:
        return (0.0, 1.0)
    p = k / n
    c, r = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return (round(float(max(c - r, 0)), 3), round(float(c + r), 3))


def command_eval(args):
    import torch

    torch.set_num_threads(args.threads)
    net, step = trained()
    print("step", step)
    for name, *_ in REPORT:
        if not (RUNS / f"{name}.npz").exists():
            continue
        rows = []
        for car in load(name):
            if car["kind"] == "locomotive":
                continue
            value, (r, c) = score(heat(net, car))
            hit = None
            if car["anomaly"]:
                x, y, w, h = car["anomaly"]["box"]
                hit = (x - car["top"] - 6 <= c * 4 + 2 <= x - car["top"] + w + 6) and (y - 6 <= r * 4 + 2 <= y + h + 6)
            rows.append((car, value, hit))
        # A response belongs to its kind of car: what normal cars of the kind score is taken off (shared/rail.md 4.6, 3).
        normals = [r for r in rows if not r[0]["anomaly"]]
        for label, key in (("raw", lambda c: 0), ("per kind", lambda c: (c["kind"], c["empty"]))):
            shift = {}
            for car, value, _ in normals:
                shift.setdefault(key(car), []).append(value)
            base = {k: (np.median(v), max(np.subtract(*np.quantile(v, [0.9, 0.5])), 0.5)) for k, v in shift.items()}
            norm = lambda c, v: (v - base.get(key(c), (0, 1))[0]) / base.get(key(c), (0, 1))[1]
            neg = [norm(c, v) for c, v, _ in normals]
            t1, t5 = np.quantile(neg, [0.99, 0.95])
            for low, high in ((0, 3), (3, 8), (8, 20), (20, 1e9)):
                some = [(norm(c, v), hit) for c, v, hit in rows if c["anomaly"] and low <= c["anomaly"]["d"] < high]
                pos = [v for v, _ in some]
                k1, k5 = sum(v > t1 for v in pos), sum(v > t5 for v in pos)
                located = np.mean([h for v, h in some if v > t5]) if k5 else float("nan")
                n = len(pos)
                print(
                    f"{name:8} {label:8} d' {low}-{high:<6.0f} n {n:3}+{len(neg)} AUROC {auroc(pos, neg):.3f} "
                    f"det@1 {k1 / max(n, 1):.2f} {wilson(k1, n)} det@5 {k5 / max(n, 1):.2f} {wilson(k5, n)} located {located:.2f}"
                )
            kinds = sorted({c["anomaly"]["kind"] for c, *_ in rows if c["anomaly"]})
            for kind in kinds:
                pos = [norm(c, v) for c, v, _ in rows if c["anomaly"] and c["anomaly"]["kind"] == kind and c["anomaly"]["d"] >= 20]
                print(f"    {kind:14} d' >= 20 n {len(pos):3} det@1 {np.mean(np.array(pos) > t1) if pos else 0:.2f} det@5 {np.mean(np.array(pos) > t5) if pos else 0:.2f}")


def command_export(args):
    import torch

    net, step = trained()
    out = HERE.parent / "rail.onnx"
    x = torch.randn(1, CHANNELS, ROWS, TILE)
    torch.onnx.export(net, (x,), out, input_names=["features"], output_names=["logits"], opset_version=17, dynamo=False)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(out))
    with torch.no_grad():
        worst = float(np.abs(session.run(None, {"features": x.numpy()})[0] - net(x).numpy()).max())
    print(f"step {step}: {out} {out.stat().st_size / 1e3:.0f} kB, largest difference to torch {worst:.1e}")


def command_curve(args):
    """The loss of one or more logs of `train`, as a picture beside the card."""
    import re

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    said = [line for log in args.logs for line in pathlib.Path(log).read_text().splitlines()]
    points = {int(m[1]): float(m[2]) for line in said if (m := re.match(r"step (\d+) loss ([0-9.]+)", line))}
    steps = sorted(points)
    plt.figure(figsize=(6, 3))
    plt.plot(steps, [points[s] for s in steps])
    plt.xlabel("step")
    plt.ylabel("loss (running mean)")
    plt.tight_layout()
    plt.savefig(HERE / "rail_curve.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    c = commands.add_parser("data")
    c.add_argument("--garita", default="target/release/garita")
    c.add_argument("--only", nargs="*")
    c.set_defaults(run=command_data)
    c = commands.add_parser("train")
    c.add_argument("--minutes", type=float, default=150)
    c.add_argument("--steps", type=int, default=12_000)
    c.add_argument("--pairs", type=int, default=4)
    c.add_argument("--width", type=int, default=320)
    c.add_argument("--threads", type=int, default=1)
    c.add_argument("--makers", type=int, default=1, help="processes that make crops")
    c.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="bfloat16 convolutions: faster where the processor has AMX")
    c.add_argument("--fresh", action="store_true")
    c.set_defaults(run=command_train)
    c = commands.add_parser("eval")
    c.add_argument("--threads", type=int, default=1)
    c.set_defaults(run=command_eval)
    c = commands.add_parser("curve")
    c.add_argument("logs", nargs="+")
    c.set_defaults(run=command_curve)
    c = commands.add_parser("export")
    c.set_defaults(run=command_export)
    args = parser.parse_args()
    args.run(args)
