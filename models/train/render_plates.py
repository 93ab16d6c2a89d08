"""Draws number plates and says where every character stands.

One plate is drawn on a grey canvas of CANVAS_H x CANVAS_W; the plate itself always fills the same inner rectangle
(PLATE_W x PLATE_H at MARGIN_X, MARGIN_Y) whatever its true shape, and `ratio` (width / height) remembers the shape. The
rest is car body, recess or licence frame. Characters come with class, extents and line, so that a network can be told
which character each of its columns sees.

`python render_plates.py --fonts DIR --out POOL.npz --count 40000 --seed 1` writes a pool; `--sheet SHEET.png` a picture of some.
"""

import argparse
import functools
import math
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from plate_formats import CANADA, JURISDICTIONS, MEXICAN_FORMATS, MEXICAN_TAGS, MEXICO, UNITED_STATES, WORLD

PLATE_W, PLATE_H = 224, 88
MARGIN_X, MARGIN_Y = 32, 16
CANVAS_W, CANVAS_H = PLATE_W + 2 * MARGIN_X, PLATE_H + 2 * MARGIN_Y
MAX_CHARS = 12
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = ALPHABET[10:]
SAFE_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
GLYPH_PX = 96

WORDS = (
    "MY LOVE GO BIG DOG CAT MOM DAD BOY GIRL RUN FAST CAR VETTE STANG FORD CHEVY BMW AUDI TESLA JEEP HONDA TOYO ROX RACER ZOOM VROOM NO YES GAS "
    "EV WATT VOLT AMP SPARK OIL OHM JOULE HI BYE SUN SKI SURF SNOW RIDE BIKE HIKE FISH GOLF BALL TEAM FAN GATOR BEAR LION WOLF EAGLE HAWK BUCK DEER MOOSE "
    "KING QUEEN DUKE LADY BOSS CHEF DOC DR RN NURSE TEACH LAW JUDGE COP FIRE ARMY NAVY USMC USAF VET HERO ROCK ROLL JAZZ BLUES BAND DRUM BASS GUITAR SONG "
    "HAPPY SMILE JOY FUN LUCKY BLESS FAITH HOPE GRACE GOD JESUS PRAY AMEN PEACE ZEN YOGA FREE WILD CRAZY MAD BAD GOOD BEST TOP COOL HOT ICE RED BLUE BLK GRN "
    "PINK GOLD SILVER WHT NITE DAY MOON STAR SKY JET FLY PILOT AIR SHIP BOAT SAIL SEA OCEAN BEACH LAKE RIVER FARM TRUCK DIESEL TURBO V8 LS GT RS SS SRT HEMI "
    "COBRA SHELBY VIPER RAM MINI COOP BUG BEETLE VAN BUS TAXI 4X4 OFFRD MUD TRAIL CAMP TENT ROAD TRIP WAY HOME HOUSE LAND BABY KIDS SON WIFE HUBBY GRAN NANA PAPA "
    "UNCLE SIS BRO 1ST 2ND 3RD 2FAST 2SLOW 4EVER 4U 4ME 2GO 2BAD B4 GR8 L8R M8 L8 ME U UR IM ITS THE OF N TO SO BE DO IS IT AT UP IN ON IF OK HEY WOW YAY LOL OMG "
    "JOHN MIKE DAVE BILL BOB JIM TOM SAM MAX LEO AMY ANN SUE KIM LIZ KATE JANE LISA MARY EMMA ROSE LILY MIA ZOE AVA JEN BETH TINA DEB PAM RICK NICK JACK LUKE MARK PAUL "
    "MAN TOY LIFE LIVE LUV LVN GRL GUY DUDE WIN ACE CASH RICH LOAN SOLD REAL ESTATE PLAY GAME NERD GEEK CODE PIXEL BYTE DATA TECH ROBOT NINJA SAMURAI PANDA TIGER KOALA "
    "EGG HAM PIE CAKE TACO PIZZA BEER WINE RUM GIN TEA JAVA COCOA SUGAR HONEY PEACH APPLE LEMON LIME MANGO CHILI SALT PEPPER"
).split()
VOWELS, CONSONANTS = "AEIOU", "BCDFGHJKLMNPRSTVWXYZ"
FRAME_TEXTS = ("HONDA", "TOYOTA OF", "MOTORS", "AUTO SALES", "www.cars.com", "CHEVROLET", "UNIVERSITY", "FORD", "HARLEY-DAVIDSON", "ALUMNI", "MY OTHER CAR", "BMW", "NISSAN", "JAGUAR", "DEALER", "GO TEAM", "HYUNDAI", "CITY MOTORS 555-1234")


@functools.lru_cache(maxsize=256)
def rounded(rx, ry):
    """Coverage 0..1 [PLATE_H, PLATE_W] of a plate whose corners are rounded by rx, ry px."""
    ys, xs = np.mgrid[0:PLATE_H, 0:PLATE_W].astype(np.float32)
    dx = np.maximum(0, np.maximum(rx - xs, xs - (PLATE_W - 1 - rx))) / rx
    dy = np.maximum(0, np.maximum(ry - ys, ys - (PLATE_H - 1 - ry))) / ry
    return np.clip((1.05 - np.hypot(dx, dy)) * min(rx, ry), 0, 1).astype(np.float32)


class Faces:
    """Glyph bitmaps of a folder of fonts, cached; `glyph` gives uint8 ink cropped to its box, `GLYPH_PX` high at most."""

    def __init__(self, folder: Path):
        self.number = [path for path in sorted((folder / "ttf").iterdir()) if "-A.ttf" not in path.name]
        self.text = sorted((folder / "lettering").iterdir())
        self.glyphs, self.widths, self.words, self.sized = {}, {}, {}, {}

    def font(self, path, size):
        key = (path, size)
        if key not in self.sized:
            self.sized[key] = ImageFont.truetype(str(path), size)
        return self.sized[key]

    def any(self, rng):
        """A random face for numbers."""
        return self.number[rng.integers(len(self.number))]

    def glyph(self, path, char):
        key = (path, char)
        if key not in self.glyphs:
            font = self.font(path, GLYPH_PX)
            picture = Image.new("L", (3 * GLYPH_PX, 2 * GLYPH_PX), 0)
            ImageDraw.Draw(picture).text((GLYPH_PX // 2, GLYPH_PX // 4), char, 255, font)
            ink = np.asarray(picture)
            ys, xs = np.nonzero(ink > 60)
            self.glyphs[key] = ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].copy() if len(xs) else np.zeros((8, 8), np.uint8)
        return self.glyphs[key]

    def width(self, path):
        """Median glyph width, in pixels of the glyph cache."""
        if path not in self.widths:
            self.widths[path] = float(np.median([self.glyph(path, c).shape[1] for c in "ABDEHKNPRSTUVXZ0234567890"]))
        return self.widths[path]

    def word(self, path, text):
        """A whole small text as one uint8 bitmap about 40 px high."""
        key = (path, text)
        if key not in self.words:
            font = self.font(path, 36)
            box = font.getbbox(text)
            picture = Image.new("L", (max(4, box[2] - box[0] + 4), max(4, box[3] - box[1] + 4)), 0)
            ImageDraw.Draw(picture).text((2 - box[0], 2 - box[1]), text, 255, font)
            self.words[key] = np.asarray(picture)
        return self.words[key]


def paste_max(ink, mask, x0, y0, x1, y1):
    """Put `mask` (uint8) into the float ink map at the box, keeping the darker of both."""
    x0, y0, x1, y1 = round(x0), round(y0), round(x1), round(y1)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    small = cv2.resize(mask, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA if mask.shape[0] > y1 - y0 else cv2.INTER_LINEAR)
    cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x1, ink.shape[1]), min(y1, ink.shape[0])
    if cx0 < cx1 and cy0 < cy1:
        np.maximum(ink[cy0:cy1, cx0:cx1], small[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0], out=ink[cy0:cy1, cx0:cx1])


def fill_format(form, rng):
    """A number of format `form` as a list of lines; each line a list of tokens (str of one character, separator, or tuple = stacked)."""
    lines, line, index = [], [], 0
    def one(symbol):
        if symbol == "A":
            return LETTERS[rng.integers(26)]
        if symbol == "L":
            return SAFE_LETTERS[rng.integers(len(SAFE_LETTERS))]
        if symbol == "X":
            return ALPHABET[rng.integers(36)]
        return str(rng.integers(10)) if symbol == "9" else symbol
    while index < len(form):
        symbol = form[index]
        if symbol == "\\":
            index += 1
            line.append(form[index])
        elif symbol == "/":
            lines.append(line)
            line = []
        elif symbol == "[":
            end = form.index("]", index)
            inner = form[index + 1 : end]
            line.append(tuple(c if "\\" in inner else one(c) for c in inner.replace("\\", "")))
            index = end
        else:
            line.append(symbol if symbol in "-.:* " else one(symbol))
        index += 1
    return lines + [line]


def vanity(rng):
    """A made-up vanity text of 2 to 8 characters, with blanks and the odd symbol or dash."""
    kind = rng.random()
    if kind < 0.45:
        parts = [WORDS[rng.integers(len(WORDS))] for _ in range(rng.integers(1, 4))]
        text = (" " if rng.random() < 0.4 else "").join(parts)
    elif kind < 0.62:
        text = "".join(CONSONANTS[rng.integers(20)] + (VOWELS[rng.integers(5)] if rng.random() < 0.75 else "") for _ in range(rng.integers(2, 5)))
    elif kind < 0.8:
        text = WORDS[rng.integers(len(WORDS))] + (" " if rng.random() < 0.3 else "") + str(rng.integers(10 ** rng.integers(1, 4)))
        if rng.random() < 0.3:
            text = str(rng.integers(1, 100)) + WORDS[rng.integers(len(WORDS))]
    else:
        text = "".join(ALPHABET[rng.integers(36)] for _ in range(rng.integers(3, 8)))
    if rng.random() < 0.12:
        swap = {"E": "3", "A": "4", "O": "0", "I": "1", "S": "5", "T": "7", "B": "8"}
        text = "".join(swap.get(c, c) if rng.random() < 0.5 else c for c in text)
    if rng.random() < 0.06 and len(text) > 3:
        at = rng.integers(1, len(text))
        text = text[:at] + ("*" if rng.random() < 0.6 else "-") + text[at:]
    limit = int(rng.integers(6, 9))
    kept, used = "", 0
    for c in text:
        used += c.isalnum()
        if used > limit:
            break
        kept += c
    return kept.strip(" -*") or "ME"


class Plate:
    """The canvas of one plate being drawn. `back` is the grey picture 0..255, `ink` the character coverage 0..255."""

    def __init__(self, faces, rng):
        self.faces, self.rng = faces, rng
        self.back = np.empty((CANVAS_H, CANVAS_W), np.float32)
        self.ink = np.zeros((CANVAS_H, CANVAS_W), np.uint8)
        self.chars = []  # (class, line, x0, y0, x1, y1)

    def xy(self, u, v):
        """Canvas point of plate coordinates u, v in 0..1."""
        return MARGIN_X + u * PLATE_W, MARGIN_Y + v * PLATE_H

    def number(self, tokens, line, box, face, aspect, spread, seal=0.0, gaps=(0.12, 0.32), blanks=(0.3, 0.75)):
        """Draw the tokens of one line into `box` (u0, v0, u1, v1), characters at most `aspect` as wide as high (canvas px).

        `spread` in 0..1: 1 = every character takes an equal cell (dies), 0 = proportional. `gaps` and `blanks`: range of
        the space between characters and of a blank, in character widths.
        """
        rng, faces = self.rng, self.faces
        x0, y0 = self.xy(box[0], box[1])
        x1, y1 = self.xy(box[2], box[3])
        height = y1 - y0
        reference = faces.width(face)
        gap = rng.uniform(*gaps)
        blank, dash = rng.uniform(*blanks), rng.uniform(0.4, 0.8)
        units = []
        for token in tokens:
            if token == " ":
                units.append(blank)
            elif token in ("-", ".", ":"):
                units.append(dash)
            elif token == "*":
                units.append(rng.uniform(0.75, 1.2))
            elif isinstance(token, tuple):
                units.append(0.62)
            else:
                natural = min(1.3, faces.glyph(face, token).shape[1] / reference)
                units.append(spread + (1 - spread) * natural + gap)
        unit = min((x1 - x0) / max(sum(units), 0.1), aspect * height)
        start = x0 + (x1 - x0 - unit * sum(units)) * (0.5 if rng.random() < 0.85 else rng.random())
        lift = rng.uniform(-0.3, 0.3) if rng.random() < 0.04 else 0.0  # last characters smaller and raised
        shrink_from = rng.integers(3, 6) if lift else 99
        count = 0
        small_alpha = rng.random() < 0.05
        for token, width in zip(tokens, units):
            left, right = start, start + unit * width
            start = right
            if token == " ":
                continue
            if isinstance(token, tuple):
                rows = len(token)
                for row, char in enumerate(token):
                    top = y0 + height * row / rows
                    paste_max(self.ink, faces.glyph(face, char), left + 1, top + 1, right - 1, top + height / rows - 1)
                    share = (right - left) / rows
                    self.chars.append((1 + ALPHABET.index(char), line, left + share * row, y0, left + share * (row + 1), y1))
                continue
            if token in ("-", ".", ":"):
                middle, mid_y = (left + right) / 2, y0 + height * (0.5 if token != "." else rng.choice([0.5, 0.92]))
                half = unit * (0.16 if token == "-" else 0.07)
                thick = height * rng.uniform(0.035, 0.06)
                full = np.full((2, 2), 255, np.uint8)
                if token == ":":
                    paste_max(self.ink, full, middle - half, y0 + height * 0.3, middle + half, y0 + height * 0.3 + 2 * thick)
                    mid_y = y0 + height * 0.7
                paste_max(self.ink, full, middle - half, mid_y - thick, middle + half, mid_y + thick)
                continue
            if token == "*":
                self.symbol(left, y0, right, y1, rng.random() < seal)
                continue
            glyph = faces.glyph(face, token)
            natural = min(1.3, glyph.shape[1] / reference)
            cell = unit * (width - gap)
            wide = cell * (natural if spread > 0 and natural < 0.75 else min(1.0, natural / max(spread + (1 - spread) * natural, 0.3)))
            wide = max(wide, unit * 0.14)
            middle = (left + right) / 2
            top, bottom = y0, y1
            if count >= shrink_from or (small_alpha and token.isalpha()):
                top, bottom = (y0, y1 - 0.35 * height) if lift > 0 else (y0 + 0.35 * height, y1)
            paste_max(self.ink, glyph, middle - wide / 2, top, middle + wide / 2, bottom)
            self.chars.append((1 + ALPHABET.index(token), line, left, y0, right, y1))
            count += 1

    def symbol(self, x0, y0, x1, y1, seal):
        """A separator symbol: one or two round seals (Germany), or a blob, star, heart-like or silhouette shape (US)."""
        rng = self.rng
        width, height = x1 - x0, y1 - y0
        if seal:
            level = rng.uniform(60, 210)
            radius = max(2, int(width * 0.33))
            for share in ((0.3, 0.72) if rng.random() < 0.6 else (0.5,)):
                centre = (round((x0 + x1) / 2), round(y0 + share * height))
                cv2.circle(self.back, centre, radius, level, -1, cv2.LINE_AA)
                cv2.circle(self.back, centre, max(1, radius // 2), rng.uniform(60, 210), -1, cv2.LINE_AA)
            return
        kind = rng.random()
        size = min(width * 0.8, height) * rng.uniform(0.35, 1.0)
        cx, cy = (x0 + x1) / 2, (y0 + y1) / 2 + rng.uniform(-0.12, 0.12) * height
        points = rng.integers(3, 9)
        angles = np.sort(rng.uniform(0, 2 * math.pi, points)) if kind < 0.7 else np.linspace(0, 2 * math.pi, 11)[:-1]
        radii = size / 2 * (rng.uniform(0.5, 1.0, points) if kind < 0.7 else np.tile([1.0, 0.4], 5))
        shape = np.stack([cx + radii * np.sin(angles) * 0.9, cy - radii * np.cos(angles)], 1).round().astype(np.int32)
        if rng.random() < 0.6:
            cv2.fillPoly(self.ink, [shape], int(rng.uniform(90, 255)), cv2.LINE_AA)
        else:
            cv2.fillPoly(self.back, [shape], float(rng.uniform(40, 220)), cv2.LINE_AA)

    def text(self, words, centre_u, v0, v1, target, strength=1.0, face=None, max_u=0.8, squeeze=None):
        """A small text of height v0..v1 centred at `centre_u`, into `target` (self.ink or a mask of the same shape)."""
        if not words:
            return
        mask = self.faces.word(face or self.faces.any(self.rng), words)
        height = (v1 - v0) * PLATE_H
        width = min(mask.shape[1] / mask.shape[0] * height * (squeeze or self.rng.uniform(0.8, 1.7)), max_u * PLATE_W)
        x, y = self.xy(centre_u, v0)
        if strength < 1:
            mask = cv2.convertScaleAbs(mask, alpha=strength)
        paste_max(target, mask, x - width / 2, y, x + width / 2, y + height)

    def surroundings(self):
        """Car body, recess or bumper outside the plate: a level, a vertical gradient, some lines, some texture."""
        rng = self.rng
        base = rng.choice([rng.uniform(5, 60), rng.uniform(60, 160), rng.uniform(140, 245)])
        rows = base + np.linspace(-1, 1, CANVAS_H) * rng.uniform(-40, 40)
        for _ in range(rng.integers(0, 5)):
            at, high = rng.integers(0, CANVAS_H), rng.integers(1, 14)
            rows[at : at + high] += rng.uniform(-70, 70)
        self.back[:] = rows[:, None] + (np.linspace(-1, 1, CANVAS_W) * rng.uniform(-25, 25))[None]
        if rng.random() < 0.3:
            self.back += cv2.resize(rng.normal(0, 22, (8, 18)).astype(np.float32), (CANVAS_W, CANVAS_H), interpolation=cv2.INTER_LINEAR)

    def ground(self, level, contrast, busy):
        """The plate's own ground at grey `level` in the inner rectangle; `busy` 0..1: share of `contrast` that pictures may take."""
        rng = self.rng
        ground = np.full((PLATE_H, PLATE_W), level, np.float32)
        kind = rng.random()
        if busy > 0:
            if kind < 0.3:
                fade = np.clip((np.linspace(0, 1, PLATE_H) - rng.uniform(0, 0.6)) / rng.uniform(0.1, 0.7), 0, 1)
                ground -= contrast * busy * rng.uniform(0.3, 1) * (fade if rng.random() < 0.5 else fade[::-1])[:, None]
            elif kind < 0.5:
                noise = rng.normal(0, 1, (rng.integers(3, 9), rng.integers(4, 14))).astype(np.float32)
                ground += contrast * busy * 0.4 * cv2.resize(noise, (PLATE_W, PLATE_H), interpolation=cv2.INTER_CUBIC)
            elif kind < 0.72:
                for _ in range(rng.integers(1, 3)):
                    steps = int(rng.integers(4, 12))
                    xs = np.linspace(0, PLATE_W, steps)
                    ys = PLATE_H * rng.uniform(0.3, 0.9) + rng.normal(0, rng.uniform(2, 14), steps)
                    if rng.random() < 0.5:
                        xs, ys = np.linspace(0, PLATE_W, 60), np.interp(np.linspace(0, PLATE_W, 60), xs, ys)
                    shape = np.concatenate([np.stack([xs, ys], 1), [[PLATE_W, PLATE_H], [0, PLATE_H]]]).round().astype(np.int32)
                    cv2.fillPoly(ground, [shape], float(level - contrast * busy * rng.uniform(0.2, 1)), cv2.LINE_AA)
            elif kind < 0.85:
                centre = (int(rng.uniform(0, PLATE_W)), int(rng.uniform(0.2, 0.9) * PLATE_H))
                axes = (int(rng.uniform(10, 70)), int(rng.uniform(8, 45)))
                cv2.ellipse(ground, centre, axes, rng.uniform(0, 180), 0, 360, float(level - contrast * busy * rng.uniform(0.2, 1)), -1, cv2.LINE_AA)
            if rng.random() < 0.3:
                top = int(PLATE_H * rng.uniform(0.1, 0.25))
                shade = level - contrast * rng.uniform(0.1, 1.0)
                if rng.random() < 0.5:
                    ground[:top] = shade
                else:
                    ground[PLATE_H - top :] = shade
        body = self.back[MARGIN_Y : MARGIN_Y + PLATE_H, MARGIN_X : MARGIN_X + PLATE_W]
        inside = rounded(int(rng.integers(2, 13)), int(rng.integers(2, 13)))
        body += inside * (ground - body)

    def sticker(self, u, v, width_u, height_v):
        """A registration sticker with its own light or dark ground and tiny figures."""
        rng = self.rng
        x0, y0 = self.xy(u, v)
        x1, y1 = x0 + width_u * PLATE_W, y0 + height_v * PLATE_H
        light = rng.random() < 0.5
        cv2.rectangle(self.back, (round(x0), round(y0)), (round(x1), round(y1)), float(rng.uniform(170, 250) if light else rng.uniform(30, 130)), -1)
        patch = np.zeros((CANVAS_H, CANVAS_W), np.uint8)
        words = str(rng.choice(["JAN", "MAR", "MAY", "JUN", "AUG", "OCT", "DEC", "06", "14", "19", "20", "22", "23", "2019", "APR 07", "NOV 21"]))
        mask = self.faces.word(self.faces.any(self.rng), words)
        paste_max(patch, mask, x0 + 1, y0 + 1, x1 - 1, y1 - 1)
        self.back += patch * ((-0.5 if light else 0.5) * rng.uniform(0.4, 1))

    def finish(self, level, contrast_ink, rim):
        """Lay the ink over the ground with weight, embossing, screws, dirt, frame; uint8 canvas."""
        rng = self.rng
        ink = self.ink
        weight = rng.random()
        if weight < 0.12:
            ink = cv2.erode(ink, np.ones((2, 2), np.uint8))
        elif weight < 0.38:
            ink = cv2.dilate(ink, np.ones((2, 2) if rng.random() < 0.7 else (2, 3), np.uint8))
        if rng.random() < 0.07:  # slanted lettering; the extents keep to the middle height, which does not move
            slant = rng.uniform(-0.25, 0.25)
            ink = cv2.warpAffine(ink, np.float32([[1, slant, -slant * CANVAS_H / 2], [0, 1, 0]]), (CANVAS_W, CANVAS_H))
        cover = ink.astype(np.float32) * (rng.uniform(0.8, 1.0) / 255)
        if rng.random() < 0.06:  # worn paint
            wear = cv2.resize(rng.uniform(0.1, 1.6, (11, 28)).astype(np.float32), (CANVAS_W, CANVAS_H), interpolation=cv2.INTER_CUBIC)
            cover *= np.clip(wear, 0.15, 1)
        canvas = self.back + cover * (contrast_ink - self.back)
        if rng.random() < 0.5:
            shift = int(rng.integers(1, 3))
            relief = np.zeros_like(cover)
            relief[shift:] = cover[shift:] - cover[:-shift]
            canvas += relief * rng.uniform(-45, 45)
        if rim and rng.random() < 0.6:
            shade = float(np.clip(level + rng.uniform(-140, 60), 0, 255))
            inset = int(rng.integers(1, 4))
            cv2.rectangle(canvas, (MARGIN_X + inset, MARGIN_Y + inset), (MARGIN_X + PLATE_W - inset, MARGIN_Y + PLATE_H - inset), shade, int(rng.integers(1, 3)), cv2.LINE_AA)
        if rng.random() < 0.6:
            for u in rng.choice([0.08, 0.17, 0.22, 0.3], 1).tolist():
                for v in ((0.09, 0.91) if rng.random() < 0.35 else (rng.choice([0.09, 0.12, 0.5]),)):
                    for side in (u, 1 - u):
                        x, y = self.xy(side + rng.normal(0, 0.005), v + rng.normal(0, 0.01))
                        radius = int(rng.integers(1, 5))
                        cv2.circle(canvas, (round(x), round(y)), radius, float(rng.uniform(0, 220)), -1, cv2.LINE_AA)
                        if radius > 2:
                            cv2.circle(canvas, (round(x), round(y)), 1, float(rng.uniform(0, 255)), -1)
        if rng.random() < 0.06:
            for _ in range(rng.integers(3, 25)):
                x, y = self.xy(rng.random(), rng.random())
                cv2.circle(canvas, (round(x), round(y)), int(rng.integers(1, 3)), float(rng.uniform(0, 255)), -1, cv2.LINE_AA)
        if rng.random() < 0.12:
            dirt = cv2.resize(rng.normal(0, 1, (15, 36)).astype(np.float32), (CANVAS_W, CANVAS_H), interpolation=cv2.INTER_LINEAR)
            canvas -= np.clip(dirt, 0, 2) * rng.uniform(8, 40)
        return canvas

    def frame(self, canvas, strong):
        """A licence frame: covers the rim of the plate and some px outside; `strong` = US style, thick with dealer text."""
        rng = self.rng
        level = float(rng.choice([rng.uniform(5, 50), rng.uniform(60, 150), rng.uniform(170, 250)]))
        top = int(rng.uniform(0, 0.2 if strong else 0.05) * PLATE_H)
        bottom = int(rng.uniform(0, 0.2 if strong else 0.05) * PLATE_H)
        side = int(rng.uniform(0, 0.045) * PLATE_W)
        out_x, out_y = int(rng.integers(2, 9)), int(rng.integers(2, 9))
        x0, y0, x1, y1 = MARGIN_X, MARGIN_Y, MARGIN_X + PLATE_W, MARGIN_Y + PLATE_H
        canvas[y0 - out_y : y0 + top, x0 - out_x : x1 + out_x] = level
        canvas[y1 - bottom : y1 + out_y, x0 - out_x : x1 + out_x] = level
        canvas[y0:y1, x0 - out_x : x0 + side] = level
        canvas[y0:y1, x1 - side : x1 + out_x] = level
        canvas[y0 - out_y, x0 - out_x : x1 + out_x] += rng.uniform(0, 90)
        for at, thick in ((y0 - out_y, top + out_y), (y1 - bottom, bottom + out_y)):
            if thick > 9 and rng.random() < 0.6:
                mask = self.faces.word(self.faces.any(rng), str(rng.choice(FRAME_TEXTS)))
                patch = np.zeros((CANVAS_H, CANVAS_W), np.uint8)
                width = min(PLATE_W * 0.85, mask.shape[1] / mask.shape[0] * (thick - 3) * rng.uniform(1, 2))
                middle = (x0 + x1) / 2
                paste_max(patch, mask, middle - width / 2, at + 1, middle + width / 2, at + thick - 2)
                canvas += patch * ((1 if level < 120 else -1) * rng.uniform(0.3, 0.9))


def levels(rng, light_ink):
    """Grey of ground and ink: dark on light, or with probability `light_ink` the reverse; at least 45 apart."""
    dark, light = rng.uniform(5, 85), rng.uniform(140, 250)
    if rng.random() < 0.08:
        middle, half = rng.uniform(60, 190), rng.uniform(23, 45)
        dark, light = middle - half, middle + half
    return (dark, light) if rng.random() < light_ink else (light, dark)


def draw_north_american(plate, issuer, rng):
    """US, Canadian and Mexican plates, 2:1: name above, number in the middle, slogan below, stickers, symbols, frames."""
    faces = plate.faces
    mexican, american = issuer.code.startswith("MX"), issuer.code.startswith("US")
    plate.surroundings()
    ground, ink = levels(rng, issuer.light_ink)
    busy = rng.choice([0, 0.15, 0.35, 0.6, 0.8], p=[0.3, 0.25, 0.25, 0.15, 0.05])
    plate.ground(ground, ground - ink, busy)
    motorcycle = rng.random() < 0.05
    if mexican:
        shapes = [form for form, _ in MEXICAN_FORMATS]
        weights = np.array([weight for _, weight in MEXICAN_FORMATS])
        form = shapes[rng.choice(len(shapes), p=weights / weights.sum())]
        if issuer.code == "MX-CMX":
            form = rng.choice(["L99-LLL", "999-LLL", "LLL-99-99", "S-999-L", "L-99-LLL"])
        lines = fill_format(form.replace("S", "@"), rng)
        first, last = issuer.slogans
        triple = ""
        while not first <= triple <= last:
            triple = first[0] if rng.random() < 0.3 else SAFE_LETTERS[rng.integers(23)]
            triple += SAFE_LETTERS[rng.integers(23)] + SAFE_LETTERS[rng.integers(23)]
        lines = [[char for token in lines[0] for char in (triple if token == "@" else [token])]]
        slogan = str(rng.choice(MEXICAN_TAGS))
    else:
        if rng.random() < (0.38 if american else 0.15):
            lines = fill_format("".join("\\" + c if c.isalpha() or c == "9" else c for c in vanity(rng)), rng)
        else:
            lines = fill_format(str(rng.choice(issuer.formats)), rng)
        slogan = str(rng.choice(issuer.slogans))
        if rng.random() < 0.06 and len(lines[0]) <= 6:  # special groups: two small stacked letters first or last
            pair = tuple(SAFE_LETTERS[i] if rng.random() < 0.85 else str(i % 10) for i in rng.integers(0, 23, 2 if rng.random() < 0.8 else 3))
            lines[0] = [pair] + lines[0] if rng.random() < 0.5 else lines[0] + [pair]
    used = [token for token in lines[0]]
    alnum = sum(len(t) if isinstance(t, tuple) else t.isalnum() for t in used)
    two = motorcycle and 4 <= alnum <= 8
    face = faces.any(rng)
    name_face = faces.text[rng.integers(len(faces.text))] if rng.random() < issuer.script else faces.any(rng)
    name = issuer.name if rng.random() < 0.5 else issuer.name.upper()
    top, bottom = rng.uniform(0.03, 0.08), rng.uniform(0.19, 0.27)
    name_on_top = rng.random() < (0.75 if mexican else 0.93)
    small = plate.ink if rng.random() < 0.6 else None
    label_mask = np.zeros((CANVAS_H, CANVAS_W), np.uint8) if small is None else small
    squeeze = rng.uniform(0.8, 1.8)
    if rng.random() < 0.97:
        plate.text(name, 0.5 + rng.normal(0, 0.03), top if name_on_top else 0.8, bottom if name_on_top else 0.95, label_mask, rng.uniform(0.55, 1), name_face, 0.75, squeeze)
    other = slogan if name_on_top else (slogan if mexican else "")
    if rng.random() < 0.75:
        v0 = rng.uniform(0.82, 0.87) if name_on_top else top
        plate.text(other if rng.random() < 0.6 else other.upper(), 0.5 + rng.normal(0, 0.02), v0, v0 + rng.uniform(0.08, 0.14), label_mask, rng.uniform(0.4, 1))
    if mexican and rng.random() < 0.5:
        plate.text("MÉXICO" if rng.random() < 0.5 else "MEX", rng.choice([0.12, 0.88]), 0.05, 0.16, label_mask, rng.uniform(0.5, 1))
    if small is None:
        tone = float(np.clip(ink + rng.uniform(-0.2, 0.7) * (ground - ink), 0, 255))
        cover = label_mask.astype(np.float32) / 255
        plate.back += cover * (tone - plate.back)
    left, right = 0.03 + rng.uniform(0, 0.05), 0.97 - rng.uniform(0, 0.05)
    if not two and rng.random() < (0.4 if mexican else 0.13):  # a logo or medal beside the number
        width = rng.uniform(0.13, 0.24)
        at_left = rng.random() < 0.8
        x0, y0 = plate.xy(left if at_left else right - width, 0.28)
        x1, y1 = plate.xy(left + width if at_left else right, 0.8)
        for _ in range(rng.integers(1, 4)):
            plate.symbol(x0, y0, x1, y1, rng.random() < 0.3)
        left, right = (left + width, right) if at_left else (left, right - width)
    v0 = rng.uniform(0.24, 0.33)
    v1 = min(v0 + rng.uniform(0.42, 0.56), 0.84)
    if rng.random() < 0.08:
        v0, v1 = rng.uniform(0.12, 0.2), rng.uniform(0.78, 0.9)
    aspect = rng.uniform(0.42, 0.6) if rng.random() < 0.6 else rng.uniform(0.5, 0.85)
    spread = rng.choice([0.0, 0.5, 1.0], p=[0.2, 0.2, 0.6])
    space = {"gaps": (0.15, 0.55), "blanks": (0.3, 1.4)}
    if two:
        cut = len(lines[0]) // 2
        split = [i for i, token in enumerate(lines[0]) if token in (" ", "-", "*")]
        cut = split[0] if split and 0 < split[0] < len(lines[0]) - 1 else cut
        upper, lower = lines[0][:cut], lines[0][cut + (1 if split else 0) :]
        middle = rng.uniform(0.5, 0.54)
        plate.number(upper, 0, (left, 0.2, right, middle - 0.03), face, aspect * 1.6, spread, **space)
        plate.number(lower, 1, (left, middle + 0.03, right, 0.85), face, aspect * 1.6, spread, **space)
        ratio = rng.uniform(1.5, 1.9)
    else:
        plate.number(lines[0], 0, (left, v0, right, v1), face, aspect, spread, **space)
        ratio = 2.0 if rng.random() < 0.85 else rng.uniform(1.6, 2.4)
    corner = rng.random()
    if corner < 0.55 and not two:
        for u in ((0.02, 0.86), (0.02,), (0.86,))[rng.integers(3)]:
            plate.sticker(u + rng.uniform(-0.01, 0.03), rng.choice([0.03, 0.05, 0.82], p=[0.4, 0.25, 0.35]), rng.uniform(0.07, 0.13), rng.uniform(0.1, 0.17))
    canvas = plate.finish(ground, ink, True)
    if rng.random() < (0.45 if american else 0.25):
        plate.frame(canvas, True)
    return canvas, ratio


def draw_world(plate, style, rng):
    """Plates of other countries: one long line, or two lines; band, seals, rim, small titles."""
    faces = plate.faces
    plate.surroundings()
    ground, ink = levels(rng, style.light_ink)
    plate.ground(ground, ground - ink, rng.choice([0, 0.1, 0.3], p=[0.75, 0.15, 0.1]))
    form = str(rng.choice(style.formats))
    if style.code in ("GB", "AU", "PK") and rng.random() < 0.1:
        text = vanity(rng)
        form = "".join("\\" + c if c.isalpha() or c == "9" else c for c in text)
        if "/" in str(style.formats[0]) and 4 <= len(text) and " " in text:
            form = form.replace(" ", "/", 1)
    lines = fill_format(form, rng)
    face = faces.any(rng)
    left, right = 0.03 + rng.uniform(0, 0.03), 0.97 - rng.uniform(0, 0.03)
    # canvas px per plate height unit differ in x and y: the widest a character may be, in canvas px
    squash = (PLATE_W / PLATE_H) / style.ratio
    if rng.random() < style.band:
        width = rng.uniform(0.07, 0.1) if style.ratio > 3.5 else rng.uniform(0.1, 0.2)
        shade = rng.uniform(20, 110) if rng.random() < 0.7 else ground - rng.uniform(0, 0.4) * (ground - ink)
        x0, y0 = plate.xy(0.01, 0.03)
        x1, y1 = plate.xy(width, 0.97)
        cv2.rectangle(plate.back, (round(x0), round(y0)), (round(x1), round(y1)), float(shade), -1)
        if rng.random() < 0.7:
            cv2.circle(plate.back, (round((x0 + x1) / 2), round(y0 + 0.3 * (y1 - y0))), max(2, int((x1 - x0) * 0.28)), float(shade + rng.uniform(10, 110)), 1, cv2.LINE_AA)
        if style.letters:
            patch = np.zeros((CANVAS_H, CANVAS_W), np.uint8)
            mask = faces.word(faces.any(rng), style.letters)
            paste_max(patch, mask, x0 + 3, y0 + 0.62 * (y1 - y0), x1 - 3, y0 + 0.86 * (y1 - y0))
            plate.back += patch * (rng.uniform(0.25, 0.6) * (1 if shade < 130 else -1))
        left = width + 0.02
        if style.code in ("FR", "IT") and rng.random() < 0.5:
            x2, _ = plate.xy(0.93, 0)
            x3, _ = plate.xy(0.99, 0)
            cv2.rectangle(plate.back, (round(x2), round(y0)), (round(x3), round(y1)), float(shade), -1)
            right = 0.92
    title = str(rng.choice(style.title.split("|"))) if style.title else ""
    spread = rng.choice([0.0, 0.5, 1.0])
    two = len(lines) == 2
    aspect = rng.uniform(0.55, 0.78) * squash
    loose = rng.random() < (0.35 if style.code in ("PK", "IN", "XA", "XG", "MY", "AE") else 0.08)  # private sign makers
    size = rng.uniform(0.5, 0.9) if loose else rng.uniform(0.88, 1.12)
    space = {"gaps": (0.1, 0.6), "blanks": (0.3, 2.0)} if loose else {}
    if two:
        height = style.height * size
        gap = (1 - 2 * height) * rng.uniform(0.15, 0.45)
        top = (1 - 2 * height - gap) / 2 + rng.uniform(-0.02, 0.02)
        if title:
            plate.text(title, rng.choice([0.5, max(0.08, left / 2)]), 0.9, 0.98, plate.ink, rng.uniform(0.4, 1))
        for line, tokens in enumerate(lines):
            inset = rng.uniform(0, 0.14) if len(tokens) < 5 else 0.0
            tail = None
            if style.code == "PK" and " " in tokens:  # the small year after the letters is not part of the number
                at = tokens.index(" ")
                tokens, tail = tokens[:at], "".join(tokens[at + 1 :])
            limit = right - inset - (0.2 if tail else 0)
            v0 = top + line * (height + gap)
            plate.number(tokens, line, (left + inset, v0, limit, v0 + height), face, aspect * 1.35, spread, style.seal, **space)
            if tail:
                plate.text(tail, limit + 0.08, v0 + rng.uniform(0, 0.1), v0 + rng.uniform(0.18, 0.24), plate.ink, rng.uniform(0.7, 1), face, 0.16)
    else:
        height = min(style.height * size, 0.86)
        middle = 0.5
        if title and rng.random() < 0.8:
            above = rng.random() < 0.5 or style.code == "BR"
            middle += 0.09 if above else -0.08
            height = min(height, 0.66)
            plate.text(title, 0.5, 0.05 if above else 0.84, 0.17 if above else 0.96, plate.ink, rng.uniform(0.4, 1))
        if style.code == "BR" and title == "BRASIL" or rng.random() < 0.02:
            plate.back[MARGIN_Y : MARGIN_Y + int(0.2 * PLATE_H), MARGIN_X : MARGIN_X + PLATE_W] = rng.uniform(30, 110)
        plate.number(lines[0], 0, (left, middle - height / 2, right, middle + height / 2), face, aspect, spread, style.seal, **space)
    canvas = plate.finish(ground, ink, style.code != "GB" or rng.random() < 0.3)
    if rng.random() < 0.3:
        plate.frame(canvas, False)
    return canvas, style.ratio * rng.uniform(0.94, 1.06)


def draw(faces, rng):
    """One plate: canvas uint8, chars list of (class, line, x0, y0, x1, y1) in canvas px, jurisdiction index, ratio."""
    pick = rng.random()
    while True:
        plate = Plate(faces, rng)
        if pick < 0.66:
            pool = UNITED_STATES if pick < 0.42 else MEXICO if pick < 0.62 else CANADA
            issuer = pool[rng.integers(len(pool))]
            code = issuer.code
            canvas, ratio = draw_north_american(plate, issuer, rng)
        else:
            weights = np.array([style.weight for style in WORLD])
            style = WORLD[rng.choice(len(WORLD), p=weights / weights.sum())]
            code = "other"
            canvas, ratio = draw_world(plate, style, rng)
        if 1 <= len(plate.chars) <= MAX_CHARS:
            break
    return np.clip(canvas, 0, 255).astype(np.uint8), plate.chars, JURISDICTIONS.index(code), ratio


def render_pool(fonts: Path, count: int, seed: int):
    """Arrays of a pool: pictures [N, CANVAS_H, CANVAS_W] uint8; classes [N, MAX_CHARS] uint8 (0 = none); lines uint8;
    extents [N, MAX_CHARS, 4] float32 (x0, y0, x1, y1, canvas px); jurisdiction [N] int16; ratio [N] float32."""
    cv2.setNumThreads(1)
    faces = Faces(fonts)
    rng = np.random.default_rng(seed)
    pool = {
        "pictures": np.zeros((count, CANVAS_H, CANVAS_W), np.uint8),
        "classes": np.zeros((count, MAX_CHARS), np.uint8),
        "lines": np.zeros((count, MAX_CHARS), np.uint8),
        "extents": np.zeros((count, MAX_CHARS, 4), np.float32),
        "jurisdiction": np.zeros(count, np.int16),
        "ratio": np.zeros(count, np.float32),
    }
    for index in range(count):
        picture, chars, jurisdiction, ratio = draw(faces, rng)
        pool["pictures"][index] = picture
        for slot, (klass, line, *box) in enumerate(chars):
            pool["classes"][index, slot], pool["lines"][index, slot] = klass, line
            pool["extents"][index, slot] = box
        pool["jurisdiction"][index], pool["ratio"][index] = jurisdiction, ratio
    return pool


def sheet(pool, path: Path, columns=8):
    """A picture sheet of the pool with the texts below each plate."""
    tiles = []
    for index in range(len(pool["pictures"])):
        tile = cv2.resize(pool["pictures"][index], (CANVAS_W * 2 // 3, CANVAS_H * 2 // 3), interpolation=cv2.INTER_AREA)
        text = "".join(ALPHABET[c - 1] for c in pool["classes"][index] if c)
        tile = np.vstack([tile, np.zeros((14, tile.shape[1]), np.uint8)])
        cv2.putText(tile, f"{text} {JURISDICTIONS[pool['jurisdiction'][index]]}", (2, tile.shape[0] - 3), 0, 0.36, 255, 1)
        tiles.append(tile)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles) // columns * columns, columns)]
    cv2.imwrite(str(path), np.vstack(rows))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fonts", type=Path, default=Path(__file__).parent / "runs/fonts", help="folder that fonts.sh filled")
    options.add_argument("--count", type=int, default=40000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, help="folder for the pool, one .npy an array")
    options.add_argument("--sheet", type=Path)
    chosen = options.parse_args()
    start = time.time()
    pool = render_pool(chosen.fonts, chosen.count, chosen.seed)
    print(f"{chosen.count} plates in {time.time() - start:.1f} s")
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        for name, array in pool.items():
            np.save(chosen.out / f"{name}.npy", array)
    if chosen.sheet:
        sheet(pool, chosen.sheet)


if __name__ == "__main__":
    main()
