"""Pictures with a line of text below them, and pictures beside each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CAPTION_PIXELS = 28
BACKGROUND = (24, 28, 32)
CAPTION_WIDTH = 400  # pixels that a caption may take

Image = NDArray[np.uint8]  # [H, W, 3]


def captioned(picture: Image, caption: str) -> Image:
    """The picture with a line of text below it; even sides, as video wants."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    scale = -(-CAPTION_WIDTH // picture.shape[1])  # small pictures are enlarged until the text fits
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    canvas = PillowImage.new("RGB", (width, height + CAPTION_PIXELS), BACKGROUND)
    canvas.paste(PillowImage.fromarray(picture[:height, :width]), (0, 0))
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(canvas).text((10, height + 5), caption, fill=(235, 235, 235), font=font)
    return np.asarray(canvas)


def tiled(pictures: Sequence[Image], columns: int) -> Image:
    """Pictures in rows, of the size of the largest."""
    height, width = (max(picture.shape[side] for picture in pictures) for side in (0, 1))
    rows = -(-len(pictures) // columns)
    canvas = np.empty((rows * height, min(columns, len(pictures)) * width, 3), np.uint8)
    canvas[:] = BACKGROUND
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas
