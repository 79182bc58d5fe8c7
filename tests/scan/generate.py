#!/usr/bin/env python3
"""Makes the scan that tests recognise: job-card.txt, printed and then degraded.

Printed in Manjari, which has Malayalam and Latin letters, at 150 dots an inch; turned a little,
blurred, lit unevenly and made grainy, as a cheap scanner or a telephone would. Needs Pillow with
raqm and the font (Debian: python3-pil, fonts-smc-manjari). Makes the same file every time.

    tests/scan/generate.py
"""

import pathlib
import random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FOLDER = pathlib.Path(__file__).parent
FONT = "/usr/share/fonts/opentype/malayalam/Manjari-Regular.otf"
SIZE = (1000, 900)
MARGIN, LINE = 70, 58

lines = (FOLDER / "job-card.txt").read_text(encoding="utf-8").splitlines()
page = Image.new("L", SIZE, 245)
font = ImageFont.truetype(FONT, 27, layout_engine=ImageFont.Layout.RAQM)
draw = ImageDraw.Draw(page)
for number, line in enumerate(lines):
    draw.text((MARGIN, MARGIN + number * LINE), line, font=font, fill=25)
page = page.rotate(0.7, resample=Image.Resampling.BICUBIC, fillcolor=245)
page = page.filter(ImageFilter.GaussianBlur(0.6))

grain = random.Random(7)
pixels = page.load()
for y in range(SIZE[1]):
    for x in range(SIZE[0]):
        light = 1 - 0.25 * x / SIZE[0]
        pixels[x, y] = max(0, min(255, int(pixels[x, y] * light + grain.gauss(0, 9))))
page.save(FOLDER / "job-card.jpg", quality=50)
