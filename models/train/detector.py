"""Plate detector: cache, train, export and evaluate.

One network, one output. Input f32 [1,1,384,640], grey 0..1, the picture scaled uniformly to fit and placed at the
top-left, the rest 0.5. Output f32 [1,9,48,80] at stride 8: channel 0 is the score logit of the cell, channels
1..8 are (x, y) of the top-left, top-right, bottom-right and bottom-left corner in input pixels relative to the centre of
the cell, ((col + 0.5) * 8, (row + 0.5) * 8). The files that ship take bytes and give cells: `detector_net.ship`.

    python models/train/detector.py train    # caches the pictures, trains, writes checkpoints (resumes by itself)
    python models/train/detector.py export   # models/detector.onnx, detector.int8.onnx, detector.json, all from `tune`
    python models/train/detector.py eval     # figures of the exported networks on tune and dev

Only `splits.pictures(data, "train")` and `splits.crops(data, "train")` are trained on; thresholds come from `tune`.
"""

import argparse
import json
import math
import os
import pickle
import random
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import half
import splits
from detector_net import HEIGHT, PAD, STRIDE, WIDTH, Detector, Export, load_model, planes, quantise, ship, shipped_weights, simplify_and_name
from detector_scenes import load_scenes, tile_frames

SMALLEST_PLATE = 11.0  # input pixels; narrower plates are neither positives nor negatives in training
LARGEST_PLATE = 460.0  # input pixels
HERE = Path(__file__).resolve().parent
MODELS = HERE.parent


# -------------------------------------------------------------------------------------------------------------- cache


def rectangle(x: float, y: float, w: float, h: float) -> np.ndarray:
    """Corners [4,2] of a box, from the top-left clockwise."""
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def load_pictures(data: Path, work: Path, split: str) -> list[dict]:
    """Grey pictures of a split with their plates, cached in `work`.

    Each: `levels` three uint8 arrays (full, half, quarter size), `quads` f32 [n,4,2] in full-size pixels, `exact` bool [n]
    (four real corners, not a rectangle), `extra` f32 [m,4,2] regions to ignore, `name`, `kind` (source prefix).
    """
    work.mkdir(parents=True, exist_ok=True)
    cached = work / f"pictures-{split}.pickle"
    if cached.exists():
        return pickle.loads(cached.read_bytes())
    result = []
    for row in splits.pictures(data, split):
        full = cv2.imread(str(data / row["image"]), cv2.IMREAD_GRAYSCALE)
        half = cv2.resize(full, ((full.shape[1] + 1) // 2, (full.shape[0] + 1) // 2), interpolation=cv2.INTER_AREA)
        quarter = cv2.resize(half, ((half.shape[1] + 1) // 2, (half.shape[0] + 1) // 2), interpolation=cv2.INTER_AREA)
        quads = [np.array(p["corners"], np.float32) if p["corners"] else rectangle(*p["box"]) for p in row["plates"]]
        name = row["image"].split("/")[-1]
        result.append({
            "levels": (full, half, quarter),
            "quads": np.array(quads, np.float32).reshape(-1, 4, 2),
            "exact": np.array([bool(p["corners"]) for p in row["plates"]], bool),
            "extra": np.zeros((0, 4, 2), np.float32),
            "name": name,
            "kind": name.split("-")[0],
        })
    cached.write_bytes(pickle.dumps(result))
    return result


def training_pictures(data: Path, work: Path, rectangles: float = 0.15) -> list[dict]:
    """The training split with what was found on it since: plates without a label, found by an earlier model and looked at; unclear ones, ignored;
    and which pictures fooled it (`hard`), which are drawn twice as often. `rectangles`: how far the corners of a labelled rectangle are trusted."""
    pictures = load_pictures(data, work, "train")
    found = json.loads((HERE / "detector_found.json").read_text())
    for picture in pictures:
        name = picture["name"]
        picture["trust"] = np.where(picture["exact"], 1.0, rectangles)
        added, unclear = found["plates"].get(name, []), found["ignored"].get(name, [])
        picture["hard"] = name in found["hard"]
        if unclear:
            picture["extra"] = np.array([rectangle(*box) for box in unclear], np.float32)
        if added:
            picture["quads"] = np.concatenate([picture["quads"], np.array([rectangle(*box) for box in added], np.float32)])
            picture["trust"] = np.concatenate([picture["trust"], np.zeros(len(added))])
    return pictures


def load_crops(data: Path, work: Path) -> list[np.ndarray]:
    """Clear training plates as uint8 greys without their margin, at most 160 px wide, cached in `work`."""
    cached = work / "crops-train.pickle"
    if cached.exists():
        return pickle.loads(cached.read_bytes())
    result = []
    for row in splits.crops(data, "train"):
        if row["quality"] != "clear" or row["plate_px"] < 60:
            continue
        grey = cv2.imread(str(data / row["crop"]), cv2.IMREAD_GRAYSCALE)
        h, w = grey.shape
        dx, dy = round(w * 0.12 / 1.24), round(h * 0.12 / 1.24)  # the crop has 12 % of the plate on every side
        grey = grey[dy:h - dy, dx:w - dx]
        if grey.shape[1] > 160:
            grey = cv2.resize(grey, (160, max(8, round(160 * grey.shape[0] / grey.shape[1]))), interpolation=cv2.INTER_AREA)
        result.append(grey)
    cached.write_bytes(pickle.dumps(result))
    return result


def text_patches(count: int = 500, seed: int = 7) -> list[np.ndarray]:
    """Alpha masks uint8 [h,w] of words, numbers, dates and addresses: lettering that is not a plate."""
    from PIL import Image, ImageDraw, ImageFont
    rng = random.Random(seed)
    fonts = sorted(Path("/usr/share/fonts").rglob("DejaVu*.ttf")) or [None]
    words = "FREIGHT LOGISTICS TRUCKING EXPRESS CARGO TRANSPORT TAXI POLICE EXIT STOP GATE LANE CAMERA Ford TOYOTA Sale Parking Only CAUTION WIDE RIGHT TURN " \
        "www.example.com 1-800-555-0199 How is my driving? USDOT 1234567 VIN MC 99120 Baby on board 4x4 Turbo HYBRID V8 xDrive Silverado F-150 RAM 1500 Refrigerated".split()
    patches = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.35:
            text = f"{rng.randint(2015, 2026)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
            if rng.random() < 0.5:
                text = rng.choice(["CAM", "LANE", "Channel ", "GATE "]) + str(rng.randint(1, 16)) + "  " + text
        elif kind < 0.5:
            text = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(rng.randint(3, 11)))
        else:
            text = " ".join(rng.choice(words) for _ in range(rng.randint(1, 3)))
            if rng.random() < 0.2:
                text += "\n" + " ".join(rng.choice(words) for _ in range(rng.randint(1, 3)))
        path = rng.choice(fonts)
        font = ImageFont.truetype(str(path), 30) if path else ImageFont.load_default(30)
        canvas = Image.new("L", (1000, 120), 0)
        draw = ImageDraw.Draw(canvas)
        draw.multiline_text((8, 8), text, 255, font=font)
        box = canvas.getbbox()
        if box:
            patches.append(np.asarray(canvas.crop((max(0, box[0] - 4), max(0, box[1] - 4), box[2] + 4, box[3] + 4))).copy())
    return patches


def drawn_plates(count: int = 400, seed: int = 11) -> list[np.ndarray]:
    """Simple rendered plates uint8 [h,w] with exact edges, one and two lines, dark on light or light on dark."""
    from PIL import Image, ImageDraw, ImageFont
    rng = random.Random(seed)
    fonts = [p for p in sorted(Path("/usr/share/fonts").rglob("DejaVu*Bold*.ttf")) if "Oblique" not in p.name] or [None]
    plates = []
    for _ in range(count):
        aspect = rng.choice([2.0, 2.0, 2.0, 1.5, 3.1, 4.6, 4.6])
        w, h = 160, round(160 / aspect)
        paper, ink = (rng.randint(150, 250), rng.randint(10, 90)) if rng.random() < 0.75 else (rng.randint(15, 90), rng.randint(170, 250))
        image = Image.new("L", (w * 2, h * 2), paper)
        draw = ImageDraw.Draw(image)
        if rng.random() < 0.6:
            draw.rounded_rectangle((4, 4, w * 2 - 5, h * 2 - 5), 12, outline=ink, width=rng.randint(2, 6))
        letters = lambda n: "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(n))
        lines = [letters(rng.randint(3, 4)), letters(rng.randint(3, 5))] if aspect == 1.5 or (aspect == 2.0 and rng.random() < 0.15) else [letters(rng.randint(5, 8))]
        top, tall = (0.2, 0.6) if aspect == 2.0 else (0.1, 0.8)
        for i, line in enumerate(lines):
            path = rng.choice(fonts)
            font = ImageFont.truetype(str(path), 80) if path else ImageFont.load_default(80)
            box = font.getbbox(line)
            patch = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
            ImageDraw.Draw(patch).text((-box[0], -box[1]), line, 255, font=font)
            th = int(h * 2 * tall / len(lines) * 0.85)
            tw = int(min(w * 2 * rng.uniform(0.75, 0.9), patch.width * th / patch.height * 1.3))
            patch = patch.resize((tw, th))
            image.paste(ink, ((w * 2 - tw) // 2, int(h * 2 * (top + i * tall / len(lines)))), patch)
        if aspect == 2.0:
            small = ImageFont.truetype(str(fonts[0]), 22) if fonts[0] else ImageFont.load_default(22)
            draw.text((w * rng.uniform(0.5, 0.8), 8), rng.choice(["CALIFORNIA", "TEXAS", "New York", "Arizona", "MEXICO", "Florida", "OREGON"]), ink, font=small)
            if rng.random() < 0.6:
                draw.text((w * rng.uniform(0.4, 0.8), h * 2 - 34), rng.choice(["The Lone Star State", "Grand Canyon", "Sunshine State", "dmv.ca.gov"]), ink, font=small)
        plates.append(np.asarray(image.resize((w, h), Image.Resampling.BOX)).copy())
    return plates


def load_rendered(pool: Path, count: int = 5000, seed: int = 13) -> list[tuple[np.ndarray, float, float]]:
    """Plates from a pool that `render_plates.py --out` wrote: (uint8 [h,w] with some frame, share of frame in x, in y)."""
    pictures, ratios = np.load(pool / "pictures.npy", mmap_mode="r"), np.load(pool / "ratio.npy")
    margin_x, margin_y, wide, tall = 32, 16, 224, 88  # the renderer's canvas
    result = []
    for i in sorted(random.Random(seed).sample(range(len(pictures)), min(count, len(pictures)))):
        picture = np.asarray(pictures[i])[margin_y - 10:margin_y + tall + 10, margin_x - 16:margin_x + wide + 16]
        scale = 160 / wide
        size = (round((wide + 32) * scale), max(8, round((tall + 20) * scale * (wide / tall) / float(ratios[i]))))
        result.append((cv2.resize(picture, size, interpolation=cv2.INTER_AREA), 16 / (wide + 32), 10 / (tall + 20)))
    return result


# ------------------------------------------------------------------------------------------------------------ samples


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [...,2] through a 3x3 homography."""
    flat = np.concatenate([points.reshape(-1, 2), np.ones((points.size // 2, 1))], 1) @ matrix.T
    return (flat[:, :2] / flat[:, 2:]).reshape(points.shape).astype(np.float32)


def hull(quads: np.ndarray) -> np.ndarray:
    """Axis-aligned hulls [n,4] (x0, y0, x1, y1) of quads [n,4,2]."""
    return np.concatenate([quads.min(-2), quads.max(-2)], -1)


def inside_share(boxes: np.ndarray, region: tuple) -> np.ndarray:
    """Share of the area of each box [n,4] that lies in `region` (x0, y0, x1, y1)."""
    w = np.clip(np.minimum(boxes[:, 2], region[2]) - np.maximum(boxes[:, 0], region[0]), 0, None)
    h = np.clip(np.minimum(boxes[:, 3], region[3]) - np.maximum(boxes[:, 1], region[1]), 0, None)
    return w * h / np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 1e-6)


class Sampler:
    """Makes training canvases. `draw(i)` depends only on the seed and on `i`, so a run can resume."""

    def __init__(self, pictures, crops, patches, drawn, width: int, height: int, seed: int, rendered=(), scenes=(), scene_share=0.0):
        self.pictures, self.crops, self.patches, self.drawn, self.rendered = pictures, crops, patches, drawn, list(rendered)
        self.scenes, self.scene_share = scenes, scene_share
        self.width, self.height, self.seed = width, height, seed
        kinds = {}
        for i, p in enumerate(pictures):
            kinds.setdefault(p["kind"], []).append(i)
        weight = {"us": 1.6, "anr": 1.2, "oi350": 1.5, "ro": 0.6, "vlp": 1.3, "cn": 1.0, "openlpr": 1.0}
        self.chance = np.array([weight.get(p["kind"], 1.0) for p in pictures])
        self.chance *= [2.0 if p.get("hard") else 1.0 for p in pictures]
        self.chance /= self.chance.sum()

    # -- geometry

    def place(self, rng, canvas, region, picture, scale, anchor, target, cover_mask=None):
        """Warps `picture` into `region` of `canvas`: `anchor` (picture px) goes to `target` (canvas px), at `scale`.

        Returns the homography from picture to canvas pixels and the mask of covered pixels of the region (uint8).
        """
        x0, y0, x1, y1 = region
        aspect = math.exp(rng.normal(0, 0.08))
        if picture["kind"] == "anr" and rng.random() < 0.5:
            aspect *= math.sqrt(4 / 3)
        angle = math.radians(rng.normal(0, 3.0) if rng.random() < 0.85 else rng.uniform(-14, 14))
        shear = rng.normal(0, 0.04)
        sx, sy = scale * aspect, scale / aspect
        linear = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ np.array([[1, shear], [0, 1]]) @ np.diag([sx, sy])
        tilt = rng.normal(0, 0.12, 2) / max(self.width, self.height) if rng.random() < 0.5 else np.zeros(2)
        centred = np.eye(3)
        centred[:2, :2] = linear
        project = np.eye(3)
        project[2, :2] = tilt
        move = np.eye(3)
        move[:2, 2] = target
        back = np.eye(3)
        back[:2, 2] = -np.asarray(anchor)
        matrix = move @ project @ centred @ back
        level = 0 if scale > 0.62 else 1 if scale > 0.31 else 2
        source = picture["levels"][level]
        # pixel centres: picture coordinate u (edges at 0..w) = (index + 0.5) * 2**level
        f = 2.0 ** level
        to_picture = np.array([[f, 0, 0.5 * f], [0, f, 0.5 * f], [0, 0, 1.0]])
        to_index = np.array([[1, 0, -0.5 - x0], [0, 1, -0.5 - y0], [0, 0, 1.0]])
        warp = to_index @ matrix @ to_picture
        size = (x1 - x0, y1 - y0)
        patch = cv2.warpPerspective(source, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((size[1], size[0]), np.uint8)
        h, w = picture["levels"][0].shape
        corners = apply(to_index @ matrix, rectangle(0, 0, w, h))
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
        view = canvas[y0:y1, x0:x1]
        np.copyto(view, patch, where=mask.astype(bool))
        return matrix, mask

    def choose_target(self, rng, quad, matrix_scale, region):
        """A place in `region` for the centre of a plate that keeps it whole nine times in ten."""
        x0, y0, x1, y1 = region
        half = (hull(quad[None])[0][2:] - hull(quad[None])[0][:2]) * matrix_scale * 0.6 + 3
        if rng.random() < 0.08:
            half = half * 0.3
        cx = rng.uniform(x0 + half[0], x1 - half[0]) if x1 - x0 > 2 * half[0] else (x0 + x1) / 2
        cy = rng.uniform(y0 + half[1], y1 - half[1]) if y1 - y0 > 2 * half[1] else (y0 + y1) / 2
        return cx, cy

    def pick(self, rng):
        return self.pictures[rng.choice(len(self.pictures), p=self.chance)]

    def cover_scale(self, picture, region, extra):
        h, w = picture["levels"][0].shape
        return max((region[2] - region[0]) / w, (region[3] - region[1]) / h) * extra

    def draw(self, index: int):
        """Canvas uint8 [H,W], plates: list of (quad f32 [4,2], corner weight 0..1), regions to ignore: list of quads."""
        rng = np.random.default_rng((self.seed, index))
        canvas = np.full((self.height, self.width), 128 if rng.random() < 0.7 else int(rng.integers(0, 256)), np.uint8)
        plates, ignored = [], []  # plates: [quad, corner weight]
        whole = (0, 0, self.width, self.height)

        def add(picture, matrix, region, mask):
            """Registers the plates of a placed picture; hides those that it covered."""
            nonlocal plates, ignored
            kept = []
            for quad, weight in plates:
                box = hull(quad[None])[0]
                bx0, by0, bx1, by1 = (int(max(box[0], region[0])), int(max(box[1], region[1])), int(min(box[2], region[2])), int(min(box[3], region[3])))
                covered = 0.0
                if bx1 > bx0 and by1 > by0:
                    covered = mask[by0 - region[1]:by1 - region[1], bx0 - region[0]:bx1 - region[0]].sum() / max(1.0, (box[2] - box[0]) * (box[3] - box[1]))
                if covered < 0.03:
                    kept.append([quad, weight])
                elif covered < 0.9:
                    ignored.append(quad)
            plates = kept
            for quads, weights in ((picture["quads"], picture.get("trust", picture["exact"] * 0.85 + 0.15)), (picture["extra"], None)):
                for i, quad in enumerate(quads):
                    moved = apply(matrix, quad)
                    share = inside_share(hull(moved[None]), region)[0]
                    if share <= 0.02:
                        continue
                    if weights is None or share < 0.93:
                        ignored.append(moved)
                    else:
                        plates.append([moved, float(weights[i])])

        mode = rng.random()
        if rng.random() < self.scene_share:
            self.scene(rng, canvas, whole, add)
        elif mode < 0.48:  # one picture, at a scale that makes its plate the width we want
            picture = self.pick(rng)
            if len(picture["quads"]):
                quad = picture["quads"][rng.integers(len(picture["quads"]))]
                width = max(6.0, float(np.ptp(quad[:, 0])))
                wanted = math.exp(rng.uniform(math.log(14), math.log(100))) if rng.random() < 0.55 else math.exp(rng.uniform(math.log(80), math.log(self.width * 0.8)))
                scale = float(np.clip(wanted / width, 0.12, 2.4))
                anchor = quad.mean(0)
                target = self.choose_target(rng, quad, scale, whole)
            else:
                scale, anchor, target = self.cover_scale(picture, whole, rng.uniform(1, 1.5)), (picture["levels"][0].shape[1] / 2, picture["levels"][0].shape[0] / 2), (self.width / 2, self.height / 2)
            h, w = picture["levels"][0].shape
            if w * h * scale * scale < 0.9 * self.width * self.height and rng.random() < 0.85:
                behind = self.pick(rng)
                hb, wb = behind["levels"][0].shape
                matrix, mask = self.place(rng, canvas, whole, behind, self.cover_scale(behind, whole, rng.uniform(1.0, 1.8)), (wb * rng.uniform(0.3, 0.7), hb * rng.uniform(0.3, 0.7)), (self.width / 2, self.height / 2))
                add(behind, matrix, whole, mask)
            matrix, mask = self.place(rng, canvas, whole, picture, scale, anchor, target)
            add(picture, matrix, whole, mask)
        else:  # a mosaic of two to a dozen pictures
            if self.width <= 400:
                columns, rows = [(2, 1), (1, 2), (2, 2), (3, 2), (3, 3), (4, 3)][rng.choice(6, p=[0.18, 0.05, 0.3, 0.22, 0.15, 0.1])]
            else:
                columns, rows = [(2, 1), (2, 2), (3, 2), (4, 3), (5, 4)][rng.choice(5, p=[0.2, 0.25, 0.25, 0.2, 0.1])]
            xs = [0] + [int(self.width * (i + rng.uniform(-0.2, 0.2)) / columns) for i in range(1, columns)] + [self.width]
            ys = [0] + [int(self.height * (i + rng.uniform(-0.2, 0.2)) / rows) for i in range(1, rows)] + [self.height]
            for r in range(rows):
                for c in range(columns):
                    region = (xs[c], ys[r], xs[c + 1], ys[r + 1])
                    picture = self.pick(rng)
                    h, w = picture["levels"][0].shape
                    scale = min(self.cover_scale(picture, region, math.exp(rng.uniform(-0.25, 0.5))), 2.0)
                    if len(picture["quads"]) and rng.random() < 0.85:
                        quad = picture["quads"][rng.integers(len(picture["quads"]))]
                        rx, ry = (region[2] - region[0]), (region[3] - region[1])
                        # put the plate about where it is in the picture, so that the cell shows the car around it
                        at = quad.mean(0) / (w, h)
                        target = (region[0] + rx * float(np.clip(at[0] + rng.normal(0, 0.12), 0.12, 0.88)), region[1] + ry * float(np.clip(at[1] + rng.normal(0, 0.12), 0.12, 0.88)))
                        anchor = quad.mean(0)
                    else:
                        anchor, target = (w / 2, h / 2), ((region[0] + region[2]) / 2, (region[1] + region[3]) / 2)
                    matrix, mask = self.place(rng, canvas, region, picture, scale, anchor, target)
                    add(picture, matrix, region, mask)
        self.paste(rng, canvas, plates, ignored)
        self.letter(rng, canvas, plates, ignored)
        canvas = self.light(rng, canvas, plates)
        return canvas, plates, ignored

    def scene(self, rng, canvas, whole, add):
        """Part of a rendered lane scene, most often about as large as a tile or a whole view shows it, so that plates are small."""
        scene = self.scenes[rng.integers(len(self.scenes))]
        h, w = scene["levels"][0].shape
        if len(scene["quads"]) and rng.random() < 0.8:
            quad = scene["quads"][rng.integers(len(scene["quads"]))]
            wanted = math.exp(rng.uniform(math.log(13), math.log(48))) if rng.random() < 0.75 else math.exp(rng.uniform(math.log(48), math.log(220)))
            scale = float(np.clip(wanted / max(6.0, float(np.ptp(quad[:, 0]))), 0.25, 2.4))
            anchor, target = quad.mean(0), self.choose_target(rng, quad, scale, whole)
        else:  # anywhere: what is in the picture beside plates
            scale = math.exp(rng.uniform(math.log(0.3), math.log(1.2)))
            anchor, target = (rng.uniform(0, w), rng.uniform(0, h)), (self.width / 2, self.height / 2)
        matrix, mask = self.place(rng, canvas, whole, scene, scale, anchor, target)
        add(scene, matrix, whole, mask)

    # -- pasted plates and lettering

    def warp_onto(self, rng, canvas, plate, quad, match, fx=0.0, fy=0.0):
        """Warps `plate` uint8 [h,w] so that its inner part fills `quad` of `canvas`, blended; `match` = grey level to follow, or None."""
        if fx > 0:
            inner = np.array([[fx, fy], [1 - fx, fy], [1 - fx, 1 - fy], [fx, 1 - fy]], np.float32)
            quad = apply(cv2.getPerspectiveTransform(inner, quad.astype(np.float32)), rectangle(0, 0, 1, 1))
        box = hull(quad[None])[0]
        x0, y0 = max(0, int(box[0]) - 2), max(0, int(box[1]) - 2)
        x1, y1 = min(self.width, int(box[2]) + 3), min(self.height, int(box[3]) + 3)
        if x1 - x0 < 3 or y1 - y0 < 3:
            return False
        h, w = plate.shape
        wide = max(np.linalg.norm(quad[1] - quad[0]), 1)
        if wide < w * 0.75:  # area averaging first, else the letters alias
            w = max(4, int(wide * 1.1))
            h = max(3, int(round(plate.shape[0] * w / plate.shape[1])))
            plate = cv2.resize(plate, (w, h), interpolation=cv2.INTER_AREA)
        plate = plate.astype(np.float32)
        if match is not None:
            spread = max(plate.std(), 8.0)
            plate = (plate - plate.mean()) / spread * min(spread, rng.uniform(18, 60)) + match
        source = rectangle(-0.5, -0.5, w, h)
        matrix = cv2.getPerspectiveTransform(source, (quad - np.array([x0 + 0.5, y0 + 0.5], np.float32)).astype(np.float32))
        size = (x1 - x0, y1 - y0)
        warped = cv2.warpPerspective(plate, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = np.zeros((size[1], size[0]), np.float32)
        shift = 4
        cv2.fillConvexPoly(alpha, np.round((quad - np.array([x0 + 0.5, y0 + 0.5])) * (1 << shift)).astype(np.int32), 1.0, cv2.LINE_8, shift)
        alpha = cv2.GaussianBlur(alpha, (3, 3), 0.7)
        view = canvas[y0:y1, x0:x1]
        view[:] = np.clip(view * (1 - alpha) + warped * alpha, 0, 255).astype(np.uint8)
        return True

    def new_plate(self, rng):
        """A plate uint8 [h,w], the share of its width and height that is frame on each side, and how far its corners may be trusted."""
        kind = rng.random()
        if self.rendered and kind < 0.6:
            picture, fx, fy = self.rendered[rng.integers(len(self.rendered))]
            h, w = picture.shape
            if rng.random() < 0.55:  # the bare plate
                cx, cy = round(fx * w), round(fy * h)
                return picture[cy:h - cy, cx:w - cx], 0.0, 0.0, 1.0
            return picture, fx, fy, 1.0
        if kind < 0.85 or not self.drawn:
            return self.crops[rng.integers(len(self.crops))], 0.0, 0.0, 0.3
        return self.drawn[rng.integers(len(self.drawn))], 0.0, 0.0, 1.0

    def random_quad(self, rng, centre, wide, tall):
        """A plausible view of a `wide` x `tall` rectangle about `centre`."""
        quad = rectangle(-wide / 2, -tall / 2, wide, tall)
        yaw = rng.normal(0, 0.25)
        quad[:, 0] *= math.cos(yaw)
        quad[:, 1] *= 1 + quad[:, 0] / wide * math.sin(yaw) * 0.5  # the nearer side is taller
        angle = math.radians(rng.normal(0, 5))
        quad = quad @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) @ np.array([[1, rng.normal(0, 0.08)], [rng.normal(0, 0.06), 1]])
        return (quad + centre).astype(np.float32)

    def paste(self, rng, canvas, plates, ignored):
        """Replaces some plates by others and puts a few on plate-free places; their corners are exact."""
        for i, (quad, _) in enumerate(plates):
            box = hull(quad[None])[0]
            wide, tall = box[2] - box[0], box[3] - box[1]
            if rng.random() > 0.3 or wide < 12:
                continue
            plate, fx, fy, trust = self.new_plate(rng)
            aspect = plate.shape[1] * (1 - 2 * fx) / (plate.shape[0] * (1 - 2 * fy))
            new_wide, new_tall = (wide * 1.08, max(tall * 1.06, wide * 1.08 / aspect)) if aspect < wide / tall * 1.6 else (max(wide * 1.08, tall * 1.06 * aspect * 0.8), tall * 1.06)
            new = self.random_quad(rng, box.reshape(2, 2).mean(0), new_wide, new_tall)
            new_box = hull(new[None])
            if inside_share(new_box, (0, 0, self.width, self.height))[0] < 0.99:
                continue
            others = [hull(q[None])[0] for j, (q, _) in enumerate(plates) if j != i]
            if any(inside_share(new_box, tuple(o))[0] > 0 for o in others):
                continue
            inner = canvas[int(box[1]):int(box[3]) + 1, int(box[0]):int(box[2]) + 1]
            if inner.size and self.warp_onto(rng, canvas, plate, new, float(inner.mean()) * rng.uniform(0.85, 1.15), fx, fy):
                # what sticks out of the old plate would be a second one: the new one covers it nearly always
                plates[i] = [new, trust]
        if rng.random() < 0.22:
            for _ in range(int(rng.integers(1, 4))):
                plate, fx, fy, trust = self.new_plate(rng)
                wide = math.exp(rng.uniform(math.log(14), math.log(150)))
                tall = wide * plate.shape[0] * (1 - 2 * fy) / (plate.shape[1] * (1 - 2 * fx)) * rng.uniform(0.85, 1.15)
                if tall > self.height * 0.4:
                    continue
                quad = self.random_quad(rng, (rng.uniform(wide / 2, self.width - wide / 2), rng.uniform(tall, self.height - tall)), wide, tall)
                box = hull(quad[None])
                grown = (box[0][0] - 4, box[0][1] - 4, box[0][2] + 4, box[0][3] + 4)
                if inside_share(box, (0, 0, self.width, self.height))[0] < 0.99 or any(inside_share(hull(q[None]), grown)[0] > 0 for q in [p[0] for p in plates] + ignored):
                    continue
                if self.warp_onto(rng, canvas, plate, quad, None if rng.random() < 0.7 else float(rng.uniform(40, 210)), fx, fy):
                    plates.append([quad, trust])

    def letter(self, rng, canvas, plates, ignored):
        """Writes things that are not plates: time stamps, trailer lettering, signs."""
        taken = [q for q, _ in plates] + ignored
        def free(box):
            return not any(inside_share(hull(q[None]), box)[0] > 0 for q in taken)
        if rng.random() < 0.22:  # camera overlay
            mask = self.patches[rng.integers(len(self.patches))]
            tall = int(rng.integers(7, 20))
            wide = min(int(mask.shape[1] * tall / mask.shape[0]), self.width - 2)
            mask = cv2.resize(mask, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            x = int(rng.choice([2, self.width - wide - 2, rng.integers(0, self.width - wide)])) if wide < self.width - 4 else 0
            y = int(rng.choice([2, self.height - tall - 2]))
            if free((x, y, x + wide, y + tall)):
                view = canvas[y:y + tall, x:x + wide]
                if rng.random() < 0.4:
                    view[:] = (view * rng.uniform(0, 0.4)).astype(np.uint8)
                ink = 255 if rng.random() < 0.8 else int(rng.integers(0, 120))
                view[:] = (view * (1 - mask[:view.shape[0], :view.shape[1]]) + ink * mask[:view.shape[0], :view.shape[1]]).astype(np.uint8)
        if rng.random() < 0.25:  # lettering on bodies and signs
            for _ in range(int(rng.integers(1, 4))):
                mask = self.patches[rng.integers(len(self.patches))]
                wide = math.exp(rng.uniform(math.log(24), math.log(260)))
                tall = wide * mask.shape[0] / mask.shape[1]
                if tall < 5 or tall > self.height * 0.5:
                    continue
                quad = self.random_quad(rng, (rng.uniform(0, self.width), rng.uniform(0, self.height)), wide, tall)
                box = hull(quad[None])[0]
                grown = box + np.array([-wide * 0.2, -tall, wide * 0.2, tall])
                if not free(tuple(grown)):
                    continue
                x0, y0, x1, y1 = int(max(0, grown[0])), int(max(0, grown[1])), int(min(self.width, grown[2])), int(min(self.height, grown[3]))
                if x1 - x0 < 4 or y1 - y0 < 4:
                    continue
                h, w = mask.shape
                if wide < w * 0.75:
                    w, h = max(4, int(wide * 1.1)), max(3, int(tall * 1.1))
                    mask = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)
                matrix = cv2.getPerspectiveTransform(rectangle(0, 0, w, h), (quad - np.array([x0, y0], np.float32)).astype(np.float32))
                alpha = cv2.warpPerspective(mask, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
                view = canvas[y0:y1, x0:x1]
                if rng.random() < 0.15:  # a big sign behind the text, much taller than a plate would be
                    view[:] = int(rng.integers(60, 230))
                ink = 255 if view.mean() < 110 else 0
                alpha *= rng.uniform(0.6, 1.0)
                view[:] = (view * (1 - alpha) + ink * alpha).astype(np.uint8)

    # -- light, optics, compression

    def light(self, rng, canvas, plates):
        """Exposure, night, infra-red look, glare, blur, noise and JPEG on a uint8 canvas."""
        look = rng.random()
        need_float = look < 0.3
        if need_float:
            x = canvas.astype(np.float32)
            if look < 0.07:  # infra-red: dark scene, plates shine
                gain = np.full(x.shape, rng.uniform(0.15, 0.6), np.float32)
                for quad, _ in plates:
                    cv2.fillConvexPoly(gain, np.round(quad).astype(np.int32), float(rng.uniform(0.9, 1.9)))
                x *= cv2.GaussianBlur(gain, (5, 5), 1.2)
            elif look < 0.16:  # night
                x = 255 * (x / 255) ** rng.uniform(1.2, 2.4) * rng.uniform(0.25, 1.0)
            else:
                x = (x - 128) * rng.uniform(0.45, 1.5) + 128 + rng.uniform(-50, 50)
            if rng.random() < 0.3:  # lamps, often beside a plate
                small = np.zeros((self.height // 4, self.width // 4), np.float32)
                for _ in range(int(rng.integers(1, 4))):
                    if plates and rng.random() < 0.7:
                        quad = plates[rng.integers(len(plates))][0]
                        wide = np.ptp(quad[:, 0])
                        cx, cy = quad.mean(0) + np.array([rng.choice([-1, 1]) * wide * rng.uniform(0.8, 1.8), -wide * rng.uniform(-0.1, 0.6)])
                        radius = wide * rng.uniform(0.1, 0.5)
                    else:
                        cx, cy, radius = rng.uniform(0, self.width), rng.uniform(0, self.height), rng.uniform(4, 40)
                    cv2.circle(small, (int(cx / 4), int(cy / 4)), max(1, int(radius / 4)), float(rng.uniform(150, 500)), -1)
                x += cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(1, 6)), (self.width, self.height), interpolation=cv2.INTER_LINEAR)
            canvas = np.clip(x, 0, 255).astype(np.uint8)
        elif look < 0.5:
            table = np.clip(255 * (np.arange(256) / 255) ** math.exp(rng.normal(0, 0.35)), 0, 255).astype(np.uint8)
            canvas = cv2.LUT(canvas, table)
        blur = rng.random()
        if blur < 0.12:
            canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.4))
        elif blur < 0.2:
            length = int(rng.integers(2, 8))
            kernel = np.zeros((9, 9), np.float32)
            angle = rng.uniform(0, math.pi) if rng.random() < 0.4 else rng.normal(0, 0.2)
            dx, dy = math.cos(angle) * length / 2, math.sin(angle) * length / 2
            cv2.line(kernel, (round(4 - dx), round(4 - dy)), (round(4 + dx), round(4 + dy)), 1.0)
            canvas = cv2.filter2D(canvas, -1, kernel / kernel.sum())
        elif blur < 0.25:
            kernel = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32) * rng.uniform(0.2, 0.6)
            kernel[1, 1] = 1 - (kernel.sum() - kernel[1, 1])
            canvas = cv2.filter2D(canvas, -1, kernel)
        if rng.random() < 0.2:
            noise = np.empty(canvas.shape, np.int16)
            cv2.setRNGSeed(int(rng.integers(1 << 30)))
            cv2.randn(noise, 0, rng.uniform(2, 16))
            canvas = cv2.add(canvas, noise, dtype=cv2.CV_8U)
        if rng.random() < 0.25:
            canvas = cv2.imdecode(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1], cv2.IMREAD_GRAYSCALE)
        return canvas


def cell_targets(plates, ignored, width: int, height: int):
    """Per-cell truth for a canvas of `width` x `height` pixels.

    Returns `state` int8 [h,w] (1 a plate's centre, 0 background, -1 ignored), `corners` f32 [8,h,w] relative to the cell in
    pixels, `weight` f32 [h,w] (positives: share of their plate), `trust` f32 [h,w] (how exact the corners are).
    """
    h, w = height // STRIDE, width // STRIDE
    cx = (np.arange(w, dtype=np.float32) + 0.5) * STRIDE
    cy = (np.arange(h, dtype=np.float32) + 0.5) * STRIDE
    state = np.zeros((h, w), np.int8)
    corners = np.zeros((8, h, w), np.float32)
    weight = np.zeros((h, w), np.float32)
    trust = np.zeros((h, w), np.float32)

    def window(box, grow):
        c0, c1 = np.searchsorted(cx, box[0] - grow), np.searchsorted(cx, box[2] + grow)
        r0, r1 = np.searchsorted(cy, box[1] - grow), np.searchsorted(cy, box[3] + grow)
        return slice(r0, r1), slice(c0, c1)

    for quad in ignored:
        state[window(hull(quad[None])[0], 6)] = -1
    for quad, sure in sorted(plates, key=lambda p: -float(np.ptp(p[0][:, 0]))):
        box = hull(quad[None])[0]
        wide, tall = box[2] - box[0], box[3] - box[1]
        middle = quad.mean(0)
        if wide < SMALLEST_PLATE or wide > LARGEST_PLATE:
            state[window(box, 6)] = -1
            continue
        # ignored band: 70 % of the plate and one pixel around small ones
        band = np.array([middle[0] - max(0.35 * wide, 7), middle[1] - max(0.35 * tall, 7), middle[0] + max(0.35 * wide, 7), middle[1] + max(0.35 * tall, 7)])
        view = window(band, 0)
        state[view] = np.where(state[view] == 1, 1, -1)
        # positives: the central 40 %, at most 2.5 cells from the middle, and always the nearest cell
        dx, dy = min(0.2 * wide, 20.0), min(0.2 * tall, 20.0)
        cols = np.flatnonzero(np.abs(cx - middle[0]) <= dx)
        rows = np.flatnonzero(np.abs(cy - middle[1]) <= dy)
        near_col, near_row = int(np.clip(middle[0] // STRIDE, 0, w - 1)), int(np.clip(middle[1] // STRIDE, 0, h - 1))
        cols = cols if len(cols) else np.array([near_col])
        rows = rows if len(rows) else np.array([near_row])
        for r in rows:
            for c in cols:
                state[r, c] = 1
                corners[:, r, c] = (quad - np.array([cx[c], cy[r]])).reshape(8)
                weight[r, c] = (len(rows) * len(cols)) ** -0.75
                trust[r, c] = sure
    return state, corners, weight, trust


class Samples(torch.utils.data.IterableDataset):
    """Batches from step `start` to `stop`, in order: `size` canvases of `sampler`, every fourth time of `large` with as many pixels in all."""

    def __init__(self, sampler: Sampler, large: Sampler | None, size: int, start: int, stop: int):
        self.sampler, self.large, self.size, self.start, self.stop = sampler, large, size, start, stop

    def __iter__(self):
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        info = torch.utils.data.get_worker_info()
        first, every = (info.id, info.num_workers) if info else (0, 1)
        for step in range(self.start + first, self.stop, every):
            images, truths = [], []
            sampler, size = self.sampler, self.size
            if self.large is not None and step % 4 == 3:
                sampler = self.large
                size = max(2, round(self.size * self.sampler.width * self.sampler.height / (sampler.width * sampler.height)))
            for i in range(size):
                image, plates, ignored = sampler.draw(step * self.size + i)
                images.append(image)
                truths.append(cell_targets(plates, ignored, sampler.width, sampler.height))
            yield (torch.from_numpy(np.stack(images))[:, None],) + tuple(torch.from_numpy(np.stack(t)) for t in zip(*truths))


# --------------------------------------------------------------------------------------------------------------- loss


def loss_terms(output, state, corners, weight, trust):
    """Quality-focal score loss, generalised IoU of hulls, corner distance; each a scalar, normalised by plates."""
    logit, quad = output[:, 0], output[:, 1:]
    positive = state == 1
    total = weight.sum().clamp(min=1.0)
    guess, truth, w, t = quad.permute(0, 2, 3, 1)[positive], corners.permute(0, 2, 3, 1)[positive], weight[positive], trust[positive]
    target = torch.zeros_like(logit)
    if len(guess):
        g, q = guess.view(-1, 4, 2), truth.view(-1, 4, 2)
        g0, g1, q0, q1 = g.amin(1), g.amax(1), q.amin(1), q.amax(1)
        both = (torch.minimum(g1, q1) - torch.maximum(g0, q0)).clamp(min=0).prod(1)
        either = (g1 - g0).prod(1) + (q1 - q0).prod(1) - both
        around = (torch.maximum(g1, q1) - torch.minimum(g0, q0)).prod(1).clamp(min=1e-3)
        iou = both / either.clamp(min=1e-3)
        giou = iou - (around - either) / around
        box_loss = (w * (1 - giou)).sum() / total
        size = (q1 - q0).prod(1).sqrt().clamp(min=4.0)[:, None]
        corner_loss = (w * t * F.smooth_l1_loss(guess / size, truth / size, beta=0.05, reduction="none").mean(1)).sum() / total
        target[positive] = 0.4 + 0.6 * iou.detach().clamp(0, 1)
    else:
        box_loss = corner_loss = quad.sum() * 0
    chance = logit.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    focus = (target - chance).detach().abs().square()
    per_cell = torch.where(positive, weight, (state == 0).float())
    score_loss = (per_cell * focus * bce).sum() / total
    return score_loss, box_loss, corner_loss


# --------------------------------------------------------------------------------------------------------- evaluation


def letterbox(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Grey uint8 [h,w] to f32 [384,640] in 0..1, scaled uniformly to fit, top-left; and the scale."""
    h, w = grey.shape
    scale = min(WIDTH / w, HEIGHT / h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    frame = np.full((HEIGHT, WIDTH), PAD, np.float32)
    frame[:size[1], :size[0]] = small.astype(np.float32) / 255
    return frame, scale


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU [n,m] of boxes [n,4] and [m,4]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    area = lambda x: (x[:, 2:] - x[:, :2]).prod(1)
    return both / np.maximum(area(a)[:, None] + area(b)[None] - both, 1e-6)


def decode(output: np.ndarray, threshold: float, nms_iou: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores [n] and quads [n,4,2] (input pixels) of one output [9,h,w], after greedy suppression by hull IoU."""
    score = 1 / (1 + np.exp(-output[0]))
    rows, cols = np.nonzero(score >= threshold)
    order = np.argsort(-score[rows, cols], kind="stable")[:300]
    rows, cols = rows[order], cols[order]
    centre = np.stack([(cols + 0.5) * STRIDE, (rows + 0.5) * STRIDE], 1)
    quads = output[1:, rows, cols].T.reshape(-1, 4, 2) + centre[:, None]
    scores, boxes = score[rows, cols], hull(quads)
    overlap = iou_matrix(boxes, boxes)
    kept, alive = [], np.ones(len(scores), bool)
    for i in range(len(scores)):
        if alive[i]:
            kept.append(i)
            alive &= overlap[i] <= nms_iou
    return scores[kept], quads[kept]


def evaluation_frames(pictures: list[dict]) -> list[dict]:
    """Frames as the product makes them: `frame` f32 [384,640], `boxes` [n,4] input px, `judged` bool [n] (>= 40 px wide)."""
    frames = []
    for picture in pictures:
        frame, scale = letterbox(picture["levels"][0])
        boxes = hull(picture["quads"]) if len(picture["quads"]) else np.zeros((0, 4), np.float32)
        frames.append({"frame": frame, "boxes": boxes * scale, "judged": boxes[:, 2] - boxes[:, 0] >= 40, "kind": picture["kind"], "name": picture["name"],
                       "quads": picture["quads"] * scale, "exact": picture["exact"]})
    return frames


def lane_frames(pictures: list[dict], seed: int = 5) -> list[dict]:
    """Pictures shrunk so that their widest plate is 17..60 px, side by side on a frame: what a lane camera's car looks like."""
    rng = random.Random(seed)
    frames, queue = [], [p for p in pictures if len(p["quads"]) and np.ptp(hull(p["quads"])[:, [0, 2]], axis=1).max() >= 40]
    rng.shuffle(queue)
    while queue:
        canvas, boxes, names, x, y, row = np.full((HEIGHT, WIDTH), 128, np.uint8), [], [], 0, 0, 0
        while queue:
            picture = queue[-1]
            full = picture["levels"][0]
            widest = np.ptp(hull(picture["quads"])[:, [0, 2]], axis=1).max()
            scale = min(math.exp(rng.uniform(math.log(17), math.log(60))) / widest, 0.9)
            w, h = max(8, round(full.shape[1] * scale)), max(8, round(full.shape[0] * scale))
            if x + w > WIDTH:
                x, y, row = 0, y + row, 0
            if y + h > HEIGHT or x + w > WIDTH:
                if not boxes:
                    queue.pop()
                break
            queue.pop()
            canvas[y:y + h, x:x + w] = cv2.resize(full, (w, h), interpolation=cv2.INTER_AREA)
            boxes.append(hull(picture["quads"]) * scale + np.array([x, y, x, y]))
            names.append(picture["name"])
            x, row = x + w, max(row, h)
        if boxes:
            boxes = np.concatenate(boxes)
            frames.append({"frame": canvas.astype(np.float32) / 255, "boxes": boxes, "judged": boxes[:, 2] - boxes[:, 0] >= 16, "kind": "lane", "name": ",".join(names)})
    return frames


def run_frames(frames: list[dict], infer, floor: float = 0.05, nms_iou: float = 0.4) -> list[tuple]:
    """(scores, quads) for each frame; `infer` maps f32 [1,1,384,640] to [9,48,80]."""
    return [decode(infer(f["frame"][None, None]), floor, nms_iou) for f in frames]


def match(frames: list[dict], found: list[tuple]) -> dict:
    """Greedy matching at IoU 0.5, best score first. Detections on truths that are not judged count neither way.

    Returns arrays: `score`, `good` (0/1) of counted detections, `kind` of each; and per judged truth `width`, `kind`, `at`
    (score at which it is found, 0 if never) and `iou`.
    """
    score, good, kinds, width, truth_kind, at, ious = [], [], [], [], [], [], []
    for frame, (scores, quads) in zip(frames, found):
        boxes, judged = frame["boxes"], frame["judged"]
        free = np.ones(len(boxes), bool)
        hit, hit_iou = np.zeros(len(boxes)), np.zeros(len(boxes))
        overlap = iou_matrix(hull(quads), boxes) if len(boxes) and len(scores) else np.zeros((len(scores), len(boxes)))
        for i in range(len(scores)):
            row = overlap[i] * free
            j = int(row.argmax()) if len(row) else -1
            if j >= 0 and row[j] >= 0.5:
                free[j] = False
                hit[j], hit_iou[j] = scores[i], row[j]
                if not judged[j]:
                    continue
                score.append(scores[i]), good.append(1), kinds.append(frame["kind"])
            elif len(boxes) and (overlap[i][~judged] >= 0.2).any():
                continue
            else:
                score.append(scores[i]), good.append(0), kinds.append(frame["kind"])
        for j in np.flatnonzero(judged):
            width.append(boxes[j, 2] - boxes[j, 0]), truth_kind.append(frame["kind"]), at.append(hit[j]), ious.append(hit_iou[j])
    return {"score": np.array(score), "good": np.array(good), "kind": np.array(kinds), "width": np.array(width), "truth_kind": np.array(truth_kind), "at": np.array(at), "iou": np.array(ious)}


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def best_threshold(m: dict, least_precision: float = 0.0) -> tuple[float, float, float, float]:
    """(threshold, F1, recall, precision) with the best F1 among those with at least that precision."""
    best = (0.5, -1.0, 0.0, 0.0)
    for threshold in np.arange(0.05, 0.9, 0.01):
        counted = m["score"] >= threshold
        hits = int(m["good"][counted].sum())
        precision, recall = hits / max(1, int(counted.sum())), float((m["at"] >= threshold).mean()) if len(m["at"]) else 0.0
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        if f1 > best[1] and precision >= least_precision:
            best = (float(threshold), f1, recall, precision)
    return best


def shipped_threshold(m: dict, lane: dict, least_precision: float = 0.85) -> float:
    """Threshold with the best sum of F1 on `tune` and on its lane-like variant, among those with at least that precision on `tune`.

    Scores follow the expected IoU, so small plates score lower: `tune` alone would choose a threshold that loses them.
    """
    best, chosen = -1.0, 0.5
    for threshold in np.arange(0.05, 0.9, 0.01):
        total, precise = 0.0, True
        for part, floor in ((m, least_precision), (lane, 0.0)):
            counted = part["score"] >= threshold
            precision = part["good"][counted].sum() / max(1, counted.sum())
            recall = (part["at"] >= threshold).mean()
            total += 2 * precision * recall / max(1e-9, precision + recall)
            precise &= precision >= floor
        if precise and total > best:
            best, chosen = total, float(threshold)
    return chosen


BANDS = [(0, 20), (20, 30), (30, 45), (45, 70), (70, 110), (110, 200), (200, 1000)]


def summary(m: dict, threshold: float) -> dict:
    """Recall, precision (each: hits, n, value, low, high), mean IoU, and recall by source and by width in input pixels."""
    def share(hits, n):
        low, high = wilson(int(hits), int(n))
        return {"hits": int(hits), "n": int(n), "value": round(hits / max(1, n), 4), "low": round(low, 4), "high": round(high, 4)}
    counted, hit = m["score"] >= threshold, m["at"] >= threshold
    return {
        "threshold": round(threshold, 3),
        "recall": share(hit.sum(), len(hit)),
        "precision": share(m["good"][counted].sum(), counted.sum()),
        "mean_iou": round(float(m["iou"][hit].mean()), 4) if hit.any() else 0.0,
        "recall_by_source": {k: share(hit[m["truth_kind"] == k].sum(), (m["truth_kind"] == k).sum()) for k in sorted(set(m["truth_kind"]))},
        "false_by_source": {k: int((counted & (m["good"] == 0) & (m["kind"] == k)).sum()) for k in sorted(set(m["kind"]))},
        "recall_by_width": {f"{a}-{b}": share(hit[(m["width"] >= a) & (m["width"] < b)].sum(), ((m["width"] >= a) & (m["width"] < b)).sum()) for a, b in BANDS},
    }


def torch_infer(model: nn.Module):
    """`infer` function for `run_frames` from a PyTorch model."""
    model.eval()
    def infer(frame):
        with torch.inference_mode():
            return model(torch.from_numpy(frame).to(memory_format=torch.channels_last))[0].numpy()
    return infer


def bytes_of(frame: np.ndarray) -> np.ndarray:
    """What a shipped network takes: uint8 of 0..1."""
    return np.round(frame * 255).astype(np.uint8)


def session(path: Path):
    """One-thread ONNX Runtime session."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


# -------------------------------------------------------------------------------------------------------------- train


def train(arguments):
    """Trains into `<work>/<name>.pt`; continues a run of the same name where its last checkpoint stands."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(arguments.seed)
    data, work = arguments.data, arguments.work
    pictures = training_pictures(data, work, arguments.rectangles)
    quads = work / "quads.pickle"  # four-cornered truths for rectangles: an earlier model's quads snapped to the labelled boxes
    if quads.exists() and arguments.quads:
        better = pickle.loads(quads.read_bytes())
        for picture in pictures:
            if picture["name"] in better:
                picture["quads"][:len(better[picture["name"]])] = better[picture["name"]]
    rendered = load_rendered(arguments.pool) if arguments.pool else []
    scenes = load_scenes(arguments.scenes) if arguments.scenes else []
    arguments.scene_share *= bool(scenes)
    sampler = Sampler(pictures, load_crops(data, work), text_patches(), drawn_plates(), arguments.width, arguments.height, arguments.seed, rendered, scenes, arguments.scene_share)
    large = None if arguments.one_size else Sampler(pictures, sampler.crops, sampler.patches, sampler.drawn, WIDTH, HEIGHT, arguments.seed + 1000, rendered, scenes, arguments.scene_share)
    print(f"{len(pictures)} pictures, {len(sampler.crops)} crops, {len(sampler.patches)} texts, {len(sampler.drawn)} drawn, {len(rendered)} rendered plates, {len(scenes)} scenes", flush=True)
    tune = evaluation_frames(load_pictures(data, work, "tune"))
    lane = lane_frames(load_pictures(data, work, "tune"))
    tiles = tile_frames(arguments.tune_scenes) if arguments.tune_scenes else []

    model = Detector(fine=not arguments.coarse).to(memory_format=torch.channels_last)
    if arguments.init:
        weights = shipped_weights(arguments.init) if arguments.init.suffix == ".onnx" else torch.load(arguments.init, weights_only=True)["ema"]
        missing = model.load_state_dict(weights, strict=False).missing_keys
        if missing:  # a residual block that the earlier network did not have starts close to nothing
            assert all(m.startswith("block4.") for m in missing), missing
            nn.init.constant_(model.block4[1].weight, 0.1)
    ema = Detector(fine=not arguments.coarse)
    ema.load_state_dict(model.state_dict())
    decay, plain = [], []
    for p in model.parameters():
        (decay if p.ndim > 1 else plain).append(p)
    optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": 0.03}, {"params": plain, "weight_decay": 0.0}], lr=arguments.lr)
    checkpoint = work / f"{arguments.name}.pt"
    start = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"]), ema.load_state_dict(saved["ema"]), optimiser.load_state_dict(saved["optimiser"])
        start = saved["step"]
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    log = open(runs / f"{arguments.name}.jsonl", "a", encoding="utf-8")
    loader = torch.utils.data.DataLoader(Samples(sampler, large, arguments.batch, start, arguments.steps), batch_size=None, num_workers=arguments.workers, prefetch_factor=4 if arguments.workers else None)
    launched = began = time.time()
    sums, count = np.zeros(3), 0
    for step, (images, *truth) in enumerate(loader, start):
        warm = min(1.0, (step + 1) / arguments.warmup)
        progress = (time.time() - launched) / 60 / arguments.minutes if arguments.minutes else step / arguments.steps
        lr = arguments.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
        for group in optimiser.param_groups:
            group["lr"] = lr
        model.train()
        if arguments.frozen:
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        output = model((images.float() / 255).to(memory_format=torch.channels_last))
        score_loss, box_loss, corner_loss = loss_terms(output, *truth)
        loss = score_loss + 2.0 * box_loss + 4.0 * corner_loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        keep = min(arguments.ema, (step + 1) / (step + 20))
        with torch.no_grad():
            for a, b in zip(ema.state_dict().values(), model.state_dict().values()):
                a.lerp_(b, 1 - keep) if a.dtype.is_floating_point else a.copy_(b)
        sums += [score_loss.item(), box_loss.item(), corner_loss.item()]
        count += 1
        if (step + 1) % 50 == 0:
            a, b, c = sums / count
            print(f"step {step + 1} lr {lr:.5f} score {a:.3f} box {b:.3f} corner {c:.4f} {(time.time() - began) / count * 1000:.0f} ms/step", flush=True)
        if (step + 1) % arguments.every == 0 or step + 1 == arguments.steps or progress >= 1:
            infer = torch_infer(ema)
            m = match(tune, run_frames(tune, infer))
            l = match(lane, run_frames(lane, infer))
            threshold, f1, recall, precision = best_threshold(m)
            counted = l["score"] >= threshold
            row = {"step": step + 1, "samples": (step + 1) * arguments.batch, "seconds": round(time.time() - began), "score": round(float(sums[0] / count), 4), "box": round(float(sums[1] / count), 4), "corner": round(float(sums[2] / count), 4), "threshold": threshold, "f1": f1, "recall": recall,
                   "precision": precision, "iou": float(m["iou"][m["at"] >= threshold].mean()) if recall else 0.0, "lane_recall": float((l["at"] >= threshold).mean()), "lane_precision": float(l["good"][counted].mean()) if counted.any() else 0.0}
            if tiles:
                t = match(tiles, run_frames(tiles, infer))
                counted = t["score"] >= threshold
                row |= {"tile_recall": float((t["at"] >= threshold).mean()), "tile_false": int((t["good"][counted] == 0).sum())}
            log.write(json.dumps(row) + "\n"), log.flush()
            print({k: round(v, 4) for k, v in row.items()}, flush=True)
            sums[:], count, began = 0, 0, time.time()
            temporary = checkpoint.with_suffix(".new")
            torch.save({"model": model.state_dict(), "ema": ema.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, temporary)
            os.replace(temporary, checkpoint)
        if progress >= 1:
            break


# ------------------------------------------------------------------------------------------------------------ relabel


def snap(quad: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """`quad` [4,2] stretched so that its hull is `box` (x0, y0, x1, y1); None where that would be no plausible plate."""
    own = hull(quad[None])[0]
    snapped = (quad - own[:2]) / np.maximum(own[2:] - own[:2], 1e-3) * (box[2:] - box[:2]) + box[:2]
    top, bottom, left, right = snapped[1] - snapped[0], snapped[2] - snapped[3], snapped[3] - snapped[0], snapped[2] - snapped[1]
    if min(top[0], bottom[0], left[1], right[1]) <= 0 or abs(math.atan2(*(top + bottom)[::-1])) > 0.6:
        return None
    ratio = [np.linalg.norm(a) / max(np.linalg.norm(b), 1e-3) for a, b in ((top, bottom), (left, right))]
    return snapped.astype(np.float32) if all(0.6 < r < 1.6 for r in ratio) else None


def relabel(arguments):
    """From a trained model and the *training* pictures: four corners for the labelled rectangles (written to `quads.pickle`),
    and confident plates without a label (`candidates.json` and numbered sheets, to be looked at before they are ignored)."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = load_model(arguments.work / f"{arguments.name}.pt")
    infer = torch_infer(model.to(memory_format=torch.channels_last))
    better, candidates, tiles, tilts = {}, [], [], []
    for picture in load_pictures(arguments.data, arguments.work, "train"):
        frame, scale = letterbox(picture["levels"][0])
        scores, quads = decode(infer(frame[None, None]), 0.2, 0.4)
        quads = quads / scale
        boxes, truth = hull(quads), hull(picture["quads"]) if len(picture["quads"]) else np.zeros((0, 4), np.float32)
        overlap = iou_matrix(boxes, truth)
        new = picture["quads"].copy()
        for j in range(len(truth)):
            if picture["exact"][j] or not len(boxes):
                continue
            i = int(overlap[:, j].argmax())
            if overlap[i, j] >= 0.6 and truth[j, 2] - truth[j, 0] >= 24:
                snapped = snap(quads[i], truth[j])
                if snapped is not None:
                    new[j] = snapped
                    tilts.append(math.degrees(math.atan2(snapped[1, 1] - snapped[0, 1], snapped[1, 0] - snapped[0, 0])))
        better[picture["name"]] = new
        for i in range(len(boxes)):
            if scores[i] >= arguments.least and (not len(truth) or overlap[i].max() < 0.2):
                x0, y0, x1, y1 = boxes[i]
                cx, cy, r = (x0 + x1) / 2, (y0 + y1) / 2, max(40.0, (x1 - x0) * 1.1)
                tile = cv2.getRectSubPix(picture["levels"][0], (int(2 * r), int(r * 1.5)), (float(cx), float(cy)))
                tile = cv2.cvtColor(cv2.resize(tile, (200, 150)), cv2.COLOR_GRAY2BGR)
                k = 200 / int(2 * r)
                cv2.rectangle(tile, (int(100 - (x1 - x0) / 2 * k), int(75 - (y1 - y0) / 2 * k)), (int(100 + (x1 - x0) / 2 * k), int(75 + (y1 - y0) / 2 * k)), (0, 200, 0), 1)
                cv2.putText(tile, f"{len(candidates)} {scores[i]:.2f}", (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 255), 1)
                tiles.append(tile)
                candidates.append([picture["name"], [round(float(v), 1) for v in (x0, y0, x1 - x0, y1 - y0)], round(float(scores[i]), 3)])
    (arguments.work / "quads.pickle").write_bytes(pickle.dumps(better))
    (arguments.work / "candidates.json").write_text(json.dumps(candidates))
    for start in range(0, len(tiles), 63):
        sheet = tiles[start:start + 63]
        sheet += [np.zeros_like(tiles[0])] * (-len(sheet) % 9)
        cv2.imwrite(str(arguments.work / f"candidates-{start // 63}.png"), np.vstack([np.hstack(sheet[i:i + 9]) for i in range(0, len(sheet), 9)]))
    print(f"{len(tilts)} rectangles got corners, tilt in degrees: percentiles {np.percentile(tilts, [1, 10, 50, 90, 99]).round(1)}; {len(candidates)} candidates")


# ------------------------------------------------------------------------------------------------------------- export


def milliseconds(run_session, frame: np.ndarray, rounds: int = 150) -> tuple[float, float]:
    """Minimum and median process CPU milliseconds of one inference."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        run_session.run(None, {"frame": frame})
        times.append((time.process_time() - began) * 1000)
    return round(min(times), 2), round(float(np.median(times)), 2)


def blend(arguments):
    """Writes the checkpoint `<work>/<name>.pt` whose weights lie between those of two: `--share` of the way from `--start` to `--end`."""
    start, end = (load_model(path).state_dict() for path in (arguments.start, arguments.end))
    between = {name: torch.lerp(start[name], end[name], arguments.share) if start[name].dtype.is_floating_point else end[name] for name in start}
    torch.save({"ema": between}, arguments.work / f"{arguments.name}.pt")


def calibration_frames(arguments) -> list[np.ndarray]:
    """Training pictures, and lane-like frames of others, that int8 is calibrated on."""
    train_pictures = load_pictures(arguments.data, arguments.work, "train")
    rng = random.Random(3)
    chosen = rng.sample(train_pictures, arguments.calibration)
    return [letterbox(p["levels"][0])[0] for p in chosen] + [f["frame"] for f in lane_frames(rng.sample(train_pictures, arguments.calibration))]


def export_tiles(arguments):
    """Writes models/detector.tiles.int8.onnx from `<work>/<name>.pt`."""
    torch.set_num_threads(1)
    plain = arguments.work / "tiles.onnx"
    torch.onnx.export(Export(load_model(arguments.work / f"{arguments.name}.pt")), (torch.rand(1, 1, HEIGHT, WIDTH),), str(plain), input_names=["frame"], output_names=["plates"], opset_version=17, dynamo=False)
    simplify_and_name(plain)
    quantise(plain, arguments.out / "detector.tiles.int8.onnx", calibration_frames(arguments), "minmax")
    ship(arguments.out / "detector.tiles.int8.onnx")


def export(arguments):
    """Writes models/detector.onnx, models/detector.int8.onnx and models/detector.json from `<work>/<name>.pt`."""
    torch.set_num_threads(1)
    out = arguments.out
    model = load_model(arguments.work / f"{arguments.name}.pt")
    plain, small = out / "detector.onnx", out / "detector.int8.onnx"
    example = torch.rand(1, 1, HEIGHT, WIDTH)
    torch.onnx.export(Export(model), (example,), str(plain), input_names=["frame"], output_names=["plates"], opset_version=17, dynamo=False)
    simplify_and_name(plain)
    fp32 = session(plain)
    with torch.inference_mode():
        difference = float((model(example) - torch.from_numpy(fp32.run(None, {"frame": example.numpy()})[0])).abs().max())
    print(f"largest difference between PyTorch and ONNX Runtime: {difference:.5f} (score logit or pixels)")
    assert difference < 0.02
    tune = evaluation_frames(load_pictures(arguments.data, arguments.work, "tune"))
    lane = lane_frames(load_pictures(arguments.data, arguments.work, "tune"))
    frames = calibration_frames(arguments)

    def figures(run_session, nms_iou, threshold=None):
        infer = lambda frame: run_session.run(None, {"frame": frame})[0][0]
        m = match(tune, run_frames(tune, infer, nms_iou=nms_iou))
        l = match(lane, run_frames(lane, infer, nms_iou=nms_iou))
        t = shipped_threshold(m, l) if threshold is None else threshold
        counted = m["score"] >= t
        recall, precision = float((m["at"] >= t).mean()), float(m["good"][counted].mean())
        f1 = 2 * recall * precision / (recall + precision)
        counted = l["score"] >= t
        return {"threshold": t, "f1": f1, "recall": recall, "precision": precision, "iou": float(m["iou"][m["at"] >= t].mean()), "lane_recall": float((l["at"] >= t).mean()), "lane_precision": float(l["good"][counted].mean())}

    tries = {nms: figures(fp32, nms) for nms in (0.2, 0.3, 0.4, 0.5)}
    nms_iou = max(tries, key=lambda k: (round(tries[k]["f1"] + tries[k]["lane_recall"], 4), -abs(k - 0.3)))
    base = tries[nms_iou]
    print("fp32", nms_iou, {k: round(v, 4) for k, v in base.items()}, "ms", milliseconds(fp32, example.numpy()))
    best = None
    for method, percentile in [(m, 99.99) for m in arguments.methods.split(",")]:
        candidate = out / f".{method}.onnx"
        quantise(plain, candidate, frames, method, percentile)
        f = figures(session(candidate), nms_iou, base["threshold"])
        print("int8", method, {k: round(v, 4) for k, v in f.items()}, flush=True)
        value = f["f1"] + f["lane_recall"] + f["iou"]
        if best is None or value > best[0]:
            best = (value, method)
            os.replace(candidate, small)
        else:
            candidate.unlink()
    for path in (plain, small):
        ship(path)
    half.store(plain)
    print("int8 chosen", best[1], "ms", milliseconds(session(small), bytes_of(example.numpy())), {p.name: p.stat().st_size for p in (plain, small)})
    # What the refiner's export writes beside these stays, and so does the threshold of both together, where there is one.
    path = out / "detector.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    settings = {"width": WIDTH, "height": HEIGHT, "stride": STRIDE, "score_threshold": round(base["threshold"], 2), "nms_iou": nms_iou, "pad": PAD}
    settings |= {key: kept[key] for key in ("candidate_threshold", "evidence") if key in kept}
    if "evidence" in kept:
        settings["score_threshold"] = kept["score_threshold"]
    path.write_text(json.dumps(settings) + "\n")


def corner_errors(pictures: list[dict], pool: Path, infer, count: int = 150) -> dict:
    """Corners of rendered plates on `tune` pictures: mean distance in shares of the plate's width, and what the true hull would score."""
    for picture in pictures:
        picture["trust"] = np.zeros(len(picture["quads"]))
    rendered = load_rendered(pool, 300, seed=77)
    bare = [p[round(fy * p.shape[0]):-round(fy * p.shape[0]), round(fx * p.shape[1]):-round(fx * p.shape[1])] for p, fx, fy in rendered]
    sampler = Sampler(pictures, bare, text_patches(50), [], WIDTH, HEIGHT, 999, rendered)
    errors, flat, missed = [], [], 0
    for i in range(count):
        canvas, plates, _ = sampler.draw(i)
        truth = [q for q, trust in plates if trust > 0 and np.ptp(q[:, 0]) >= 24]
        if not truth:
            continue
        _, quads = decode(infer(canvas[None, None].astype(np.float32) / 255), 0.3, 0.3)
        overlap = iou_matrix(hull(np.array(truth)), hull(quads)) if len(quads) else np.zeros((len(truth), 1))
        for quad, row in zip(truth, overlap):
            if row.max() < 0.5:
                missed += 1
                continue
            box, wide = hull(quad[None])[0], np.linalg.norm(quad[1] - quad[0])
            errors.append(np.linalg.norm(quads[row.argmax()] - quad, axis=1).mean() / wide)
            flat.append(np.linalg.norm(rectangle(box[0], box[1], box[2] - box[0], box[3] - box[1]) - quad, axis=1).mean() / wide)
    return {"n": len(errors), "missed": missed, "mean": round(float(np.mean(errors)), 4), "p90": round(float(np.percentile(errors, 90)), 4), "true_hull_mean": round(float(np.mean(flat)), 4), "true_hull_p90": round(float(np.percentile(flat, 90)), 4)}


def evaluate(arguments):
    """Prints the figures of the exported networks on `tune`, the lane-like `tune` and `dev`; `--draw` writes picture sheets."""
    cv2.setNumThreads(1)
    settings = json.loads((arguments.out / "detector.json").read_text())
    result = {}
    for file in ("detector.onnx", "detector.int8.onnx"):
        run_session = session(arguments.out / file)
        infer = lambda frame: planes(run_session.run(None, {"frame": bytes_of(frame)})[0])
        for split in ("tune", "lane", "dev"):
            pictures = load_pictures(arguments.data, arguments.work, "tune" if split == "lane" else split)
            frames = lane_frames(pictures) if split == "lane" else evaluation_frames(pictures)
            found = run_frames(frames, infer, nms_iou=settings["nms_iou"])
            result[f"{file} {split}"] = summary(match(frames, found), settings["score_threshold"])
            if arguments.draw and file == "detector.int8.onnx" and split != "dev":
                draw(frames, found, settings["score_threshold"], arguments.draw, split)
        result[f"{file} ms"] = milliseconds(run_session, np.random.default_rng(0).integers(0, 256, (1, 1, HEIGHT, WIDTH), np.uint8))
    if arguments.pool:
        result["corners, rendered plates on tune pictures"] = corner_errors(load_pictures(arguments.data, arguments.work, "tune"), arguments.pool, infer)
    for name, value in result.items():
        print(name, json.dumps(value, default=float))
    return result


def draw(frames, found, threshold, folder: Path, split: str, most: int = 60):
    """Sheets of the frames with misses or false plates: truth green (ignored blue), found red with its score."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles = []
    for frame, (scores, quads) in zip(frames, found):
        m = match([frame], [(scores, quads)])
        if (m["at"] < threshold).any() or (m["score"][m["good"] == 0] >= threshold).any() or split == "lane" and len(tiles) < 6:
            view = cv2.cvtColor((frame["frame"] * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
            for box, judged in zip(frame["boxes"], frame["judged"]):
                cv2.rectangle(view, (int(box[0]), int(box[1])), (int(box[2]), int(box[3])), (0, 255, 0) if judged else (255, 80, 0), 1)
            for s, q in zip(scores, quads):
                if s >= min(threshold, 0.2):
                    cv2.polylines(view, [np.round(q).astype(int)], True, (0, 0, 255) if s >= threshold else (0, 200, 255), 1)
                    cv2.putText(view, f"{s:.2f}", (int(q[0, 0]), max(10, int(q[0, 1]) - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 255), 1)
            cv2.putText(view, frame["name"][:40], (5, HEIGHT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
            tiles.append(cv2.resize(view, (480, 288), interpolation=cv2.INTER_AREA))
    for start in range(0, min(len(tiles), most), 20):
        sheet = tiles[start:start + 20]
        sheet += [np.zeros_like(sheet[0])] * (-len(sheet) % 4)
        cv2.imwrite(str(folder / f"{split}-{start // 20}.png"), np.vstack([np.hstack(sheet[i:i + 4]) for i in range(0, len(sheet), 4)]))


def curve(arguments):
    """Draws `detector_curve.png` from the logs of the named runs, one after the other."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    rows, offset = [], 0
    for name in arguments.runs.split(","):
        part = splits.read_jsonl(HERE / "runs" / f"{name}.jsonl")
        rows += [dict(row, samples=row["samples"] + offset) for row in part]
        offset = rows[-1]["samples"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6))
    at = [row["samples"] / 1000 for row in rows]
    for key, label in (("recall", "recall"), ("precision", "precision"), ("lane_recall", "recall, lane-like"), ("iou", "mean IoU of hits")):
        left.plot(at, [row[key] for row in rows], label=label)
    for key in ("score", "box", "corner"):
        right.plot(at, [row[key] for row in rows], label=f"{key} loss")
    left.set(xlabel="thousand canvases", title="tune, at the threshold with the best F1", ylim=(0.3, 1)), right.set(xlabel="thousand canvases", title="training", yscale="log")
    for axis in (left, right):
        axis.grid(alpha=0.3), axis.legend()
    figure.tight_layout()
    figure.savefig(HERE / "detector_curve.png", dpi=90)


def main():
    root = MODELS.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, default=root.parent / "shared" / "data" / "plates", help="folder with train.jsonl and dev.jsonl")
    shared.add_argument("--work", type=Path, default=HERE / "runs" / "detector", help="caches and checkpoints")
    shared.add_argument("--name", default="detector", help="name of the run")
    t = commands.add_parser("train", parents=[shared])
    t.add_argument("--width", type=int, default=384), t.add_argument("--height", type=int, default=256), t.add_argument("--batch", type=int, default=16)
    t.add_argument("--steps", type=int, default=9000), t.add_argument("--lr", type=float, default=2e-3), t.add_argument("--warmup", type=int, default=200)
    t.add_argument("--ema", type=float, default=0.998), t.add_argument("--every", type=int, default=500), t.add_argument("--seed", type=int, default=1)
    t.add_argument("--scenes", type=Path, nargs="*", help="folders that `garita synth lane` wrote"), t.add_argument("--scene-share", type=float, default=0.35, help="share of canvases that show a rendered scene")
    t.add_argument("--tune-scenes", type=Path, help="a folder of wide views (another seed), reported beside tune"), t.add_argument("--frozen", action="store_true", help="batch statistics stay: for starting from an exported network")
    t.add_argument("--rectangles", type=float, default=0.15, help="how far a labelled rectangle is trusted as four corners")
    t.add_argument("--workers", type=int, default=1), t.add_argument("--pool", type=Path, help="folder that render_plates.py wrote"), t.add_argument("--init", type=Path), t.add_argument("--one-size", action="store_true", help="no canvases of the full input size"), t.add_argument("--coarse", action="store_true", help="without the block at stride 4"), t.add_argument("--minutes", type=float, help="lets the clock, not the steps, drive the learning rate and the end"), t.add_argument("--quads", action="store_true", help="use the corners that relabel found")
    e = commands.add_parser("export", parents=[shared])
    e.add_argument("--out", type=Path, default=MODELS), e.add_argument("--calibration", type=int, default=120, help="pictures to calibrate on")
    e.add_argument("--methods", default="minmax,average,percentile", help="calibration methods to try on tune")
    e.add_argument("--tiles", action="store_true", help="only the int8 network for tiles, detector.tiles.int8.onnx")
    b = commands.add_parser("blend", parents=[shared])
    b.add_argument("--start", type=Path, required=True), b.add_argument("--end", type=Path, required=True), b.add_argument("--share", type=float, default=0.5)
    v = commands.add_parser("eval", parents=[shared])
    v.add_argument("--out", type=Path, default=MODELS), v.add_argument("--pool", type=Path, help="rendered plates, to measure corners"), v.add_argument("--draw", type=Path, help="folder for picture sheets of the errors")
    r = commands.add_parser("relabel", parents=[shared])
    r.add_argument("--least", type=float, default=0.5, help="score of a candidate for a plate without a label")
    c = commands.add_parser("curve", parents=[shared])
    c.add_argument("--runs", default="detector", help="run names in order, comma-separated")
    arguments = parser.parse_args()
    if arguments.command == "export" and arguments.tiles:
        return export_tiles(arguments)
    {"train": train, "curve": curve, "relabel": relabel, "export": export, "blend": blend, "eval": evaluate}[arguments.command](arguments)


if __name__ == "__main__":
    main()
