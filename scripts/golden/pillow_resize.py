#!/usr/bin/env python3
"""Golden pixels for src/media/still.rs: Pillow's antialiased bicubic on a made-up picture.

Writes tests/golden/data/pillow_resize.json. Needs Pillow.
"""
import json
import pathlib

import PIL
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/pillow_resize.json"


def made_up(width, height):
    """Slopes, noise and hard edges; tests/golden/pillow_resize.rs makes the same picture."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            flip = 255 if (x // 9 + y // 7) % 2 else 0
            rgb = ((x * 7 + y * 3) % 256, (x * x + 5 * y) % 256, ((x ^ y) * 11) % 256)
            image.putpixel((x, y), tuple(v ^ flip for v in rgb))
    return image


def stretch(image, side):
    return image.resize((side, side), Image.BICUBIC)


def center_crop(image, side):
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return stretch(image.crop((left, top, left + edge, top + edge)), side)


def pad(image, side):
    scale = side / max(image.size)
    size = tuple(int(edge * scale + 0.5) for edge in image.size)
    square = Image.new("RGB", (side, side))
    square.paste(image.resize(size, Image.BICUBIC), tuple((side - edge) // 2 for edge in size))
    return square


FITS = {"stretch": stretch, "center-crop": center_crop, "pad": pad}

cases = []
for width, height, side in [(97, 61, 16), (61, 97, 20), (12, 9, 24), (300, 20, 16), (16, 16, 16)]:
    for fit, function in FITS.items():
        pixels = function(made_up(width, height), side).tobytes().hex()
        cases.append(
            {"width": width, "height": height, "side_px": side, "fit": fit, "rgb_hex": pixels}
        )
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=1) + "\n")
print(f"{OUT}: {len(cases)} cases")
