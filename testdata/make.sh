#!/usr/bin/env bash
# Makes testdata/lane and testdata/hostile again. Run from the repository root after `cargo build --release`.
# The lists testdata/lane/watchlist.csv and this file are written by hand.
set -euo pipefail
garita=target/release/garita

rm -rf testdata/lane/img testdata/lane/manifest.jsonl testdata/lane/passages.jsonl
"$garita" synth lane --seed 26 --count 8 --width 1280 --out testdata/lane
"$garita" synth lane --seed 4 --count 2 --width 960 --kind sequence --append --out testdata/lane

# Bad frames, one folder a reason; each is made from one small good picture.
good=$(mktemp -d)
trap 'rm -rf "$good"' EXIT
"$garita" synth lane --seed 3 --count 1 --width 320 --height 320 --conditions day --out "$good"
rm -rf testdata/hostile/{empty,truncated,bit-flipped,one-pixel,declares-20000x20000,declares-0x0,wrong-extension,text}
python3 - "$good/img/single-0000.jpg" testdata/hostile <<'PYTHON'
import pathlib, struct, sys, zlib

good = pathlib.Path(sys.argv[1]).read_bytes()
out = pathlib.Path(sys.argv[2])


def put(why, name, data):
    (out / why).mkdir(parents=True, exist_ok=True)
    (out / why / name).write_bytes(data)


def segment(marker):
    """Offset of the first segment with this marker."""
    at = 2
    while good[at + 1] != marker:
        at += 2 + struct.unpack(">H", good[at + 2 : at + 4])[0]
    return at


def png(width, height, body):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def flipped(at, mask):
    return good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :]


frame, scan = segment(0xC0), segment(0xDA)
put("empty", "empty.jpg", b"")
for name, length in {
    "after-2-bytes": 2,
    "in-a-table": segment(0xDB) + 20,
    "before-the-scan": scan,
    "at-a-quarter": len(good) // 4,
    "at-a-half": len(good) // 2,
    "at-99-percent": len(good) * 99 // 100,
    "without-end-marker": len(good) - 2,
}.items():
    put("truncated", name + ".jpg", good[:length])
put("bit-flipped", "first-byte.jpg", flipped(0, 0x01))
put("bit-flipped", "quantisation-table.jpg", flipped(segment(0xDB) + 9, 0x80))
put("bit-flipped", "huffman-table.jpg", flipped(segment(0xC4) + 8, 0x40))
put("bit-flipped", "sampling-factor.jpg", flipped(frame + 11, 0x44))
put("bit-flipped", "in-the-scan.jpg", flipped(scan + (len(good) - scan) // 2, 0x10))
put("one-pixel", "one-pixel.png", png(1, 1, b"\0\x80\x80\x80"))
huge = struct.pack(">HH", 20000, 20000)
put("declares-20000x20000", "huge.jpg", good[: frame + 5] + huge + good[frame + 9 :])
put("declares-20000x20000", "huge.png", png(20000, 20000, b"\0" * 1000))
put("declares-0x0", "nothing.jpg", good[: frame + 5] + b"\0\0\0\0" + good[frame + 9 :])
put("wrong-extension", "is-a-jpeg.png", good)
rows = b"".join(b"\0" + b"".join(bytes((8 * x, 16 * y, 99)) for x in range(32)) for y in range(16))
put("wrong-extension", "is-a-png.jpg", png(32, 16, rows))
put("text", "text.jpg", b"This is a line of text with the name of a picture.\n")
put("text", "page.jpg", b"<!doctype html><title>502 Bad Gateway</title><p>What a camera behind a proxy sends now and then.\n")
PYTHON
