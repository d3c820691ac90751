"""Writes pictures.json: small odd PNGs and WebPs, and what Pillow reads from each, for tests/imaging_parity.rs.

Run with Pillow (13.0.0 with libwebp 1.6.0 made the committed file): python3 tests/golden/make_pictures.py
Needs no data. PNGs are written byte by byte here, because Pillow writes few of their kinds.
"""

import base64
import hashlib
import io
import json
import pathlib
import random
import struct
import warnings
import zlib

import PIL
from PIL import Image, features

WIDTH, HEIGHT = 9, 6
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(d, c) for c in CHANNELS for d in (1, 2, 4, 8, 16) if d >= 8 or c in (0, 3) if (d, c) != (16, 3)]
#: Chunks that Pillow knows, whole and too short.
TRANSPARENT = {
    0: [b"\0\1", b"\x12\x35", b"\xff\xff", b"\1"],
    2: [b"\0\1\0\2\0\3", b"\xff\xff\xff\xff\xff\xff", b"\0\1\0\2"],
    3: [b"\0", b"\xff\xff\0\xff", bytes(range(0, 250, 20)), b""],
    4: [b"\0\1"],
    6: [b"\0\1\0\2\0\3"],
}
#: (first column, first row, columns apart, rows apart) of the passes of Adam7.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
pictures = []


def chunk(kind, data, wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def header(depth, colour, interlaced=0, size=(WIDTH, HEIGHT), compression=0, filtering=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, compression, filtering, interlaced))


def samples(seed, depth, colour, size=(WIDTH, HEIGHT)):
    """[height][width] lists of samples; of 16 bits, half are small, so that not all are clipped."""
    dice = random.Random(seed)
    top = (1 << depth) - 1
    level = lambda: dice.choice([dice.randint(0, top), dice.randint(0, min(top, 300)), 0x1235 & top, 1])
    return [[[level() for _ in range(CHANNELS[colour])] for _ in range(size[0])] for _ in range(size[1])]


def packed(row, depth):
    """Samples of a row as bytes, the first in the highest bits."""
    flat = [sample for pixel in row for sample in pixel]
    if depth == 16:
        return struct.pack(f">{len(flat)}H", *flat)
    bits = "".join(f"{sample:0{depth}b}" for sample in flat)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def filtered(rows, depth, colour, kinds=(0, 1, 2, 3, 4)):
    """Rows with their filters, which take turns."""
    step, before, out = max(1, depth * CHANNELS[colour] // 8), None, b""
    for at, row in enumerate(rows):
        line = packed(row, depth)
        above = before or bytes(len(line))
        kind = kinds[at % len(kinds)]
        left = bytes(step) + line
        corner = bytes(step) + above
        predicted = {
            0: lambda i: 0,
            1: lambda i: left[i],
            2: lambda i: above[i],
            3: lambda i: (left[i] + above[i]) // 2,
            4: lambda i: paeth(left[i], above[i], corner[i]),
        }[kind]
        out += bytes([kind]) + bytes((byte - predicted(i)) & 255 for i, byte in enumerate(line))
        before = line
    return out


def paeth(a, b, c):
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def raw(seed, depth, colour, interlaced=0, size=(WIDTH, HEIGHT)):
    rows = samples(seed, depth, colour, size)
    if not interlaced:
        return filtered(rows, depth, colour)
    out = b""
    for left, top, across, down in PASSES:
        part = [row[left::across] for row in rows[top::down]]
        out += filtered(part, depth, colour) if part and part[0] else b""
    return out


def palette(entries, seed=5):
    return chunk(b"PLTE", random.Random(seed).randbytes(3 * entries))


def png(*chunks):
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def keep(name, data):
    """One picture with what Pillow reads: the hash of its RGB pixels, or null where it refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data)).convert("RGB")
        read = {"size": list(image.size), "rgb_sha256": hashlib.sha256(image.tobytes()).hexdigest()}
    except Exception:
        read = {"size": None, "rgb_sha256": None}
    pictures.append({"name": name, "file": base64.b64encode(data).decode(), **read})


def png_kinds():
    for seed, (depth, colour) in enumerate(KINDS):
        colours = [palette(1 << depth)] if colour == 3 else []
        for interlaced in (0, 1):
            data = chunk(b"IDAT", zlib.compress(raw(seed, depth, colour, interlaced), 9))
            keep(f"png {depth} {colour} {interlaced}", png(header(depth, colour, interlaced), *colours, data))
        for transparent in TRANSPARENT[colour]:
            data = chunk(b"IDAT", zlib.compress(raw(seed, depth, colour), 9))
            name = f"png {depth} {colour} tRNS {transparent.hex()}"
            keep(name, png(header(depth, colour), *colours, chunk(b"tRNS", transparent), data))


def png_palettes():
    """Pictures that name colours beyond their palette: those are black."""
    for depth, entries in ((8, 1), (8, 77), (8, 256), (4, 3), (2, 2), (1, 1), (4, 200), (8, 257)):
        data = chunk(b"IDAT", zlib.compress(raw(entries, depth, 3), 9))
        keep(f"png palette {depth} {entries}", png(header(depth, 3), palette(entries), data))
    data = chunk(b"IDAT", zlib.compress(raw(1, 8, 3), 9))
    keep("png palette twice", png(header(8, 3), palette(256, 1), palette(256, 2), data))
    keep("png palette of grey", png(header(8, 0), palette(4), chunk(b"IDAT", zlib.compress(raw(1, 8, 0), 9))))


def png_checksums():
    plain = zlib.compress(raw(7, 8, 2), 9)
    bad = plain[:-1] + bytes([plain[-1] ^ 1])
    text = b"Comment\0of nothing"
    keep("png wrong adler", png(header(8, 2), chunk(b"IDAT", bad)))
    keep("png wrong adler, stored", png(header(8, 2), chunk(b"IDAT", zlib.compress(raw(7, 8, 2), 0)[:-4] + b"abcd")))
    keep("png wrong crc of data", png(header(8, 2), chunk(b"IDAT", plain, 1)))
    keep(
        "png wrong crc of the second data", png(header(8, 2), chunk(b"IDAT", plain[:40]), chunk(b"IDAT", plain[40:], 1))
    )
    for kind, data in (
        (b"tEXt", text),
        (b"gAMA", b"\0\0\xb1\x8f"),
        (b"prVt", b"?"),
        (b"PRVT", b"?"),
        (b"eXIf", b"MM\0*"),
    ):
        keep(f"png wrong crc of {kind.decode()}", png(header(8, 2), chunk(kind, data, 1), chunk(b"IDAT", plain)))
        keep(f"png wrong crc of late {kind.decode()}", png(header(8, 2), chunk(b"IDAT", plain), chunk(kind, data, 1)))
    broken_header = header(8, 2)[:-1] + b"?"
    keep("png wrong crc of IHDR", png(broken_header, chunk(b"IDAT", plain)))
    keep(
        "png wrong crc of PLTE",
        png(header(8, 3), palette(256)[:-1] + b"?", chunk(b"IDAT", zlib.compress(raw(1, 8, 3)))),
    )
    keep("png wrong crc of IEND", png(header(8, 2), chunk(b"IDAT", plain))[:-1] + b"?")
    keep("png no IEND", png(header(8, 2), chunk(b"IDAT", plain))[:-12])
    for cut in (1, 4, 13, 15, 17, 20, 21, 40):
        keep(f"png cut by {cut}", png(header(8, 2), chunk(b"IDAT", plain))[:-cut])


def png_chunks():
    plain = chunk(b"IDAT", zlib.compress(raw(7, 8, 2), 9))
    data = zlib.compress(raw(7, 8, 2), 9)
    keep("png more data than rows", png(header(8, 2), chunk(b"IDAT", zlib.compress(raw(7, 8, 2) + bytes(900), 9))))
    keep("png data in bytes", png(header(8, 2), *(chunk(b"IDAT", data[at : at + 1]) for at in range(len(data)))))
    keep(
        "png empty data between",
        png(header(8, 2), chunk(b"IDAT", data[:9]), chunk(b"IDAT", b""), chunk(b"IDAT", data[9:])),
    )
    keep(
        "png text within data",
        png(header(8, 2), chunk(b"IDAT", data[:9]), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", data[9:])),
    )
    keep("png bytes after data", png(header(8, 2), chunk(b"IDAT", data + b"more")))
    keep("png a chunk with a bad name", png(header(8, 2), chunk(b"a-b!", b""), plain))
    keep("png a late chunk with a bad name", png(header(8, 2), plain, chunk(b"a-b!", b"")))
    keep("png a long header", png(chunk(b"IHDR", header(8, 2)[8:21] + b"more"), plain))
    keep("png two headers", png(header(8, 6), header(8, 2), plain))
    keep("png compression 1", png(header(8, 2, compression=1), plain))
    keep("png filtering 1", png(header(8, 2, filtering=1), plain))
    keep("png interlace 2", png(header(8, 2, interlaced=2), chunk(b"IDAT", zlib.compress(raw(7, 8, 2, 1), 9))))
    keep("png depth 3", png(header(3, 0), plain))
    keep("png 16 bits of palette", png(header(16, 3), palette(256), plain))
    keep("png no data", png(header(8, 2)))
    keep("png width 0", png(header(8, 2, size=(0, HEIGHT)), plain))
    keep(
        "png filter 5",
        png(header(8, 0), chunk(b"IDAT", zlib.compress(b"\5" + bytes(WIDTH) + raw(1, 8, 0)[WIDTH + 1 :]))),
    )
    for kind, least in ((b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1), (b"pHYs", 9)):
        for size in (least - 1, least, least + 1):
            keep(f"png {kind.decode()} of {size}", png(header(8, 2), chunk(kind, bytes(size)), plain))
            keep(f"png late {kind.decode()} of {size}", png(header(8, 2), plain, chunk(kind, bytes(size))))
    for size in ((1, 1), (3, 2), (1, 9), (5, 1), (8, 8)):
        for interlaced in (0, 1):
            packed_rows = chunk(b"IDAT", zlib.compress(raw(3, 2, 0, interlaced, size), 9))
            keep(f"png {size} {interlaced}", png(header(2, 0, interlaced, size), packed_rows))


def frame(sequence, size=(WIDTH, HEIGHT), place=(0, 0), dispose=0, blend=0):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, *size, *place, 1, 10, dispose, blend))


def apng():
    plain = chunk(b"IDAT", zlib.compress(raw(7, 8, 6), 9))
    later = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(raw(8, 8, 6), 9))
    count = lambda frames: chunk(b"acTL", struct.pack(">II", frames, 0))
    for blend in (0, 1):
        for dispose in (0, 1, 2):
            first = frame(0, dispose=dispose, blend=blend)
            keep(f"apng {dispose} {blend}", png(header(8, 6), count(2), first, plain, frame(1), later))
    keep("apng whose first frame is another picture", png(header(8, 6), count(1), plain, frame(0), later))
    keep("apng without frames", png(header(8, 6), count(0), plain))
    keep("apng out of order", png(header(8, 6), count(2), frame(1), plain))
    keep("apng with a frame too wide", png(header(8, 6), count(2), frame(0, size=(WIDTH + 1, HEIGHT)), plain))
    small = chunk(b"IDAT", zlib.compress(raw(7, 8, 6, size=(5, 4)), 9))
    keep("apng with a small first frame", png(header(8, 6), count(2), frame(0, (5, 4), (3, 2)), small, frame(1), later))


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def still(seed, size, lossless, alpha):
    dice = random.Random(seed)
    soft = Image.frombytes("RGBA", (3, 3), dice.randbytes(36)).resize(size, Image.Resampling.BICUBIC)
    image = soft if alpha else soft.convert("RGB")
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=lossless, quality=60, exact=True, method=6)
    return out.getvalue()


def picture_chunks(webp):
    """The chunks of a still WebP that belong into a frame."""
    at, out = 12, b""
    while at < len(webp):
        size = struct.unpack("<I", webp[at + 4 : at + 8])[0]
        end = at + 8 + size + size % 2
        out += webp[at:end] if webp[at : at + 4] in (b"ALPH", b"VP8 ", b"VP8L") else b""
        at = end
    return out


def u24(*numbers):
    return b"".join(struct.pack("<I", number)[:3] for number in numbers)


def animation(canvas, frames, colour=0, flags=0x12, before=b"", after=b""):
    """frames: (place, size, bits, chunks)."""
    body = riff(b"VP8X", bytes([flags, 0, 0, 0]) + u24(canvas[0] - 1, canvas[1] - 1)) + before
    body += riff(b"ANIM", struct.pack("<IH", colour, 0))
    for place, size, bits, chunks in frames:
        head = u24(place[0] // 2, place[1] // 2, size[0] - 1, size[1] - 1, 100) + bytes([bits])
        body += riff(b"ANMF", head + chunks)
    body += after
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp():
    for seed, lossless in enumerate((False, True)):
        for alpha in (False, True):
            for bits in (0, 3):
                for canvas, place, size in (
                    ((13, 9), (0, 0), (13, 9)),
                    ((21, 17), (4, 6), (13, 9)),
                    ((6, 40), (2, 30), (3, 10)),
                ):
                    chunks = picture_chunks(still(seed, size, lossless, alpha))
                    other = picture_chunks(still(seed + 9, (4, 4), True, True))
                    frames = [(place, size, bits, chunks), ((2, 0), (4, 4), 0, other)]
                    colour = 0xFF3366CC if bits else 0x80FF0000
                    keep(f"webp {lossless} {alpha} {bits} {canvas} {place}", animation(canvas, frames, colour))
    whole = picture_chunks(still(3, (13, 9), False, True))
    opaque = picture_chunks(still(3, (13, 9), True, False))
    one = [((0, 0), (13, 9), 0, whole)]
    keep("webp of one frame", animation((13, 9), one))
    keep("webp without the flag of alpha", animation((20, 9), [((6, 0), (13, 9), 0, whole)], flags=2))
    keep("webp with a frame that leaves the canvas", animation((13, 9), [((2, 0), (13, 9), 0, opaque)]))
    keep("webp whose frame states another size", animation((13, 9), [((0, 0), (5, 5), 0, opaque)]))
    keep("webp without frames", animation((13, 9), []))
    keep(
        "webp with a long header",
        animation((13, 9), one).replace(b"VP8X\x0a\0\0\0", b"VP8X\x0c\0\0\0").replace(b"ANIM", b"\0\0ANIM", 1),
    )
    keep("webp whose last frame is empty", animation((13, 9), [*one, ((0, 0), (13, 9), 0, b"")]))
    keep("webp whose first frame is empty", animation((13, 9), [((0, 0), (13, 9), 0, b""), *one]))
    keep("webp with unknown flags", animation((13, 9), one, flags=0x52))
    keep("webp with a profile", animation((13, 9), one, flags=0x32, before=riff(b"ICCP", b"abc")))
    keep("webp with chunks that nobody knows", animation((13, 9), one, after=riff(b"XYZW", b"abc")))
    keep(
        "webp with alpha before a lossless frame",
        animation((13, 9), [((0, 0), (13, 9), 0, riff(b"ALPH", b"\0" * 9) + opaque)]),
    )
    keep("webp with a still picture beside its frames", animation((13, 9), one, after=opaque))
    for cut in (1, 2, 30, 300):
        keep(f"webp cut by {cut}", animation((13, 9), one + one)[:-cut])
    keep("webp with bytes after it", animation((13, 9), one) + b"more")
    for cut in (1, 2, 9):
        for lossless in (False, True):
            keep(f"webp still {lossless} cut by {cut}", still(1, (13, 9), lossless, False)[:-cut])


def main():
    for make in (png_kinds, png_palettes, png_checksums, png_chunks, apng, webp):
        make()
    versions = {"pillow": PIL.__version__, "libwebp": features.version("webp")}
    lines = ",\n".join("  " + json.dumps(picture) for picture in pictures)
    text = f'{{"versions": {json.dumps(versions)}, "pictures": [\n{lines}\n]}}\n'
    pathlib.Path(__file__).with_name("pictures.json").write_text(text)


main()
