#!/usr/bin/env python3
"""Runs the program on folders of mutated pictures: none may stop it, and none may cost a good neighbour.

Usage: mutate_pictures.py HARDSET [--pictures 20000] [--seed 1] [--keep DIR]
Needs: pip install pillow pyarrow (Pillow makes the JPEG and WebP seeds; PNGs are those of tests/golden/pictures.json)

Seeds of every format that is read are changed in every way that a format gives: flipped bits, cut, inserted and repeated
parts, halves of two files, chunks and segments that are dropped, doubled, moved, resized or refilled (with right
checksums), data that unpack to something else, sizes in headers. They lie in folders of 500 with 25 good pictures
between them. Each folder is built (`build`), and compared with a release's own images (`release --against`).
Prints one line for each folder and one of sums; exits with 1 if a program panicked, hung (over 120 s), ended with
another code than 0 or 3, or lost a good picture.
"""

import argparse
import base64
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).resolve().parent
FOLDER, GOOD, PATIENCE_SECS = 500, 25, 120
EDGES = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    12,
    15,
    16,
    31,
    32,
    64,
    127,
    128,
    255,
    256,
    257,
    1000,
    9000,
    16383,
    16384,
    32767,
    32768,
    65535,
    65536,
    10**6,
    2**24 - 1,
    2**24,
    2**30,
    2**31 - 1,
    2**31,
    2**32 - 1,
]


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def scene(dice, size=(24, 18)):
    return Image.frombytes("RGB", (4, 4), dice.randbytes(48)).resize(size, Image.Resampling.BICUBIC)


def bmp(bits, rows, width, height, compression=0, colours=0, header=40, masks=b""):
    size = 14 + header + len(masks) + 4 * colours
    out = struct.pack("<2sIHHI", b"BM", size + len(rows), 0, 0, size)
    if header == 12:
        return struct.pack("<2sIHHIIHHHH", b"BM", 26 + len(rows), 0, 0, 26, 12, width, abs(height), 1, bits) + rows
    out += struct.pack("<IiiHHIIIIII", header, width, height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
    return out + bytes(header - 40) + masks + bytes(range(4 * colours % 256)).ljust(4 * colours, b"\x55") + rows


def seeds(dice):
    """(format, bytes) of good pictures."""
    found = []
    image = scene(dice)
    for options in (
        {},
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 1},
        {"restart_marker_blocks": 1},
        {"optimize": True, "quality": 20},
        {"keep_rgb": True},
        {"comment": b"a comment"},
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},
    ):
        found.append(("jpeg", encoded(image, "JPEG", **options)))
    found.append(("jpeg", encoded(image.convert("L"), "JPEG")))
    found.append(("jpeg", encoded(image.convert("CMYK"), "JPEG", progressive=True)))
    for lossless in (False, True):
        found.append(("webp", encoded(image, "WEBP", lossless=lossless)))
        image.putalpha(scene(dice).convert("L"))
        found.append(("webp", encoded(image, "WEBP", lossless=lossless, exact=True)))
        image = image.convert("RGB")
    rows = dice.randbytes(24 * 18)
    found += [
        ("bmp", bmp(24, dice.randbytes(72 * 18), 24, 18)),
        ("bmp", bmp(32, dice.randbytes(96 * 18), 24, -18)),
        ("bmp", bmp(8, rows, 24, 18, colours=256)),
        ("bmp", bmp(4, dice.randbytes(12 * 18), 24, 18, colours=16)),
        ("bmp", bmp(1, dice.randbytes(4 * 18), 24, 18, colours=2)),
        ("bmp", bmp(16, dice.randbytes(48 * 18), 24, 18)),
        ("bmp", bmp(24, dice.randbytes(72 * 18), 24, 18, header=12)),
        ("bmp", bmp(16, dice.randbytes(48 * 18), 24, 18, 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))),
        ("bmp", bmp(32, dice.randbytes(96 * 18), 24, 18, 3, header=108)),
        (
            "bmp",
            bmp(
                8,
                b"".join(b"\x0c\x05\x00\x0c" + dice.randbytes(12) + b"\0\0" for _ in range(18)) + b"\0\1",
                24,
                18,
                1,
                256,
            ),
        ),
        ("bmp", bmp(4, b"".join(b"\x18\x5a\0\0" for _ in range(18)) + b"\0\1", 24, 18, 2, 16)),
    ]
    for picture in json.loads((HERE.parent / "tests/golden/pictures.json").read_text())["pictures"]:
        if picture["size"]:
            found.append((picture["name"].split()[0].replace("apng", "png"), base64.b64decode(picture["file"])))
    by_format = {}
    for kind, data in found:
        by_format.setdefault(kind, []).append(data)
    return by_format


# ------------------------------------------------------------------------------------------- changes of any bytes


def flip_bits(dice, data):
    out = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def cut(dice, data):
    return data[: dice.randrange(len(data))]


def splice(dice, data):
    a, b, c = (dice.randrange(len(data) + 1) for _ in range(3))
    return dice.choice(
        [
            data[:a] + data[b:],
            data[:a] + dice.randbytes(dice.choice([1, 2, 4, 100])) + data[a:],
            data[:a] + data[min(b, c) : max(b, c)] + data[a:],
        ]
    )


def edge_number(dice, data):
    width, order = dice.choice([1, 2, 3, 4]), dice.choice(["little", "big"])
    at = dice.randrange(max(1, min(len(data) - width, dice.choice([64, len(data)]))))
    number = dice.choice(EDGES) % (1 << (8 * width))
    return data[:at] + number.to_bytes(width, order) + data[at + width :]


# ------------------------------------------------------------------------------------- changes of parts of a format


def png_parts(data):
    at, parts = 8, []
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        parts.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + size]])
        at += 12 + size
    return parts


def png_whole(parts):
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def webp_parts(data, at=12):
    parts = []
    while at + 8 <= len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        parts.append([data[at : at + 4], data[at + 8 : at + 8 + size]])
        at += 8 + size + size % 2
    return parts


def webp_whole(parts):
    body = b"".join(kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for kind, part in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg_parts(data):
    """Segments; the last one of a scan has its data."""
    at, parts = 2, []
    while at + 4 <= len(data) and data[at] == 0xFF:
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        end = at + 2 + size
        if data[at + 1] == 0xDA:
            while end + 1 < len(data) and not (data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))):
                end += 1
            parts.append([data[at : at + 2], data[at + 4 : at + 2 + size], data[at + 2 + size : end]])
        else:
            parts.append([data[at : at + 2], data[at + 4 : end], b""])
        at = end
    return parts


def jpeg_whole(parts):
    return (
        b"\xff\xd8"
        + b"".join(part[0] + struct.pack(">H", min(65535, len(part[1]) + 2)) + part[1] + part[2] for part in parts)
        + b"\xff\xd9"
    )


def change_parts(dice, parts):
    """Drops, doubles, moves, resizes or refills parts."""
    for _ in range(dice.choice([1, 1, 2, 3])):
        at = dice.randrange(len(parts))
        what = dice.randrange(8)
        if what == 0 and len(parts) > 1:
            parts.pop(at)
        elif what == 1:
            parts.insert(dice.randrange(len(parts) + 1), [*parts[at]])
        elif what == 2:
            parts.insert(dice.randrange(len(parts)), parts.pop(at))
        elif what == 3:
            parts[at][1] = parts[at][1][: dice.randrange(len(parts[at][1]) + 1)]
        elif what == 4:
            parts[at][1] = parts[at][1] + dice.randbytes(dice.choice([1, 2, 3, 4, 700]))
        elif what == 5:
            parts[at][1] = dice.randbytes(dice.choice([0, 1, 3, 4, 7, 9, 16, 26, 767, 768, 769]))
        elif parts[at][1]:
            parts[at][1] = dice.choice([flip_bits, edge_number])(dice, parts[at][1])
    return parts


def other_data(dice, data):
    """A PNG whose data unpack to something else: fewer or more rows, wrong filters, several streams, a bomb."""
    parts = png_parts(data)
    packed = b"".join(body for kind, body in parts if kind == b"IDAT")
    try:
        rows = zlib.decompress(packed)
    except zlib.error:
        return flip_bits(dice, data)
    rows = dice.choice(
        [
            lambda: flip_bits(dice, rows),
            lambda: cut(dice, rows) if rows else rows,
            lambda: rows + dice.randbytes(50),
            lambda: rows + bytes(dice.choice([1 << 16, 1 << 24])),
            lambda: dice.randbytes(len(rows)),
        ]
    )()
    packed = zlib.compress(rows, dice.choice([0, 1, 9])) + dice.choice([b"", b"", packed])
    first = next(at for at, part in enumerate(parts) if part[0] == b"IDAT")
    rest = [part for part in parts if part[0] != b"IDAT"]
    size = dice.choice([len(packed), 1, 100])
    pieces = [[b"IDAT", packed[at : at + size]] for at in range(0, min(len(packed), 2000 * size), size)]
    return png_whole(rest[:first] + pieces + rest[first:])


def many_scans(dice, data):
    parts = jpeg_parts(data)
    scans = [part for part in parts if part[0] == b"\xff\xda"]
    return jpeg_whole(parts + scans * dice.choice([1, 20, 400, 2000])) if scans else flip_bits(dice, data)


def frame_parts(dice, data):
    """An animation whose frames, or the parts in them, are changed."""
    parts = webp_parts(data)
    frames = [part for part in parts if part[0] == b"ANMF" and len(part[1]) >= 16]
    if not frames:
        return webp_whole(change_parts(dice, parts))
    frame = dice.choice(frames)
    inner = webp_parts(frame[1], 16)
    if inner and dice.random() < 0.5:
        body = webp_whole(change_parts(dice, inner))[12:]
        frame[1] = frame[1][:16] + body
    else:
        frame[1] = edge_number(dice, frame[1][:16]) + frame[1][16:]
    return webp_whole(parts)


PARTS = {"png": (png_parts, png_whole), "webp": (webp_parts, webp_whole), "jpeg": (jpeg_parts, jpeg_whole)}


def mutated(dice, by_format):
    kind = dice.choice(["png", "png", "jpeg", "jpeg", "webp", "webp", "bmp"])
    data = dice.choice(by_format[kind])
    what = dice.randrange(10)
    if what == 0:
        return cut(dice, data)
    if what == 1:
        return splice(dice, data)
    if what == 2:
        other = dice.choice(by_format[dice.choice([kind, *by_format])])
        return data[: len(data) // 2] + other[len(other) // 2 :]
    if what == 3:
        return edge_number(dice, data)
    if what == 4 or kind == "bmp":
        return dice.choice([flip_bits, edge_number])(dice, data)
    if what == 5 and kind == "png":
        return other_data(dice, data)
    if what == 5 and kind == "jpeg":
        return many_scans(dice, data)
    if what in (5, 6) and kind == "webp":
        return frame_parts(dice, data)
    parts, whole = PARTS[kind]
    found = parts(data)
    return whole(change_parts(dice, found)) if found else flip_bits(dice, data)


# ---------------------------------------------------------------------------------------------------------- running


def good(dice):
    return encoded(scene(dice), dice.choice(["PNG", "JPEG", "BMP"]))


def recipe(folder, root):
    text = f'name = "m"\ncategories = "imagenet-1k"\n[generate]\nsource = "folder"\nroot = "{root}"\n'
    text += '[mine]\nsurrogates = ["fake-a"]\nrule = "all"\nmax_true_prob = 1.0\n[release]\nnear_duplicates = "keep"\n'
    (folder / "m.toml").write_text(text)


def call(hardset, folder, *args):
    """(exit code, or "hang"; whether it panicked; seconds; peak bytes of memory)."""
    begun = time.time()
    out = tempfile.TemporaryFile()
    process = subprocess.Popen([hardset, *args], cwd=folder, stdout=subprocess.DEVNULL, stderr=out)
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        if time.time() - begun > PATIENCE_SECS:
            process.kill()
            return "hang", False, PATIENCE_SECS, 0
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    out.seek(0)
    said = out.read().decode(errors="replace")
    if process.returncode not in (0, 3):
        print(said[-600:], file=sys.stderr)
    return process.returncode, "panicked" in said, time.time() - begun, usage.ru_maxrss * 1024


def lost_neighbours(run, names):
    """Good pictures without a prediction, and pictures that are neither scored nor dropped."""
    table = lambda pattern: [row for path in sorted(run.glob(pattern)) for row in pq.read_table(path).to_pylist()]
    plan = {row["item_id"]: row["source"] for row in table("plan*.parquet")}
    scored = {plan[row["item_id"]] for row in table("predictions/fake-a/**/*.parquet")}
    dropped = {row["source"] for row in table("dropped*.parquet")}
    return (
        [name for name, is_good in names.items() if (is_good and name not in scored) or name not in scored | dropped],
        len(scored),
        len(dropped),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hardset")
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    hardset, work = str(Path(given.hardset).resolve()), given.keep or Path(tempfile.mkdtemp(prefix="mutated-"))
    os.environ["HARDSET_CACHE_DIR"] = str(work / "cache")
    by_format = seeds(random.Random(given.seed))
    # A run of good pictures, whose release is compared with the mutated ones.
    base = work / "base"
    (base / "p").mkdir(parents=True)
    for at in range(5):
        (base / f"p/n01440764_{at}.png").write_bytes(encoded(scene(random.Random(at)), "PNG"))
    recipe(base, "p")
    assert call(hardset, base, "build", "m.toml", "--run-dir", "run")[0] == 0
    sums = {"pictures": 0, "panics": 0, "hangs": 0, "other exits": 0, "lost": 0, "scored": 0, "dropped": 0}
    slowest, largest, codes = 0.0, 0, {}
    for number in range(-(-given.pictures // FOLDER)):
        dice, folder = random.Random(f"{given.seed} {number}"), work / f"{number:03}"
        (folder / "p").mkdir(parents=True)
        names = {}
        for at in range(FOLDER + GOOD):
            is_good = at % (FOLDER // GOOD + 1) == 0
            name = f"n01440764_{at:03}." + dice.choice(["png", "jpg", "webp", "bmp", "jpeg"])
            names[name] = is_good
            (folder / "p" / name).write_bytes(good(dice) if is_good else mutated(dice, by_format))
        recipe(folder, "p")
        calls = [
            call(hardset, folder, "build", "m.toml", "--run-dir", "run", "-q"),
            call(hardset, folder, "release", "../base/run", "--out", "out", "--against", "p", "-q"),
        ]
        lost, scored, dropped = lost_neighbours(folder / "run", names)
        sums["pictures"] += FOLDER
        sums["panics"] += sum(panicked for _, panicked, _, _ in calls)
        sums["hangs"] += sum(code == "hang" for code, *_ in calls)
        sums["other exits"] += sum(code not in (0, 3, "hang") for code, *_ in calls)
        sums["lost"] += len(lost)
        sums["scored"] += scored
        sums["dropped"] += dropped
        slowest, largest = max(slowest, *(secs for _, _, secs, _ in calls)), max(largest, *(peak for *_, peak in calls))
        for code, *_ in calls:
            codes[code] = codes.get(code, 0) + 1
        print(
            f"{number:03} exits {calls[0][0]} {calls[1][0]}, {scored} scored, {dropped} dropped, {len(lost)} lost {lost[:3]}, {calls[0][2]:.1f} and {calls[1][2]:.1f} s",
            flush=True,
        )
        if not given.keep:
            shutil.rmtree(folder)
    print(
        ", ".join(f"{count} {what}" for what, count in sums.items())
        + f"; exits {codes}; slowest {slowest:.1f} s, most memory {largest >> 20} MiB"
    )
    if not given.keep:
        shutil.rmtree(work)
    sys.exit(any(sums[what] for what in ("panics", "hangs", "other exits", "lost")))


if __name__ == "__main__":
    main()
