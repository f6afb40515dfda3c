"""A maze as SVG: for papers and pages, sharp at every size."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from envs.mazes.painting import Colour, Geometry, Point, paint
from envs.mazes.scene import Scene


def draw_svg(scene: Scene, size: int = 480) -> str:
    """The text of an SVG file, its longer side about `size` pixels."""
    geometry = Geometry(scene, size)
    canvas = SvgCanvas()
    paint(scene, canvas, geometry)
    shapes = "\n".join(canvas.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {geometry.width} {geometry.height}" '
        f'width="{geometry.width}" height="{geometry.height}" role="img" aria-label="maze">\n{shapes}\n</svg>\n'
    )


class SvgCanvas:
    """Shapes as SVG elements."""

    def __init__(self) -> None:
        self.shapes: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """A filled rectangle."""
        corner = f' rx="{_number(radius)}"' if radius else ""
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        self.shapes.append(f'<rect {place}{corner} fill="{_hex(colour)}"/>')

    def circle(self, centre: Point, radius: float, colour: Colour, outline: float = 0) -> None:
        """A disc, or a ring."""
        radius -= outline / 2
        look = f'fill="{_hex(colour)}"'
        if outline:
            look = f'fill="none" stroke="{_hex(colour)}" stroke-width="{_number(outline)}"'
        x, y = map(_number, centre)
        self.shapes.append(f'<circle cx="{x}" cy="{y}" r="{_number(radius)}" {look}/>')

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        self.shapes.append(f'<polygon points="{path}" fill="{_hex(colour)}"/>')

    def line(self, begin: Point, end: Point, colour: Colour, width: float) -> None:
        """A line with round ends."""
        (x1, y1), (x2, y2) = begin, end
        place = f'x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"'
        look = f'stroke="{_hex(colour)}" stroke-width="{_number(width)}" stroke-linecap="round"'
        self.shapes.append(f"<line {place} {look}/>")

    def text(self, centre: Point, text: str, height: float, colour: Colour) -> None:
        """A line of text."""
        x, y = map(_number, centre)
        look = f'font-size="{_number(height * 1.1)}" font-family="sans-serif" fill="{_hex(colour)}"'
        place = f'x="{x}" y="{y}" text-anchor="middle" dominant-baseline="central"'
        self.shapes.append(f"<text {place} {look}>{escape(text)}</text>")


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
