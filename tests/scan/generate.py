#!/usr/bin/env python3
"""Makes the scans that tests recognise: job-card.txt, printed and then degraded.

Printed in Manjari, which has Malayalam and Latin letters, at 150 dots an inch; turned a little,
blurred, lit unevenly and made grainy, as a cheap scanner or a telephone would; and once more, put
down askew. Needs Pillow with raqm and the font (Debian: python3-pil, fonts-smc-manjari). Makes the same files every time.

    tests/scan/generate.py
"""

import pathlib
import random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FOLDER = pathlib.Path(__file__).parent
FONT = "/usr/share/fonts/opentype/malayalam/Manjari-Regular.otf"
LINE = 58

lines = (FOLDER / "job-card.txt").read_text(encoding="utf-8").splitlines()
font = ImageFont.truetype(FONT, 27, layout_engine=ImageFont.Layout.RAQM)


def scan(name, size, corner, turned, quality):
    page = Image.new("L", size, 245)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((corner[0], corner[1] + number * LINE), line, font=font, fill=25)
    page = page.rotate(turned, resample=Image.Resampling.BICUBIC, fillcolor=245)
    page = page.filter(ImageFilter.GaussianBlur(0.6))

    grain = random.Random(7)
    pixels = page.load()
    for y in range(size[1]):
        for x in range(size[0]):
            light = 1 - 0.25 * x / size[0]
            pixels[x, y] = max(0, min(255, int(pixels[x, y] * light + grain.gauss(0, 9))))
    page.save(FOLDER / name, quality=quality)


scan("job-card.jpg", (1000, 900), (70, 70), 0.7, 50)
scan("job-card-askew.jpg", (1240, 1120), (190, 180), 6, 50)
