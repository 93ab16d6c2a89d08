"""The generic anomaly network of rail scans: models/rail.onnx.

    garita synth rail ...        normal cars, by `data` below
    python models/train/rail.py data  --garita target/release/garita      5,388 normal cars, 840 to report on
    python models/train/rail.py train --minutes 150                       resumes from its checkpoint; 40 thousand steps and more
    python models/train/rail.py eval                                      per car: AUROC, detection at 1 % and 5 % false alarms, by d'
    python models/train/rail.py export                                    models/rail.onnx, checked against torch

Goal: say for every 64 mm cell of any car whether something is there that does not belong, without having seen what will be hidden.
How: normal cars only. In a copy of each, a *generic* shape (ellipsoid, polygon, noise blob, slab, cluster of boxes; 1-60 g/cm2 of steel) is put
into the *counts* by binomial thinning, n' ~ Binomial(n, exp(-mu a)), which is exact Poisson physics; benign and threat copy stand in the same
batch. The simulator's own anomalies (person, lead pig, false wall ...) are never trained on: they are what `eval` reports on.

Lessons kept from shared/rail.md 4.6: shapes only inside the car's envelope and air as negatives; only physically visible pixels are labelled,
targets of d' < 3 are nothing, 3-10 and faint ones are don't-care; BCE; inputs are steel-equivalent g/cm2, its sigma, row and local residual,
mirror difference; a car's score is a maximum, so false alarms are reported per car and never pixel AUROC.

Reading, channels and threats are in rail_data.py.
"""

import argparse
import json
import multiprocessing
import pathlib
import subprocess
import time

import numpy as np
from rail_data import CHANNELS, ROWS, TILE, box, cars, channels, coarse, pad, sample, thickness

HERE = pathlib.Path(__file__).parent
RUNS = HERE / "runs"

# ---------------------------------------------------------------- network


def network():
    import torch
    from torch import nn

    def conv(i, o, stride=1, size=3):
        return nn.Sequential(nn.Conv2d(i, o, size, stride, size // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU(True))

    class Net(nn.Module):
        """[B, CHANNELS, 96, W] to logits [B, 1, 96, W]: a small U-Net that does most of its work from 128 mm up, 1 m at its deepest."""

        def __init__(self, w=(24, 48, 64, 80, 96)):
            super().__init__()
            self.stem = conv(CHANNELS, w[0])
            deep = range(len(w) - 1)
            self.enc = nn.ModuleList([nn.Sequential(conv(w[i], w[i + 1], 2), conv(w[i + 1], w[i + 1])) for i in deep])
            self.up = nn.ModuleList([conv(w[i + 1], w[i], size=1) for i in reversed(deep)])
            self.dec = nn.ModuleList([conv(w[i], w[i]) for i in reversed(deep)])
            self.head = nn.Conv2d(w[0], 1, 1)
            nn.init.constant_(self.head.bias, -4.0)

        def forward(self, x):
            x = self.stem(x)
            skips = [x]
            for e in self.enc:
                x = e(x)
                skips.append(x)
            for up, d, skip in zip(self.up, self.dec, skips[-2::-1]):
                x = d(nn.functional.interpolate(up(x), scale_factor=2.0, mode="nearest") + skip)
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
    ("cs-empty-3", 190_000, 70, "--source cs137 --cars 12 --empties --speed 2.2"),
    ("cs-empty-4", 200_000, 40, "--source cs137 --cars 12 --empties --source-distance 7.6 --source-height 2.0 --top 5.85"),
    ("li-empty-2", 210_000, 30, "--source linac --cars 12 --empties --speed 2.6"),
    ("li-2", 220_000, 12, "--source linac --cars 12 --speed 2.2"),
    ("co-empty-2", 230_000, 12, "--source co60 --cars 12 --empties --speed 2.6"),
]
REPORT = [
    ("r-empty", 500_000, 30, "--source cs137 --cars 12 --empties --anomalies 0.5"),
    ("r-mixed", 510_000, 30, "--source cs137 --cars 12 --anomalies 0.5"),
    ("r-co", 520_000, 10, "--source co60 --cars 12 --speed 2.2 --empties --anomalies 0.5"),
]


def sets():
    """The folder of rendered cars."""
    return RUNS / "rail"


def command_data(args):
    sets().mkdir(parents=True, exist_ok=True)
    for name, seed, trains, options in (TRAIN + REPORT if not args.only else [r for r in TRAIN + REPORT if r[0] in args.only]):
        out = sets() / f"{name}.npz"
        if out.exists():
            continue
        ns, meta = [], []
        work = sets() / "work"
        for k in range(max(1, round(trains * args.share))):
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
    z = np.load(sets() / f"{name}.npz")
    counts, ends, meta = z["counts"], np.cumsum(z["widths"]), json.loads(str(z["meta"]))
    for end, width, m in zip(ends, z["widths"], meta):
        yield dict(m, n=np.ascontiguousarray(counts[end - width : end].T), air=np.array(m["air"], np.float32))


def command_train(args):
    import torch

    torch.set_num_threads(args.threads)
    normals = [coarse(car) for name, *_ in TRAIN if (sets() / f"{name}.npz").exists() for car in load(name) if car["kind"] != "locomotive" and car["n"].shape[1] >= 128]
    empties, loaded = [c for c in normals if c["empty"]], [c for c in normals if not c["empty"]]
    print(len(empties), "empty and", len(loaded), "loaded normal cars", flush=True)
    net = network().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
    step = 0
    checkpoint = RUNS / "rail.pt"
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
        multiprocessing.Process(target=make, args=(empties, loaded, args, made), daemon=True).start()
    first = step
    while step < args.steps and time.time() - began < args.minutes * 60:
        # The cosine ends with the steps or with the time, whichever comes first.
        run = max((time.time() - began) / (args.minutes * 60), (step - first) / (args.steps - first))
        rate = args.rate * min(1, (step + 1 - first) / 200) * (0.5 * (1 + np.cos(np.pi * min(run, 1))) + 0.01)
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
        # A car's score is a maximum, so what a benign crop says loudest weighs once more.
        loudest = torch.where(y == 0, loss, 0).flatten(1).topk(40).values.mean()
        mean_loss = (loss * weight).sum() / weight.sum()
        loss = mean_loss + args.loudest * loudest
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step += 1
        keep = min(0.998, step / (step + 10))
        with torch.no_grad():
            for k, v in net.state_dict().items():
                average[k] = average[k] * keep + v * (1 - keep) if v.dtype.is_floating_point else v.clone()
        value = mean_loss.item()
        mean = value if mean is None else mean * 0.98 + value * 0.02
        if step % 50 == 0:
            speed = (time.time() - began) / max(step - told, 1)
            print(f"step {step} loss {mean:.4f} {speed:.2f} s/step", flush=True)
        if step % 200 == 0:
            torch.save(dict(net=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step), checkpoint)
    torch.save(dict(net=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step), checkpoint)


def make(empties, loaded, args, made):
    """Puts pairs of crops for one step after the other into the queue `made`. Two of three cars are empty: there the network can find most."""
    rng = np.random.default_rng()
    while True:
        groups = [empties if rng.random() < 0.67 else loaded for _ in range(args.pairs)]
        made.put([sample(group[rng.integers(len(group))], rng, args.width) for group in groups])


def trained():
    import torch

    net = network()
    state = torch.load(RUNS / "rail.pt", weights_only=False)
    net.load_state_dict(state["average"])
    net.eval()
    return net, state["step"]


def heat(net, car):
    """Logits of a whole car at 64 mm, [row, column], -20 outside its envelope: the car in tiles, half of their overlap from each."""
    import torch

    car = coarse(car)
    f, inside = channels(*thickness(car["n"], car["air"], car["mu"], car["veil"]), car.get("top_mm", 5858.0))
    columns = f.shape[2]
    whole = np.full((ROWS, columns), -20.0, np.float32)
    starts = [0] if columns <= TILE else sorted({*range(0, columns - TILE, TILE // 2), columns - TILE})
    for start in starts:
        with torch.no_grad():
            out = net(torch.from_numpy(pad(f[:, :, start : start + TILE], TILE))[None])[0, 0].numpy()
        low = 0 if start == 0 else TILE // 8
        width = min(TILE, columns - start)
        whole[:, start + low : start + width] = out[:, low:width]
    return np.where(inside, whole[: inside.shape[0]], np.float32(-20))


def score(h):
    """The car's score: the highest mean logit of 3 x 3 cells of the car; and where."""
    inside = (h > -20).astype(np.float32)
    mean = lambda v: box(box(v, 1, 0), 1, 1)
    smooth = np.where(inside > 0, mean(h * inside) / np.maximum(mean(inside), 0.1), -20)
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
    for name, *_ in REPORT[: args.sets]:
        if not (sets() / f"{name}.npz").exists():
            continue
        rows = []
        for car in load(name):
            if car["kind"] == "locomotive":
                continue
            value, (r, c) = score(heat(net, car))
            hit = None
            if car["anomaly"]:
                x, y, w, h = car["anomaly"]["box"]
                hit = (x - car["top"] - 8 <= c * 4 + 2 <= x - car["top"] + w + 8) and (y - 8 <= r * 4 + 2 <= y + h + 8)
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
    out = args.models / "rail.onnx"
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
    parser.add_argument("--folder", type=pathlib.Path, default=RUNS, help="where rendered cars and the checkpoint lie")
    commands = parser.add_subparsers(required=True)
    c = commands.add_parser("data")
    c.add_argument("--share", type=float, default=1.0, help="of each set's trains, to see that the recipe runs")
    c.add_argument("--garita", default="target/release/garita")
    c.add_argument("--only", nargs="*")
    c.set_defaults(run=command_data)
    c = commands.add_parser("train")
    c.add_argument("--minutes", type=float, default=150)
    c.add_argument("--steps", type=int, default=12_000)
    c.add_argument("--pairs", type=int, default=4)
    c.add_argument("--width", type=int, default=160)
    c.add_argument("--loudest", type=float, default=0.01, help="weight of the 40 loudest cells of each crop that should be silent")
    c.add_argument("--rate", type=float, default=3e-3)
    c.add_argument("--threads", type=int, default=1)
    c.add_argument("--makers", type=int, default=1, help="processes that make crops")
    c.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="bfloat16 convolutions: faster where the processor has AMX")
    c.add_argument("--fresh", action="store_true")
    c.set_defaults(run=command_train)
    c = commands.add_parser("eval")
    c.add_argument("--threads", type=int, default=1)
    c.add_argument("--sets", type=int, default=len(REPORT))
    c.set_defaults(run=command_eval)
    c = commands.add_parser("curve")
    c.add_argument("logs", nargs="+")
    c.set_defaults(run=command_curve)
    c = commands.add_parser("export")
    c.add_argument("--models", type=pathlib.Path, default=HERE.parent)
    c.set_defaults(run=command_export)
    args = parser.parse_args()
    RUNS = args.folder
    args.run(args)
