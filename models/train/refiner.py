"""Plate refiner: looks once more, closely, at each box that the detector names, says whether it is a plate and where its four corners are.

The detector sees a 1080p frame at a third of its size; at a threshold low enough to find nine in ten small plates it names several boxes that are none.
The refiner sees each box in the frame's own pixels: input f32 [1,1,80,128], grey 0..1, the view of `view_of`; output f32 [1,9]: the logit of "this is a
plate", then (x, y) of the top-left, top-right, bottom-right and bottom-left corner from the view's centre, in units of half the view's width.

    python models/train/refiner.py bank      # views of what the detector names on training canvases, positives and negatives (about ten minutes)
    python models/train/refiner.py train     # trains, writes checkpoints (resumes by itself)
    python models/train/refiner.py export    # models/refiner.onnx, models/refiner.int8.onnx, and how both scores become one in models/detector.json
    python models/train/refiner.py eval      # detector and refiner together on `tune`

Canvases, plates, lettering and light are the detector's own (`detector.Sampler`), of `splits`' training pictures only; thresholds come from `tune`.
"""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import detector
import half
from detector import apply, hull, iou_matrix, lane_frames, load_pictures, match, rectangle, session, wilson
from detector_net import HEIGHT, WIDTH, conv, planes
from detector_scenes import load_scenes

HERE = Path(__file__).resolve().parent
VIEW_W, VIEW_H = 128, 80  # the network's input
SPREAD = 1.8  # the view is this many times as wide as the box, or as 1.6 times its height
MORE = 1.4  # a stored view shows this much more than the input does on each axis, so that it can be shifted
BANK_W, BANK_H = round(VIEW_W * MORE), round(VIEW_H * MORE)
CANDIDATE = 0.15  # the least score of a box that the product looks at closely: below it a frame names ten boxes and more, for one plate in a hundred
FLOOR = 0.04  # the least score of a detector's candidate in the bank
SAME, OTHER = 0.25, 0.02  # a candidate is the plate that it overlaps by SAME, none where it overlaps all by less than OTHER; between, nobody can say


def view_of(box) -> tuple[float, float, float]:
    """Centre and half width of the view of a box (x0, y0, x1, y1), in the box's pixels; its half height is VIEW_H / VIEW_W of that."""
    wide, tall = box[2] - box[0], box[3] - box[1]
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, SPREAD / 2 * max(wide, 1.6 * tall)


def cut(grey: np.ndarray, view, width: int, height: int, more: float = 1.0) -> np.ndarray:
    """uint8 [height, width]: the view, `more` times as large, of uint8 `grey`; outside the picture its edge is repeated."""
    cx, cy, half = view
    half *= more
    tall = half * VIEW_H / VIEW_W
    scale = width / (2 * half)
    if scale < 0.7:  # area averaging first, as the product samples several times a pixel
        x0, y0, x1, y1 = (int(math.floor(cx - half)) - 2, int(math.floor(cy - tall)) - 2, int(math.ceil(cx + half)) + 2, int(math.ceil(cy + tall)) + 2)
        a0, b0, a1, b1 = max(0, x0), max(0, y0), min(grey.shape[1], x1), min(grey.shape[0], y1)
        if a1 - a0 < 2 or b1 - b0 < 2:
            return np.full((height, width), 128, np.uint8)
        part = grey[b0:b1, a0:a1]
        small = cv2.resize(part, (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))), interpolation=cv2.INTER_AREA)
        fx, fy = small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]
        grey, cx, cy, half, tall = small, (cx - a0) * fx, (cy - b0) * fy, half * fx, tall * fy
        matrix = np.float32([[width / (2 * half), 0, 0], [0, height / (2 * tall), 0]])
    else:
        matrix = np.float32([[scale, 0, 0], [0, height / (2 * tall), 0]])
    matrix[0, 2] = (0.5 - cx + half) * matrix[0, 0] - 0.5
    matrix[1, 2] = (0.5 - cy + tall) * matrix[1, 1] - 0.5
    return cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class Refiner(nn.Module):
    """Patch stem, dense 3x3 convolutions down to 5x8, one hidden layer. Input [n,1,80,128] in 0..1, output [n,9]. About 26 MMAC, 0.75 M parameters."""

    def __init__(self):
        super().__init__()
        self.stem = conv(1, 32, 4, 4, 0)  # 20 x 32
        self.a = conv(32, 48)
        self.down1, self.b = conv(48, 64, 3, 2), conv(64, 64)  # 10 x 16
        self.down2, self.c = conv(64, 96, 3, 2), conv(96, 96)  # 5 x 8
        self.drop = nn.Dropout(0.1)
        self.hidden = nn.Linear(96 * 40, 128)
        self.out = nn.Linear(128, 9)
        nn.init.normal_(self.out.weight, std=0.01)
        self.out.bias.data = torch.tensor([-1.0, -0.5, -0.2, 0.5, -0.2, 0.5, 0.2, -0.5, 0.2])

    def forward(self, view):
        centred = view - view.mean((2, 3), keepdim=True)
        x = self.stem(centred / ((centred * centred).mean((2, 3), keepdim=True).sqrt() + 0.04))
        x = self.a(x)
        x = self.down1(x)
        x = x + self.b(x)
        x = self.down2(x)
        x = x + self.c(x)
        return self.out(F.relu(self.hidden(self.drop(x.flatten(1)))))


# --------------------------------------------------------------------------------------------------------------- bank


def candidates(run, canvas: np.ndarray, floor: float, nms_iou: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Scores and quads, in pixels of `canvas`, of what the detector names on it."""
    frame, scale = detector.letterbox(canvas)
    scores, quads = detector.decode(planes(run.run(None, {"frame": detector.bytes_of(frame)[None, None]})[0]), floor, nms_iou)
    return scores, quads / scale


def bank(arguments):
    """Writes `bank-K.npz`: views uint8 [n,BANK_H,BANK_W], label (1 plate, 0 none), quads f32 [n,4,2] in the network's units, exact 0..1, score."""
    cv2.setNumThreads(1)
    work = arguments.work
    pictures = detector.training_pictures(arguments.data, work)
    rendered = detector.load_rendered(arguments.pool) if arguments.pool else []
    parts = (pictures, detector.load_crops(arguments.data, work), detector.text_patches(), detector.drawn_plates())
    scenes = load_scenes(arguments.scenes) if arguments.scenes else []
    samplers = {factor: detector.Sampler(*parts, WIDTH * factor, HEIGHT * factor, arguments.seed + factor, rendered, scenes, 0.7 if scenes else 0.0) for factor in (1, 2, 3)}
    run = session(HERE.parent / "detector.int8.onnx")
    rng = np.random.default_rng(arguments.seed)
    begun, kept = time.time(), {name: [] for name in ("views", "label", "quads", "exact", "score")}
    for index in range(arguments.canvases):
        factor = int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
        canvas, plates, ignored = samplers[factor].draw(index)
        truth = np.array([quad for quad, _ in plates], np.float32).reshape(-1, 4, 2)
        exact = np.array([weight for _, weight in plates], np.float32)
        boxes, others = hull(truth) if len(truth) else np.zeros((0, 4), np.float32), hull(np.array(ignored, np.float32)) if ignored else np.zeros((0, 4), np.float32)
        scores, quads = candidates(run, canvas, FLOOR)
        order = rng.permutation(len(scores))[:24]
        named = [(hull(quads[i][None])[0], float(scores[i])) for i in order]
        for box in boxes:  # and each plate as a careless detector would box it
            size = box[2:] - box[:2]
            centre = (box[:2] + box[2:]) / 2 + rng.normal(0, 0.12, 2) * size
            half = size / 2 * np.exp(rng.normal(0, 0.15, 2))
            named.append((np.concatenate([centre - half, centre + half]).astype(np.float32), 0.0))
        for _ in range(2):  # and places where nothing was named
            wide = math.exp(rng.uniform(math.log(14), math.log(200))) * factor
            x, y = rng.uniform(0, WIDTH * factor), rng.uniform(0, HEIGHT * factor)
            named.append((np.float32([x - wide / 2, y - wide / 4, x + wide / 2, y + wide / 4]), 0.0))
        for box, score in named:
            if min(box[2:] - box[:2]) < 3:
                continue
            if len(others) and iou_matrix(box[None], others).max() > OTHER:
                continue
            overlap = iou_matrix(box[None], boxes)[0] if len(boxes) else np.zeros(1)
            best = float(overlap.max())
            if OTHER < best < SAME:
                continue
            view = view_of(box)
            label, quad, trust = 0, np.zeros((4, 2), np.float32), 0.0
            if best >= SAME:
                at = int(overlap.argmax())
                if boxes[at][2] - boxes[at][0] < 11 * max(1, factor * 0.8):
                    continue
                label, quad, trust = 1, (truth[at] - np.float32(view[:2])) / view[2], float(exact[at])
                if np.abs(quad).max() > 1.3:
                    continue
            for name, value in zip(kept, (cut(canvas, view, BANK_W, BANK_H, MORE), label, quad, trust, score)):
                kept[name].append(value)
        if (index + 1) % 200 == 0:
            print(f"{index + 1} canvases, {len(kept['label'])} views, {np.mean(kept['label']):.2f} of them plates, {time.time() - begun:.0f} s", flush=True)
    np.savez(work / f"bank-{arguments.seed}.npz", **{name: np.array(values) for name, values in kept.items()})


# -------------------------------------------------------------------------------------------------------------- train


class Bank:
    """Batches from the banks in `work`: half plates, half none, jittered and spoilt. One thread makes them ahead."""

    def __init__(self, work: Path, seed: int, batch: int, banks: str = "*"):
        import queue
        import threading
        parts = [np.load(path) for path in sorted(path for name in banks.split(",") for path in work.glob(f"bank-{name}.npz"))]
        self.views, self.label, self.quads, self.exact, self.score = (np.concatenate([part[name] for part in parts]) for name in ("views", "label", "quads", "exact", "score"))
        self.yes, self.no = np.flatnonzero(self.label == 1), np.flatnonzero(self.label == 0)
        # What the detector is surer of is what it must be told from.
        self.no_chance = 0.15 + self.score[self.no]
        self.no_chance /= self.no_chance.sum()
        self.rng, self.batch = np.random.default_rng(seed), batch
        self.noise = self.rng.normal(0, 1, 1 << 20).astype(np.float32)
        self.ready = queue.Queue(8)
        threading.Thread(target=self.work, daemon=True).start()

    def one(self, index):
        rng = self.rng
        angle, grow = math.radians(rng.normal(0, 4)), math.exp(rng.normal(0, 0.1))
        squash = math.exp(rng.normal(0, 0.05))
        shift = np.clip(rng.normal(0, 0.07, 2), -0.2, 0.2) * (1, 0.6)
        # from the network's units to the shifted, turned, scaled view's
        turn = np.array([[math.cos(angle) * squash, -math.sin(angle)], [math.sin(angle), math.cos(angle) / squash]]) * grow
        quad = self.quads[index] @ turn.T + shift
        # stored pixel -> unit -> turned -> input pixel
        stored, half = VIEW_W / 2, np.array([VIEW_W / 2, VIEW_H / 2])
        centre = np.array([BANK_W / 2, BANK_H / 2])
        matrix = np.zeros((2, 3), np.float32)
        matrix[:, :2] = turn
        matrix[:, 2] = -turn @ (centre - 0.5) + shift * stored + half - 0.5
        view = cv2.warpAffine(self.views[index], matrix, (VIEW_W, VIEW_H), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if rng.random() < 0.3:  # a small plate
            wide = int(rng.uniform(28, 110))
            view = cv2.resize(cv2.resize(view, (wide, max(12, wide * VIEW_H // VIEW_W)), interpolation=cv2.INTER_AREA), (VIEW_W, VIEW_H), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.15:
            view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 1.3))
        light = view.astype(np.float32)
        if rng.random() < 0.4:
            light = 255 * (light / 255) ** math.exp(rng.normal(0, 0.35))
        if rng.random() < 0.2:
            xs, ys = np.linspace(-0.5, 0.5, VIEW_W), np.linspace(-0.5, 0.5, VIEW_H)
            light = light * (1 + rng.uniform(-0.9, 0.9) * xs[None] + rng.uniform(-0.9, 0.9) * ys[:, None])
        if rng.random() < 0.4:
            start = int(rng.integers(0, self.noise.size - light.size))
            light = light + rng.uniform(1, 14) * self.noise[start:start + light.size].reshape(light.shape)
        return np.clip(light, 0, 255).astype(np.uint8), quad

    def work(self):
        cv2.setNumThreads(1)
        while True:
            half = self.batch // 2
            picked = np.concatenate([self.rng.choice(self.yes, half), self.rng.choice(self.no, self.batch - half, p=self.no_chance)])
            made = [self.one(index) for index in picked]
            self.ready.put((np.stack([view for view, _ in made]), self.label[picked].astype(np.float32), np.stack([quad for _, quad in made]).astype(np.float32), self.exact[picked].astype(np.float32)))


def loss_terms(output, label, quads, exact):
    """Score, corner and hull losses. Corners are learned where they are exact; where only a rectangle was labelled, their hull is."""
    score = F.binary_cross_entropy_with_logits(output[:, 0], label * 0.98 + 0.01)
    corners = output[:, 1:].reshape(-1, 4, 2)
    corner = F.smooth_l1_loss(corners, quads, beta=0.03, reduction="none").mean((1, 2)) * label
    sides = lambda q: torch.cat([q.amin(1), q.amax(1)], 1)
    box = F.smooth_l1_loss(sides(corners), sides(quads), beta=0.03, reduction="none").mean(1) * label
    # A rectangle's corners still say something of a plate that is hardly tilted.
    trust = torch.where(exact > 0.9, exact, 0.1 * torch.ones_like(exact))
    count = label.sum().clamp(min=1)
    return score, (corner * trust).sum() / count, box.sum() / count


def train(arguments):
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    source = Bank(arguments.work, arguments.seed, arguments.batch, arguments.banks)
    print(f"{len(source.yes)} plates, {len(source.no)} that are none", flush=True)
    model, ema = Refiner().to(memory_format=torch.channels_last), Refiner()
    ema.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW([{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.05}, {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}], lr=arguments.lr)
    checkpoint, step, before = arguments.work / f"refiner-{arguments.name}.pt", 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"]), ema.load_state_dict(saved["ema"]), optimiser.load_state_dict(saved["optimiser"])
        step, before = saved["step"], saved["seconds"]
    elif arguments.init:
        weights = torch.load(arguments.work / f"refiner-{arguments.init}.pt", weights_only=True)["ema"]
        model.load_state_dict(weights), ema.load_state_dict(weights)
    frames = tune_frames(arguments)
    run = session(HERE.parent / "detector.int8.onnx")
    named = [candidates(run, frame["grey"], 0.1) for frame in frames]
    (HERE / "runs").mkdir(exist_ok=True)
    log = open(HERE / f"runs/refiner-{arguments.name}.jsonl", "a", encoding="utf-8")
    began, reported, sums, count = time.time(), time.time(), np.zeros(3), 0
    while True:
        seconds = before + time.time() - began
        progress = min(1.0, seconds / arguments.seconds)
        rate = arguments.lr * min(1.0, (step + 1) / 200) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        views, label, quads, exact = (torch.from_numpy(values) for values in source.ready.get())
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.bf16):
            output = model(views.float().div_(255).unsqueeze(1).contiguous(memory_format=torch.channels_last))
        score, corner, box = loss_terms(output.float(), label, quads, exact)
        loss = score + 6.0 * corner + 4.0 * box
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        step += 1
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(ema.state_dict().values(), model.state_dict().values()):
                slow.lerp_(fast, 1 - keep) if slow.dtype.is_floating_point else slow.copy_(fast)
        sums += [score.item(), corner.item(), box.item()]
        count += 1
        if time.time() - reported > arguments.every or progress >= 1:
            figures = together(frames, named, torch_refine(ema), 0.2)
            row = {"step": step, "seconds": round(seconds), "pictures_s": round(count * arguments.batch / (time.time() - reported)), "score": round(sums[0] / count, 4), "corner": round(sums[1] / count, 5), "box": round(sums[2] / count, 5), **figures}
            print(row, flush=True)
            log.write(json.dumps(row) + "\n"), log.flush()
            torch.save({"model": model.state_dict(), "ema": ema.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}, checkpoint.with_suffix(".new"))
            os.replace(checkpoint.with_suffix(".new"), checkpoint)
            sums[:], count, reported = 0, 0, time.time()
        if progress >= 1:
            return


# --------------------------------------------------------------------------------------------------------------- tune


def tune_frames(arguments) -> list[dict]:
    """The tuning pictures as they are, and put side by side on 1280x768 as a lane camera sees cars (plates 34 to 120 px wide)."""
    pictures = load_pictures(arguments.data, arguments.work, "tune")
    frames = [{"grey": p["levels"][0], "boxes": hull(p["quads"]) if len(p["quads"]) else np.zeros((0, 4), np.float32), "kind": p["kind"]} for p in pictures]
    for frame in frames:
        frame["judged"] = frame["boxes"][:, 2] - frame["boxes"][:, 0] >= 40
    return frames + lane_views(pictures)


def lane_views(pictures: list[dict], seed: int = 5) -> list[dict]:
    """`detector.lane_frames` at twice its size."""
    rng = random.Random(seed)
    queue = [p for p in pictures if len(p["quads"]) and np.ptp(hull(p["quads"])[:, [0, 2]], axis=1).max() >= 40]
    rng.shuffle(queue)
    frames = []
    while queue:
        canvas, boxes, x, y, row = np.full((2 * HEIGHT, 2 * WIDTH), 128, np.uint8), [], 0, 0, 0
        while queue:
            picture = queue[-1]
            full = picture["levels"][0]
            widest = np.ptp(hull(picture["quads"])[:, [0, 2]], axis=1).max()
            scale = min(2 * math.exp(rng.uniform(math.log(17), math.log(60))) / widest, 1.2)
            w, h = max(8, round(full.shape[1] * scale)), max(8, round(full.shape[0] * scale))
            if x + w > 2 * WIDTH:
                x, y, row = 0, y + row, 0
            if y + h > 2 * HEIGHT or x + w > 2 * WIDTH:
                if not boxes:
                    queue.pop()
                break
            queue.pop()
            canvas[y:y + h, x:x + w] = cv2.resize(full, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            boxes.append(hull(picture["quads"]) * scale + np.array([x, y, x, y]))
            x, row = x + w, max(row, h)
        if boxes:
            boxes = np.concatenate(boxes)
            frames.append({"grey": canvas, "boxes": boxes, "judged": boxes[:, 2] - boxes[:, 0] >= 32, "kind": "lane"})
    return frames


def torch_refine(model):
    """Function from uint8 views [n,80,128] to [n,9]."""
    model.eval()

    def refine(views):
        with torch.inference_mode():
            return model(torch.from_numpy(views).float().div_(255).unsqueeze(1)).numpy()
    return refine


TERMS = ("bias", "close", "first", "log_width")
PLAIN = np.array([0.0, 1.0, 2.0, 0.5])  # before they are fitted: about what each evidence is worth


def logit(share):
    share = np.clip(share, 1e-4, 1 - 1e-4)
    return np.log(share / (1 - share))


def evidence(frame: dict, close: np.ndarray, first: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """[n,4], in the order of TERMS: 1, the refiner's logit, that of the detector's score, and ln of ten times the plate's width as a share of the view's."""
    height, width = frame["grey"].shape
    wide = np.ptp(placed[:, :, 0], axis=1) / max(width, height * WIDTH / HEIGHT)
    return np.stack([np.ones(len(close)), close, logit(first), np.log(np.clip(10 * wide, 0.01, 10))], 1)


def refined(frame: dict, named, refine, floor: float, terms=PLAIN, raw: bool = False):
    """Scores and quads of a frame's candidates at or above `floor`, refined, surest first, each plate once; and their evidence where `raw`."""
    scores, quads = named
    boxes = [hull(quad[None])[0] for quad, score in zip(quads, scores) if score >= floor]
    if not boxes:
        return (np.zeros(0), np.zeros((0, 4, 2), np.float32)) + ((np.zeros((0, 4)),) if raw else ())
    views = [view_of(box) for box in boxes]
    out = refine(np.stack([cut(frame["grey"], view, VIEW_W, VIEW_H) for view in views]))
    placed = np.stack([out[i, 1:].reshape(4, 2) * view[2] + np.float32(view[:2]) for i, view in enumerate(views)])
    known = evidence(frame, out[:, 0], scores[scores >= floor], placed)
    sure = 1 / (1 + np.exp(-known @ terms))
    keep = []
    for i in np.argsort(-sure):
        if all(iou_matrix(hull(placed[i][None]), hull(placed[j][None]))[0, 0] <= 0.3 for j in keep):
            keep.append(i)
    return (sure[keep], placed[keep]) + ((known[keep],) if raw else ())


def fit(frames, named, refine, floor: float) -> np.ndarray:
    """Weights of the logistic regression of "this is a labelled plate" on the evidence, over the tuning frames; boxes of less than 40 pixels, of which
    many are plates that nobody labelled, are left out."""
    known, right = [], []
    for frame, one in zip(frames, named):
        _, quads, rows = refined(frame, one, refine, floor, raw=True)
        boxes = frame["boxes"]
        overlap = iou_matrix(hull(quads), boxes) if len(boxes) and len(quads) else np.zeros((len(quads), 1))
        judged = np.append(frame["judged"], True)
        least = 32 if frame["kind"] == "lane" else 40
        for quad, row, share in zip(quads, rows, overlap):
            best = int(share.argmax()) if len(boxes) else -1
            if (share.max() >= 0.2 and not judged[best]) or np.ptp(quad[:, 0]) < least:
                continue
            known.append(row), right.append(share.max() >= 0.5)
    x, y = np.array(known), np.array(right, float)
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        weights -= np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + 0.5 * np.eye(len(weights)), x.T @ (p - y) + 0.5 * weights)
    print(f"{len(y)} boxes, {y.mean():.3f} plates: {dict(zip(TERMS, weights.round(3)))}", flush=True)
    return weights


def together(frames, named, refine, floor: float, terms=PLAIN) -> dict:
    """Recall, precision and overlap at 0.5, and recall where 90 and 95 in 100 boxes are labelled plates, of tuning pictures and of lane views."""
    found = [refined(frame, one, refine, floor, terms) for frame, one in zip(frames, named)]
    figures = {}
    for name, kind in (("tune", False), ("lane", True)):
        pick = [i for i, frame in enumerate(frames) if (frame["kind"] == "lane") == kind]
        m = match([frames[i] for i in pick], [found[i] for i in pick])
        half = m["score"] >= 0.5
        figures |= {f"{name}_recall": round(float((m["at"] >= 0.5).mean()), 4), f"{name}_precision": round(float(m["good"][half].mean()), 4), f"{name}_iou": round(float(m["iou"][m["at"] >= 0.5].mean()), 4)}
        for wanted in (0.9, 0.95):
            order = np.argsort(-m["score"])
            precise = np.cumsum(m["good"][order]) / np.arange(1, len(order) + 1)
            last = np.flatnonzero(precise >= wanted)
            least = m["score"][order][last[-1]] if len(last) else 1.0
            figures[f"{name}_recall_at_{round(100 * wanted)}"] = round(float((m["at"] >= least).mean()), 4)
    return figures


# -------------------------------------------------------------------------------------------------------------- export


class Export(nn.Module):
    """A trained refiner with batch normalisation folded and the 4x4 patches moved as channels, which int8 runs faster."""

    def __init__(self, model: Refiner):
        super().__init__()
        for name, module in model.eval().named_children():
            setattr(self, name, nn.utils.fuse_conv_bn_eval(module[0], module[1]) if isinstance(module, nn.Sequential) else module)

    def forward(self, view):
        centred = view - view.mean((2, 3), keepdim=True)
        x = F.relu(self.stem(centred / ((centred * centred).mean((2, 3), keepdim=True).sqrt() + 0.04)))
        x = F.relu(self.a(x))
        x = F.relu(self.down1(x))
        x = x + F.relu(self.b(x))
        x = F.relu(self.down2(x))
        x = x + F.relu(self.c(x))
        return self.out(F.relu(self.hidden(x.flatten(1))))


def load(work: Path, name: str) -> Refiner:
    """The averaged weights of a checkpoint."""
    model = Refiner()
    model.load_state_dict(torch.load(work / f"refiner-{name}.pt", weights_only=True)["ema"])
    return model.eval()


def export(arguments):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    from detector_net import simplify_and_name
    model = Export(load(arguments.work, arguments.name)).eval()
    plain, small = arguments.models / "refiner.onnx", arguments.models / "refiner.int8.onnx"
    torch.onnx.export(model, (torch.zeros(1, 1, VIEW_H, VIEW_W),), str(plain), input_names=["view"], output_names=["plate"], opset_version=17, dynamo=False)
    simplify_and_name(plain)
    source = Bank(arguments.work, 77, 200)
    views = np.concatenate([source.ready.get()[0] for _ in range(2)]).astype(np.float32) / 255

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(views)

        def get_next(self):
            view = next(self.left, None)
            return None if view is None else {"view": view[None, None]}

    import onnx
    graph = onnx.load(str(plain)).graph
    first = next(node for node in graph.node if node.op_type == "Conv")
    floats = [node.name for node in graph.node if node.op_type == "Gemm"][-1:]
    for node in graph.node:  # the normalisation before the first convolution stays fp32
        if node.name == first.name:
            break
        floats.append(node.name)
    quantize_static(str(plain), str(small), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=floats)
    frames, run = tune_frames(arguments), session(HERE.parent / "detector.int8.onnx")
    named = [candidates(run, frame["grey"], CANDIDATE) for frame in frames]
    terms = fit(frames, named, onnx_refine(small)[0], CANDIDATE)
    path = arguments.models / "detector.json"
    settings = json.loads(path.read_text())
    settings |= {"candidate_threshold": CANDIDATE, "evidence": dict(zip(TERMS, (round(float(term), 4) for term in terms)))}
    path.write_text(json.dumps(settings) + "\n")
    half.store(plain)
    evaluate(arguments)


def onnx_refine(path: Path):
    """Function from uint8 views to [n,9] by an exported file, with its CPU time for one, milliseconds."""
    run = session(path)
    refine = lambda views: np.concatenate([run.run(None, {"view": view[None, None].astype(np.float32) / 255})[0] for view in views])
    one, spent = np.zeros((1, VIEW_H, VIEW_W), np.uint8), []
    for _ in range(200):
        begun = time.process_time()
        refine(one)
        spent.append(1000 * (time.process_time() - begun))
    return refine, min(spent)


def corner_errors(arguments, refine, count: int = 150) -> dict:
    """Mean distance of the corners of rendered plates on tuning pictures, in shares of the plate's width: the detector's, the refiner's, and what the true
    upright hull would have; with the 90th percentile."""
    pictures = load_pictures(arguments.data, arguments.work, "tune")
    for picture in pictures:
        picture["trust"] = np.zeros(len(picture["quads"]))
    rendered = detector.load_rendered(arguments.pool, 300, seed=77)
    bare = [p[round(fy * p.shape[0]):-round(fy * p.shape[0]), round(fx * p.shape[1]):-round(fx * p.shape[1])] for p, fx, fy in rendered]
    sampler = detector.Sampler(pictures, bare, detector.text_patches(50), [], 2 * WIDTH, 2 * HEIGHT, 999, rendered)
    run, errors = session(HERE.parent / "detector.int8.onnx"), []
    for index in range(count):
        canvas, plates, _ = sampler.draw(index)
        truth = [quad for quad, trust in plates if trust > 0 and np.ptp(quad[:, 0]) >= 48]
        _, quads = candidates(run, canvas, 0.3)
        if not truth or not len(quads):
            continue
        overlap = iou_matrix(hull(np.array(truth)), hull(quads))
        for quad, row in zip(truth, overlap):
            if row.max() < 0.5:
                continue
            named = quads[row.argmax()]
            view = view_of(hull(named[None])[0])
            close = refine(cut(canvas, view, VIEW_W, VIEW_H)[None])[0, 1:].reshape(4, 2) * view[2] + np.float32(view[:2])
            box, wide = hull(quad[None])[0], np.linalg.norm(quad[1] - quad[0])
            errors.append([np.linalg.norm(one - quad, axis=1).mean() / wide for one in (named, close, rectangle(box[0], box[1], box[2] - box[0], box[3] - box[1]))])
    mean, high = np.mean(errors, 0), np.percentile(errors, 90, 0)
    return {"n": len(errors)} | {name: f"{100 * a:.1f} % ({100 * b:.1f})" for name, a, b in zip(("detector", "refiner", "hull"), mean, high)}


def evaluate(arguments):
    """Detector and refiner together on `tune`, by floor and file."""
    frames = tune_frames(arguments)
    run = session(HERE.parent / "detector.int8.onnx")
    named = [candidates(run, frame["grey"], 0.05) for frame in frames]
    terms = np.array([json.loads((arguments.models / "detector.json").read_text())["evidence"][name] for name in TERMS])
    for name in ("refiner.onnx", "refiner.int8.onnx"):
        refine, spent = onnx_refine(arguments.models / name)
        for floor in (0.1, CANDIDATE, 0.2, 0.3):
            boxes = np.mean([(scores >= floor).sum() for scores, _ in named])
            print(f"{name} {spent:.2f} ms, floor {floor}, {boxes:.1f} boxes a frame: {together(frames, named, refine, floor, terms)}", flush=True)
        print(f"{name} corners: {corner_errors(arguments, refine)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["bank", "train", "export", "eval"])
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared/data/plates")
    parser.add_argument("--work", type=Path, default=HERE / "runs/cache-detector", help="folder of the detector's caches, banks and checkpoints")
    parser.add_argument("--pool", type=Path, default=HERE / "runs/cache/pool0", help="rendered plates (render_plates.py --out)")
    parser.add_argument("--models", type=Path, default=HERE.parent)
    parser.add_argument("--name", default="a")
    parser.add_argument("--init", help="name of the run whose averaged weights to start from")
    parser.add_argument("--scenes", type=Path, nargs="*", default=[], help="folders of `garita synth lane`: seven in ten canvases of the bank show those")
    parser.add_argument("--banks", default="*", help="seeds of the banks to train on, comma-separated; all unless given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--canvases", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=1500, help="length of the schedule")
    parser.add_argument("--every", type=float, default=120)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="bfloat16 convolutions: 2.4 times as fast where the processor has AMX")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    {"bank": bank, "train": train, "export": export, "eval": evaluate}[arguments.task](arguments)


if __name__ == "__main__":
    main()
