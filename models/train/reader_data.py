"""Training pictures for the reader: rendered pools and real crops, warped and spoilt the way a camera and a detector do.

Both kinds are kept as one uint8 array each; a sample is one homography (perspective, tilt, imprecise quad, margin) from
the stored picture to the 64 x 160 input, then a few cheap photometric operations.
"""

import json
import threading
import queue
from pathlib import Path

import cv2
import numpy as np

import render_plates as rp
import splits
from plate_formats import JURISDICTIONS
from reader_net import ALPHABET, COLUMNS, HEIGHT, WIDTH

MARGIN_X, MARGIN_Y = 0.06, 0.10  # added on each side of the quad, as shares of its width and height
CROP_MARGIN = 0.12  # what the labelled crop files have
REAL_W, REAL_H = 288, 128  # stored size of a real crop, margin included
IGNORE = -100  # a jurisdiction that is not known
EDGE = 100  # added to the class of a column at a character's edge: it may say the character or blank
UNIT = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])


def jurisdiction_of(region):
    """Class of a labelled region, IGNORE where it is not known well enough."""
    if region in JURISDICTIONS:
        return JURISDICTIONS.index(region)
    if region is None or region in ("US", "MX", "CA") or region.startswith(("US-", "MX-", "CA-")):
        return IGNORE
    return JURISDICTIONS.index("other")


def load_real(data: Path, split: str, work: Path):
    """Rows of the split with `picture` [N, REAL_H, REAL_W] uint8 cached under `work`; texts with '?' are left out for training."""
    rows = splits.crops(data, split)
    cache = work / f"real_{split}.npy"
    if not cache.exists():
        pictures = np.zeros((len(rows), REAL_H, REAL_W), np.uint8)
        sizes = []
        for index, row in enumerate(rows):
            crop = cv2.imread(str(data / row["crop"]), cv2.IMREAD_GRAYSCALE)
            sizes.append(crop.shape[1] / crop.shape[0])
            shrink = crop.shape[1] > REAL_W
            pictures[index] = cv2.resize(crop, (REAL_W, REAL_H), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        np.save(cache, pictures)
        (work / f"real_{split}_ratio.json").write_text(json.dumps(sizes))
    return rows, np.load(cache), np.array(json.loads((work / f"real_{split}_ratio.json").read_text()), np.float32)


def plain_input(crop):
    """Reader input [64, 160] float32 of a full-resolution grey crop file with 12 % margin: its labelled box plus our margins."""
    high, wide = crop.shape
    box_w, box_h = wide / (1 + 2 * CROP_MARGIN), high / (1 + 2 * CROP_MARGIN)
    x, y = box_w * (CROP_MARGIN - MARGIN_X), box_h * (CROP_MARGIN - MARGIN_Y)
    w, h = box_w * (1 + 2 * MARGIN_X), box_h * (1 + 2 * MARGIN_Y)
    # shrink in steps of area averaging first, so that the bilinear warp never skips pixels
    fx = min(1.0, 2.0 * WIDTH / w)
    fy = min(1.0, 2.0 * HEIGHT / h)
    if fx < 1 or fy < 1:
        small = cv2.resize(crop, (max(1, round(wide * fx)), max(1, round(high * fy))), interpolation=cv2.INTER_AREA)
        fx, fy = small.shape[1] / wide, small.shape[0] / high
        crop, x, y, w, h = small, x * fx, y * fy, w * fx, h * fy
    quad = np.float32([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    warp = cv2.getPerspectiveTransform(quad, UNIT * np.float32([WIDTH, HEIGHT]))
    return cv2.warpPerspective(crop, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32) / 255


class Spoiler:
    """Photometric damage on a uint8 [64, 160] picture; `strength` about 1."""

    def __init__(self, rng):
        self.rng = rng
        self.noise = rng.normal(0, 1, (1 << 20,)).astype(np.float32)
        ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        self.xs, self.ys = xs / WIDTH - 0.5, ys / HEIGHT - 0.5

    def __call__(self, picture, strength=1.0, fine=50):
        """`fine`: least width in px that the picture may be reduced to."""
        rng = self.rng
        if rng.random() < 0.12:  # light lettering on a dark ground is rare in the pictures, not on the road
            picture = 255 - picture
        if rng.random() < 0.15 * strength:  # mud, bolts, a tow bar before the plate
            for _ in range(int(rng.integers(1, 4))):
                x, y, wide, high = int(rng.integers(0, WIDTH - 4)), int(rng.integers(0, HEIGHT - 4)), int(rng.integers(2, 9)), int(rng.integers(2, 10))
                picture = np.ascontiguousarray(picture)
                cv2.ellipse(picture, (x, y), (wide, high), float(rng.uniform(0, 180)), 0, 360, int(rng.integers(0, 256)), -1)
        if rng.random() < 0.3 * strength:
            length = int(rng.integers(2, 3 + round(5 * strength)))
            angle = rng.uniform(0, np.pi)
            kernel = np.zeros((7, 7), np.float32)
            dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2 * 0.7
            cv2.line(kernel, (round(3 - dx), round(3 - dy)), (round(3 + dx), round(3 + dy)), 1.0, 1, cv2.LINE_AA)
            picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
        if rng.random() < 0.45 * strength:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.6 + 1.3 * strength * rng.random()), rng.uniform(0.4, 1.2))
        if rng.random() < 0.55 * strength:
            width = int(fine + (WIDTH - fine) * rng.random() ** 1.5)
            high = int(width * rng.uniform(0.28, 0.5))
            small = cv2.resize(picture, (width, high), interpolation=cv2.INTER_AREA)
            if rng.random() < 0.4:
                small = self.grain(small, rng.uniform(1, 10))
            if rng.random() < 0.35:
                small = self.jpeg(small)
            picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR if rng.random() < 0.75 else cv2.INTER_CUBIC)
        elif rng.random() < 0.25:
            picture = self.jpeg(picture)
        if rng.random() < 0.15:  # the halo of a camera that sharpens
            soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 2.5))
            amount = rng.uniform(0.4, 2.0)
            picture = cv2.addWeighted(picture, 1 + amount, soft, -amount, 0)
        light = picture.astype(np.float32)
        kind = rng.random()
        if kind < 0.5:  # contrast, gamma, night
            span, floor = rng.uniform(0.4, 1.1), rng.uniform(0, 40)
            gamma = np.exp(rng.normal(0, 0.35))
            table = np.clip(floor + span * 255 * (np.arange(256) / 255.0) ** gamma + rng.uniform(-30, 60) * (span < 0.8), 0, 255)
            if rng.random() < 0.08:
                table = table * rng.uniform(0.2, 0.5)
            light = cv2.LUT(picture, table.astype(np.float32))
        if rng.random() < 0.2 * strength:  # shadow edge or slope
            slope = rng.uniform(-1, 1) * self.xs + rng.uniform(-1, 1) * self.ys
            if rng.random() < 0.5:
                light = light * (1 + rng.uniform(0.3, 1.2) * slope)
            else:
                light = light * np.where(slope > rng.uniform(-0.2, 0.2), 1.0, rng.uniform(0.35, 0.8)).astype(np.float32)
        if rng.random() < 0.08 * strength:  # glare
            cx, cy = rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6)
            light = light + rng.uniform(40, 200) * np.exp(-((self.xs - cx) ** 2 + (self.ys - cy) ** 2) / rng.uniform(0.01, 0.2))
        if rng.random() < 0.45 * strength:
            light = self.grain(light, rng.uniform(1, 14) if rng.random() < 0.85 else rng.uniform(14, 30))
        picture = np.clip(light, 0, 255).astype(np.uint8)
        if rng.random() < 0.07:  # salt and pepper baked into some sets
            hits = rng.random((HEIGHT, WIDTH)) if rng.random() < 0.5 else cv2.resize(rng.random((HEIGHT // 2, WIDTH // 2)), (WIDTH, HEIGHT))
            share = rng.uniform(0.005, 0.06)
            picture[hits < share] = 0
            picture[hits > 1 - share] = 255
        return picture

    def grain(self, picture, sigma):
        start = int(self.rng.integers(0, self.noise.size - picture.size))
        noisy = picture.astype(np.float32) + sigma * self.noise[start : start + picture.size].reshape(picture.shape)
        return np.clip(noisy, 0, 255).astype(picture.dtype)

    def jpeg(self, picture):
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(self.rng.integers(20, 85))])[1]
        return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def homography(rng, quad, ratio, tilt, jitter, boxed, spare=0.0):
    """Warp from stored-picture px to input px.

    `quad` [4, 2]: the plate's corners (tl, tr, br, bl) in stored px; `ratio`: its true width / height. The plate is
    tilted by about `tilt` radians with perspective; then what a detector would hand over is taken: the upright box of the
    tilted plate where `boxed`, else its corners, off by `jitter` (share of the width). `spare`: how much larger than the plate
    the quad is, as a share of its sides.
    """
    true = UNIT * np.float32([ratio, 1.0])
    angle, shear = rng.normal(0, tilt), rng.normal(0, tilt * 1.2)
    turn = np.float32([[np.cos(angle), -np.sin(angle) + shear], [np.sin(angle), np.cos(angle)]])
    corners = true @ turn.T
    depth = rng.normal(0, 0.06, 2) * (tilt > 0)
    corners = corners * (1 + depth[0] * (UNIT[:, :1] - 0.5) + depth[1] * (UNIT[:, 1:] - 0.5))
    if boxed:
        low, high = corners.min(0), corners.max(0)
        target = low + UNIT * (high - low)
    else:
        target = corners
    size = np.float32([np.linalg.norm(target[1] - target[0]), np.linalg.norm(target[3] - target[0])])
    if spare > 0:
        target = target.mean(0) + (target - target.mean(0)) * (1 + spare * rng.random(2))
    target = target + rng.normal(0, jitter * 0.5, (4, 2)) * np.float32([size[0], max(size[1], 0.4 * size[0])])
    target = target + rng.normal(0, jitter * 0.5, (1, 2)) * np.float32([size[0], max(size[1], 0.3 * size[0])])
    inner = (UNIT + np.float32([MARGIN_X, MARGIN_Y])) / np.float32([1 + 2 * MARGIN_X, 1 + 2 * MARGIN_Y]) * np.float32([WIDTH, HEIGHT])
    place = cv2.getPerspectiveTransform(np.float32(quad), np.float32(corners))
    view = cv2.getPerspectiveTransform(np.float32(target), np.float32(inner))
    return view @ place


RENDER_QUAD = np.float32([rp.MARGIN_X, rp.MARGIN_Y]) + UNIT * np.float32([rp.PLATE_W, rp.PLATE_H])
REAL_QUAD = (UNIT + CROP_MARGIN) / (1 + 2 * CROP_MARGIN) * np.float32([REAL_W, REAL_H])


class Rendered:
    """Samples of a rendered pool (folder of .npy from render_plates.py)."""

    def __init__(self, folder: Path, rng, spoiler):
        self.array = {path.stem: np.load(path, mmap_mode="r" if path.stem == "pictures" else None) for path in Path(folder).glob("*.npy")}
        self.rng, self.spoil = rng, spoiler
        self.order, self.at = np.zeros(0, int), 0

    def next(self, strength):
        """(picture uint8 [64, 160], column classes [80] (see `columns`), text classes, jurisdiction)."""
        if self.at >= len(self.order):
            self.order, self.at = self.rng.permutation(len(self.array["ratio"])), 0
        index = self.order[self.at]
        self.at += 1
        rng = self.rng
        boxed = rng.random() < 0.45
        tilt = rng.choice([0.02, 0.06, 0.13], p=[0.4, 0.35, 0.25])
        warp = homography(rng, RENDER_QUAD, float(self.array["ratio"][index]), tilt, 0.025, boxed, 0.4 if rng.random() < 0.2 else 0.0)
        fill = {"borderMode": cv2.BORDER_REPLICATE}
        picture = cv2.warpPerspective(self.array["pictures"][index], warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, **fill)
        present = self.array["classes"][index] > 0
        boxes = self.array["extents"][index][present]
        middle = (boxes[:, 1] + boxes[:, 3]) / 2
        ends = np.stack([np.stack([boxes[:, 0], middle], 1), np.stack([boxes[:, 2], middle], 1)], 1)  # [n, 2, 2]
        across = cv2.perspectiveTransform(ends.astype(np.float32), warp)[:, :, 0] * (COLUMNS / WIDTH) - 0.5  # column index of a point
        text = self.array["classes"][index][present].astype(np.int64)
        labels = columns(across, text, self.array["lines"][index][present])
        return self.spoil(picture, strength), labels, text, int(self.array["jurisdiction"][index])


def columns(across, classes, lines):
    """Class each output column should say [80]: `across` [n, 2] = left and right end of each character in columns.

    The middle 56 % of a character says it, the outer part of its cell may (class + EDGE), everything else is blank.
    """
    labels = np.zeros(2 * COLUMNS, np.int64)
    for (left, right), klass, line in zip(across, classes, lines):
        base = COLUMNS * int(line)
        lo, hi = max(0, int(np.ceil(left + 0.08 * (right - left)))), min(COLUMNS - 1, int(np.floor(right - 0.08 * (right - left))))
        for column in range(lo, hi + 1):
            if labels[base + column] == 0:
                labels[base + column] = EDGE + klass
    previous = {}
    for (left, right), klass, line in zip(across, classes, lines):
        base = COLUMNS * int(line)
        middle, half = (left + right) / 2, 0.28 * (right - left)
        lo, hi = int(np.ceil(middle - half)), int(np.floor(middle + half))
        if hi < lo:
            lo = hi = int(round(middle))
        last_class, last_column = previous.get(int(line), (0, -9))
        if lo <= last_column:
            lo = last_column + 1
        if klass == last_class and lo == last_column + 1:  # two alike need a blank between them
            lo += 1
            if 0 <= lo - 1 < COLUMNS:
                labels[base + lo - 1] = 0
        hi = max(hi, lo)
        if hi < 0 or lo >= COLUMNS:
            continue
        labels[base + max(lo, 0) : base + min(hi, COLUMNS - 1) + 1] = klass
        previous[int(line)] = (klass, hi)
    return labels


def baseline_slope(picture):
    """dy/dx of the text lines of a stored crop: the shear that makes horizontal edges fall into the fewest rows."""
    inner = cv2.resize(picture[REAL_H // 8 : -REAL_H // 8, REAL_W // 8 : -REAL_W // 8], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    edges = np.abs(cv2.Sobel(inner, cv2.CV_32F, 0, 1))
    best = (-1.0, 0.0)
    for slope in np.linspace(-0.36, 0.36, 37):
        level = cv2.warpAffine(edges, np.float32([[1, 0, 0], [-slope, 1, slope * edges.shape[1] / 2]]), (edges.shape[1], edges.shape[0]))
        best = max(best, (float(np.var(level.mean(1))) * (1 - 0.15 * abs(slope)), float(slope)))
    return best[1]


def character_cells(best):
    """Where each character of a read stands, from the best class of each of the 80 columns of an untilted `plain_input`.

    Rows (x0, x1, line) in stored px of the crop; half-way to the neighbours, but no more than 0.55 of the median pitch.
    """
    runs, last = [], 0
    for column, klass in enumerate(best):
        if klass and (klass != last or column == COLUMNS):
            runs.append([column, column])
        elif klass:
            runs[-1][1] = column
        last = klass
    to_stored = lambda column: ((column + 0.5) * (1 + 2 * MARGIN_X) / COLUMNS - MARGIN_X + CROP_MARGIN) / (1 + 2 * CROP_MARGIN) * REAL_W
    cells = []
    for line in (0, 1):
        centres = [to_stored((a + b) / 2 - line * COLUMNS) for a, b in runs if a // COLUMNS == line]
        pitch = np.median(np.diff(centres)) if len(centres) > 1 else 20.0
        for i, centre in enumerate(centres):
            left = min((centre - centres[i - 1]) / 2 if i else 99.0, 0.55 * pitch)
            right = min((centres[i + 1] - centre) / 2 if i + 1 < len(centres) else 99.0, 0.55 * pitch)
            cells.append((centre - left, centre + right, line))
    return cells


def reshuffled(picture, text, cells, slope, rng):
    """The crop with the characters of each line dealt anew among their places, and the text that it then shows.

    A network sees 2,400 plates dozens of times and knows them by heart; dealt anew, each has to be read.
    """
    out, said = picture.copy(), text.copy()
    lines = np.array([line for _, _, line in cells])
    two = lines.max() > 0
    rows = np.arange(REAL_H)
    for line in range(1 + int(two)):
        places = np.flatnonzero(lines == line)
        deal = rng.permutation(places) if rng.random() < 0.7 else rng.choice(places, len(places))
        for to, source in zip(places, deal):
            a0, a1, b0, b1 = (round(v) for v in (*cells[to][:2], *cells[source][:2]))
            a0, b0, a1, b1 = max(a0, 0), max(b0, 0), min(a1, REAL_W), min(b1, REAL_W)
            if to == source or a1 - a0 < 3 or b1 - b0 < 3 or not 0.65 < (a1 - a0) / (b1 - b0) < 1.55:
                continue
            drop = round(slope * ((a0 + a1) - (b0 + b1)) / 2)
            strip = picture[np.clip(rows - drop, 0, REAL_H - 1), b0:b1]
            strip = cv2.resize(strip, (a1 - a0, REAL_H), interpolation=cv2.INTER_LINEAR)
            if two:
                middle = int(np.clip(REAL_H / 2 + slope * ((a0 + a1) / 2 - REAL_W / 2), 0, REAL_H))
                part = slice(0, middle) if line == 0 else slice(middle, REAL_H)
                out[part, a0:a1] = strip[part]
            else:
                out[:, a0:a1] = strip
            said[to] = text[source]
    return out, said


class Real:
    """Samples of the labelled crops; regions and two-line plates that are rare are drawn more often.

    Where `work` has cells_SPLIT.json (written by `reader.py align`), most samples are `reshuffled`.
    """

    def __init__(self, data: Path, split: str, work: Path, rng, spoiler):
        rows, self.pictures, self.ratio = load_real(data, split, work)
        keep = [i for i, row in enumerate(rows) if "?" not in row["text"] and len(row["text"]) <= rp.MAX_CHARS]
        self.rows, self.pictures, self.ratio = [rows[i] for i in keep], self.pictures[keep], self.ratio[keep]
        self.rng, self.spoil = rng, spoiler
        weight = np.array([(2.2 if (row["region"] or "").startswith(("US", "CA", "BR")) else 1.0) * (2.0 if row["lines"] == 2 else 1.0) for row in self.rows])
        self.weight = weight / weight.sum()
        self.targets = [np.array([1 + ALPHABET.index(c) for c in row["text"]], np.int64) for row in self.rows]
        self.jurisdiction = [jurisdiction_of(row["region"]) for row in self.rows]
        cells = work / f"cells_{split}.json"
        known = json.loads(cells.read_text()) if cells.exists() else {}
        self.cells = [known.get(row["crop"]) for row in self.rows]
        self.slope = [baseline_slope(picture) if found else 0.0 for picture, found in zip(self.pictures, self.cells)]

    def next(self, strength):
        """(picture uint8 [64, 160], None, text classes, jurisdiction)."""
        rng = self.rng
        index = int(rng.choice(len(self.rows), p=self.weight))
        warp = homography(rng, REAL_QUAD, float(self.ratio[index]), 0.06 * strength, 0.03, False)
        picture, text = self.pictures[index], self.targets[index]
        jurisdiction = self.jurisdiction[index]
        if self.cells[index] and rng.random() < 0.85:
            picture, text = reshuffled(picture, text, self.cells[index], self.slope[index], rng)
            jurisdiction = IGNORE  # the name above the number is cut up
        picture = cv2.warpPerspective(picture, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        hard = self.rows[index]["quality"] == "hard"
        return self.spoil(picture, 0.3 if hard else strength, 60), None, text, jurisdiction


class Batches:
    """Batches made ahead of time by one thread (OpenCV and torch both let go of the interpreter lock).

    `shares(step)` gives (share of real crops, strength of damage). A batch is (pictures uint8 [B, 64, 160], labels
    [rendered, 80], list of B texts, jurisdiction [B]); the rendered come first.
    """

    def __init__(self, rendered, real, size, shares, start, stop):
        self.rendered, self.real, self.size, self.shares = rendered, real, size, shares
        self.ready = queue.Queue(6)
        threading.Thread(target=self.work, args=(start, stop), daemon=True).start()

    def work(self, start, stop):
        cv2.setNumThreads(1)
        for step in range(start, stop):
            share, strength = self.shares(step)
            real = round(self.size * share)
            drawn = [self.rendered.next(strength) for _ in range(self.size - real)]
            seen = [self.real.next(strength) for _ in range(real)]
            pictures = np.stack([sample[0] for sample in drawn + seen])
            labels = np.stack([sample[1] for sample in drawn])
            self.ready.put((pictures, labels, [sample[2] for sample in drawn + seen], np.array([sample[3] for sample in drawn + seen])))

    def next(self):
        return self.ready.get()
