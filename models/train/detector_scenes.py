"""Lane scenes that `garita synth lane` rendered, for training the plate detector and for judging it on small plates."""

import json
from pathlib import Path

import cv2
import numpy as np

TILE = (960, 576)  # frame pixels of one tile (src/lane/detect.rs), shown to the network at two thirds of its size
OVERLAP = 144  # frame pixels that neighbouring tiles share
SHRINK = 1.5
WINDOW = (640, 384)


def load_scenes(folders: list[Path]) -> list[dict]:
    """Rendered pictures in the shape of `detector.load_pictures`; views wider than 2,560 px at half size, about as tiles show them.

    Every plate has its four exact corners. Plates under 8 px (full-size pixels here) are left out of the picture's truth.
    """
    scenes = []
    for folder in folders:
        for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            full = cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE)
            shrink = 2 if full.shape[1] > 2560 else 1
            levels = [full]
            for _ in range(3 if shrink == 2 else 2):
                h, w = levels[-1].shape
                levels.append(cv2.resize(levels[-1], ((w + 1) // 2, (h + 1) // 2), interpolation=cv2.INTER_AREA))
            quads = np.array([plate["corners"] for plate in row["plates"]], np.float32).reshape(-1, 4, 2) / shrink
            quads = quads[np.ptp(quads[:, :, 0], axis=1) >= 8] if len(quads) else quads
            scenes.append({"levels": tuple(levels[shrink - 1:shrink + 2]), "quads": quads, "exact": np.ones(len(quads), bool), "trust": np.ones(len(quads)),
                           "extra": np.zeros((0, 4, 2), np.float32), "name": f"{folder.name}/{row['image']}", "kind": "scene"})
    return scenes


def starts(length: int, tile: int) -> list[int]:
    """Where the tiles that cover `length` frame pixels begin."""
    if length <= tile:
        return [0]
    count = -(-(length - OVERLAP) // (tile - OVERLAP))
    return [i * (length - tile) // (count - 1) for i in range(count)]


def tile_frames(folder: Path, least: float = 40.0) -> list[dict]:
    """Tiles of wide views as `detector.evaluation_frames` shapes them: plates of `least` frame pixels and more that lie whole in the tile are judged."""
    frames = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        full = cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE)
        boxes = np.array([plate["box"] for plate in row["plates"]], np.float32).reshape(-1, 4)
        for y in starts(full.shape[0], TILE[1]):
            for x in starts(full.shape[1], TILE[0]):
                view = cv2.resize(full[y:y + TILE[1], x:x + TILE[0]], WINDOW, interpolation=cv2.INTER_AREA)
                at = (boxes - np.array([x, y, 0, 0], np.float32)) / SHRINK
                at[:, 2:] += at[:, :2]
                seen = (at[:, 2] > 0) & (at[:, 3] > 0) & (at[:, 0] < WINDOW[0]) & (at[:, 1] < WINDOW[1])
                at = at[seen]
                whole = (at[:, 0] >= 2) & (at[:, 1] >= 2) & (at[:, 2] <= WINDOW[0] - 2) & (at[:, 3] <= WINDOW[1] - 2)
                frames.append({"frame": view.astype(np.float32) / 255, "boxes": at, "judged": whole & (at[:, 2] - at[:, 0] >= least / SHRINK), "kind": "tile", "name": row["image"]})
    return frames
