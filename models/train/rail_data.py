"""What the network of models/train/rail.py is fed: scans read, a car's channels, generic threats thinned into counts.

Everything below a `FEATURES` line is repeated in src/rail/expect.rs and src/rail/anomaly.rs; change both.
"""

import json
import pathlib
import struct

import cv2
import numpy as np

cv2.setNumThreads(1)

# FEATURES: cells of 64 mm (4 x 4 pixels of 16 mm). ROWS from the top; TILE columns are 20.5 m: most cars in one tile.
CELL_MM = 64.0
ROWS, TILE = 96, 320
CHANNELS = 15
# Shapes of less than this, g/cm2, are don't-care: they look like the doublers that are welded on every second car (1.2-3 mm, 0.9-2.4 g/cm2).
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
        # A bad channel is filled from its neighbours, as transmission.
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


def coarse(car):
    """The car in cells of 64 mm: n int32 [row, column], air f32 [row], and the scattered share that its darkest parts show (src/rail/car.rs)."""
    n, air = car["n"], car["air"]
    h, w = n.shape[0] // 2, n.shape[1] // 2
    out = dict(car, n=n[: 2 * h, : 2 * w].reshape(h, 2, w, 2).sum((1, 3)).astype(np.int32), air=air[: 2 * h].reshape(h, 2).sum(1) * 2)
    t = out["n"] / out["air"][:, None]
    q = float(np.median(out["air"]))
    wide = veil_blur(t.astype(np.float32))
    dark = (wide > 0.05) & (t < 0.2)
    counts = box(box(t.astype(np.float32), 1, 0), 1, 1) * 9 * q
    ratios = np.sort((counts + 2 * np.sqrt(counts + 1))[dark] / (9 * q) / wide[dark])
    ratio = float(np.clip(ratios[2], 0, 0.2)) if len(ratios) > 30 else 0.0
    out["veil"] = ratio / (1 - ratio)
    return out


# ---------------------------------------------------------------- features


def box(x, k, axis):
    """Running mean of width 2k+1, edges repeated."""
    return cv2.blur(x, (1, 2 * k + 1) if axis == 0 else (2 * k + 1, 1), borderType=cv2.BORDER_REPLICATE)


def veil_blur(t):
    """Transmission averaged over about a metre."""
    return box(box(box(box(t, 5, 0), 5, 1), 5, 0), 5, 1)


def thickness(n, air, mu, veil):
    """FEATURES: steel-equivalent g/cm2 and its sigma, [row, column], the veil taken off; half a quantum where there was none."""
    t = (n / air[:, None]).astype(np.float32)
    if veil > 0:
        t = (1 + veil) * t - veil * veil_blur(t)
    half = 0.5 / np.float32(np.median(air))
    some = np.maximum(t + half, half)
    x = np.clip(-np.log(some) / mu, -4, 160).astype(np.float32)
    sigma = (np.sqrt(n + 1.0) / air[:, None] * (1 + veil) / (mu * some)).astype(np.float32)
    return x, sigma


def envelope(x, sigma):
    """FEATURES: where the car is: from the topmost thing that is surely there down to the rail, [row, column] bool."""
    mean3 = lambda v: box(box(v, 1, 0), 1, 1)
    there = mean3(x) > np.maximum(0.5, 1.7 * mean3(sigma))
    # A thing has some height: two rows of three.
    there = box(there.astype(np.float32), 1, 0) > 0.6
    return np.cumsum(there, 0) > 0


def lower(values, inside, share, axis):
    """FEATURES: the value that `share` of the inside cells of a line lie below; 0 for a line without any."""
    count = inside.sum(axis)
    ordered = np.sort(np.where(inside, values, np.float32(1e9)), axis)
    at = np.maximum((count - 1) * share, 0).astype(np.int64)
    picked = np.take_along_axis(ordered, np.expand_dims(at, axis), axis).squeeze(axis)
    return np.where(count > 0, picked, 0).astype(np.float32)


def own(x, inside, top_mm):
    """FEATURES: what the car's long members make of each cell: what its row has along the car and, above the floor, its column from there to the roof."""
    height = top_mm - CELL_MM * (np.arange(x.shape[0]) + 0.5)
    body = inside & (height > 1200)[:, None]
    row = lower(x, inside, 0.5, 1)
    # 0.35: who stands covers half of a column.
    column = lower(x - row[:, None], body, 0.35, 0)
    row = row + np.where(height > 1200, lower(x - row[:, None] - column, inside, 0.5, 1), 0)
    return row[:, None] + np.where((height > 1200)[:, None], column, 0)


def mirrored(x):
    """FEATURES: the car the other way round, about the axis (within 0.5 m of its middle) that fits best; where that leaves nothing, itself."""
    rows, w = x.shape
    kept = np.clip(x, -4, 40)
    best, at = None, 0
    for shift in range(-8, 9):
        # Column c lies where w - 1 - c + shift does.
        low, high = max(0, shift), min(w, w + shift)
        here = kept[:, low:high]
        cost = float(np.abs(here - here[:, ::-1]).mean())
        if best is None or cost < best:
            best, at = cost, shift
    there = np.clip(w - 1 - np.arange(w) + at, 0, w - 1)
    return x[:, there]


def alike(x):
    """FEATURES: what each column would be by the eight columns of the car that are most like it, g/cm2 [row, column]: cars repeat themselves (posts,
    bays, wheels), what is hidden does not. Like: the smallest sum of squares of asinh(x/4), smoothed, over the column and those two before and behind it,
    either way round; 21 to 640 columns away, since what is hidden is like itself."""
    rows, w = x.shape
    v = box(box(np.arcsinh(x / 4), 1, 0), 1, 1)
    square = (v * v).sum(0)
    apart = np.maximum(square[:, None] + square[None, :] - 2 * (v.T @ v), 0)
    edge = np.pad(apart, 2, mode="edge")
    forth = apart + edge[:-4, :-4] + edge[4:, 4:]
    back = apart + edge[:-4, 4:] + edge[4:, :-4]
    cost = np.minimum(forth, back)
    away = np.abs(np.arange(w)[:, None] - np.arange(w)[None, :])
    cost[(away < 21) | (away > 640)] = np.inf
    count = min(8, w)
    best = np.argpartition(cost, count - 1, 1)[:, :count]
    usable = np.isfinite(np.take_along_axis(cost, best, 1)).astype(np.float32)
    n = usable.sum(1)
    like = (x[:, best] * usable[None]).sum(2) / np.maximum(n, 1)
    return np.where(n > 0, like, x).astype(np.float32)


def surely(difference, variance, k):
    """FEATURES: how sure a difference is over squares of 2k+1 cells, in quarters of a standard error, at most 4."""
    mean = lambda v: box(box(np.ascontiguousarray(v, np.float32), k, 0), k, 1)
    return np.clip(mean(difference) * (2 * k + 1) / np.sqrt(mean(variance)) / (4 if k == 1 else 8), -4, 4)


def channels(x, sigma, top_mm):
    """FEATURES: f32 [CHANNELS, row, column] of one whole car, and its envelope. Of g/cm2 and their sigma; `top_mm`: upper edge of row 0 over the rail."""
    inside = envelope(x, sigma)
    rows, columns = x.shape
    squash = lambda v: np.clip(v / 8, -4, 4)
    variance = sigma * sigma
    over = x - own(x, inside, top_mm)
    other = mirrored(box(box(x, 1, 0), 1, 1))
    # The other end, one row and two columns about: speed and cutting are off by as much.
    high = cv2.dilate(other, np.ones((3, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    low = cv2.erode(other, np.ones((3, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    lopsided = x - np.clip(x, low, high)
    both = np.maximum(np.minimum(over, lopsided), 0) + np.minimum(np.maximum(over, lopsided), 0)
    lonely = x - alike(x)
    height = np.broadcast_to(((top_mm - CELL_MM * (np.arange(rows) + 0.5)) / 6000).astype(np.float32)[:, None], x.shape)
    end = np.minimum(np.arange(columns), np.arange(columns)[::-1]).astype(np.float32)
    f = np.stack(
        [
            np.arcsinh(x / 4) / 3,
            np.log(sigma) / 2,
            squash(over),
            squash(lopsided),
            surely(over, variance, 1),
            surely(lopsided, variance, 1),
            surely(both, variance, 1),
            surely(both, variance, 3),
            squash(x - box(x, 10, 1)),
            squash(x - box(x, 4, 0)),
            height,
            np.broadcast_to(np.minimum(end / 75, 1.5), x.shape) * inside,
            squash(lonely),
            surely(lonely, variance, 1),
            surely(lonely, variance, 3),
        ]
    ).astype(np.float32)
    return f, inside


# ---------------------------------------------------------------- generic threats


def shape(rng):
    """A thickness profile at 32 mm, f32 [h, w], its largest value about 1: nothing in particular."""
    kind = rng.integers(7)
    size = lambda lo, hi: int(round(np.exp(rng.uniform(np.log(lo), np.log(hi)))))
    h, w = size(3, 32), size(3, 32)
    if kind == 0:  # a few overlapping ellipsoids, at any angle
        s = np.zeros((h + 8, w + 8), np.float32)
        yy, xx = np.mgrid[: h + 8, : w + 8]
        for _ in range(rng.integers(1, 6)):
            cy, cx = rng.uniform(2, h + 6), rng.uniform(2, w + 6)
            ry, rx = rng.uniform(1, max(h / 2, 1.5)), rng.uniform(1, max(w / 2, 1.5))
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
        return np.ones((size(10, 90), size(4, 28)), np.float32) * rng.uniform(0.5, 1)
    if kind == 4:  # a lying slab
        return np.ones((size(3, 10), size(10, 160)), np.float32) * rng.uniform(0.5, 1)
    if kind == 5:  # things in a row, close together or not, of one height or not
        h, w = size(3, 16), size(20, 160)
        s = np.zeros((h, w), np.float32)
        x, even = 0, rng.random() < 0.5
        while x < w:
            wide = size(3, 20)
            tall = h if even else rng.integers(max(h // 3, 1), h + 1)
            s[h - tall :, x : x + wide] = rng.uniform(0.4, 1)
            x += wide + rng.integers(0, 8)
        return s[::-1] if rng.random() < 0.3 else s
    s = np.zeros((h + 4, w + 4), np.float32)  # boxes in a cluster
    for _ in range(rng.integers(1, 7)):
        bh, bw = rng.integers(1, max(h // 2, 2) + 1), rng.integers(1, max(w // 2, 2) + 1)
        y, x = rng.integers(0, h + 4 - bh + 1), rng.integers(0, w + 4 - bw + 1)
        s[y : y + bh, x : x + bw] = np.maximum(s[y : y + bh, x : x + bw], rng.uniform(0.3, 1))
    return s


def through(s, mu, density, rng):
    """The share that passes through a profile of `density` g/cm2, in cells of 64 mm, [h, w]; the profile lies anywhere on the grid."""
    a = np.clip(s * density * (1 + 0.15 * rng.normal() * box(box(rng.normal(size=s.shape).astype(np.float32), 1, 0), 1, 1)), 0, 120)
    top, left = rng.integers(2), rng.integers(2)
    h, w = -(-(s.shape[0] + top) // 2) * 2, -(-(s.shape[1] + left) // 2) * 2
    padded = np.zeros((h, w), np.float32)
    padded[top : top + s.shape[0], left : left + s.shape[1]] = a
    return np.exp(-mu * padded).reshape(h // 2, 2, w // 2, 2).mean((1, 3))


def thread(n, car, inside, rng):
    """Threats thinned into the counts `n` (int [row, column]) in place: label (1 threat, -1 don't care, 0)."""
    rows, columns = n.shape
    label = np.zeros(n.shape, np.int8)
    floor = int((car["top_mm"] - rng.uniform(900, 1400)) / CELL_MM)
    # Several to a car: a step has few threat cells otherwise; the benign copy beside it keeps the number from meaning anything.
    for _ in range(rng.integers(1, 6)):
        density = np.exp(rng.uniform(np.log(FAINT / 2), np.log(70)))
        p = through(shape(rng), car["mu"], density, rng)[:rows, :columns]
        p = p[:, ::-1] if rng.random() < 0.5 else p
        h, w = p.shape
        # Somewhere inside; often at the foot of the body, where things stand; under the roof; among what hangs below the floor; sometimes on top of what is there.
        where = rng.random()
        for _ in range(20):
            y, x = rng.integers(0, rows - h + 1), rng.integers(0, columns - w + 1)
            if where < 0.4:
                y = int(np.clip(floor - h, 0, rows - h))
            elif where < 0.5:
                y = int(np.clip(np.argmax(inside[:, x + w // 2]) + rng.integers(0, 4), 0, rows - h))
            elif where < 0.6:
                y = int(np.clip(floor + rng.integers(0, 10), 0, rows - h))
            if inside[y + h // 2, x + w // 2] or (rng.random() < 0.08 and inside[min(y + h + 2, rows - 1), x + w // 2]):
                break
        else:
            continue
        here = (slice(y, y + h), slice(x, x + w))
        before = n[here]
        if rng.random() < 0.08:
            # A hollow: more gets through (over-dispersed, so for training only).
            after = before + rng.poisson(np.minimum(before * (1 / np.maximum(p, 0.4) - 1), 4.0 * car["air"][y : y + h, None]))
        else:
            after = rng.binomial(before, p)
        change = before * (1 - p)
        evidence = (change**2 / (before + 1.0)).astype(np.float32)
        d = np.sqrt(evidence.sum())
        seen = (box(box(evidence, 1, 0), 1, 1) * 9 > 2.0) & (p < 1)
        n[here] = after
        if d >= 3:
            patch = label[here]
            patch[(p < 1) & ~seen & (patch == 0)] = -1
            patch[seen] = 1 if d >= 10 and -np.log(p.min()) / car["mu"] >= FAINT else -1
    return label


def furnish(n, car, inside, rng):
    """What cars of other builders have more: sheets along rows, posts at even spacing, the same thing at both ends. Thinned in place; all of it normal."""
    rows, columns = n.shape
    for _ in range(rng.integers(0, 3)):
        # A member along the car, from near one end to near the other.
        y, h = rng.integers(0, rows - 4), rng.integers(1, 7)
        a, b = rng.integers(0, max(columns // 6, 1)), columns - rng.integers(0, max(columns // 6, 1))
        here = (slice(y, y + h), slice(a, b))
        n[here] = rng.binomial(n[here], np.where(inside[here], np.exp(-car["mu"] * rng.uniform(0.3, 6)), 1))
    if rng.random() < 0.5:
        # Posts, stakes, ribs; the same height for all.
        step, wide, phase = rng.uniform(6, 40), rng.uniform(0.6, 2.5), rng.uniform(0, 40)
        off = np.abs((np.arange(columns) + phase) % step - step / 2)
        cover = np.clip(wide / 2 + 0.5 - off, 0, 1)
        y = rng.integers(0, rows // 2)
        h = rng.integers(8, rows)
        a = np.zeros((rows, columns), np.float32)
        a[y : y + h] = cover * rng.uniform(0.5, 6)
        n[:] = rng.binomial(n, np.where(inside, np.exp(-car["mu"] * a), 1))
    for _ in range(rng.integers(0, 3)):
        # Something that both ends have.
        p = through(shape(rng), car["mu"], np.exp(rng.uniform(np.log(1), np.log(30))), rng)[:rows, : columns // 2]
        h, w = p.shape
        y, x = rng.integers(0, rows - h + 1), rng.integers(0, columns // 2 - w + 1)
        if not inside[y + h // 2, x + w // 2]:
            continue
        for left, q in ((x, p), (columns - x - w, p[:, ::-1])):
            here = (slice(y, y + h), slice(left, left + w))
            n[here] = rng.binomial(n[here], q)


def sample(car, rng, width):
    """A benign and a threat crop of one car (as `coarse` makes it): inputs [2, C, ROWS, width], labels [2, ROWS, width] (1, 0, -1)."""
    n, air, mu, veil, top_mm = car["n"], car["air"], car["mu"], car["veil"], car["top_mm"]
    # Less dose, exact by thinning; a train that was faster or slower than it was said to be; heights off by a little.
    p = np.exp(rng.uniform(np.log(0.25), 0)) if rng.random() < 0.4 else 1.0
    n, air = (rng.binomial(n, p) if p < 1 else n.copy()), air * np.float32(p)
    if rng.random() < 0.5:
        n = n[:, ::-1].copy()
    if rng.random() < 0.4:
        # Other lengths: columns left out or doubled, half of each, which keeps counts counts.
        columns = n.shape[1]
        n = np.ascontiguousarray(n[:, np.linspace(0, columns - 1, int(columns * rng.uniform(0.85, 1.15))).astype(int)])
    if rng.random() < 0.5:
        a, b = rng.integers(0, 6, 2)
        n = np.ascontiguousarray(n[:, a : n.shape[1] - b])
    top_mm = top_mm + rng.uniform(-100, 100)
    mild = dict(mu=mu, air=air, top_mm=top_mm)
    x, sigma = thickness(n, air, mu, veil)
    inside = envelope(x, sigma)
    if rng.random() < 0.6:
        furnish(n, mild, inside, rng)
        x, sigma = thickness(n, air, mu, veil)
        inside = envelope(x, sigma)
    # Most shapes fall where nobody could see them (opaque goods, noise): draw again, but keep some, so that nothing there is learnt as nothing.
    for _ in range(5):
        bad = n.copy()
        label = thread(bad, mild, inside, rng)
        if (label == 1).any() or rng.random() < 0.1:
            break
    columns = n.shape[1]
    marked = np.flatnonzero((label == 1).any(0))
    if columns <= width:
        start = 0
    elif len(marked) and rng.random() < 0.9:
        start = int(np.clip(rng.choice(marked) - rng.integers(0, width), 0, columns - width))
    else:
        start = int(rng.integers(0, columns - width + 1))
    outs, labels = [], []
    threat, inside_too = channels(*thickness(bad, air, mu, veil), top_mm)
    # Outside of the car nothing is asked.
    for f, lab in ((channels(x, sigma, top_mm)[0], np.where(inside, 0, -1)), (threat, np.where(inside_too, label, -1))):
        outs.append(pad(f[:, :, start : start + width], width))
        whole = np.full((ROWS, width), -1, np.int8)
        part = lab[:ROWS, start : start + width]
        whole[: part.shape[0], : part.shape[1]] = part
        labels.append(whole)
    return np.stack(outs), np.stack(labels)


def pad(f, width):
    out = np.zeros((f.shape[0], ROWS, width), np.float32)
    out[:, : min(f.shape[1], ROWS), : f.shape[2]] = f[:, :ROWS]
    return out
