"""One picture that holds all that is printed or painted: shop names, traffic signs, number plates, posters."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SHOPS = (
    "BAKERY,Luna Café,Bookshop,FLOWERS,Tailor & Son,PHARMACY,Corner Deli,Old Town Inn,Bike Works,OPTICIAN,Bistro 21,"
    "GROCER,Barber,Toy Box,Music House,NOODLE BAR,Tea Room,Hardware,Gallery,The Anchor,PIZZERIA,Shoes,Antiques,Florist"
).split(",")
SHOP_COLOURS = (
    *((24, 58, 48), (120, 26, 30), (28, 40, 80), (230, 222, 205), (40, 40, 42), (196, 150, 50), (70, 100, 120)),
    *((170, 70, 40), (52, 86, 52), (235, 235, 238), (90, 40, 84)),
)
WIDTH, ROW = 1024, 64
SIGNS = ("30", "50", "20", "ban", "left", "yield", "warn", "cross", "park", "stop", "dead", "way", "keep", "bump")


def shop(index: int) -> np.ndarray:
    """The (4, 2) atlas corners of a shop's name: bottom left, bottom right, top right, top left."""
    index %= len(SHOPS)
    return _cell(index % 4 * 256, index // 4 * ROW, 256, ROW)


def sign(name: str) -> np.ndarray:
    """The atlas corners of a traffic sign's square."""
    index = SIGNS.index(name)
    return _cell(index * 72, 7 * ROW, 64, ROW)


def plate(index: int) -> np.ndarray:
    """The atlas corners of a number plate: even ones white, odd ones yellow."""
    return _cell(index % 8 * 128, 8 * ROW + 0, 128, 32)


def board(index: int) -> np.ndarray:
    """The atlas corners of a direction board (even) or a poster (odd), half as high as wide."""
    return _cell(index % 8 * 128, 9 * ROW, 128, ROW)


def _cell(x: int, y: int, width: int, height: int) -> np.ndarray:
    low, high = x + 0.6, x + width - 0.6
    return np.array([(low, y + height - 0.6), (high, y + height - 0.6), (high, y + 0.6), (low, y + 0.6)], np.float32)


@cache
def atlas() -> np.ndarray:
    """float32 (H, W, 3), linear."""
    image = Image.new("RGB", (WIDTH, 10 * ROW), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(11)
    for index, name in enumerate(SHOPS):
        ground = SHOP_COLOURS[index % len(SHOP_COLOURS)]
        ink = (250, 240, 215) if sum(ground) < 380 else (50, 40, 40)
        _text(draw, (index % 4 * 256, index // 4 * ROW, 256, ROW), name, ground, ink, 40)
    for index, name in enumerate(SIGNS):
        _sign(draw, index * 72, 7 * ROW, name)
    for index in range(8):
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVWXYZ"), 2)) + f"{rng.integers(10, 99)} "
        text += "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVWXYZ"), 3))
        ground = (240, 240, 236) if index % 2 == 0 else (240, 200, 40)
        _text(draw, (index * 128, 8 * ROW, 128, 32), text, ground, (20, 20, 20), 24)
        (_poster if index % 2 else _direction)(draw, index * 128, 9 * ROW, rng)
    return (np.asarray(image, np.float32) / 255) ** np.float32(2.2)


def _text(draw: ImageDraw.ImageDraw, where: tuple, text: str, ground: tuple, ink: tuple, size: int) -> None:
    x, y, width, height = where
    draw.rectangle((x, y, x + width - 1, y + height - 1), ground)
    font = ImageFont.load_default(min(size, 1.5 * width / max(4, len(text))))
    draw.text((x + width / 2, y + height / 2), text, ink, font, anchor="mm")


def _sign(draw: ImageDraw.ImageDraw, x: int, y: int, name: str) -> None:
    red, white, blue, black = (196, 22, 30), (242, 242, 240), (18, 72, 160), (20, 20, 20)
    box, middle = (x, y, x + 63, y + 63), (x + 32, y + 32)
    if name in ("left", "park", "cross", "way", "dead", "keep"):
        draw.rectangle(box, blue)
    font = ImageFont.load_default(34)
    if name in ("30", "50", "20"):
        draw.rectangle(box, red)
        draw.ellipse((x + 9, y + 9, x + 54, y + 54), white)
        draw.text(middle, name, black, font, anchor="mm")
    elif name == "ban":
        draw.rectangle(box, red)
        draw.rectangle((x + 12, y + 26, x + 51, y + 37), white)
    elif name == "stop":
        draw.rectangle(box, red)
        draw.text(middle, "STOP", white, ImageFont.load_default(22), anchor="mm")
    elif name in ("warn", "yield", "bump"):
        flip = -1 if name == "yield" else 1
        draw.rectangle(box, red)
        draw.polygon([(x + 32, y + 32 - 20 * flip), (x + 50, y + 32 + 18 * flip), (x + 14, y + 32 + 18 * flip)], white)
        if name != "yield":
            draw.text((x + 32, y + 38), "!" if name == "warn" else "~", black, ImageFont.load_default(28), anchor="mm")
    elif name == "park":
        draw.text(middle, "P", white, ImageFont.load_default(52), anchor="mm")
    elif name == "cross":
        draw.polygon([(x + 32, y + 10), (x + 54, y + 54), (x + 10, y + 54)], white)
        draw.line([(x + 32, y + 26), (x + 30, y + 38), (x + 24, y + 50)], black, 4)
        draw.line([(x + 30, y + 38), (x + 38, y + 50)], black, 4)
    else:
        turn = {"left": -1, "way": 1, "keep": -1, "dead": 0}[name]
        tip = (x + 32 + 20 * turn, y + 32 if name != "keep" else y + 48)
        draw.line([(x + 32 - 18 * turn, y + 32 + (20 if turn == 0 else 0)), tip], white, 9)
        draw.regular_polygon((*tip, 12), 3, -90 * turn, white)


def _direction(draw: ImageDraw.ImageDraw, x: int, y: int, rng: np.random.Generator) -> None:
    ground = [(16, 80, 52), (20, 60, 140), (240, 240, 238)][rng.integers(3)]
    ink = (250, 250, 250) if sum(ground) < 380 else (20, 20, 20)
    draw.rectangle((x, y, x + 127, y + 63), ink)
    draw.rectangle((x + 3, y + 3, x + 124, y + 60), ground)
    for line in range(2):
        text = str(rng.choice(["Centre", "Station", "Harbour", "Museum", "North", "Airport", "Market"]))
        draw.text((x + 12, y + 18 + 27 * line), text, ink, ImageFont.load_default(22), anchor="lm")
        draw.regular_polygon((x + 108, y + 18 + 27 * line, 9), 3, int(rng.choice([0, 90, -90])), ink)


def _poster(draw: ImageDraw.ImageDraw, x: int, y: int, rng: np.random.Generator) -> None:
    ground, ink, third = (tuple(int(c) for c in rng.integers(40, 225) + rng.integers(-38, 30, 3)) for _ in range(3))
    draw.rectangle((x, y, x + 127, y + 63), ground)
    draw.ellipse((x + 60, y - 10, x + 150, y + 70), third)
    draw.text(
        (x + 10, y + 22),
        str(rng.choice(["SALE", "NEW", "LIVE", "50%", "JAZZ"])),
        ink,
        ImageFont.load_default(30),
        anchor="lm",
    )
    for line in range(2):
        draw.rectangle((x + 12, y + 42 + 9 * line, x + 60 - 12 * line, y + 45 + 9 * line), ink)
