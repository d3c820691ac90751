"""Writes phash.json: the hashes that imagehash gives synthetic pictures and photographs, for tests/imaging_parity.rs.

pip install --target /tmp/phashpy imagehash==4.3.2 pillow==13.0.0 numpy==2.4.6 scipy==1.17.1
PYTHONPATH=/tmp/phashpy python3 tests/golden/make_phash.py FOLDER_OF_PHOTOGRAPHS

Where a coefficient and the median differ by rounding alone (symmetric pictures), imagehash's bit is the noise of one build
of scipy: the "hash" of such a picture counts that difference as none, and "imagehash" says what imagehash gave.
"""

import json
import pathlib
import sys

import imagehash
import numpy
import PIL
import scipy.fftpack
from PIL import Image

SIZES = [(1, 1), (1, 7), (3, 200), (200, 3), (33, 31), (32, 32), (32, 90), (90, 32), (301, 40), (40, 301), (160, 120)]
NOISE = 1e-6


def flat(width, height):
    return numpy.full((height, width, 3), (200, 100, 50))


def ramp(width, height):
    """Red grows to the right, green downwards, blue along both."""
    y, x = numpy.mgrid[:height, :width]
    return numpy.stack([x * 255 // width, y * 255 // height, (3 * x + 5 * y) % 256], axis=2)


def checkers(width, height):
    """Fields of 7 x 7 px, white and dark blue by turns."""
    y, x = numpy.mgrid[:height, :width]
    dark = (x // 7 + y // 7) % 2 == 1
    return numpy.where(dark[:, :, None], (10, 40, 90), (255, 255, 255))


def noise(width, height):
    """The high bytes of xorshift32 (G. Marsaglia, 2003) from 2463534242 on, one for each byte of the picture."""
    state, levels = 2463534242, []
    for _ in range(width * height * 3):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        levels.append(state >> 24)
    return numpy.array(levels).reshape(height, width, 3)


def mirrored(width, height):
    """Noise whose right half is the mirror image of its left half."""
    across = numpy.arange(width)
    return noise(width, height)[:, numpy.minimum(across, width - 1 - across)]


def settled(image):
    """phash with `coefficient > median + NOISE`; the lines before that are imagehash's."""
    pixels = numpy.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS))
    low = scipy.fftpack.dct(scipy.fftpack.dct(pixels, axis=0), axis=1)[:8, :8]
    return str(imagehash.ImageHash(low > numpy.median(low) + NOISE))


def synthetic():
    for pattern in (flat, ramp, checkers, noise, mirrored):
        for size in SIZES:
            image = Image.fromarray(pattern(*size).astype(numpy.uint8))
            row = {"pattern": pattern.__name__, "size": size, "hash": str(imagehash.phash(image))}
            yield row if row["hash"] == settled(image) else row | {"hash": settled(image), "imagehash": row["hash"]}


def photographs(folder):
    for path in sorted(pathlib.Path(folder).iterdir()):
        yield f"  {json.dumps(path.name)}: {json.dumps(str(imagehash.phash(Image.open(path).convert('RGB'))))}"


rows = ",\n".join("  " + json.dumps(row) for row in synthetic())
photos = ",\n".join(photographs(sys.argv[1]))
versions = {module.__name__: module.__version__ for module in (imagehash, PIL, numpy, scipy)}
text = f'{{\n "versions": {json.dumps(versions)},\n "synthetic": [\n{rows}\n ],\n "photographs": {{\n{photos}\n }}\n}}\n'
json.loads(text)
pathlib.Path(__file__).with_name("phash.json").write_text(text)
