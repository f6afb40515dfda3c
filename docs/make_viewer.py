"""Makes the pictures of the viewer: `make figures`. A real browser, on real runs of the bundled suites."""

import contextlib
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from experiments.rendering.frames import Frame
from experiments.rendering.video import write_video
from rl_lab import watch
from rl_lab.run import run_suite

IMAGES = Path(__file__).parent / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]
FPS = 6.0
SIZE = {"width": 1120, "height": 940}
RUN = "book-maze/maze-15x15/q_learning/seed-0"


@contextlib.contextmanager
def viewer(runs: Path) -> Iterator[str]:
    """The address of a viewer of these runs."""
    command = [sys.executable, "-m", "rl_lab", "ui", str(runs), "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def shot(page: Page) -> np.ndarray:
    """What the page shows now [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def tour(page: Page) -> Iterator[np.ndarray]:
    """A click on a curve, the training back to its beginning and on again, and a race."""

    def hold(seconds: float) -> Iterator[np.ndarray]:
        for _ in range(round(seconds * FPS)):
            yield shot(page)
            page.wait_for_timeout(1000 / FPS - 60)

    page.wait_for_timeout(1500)
    yield from hold(1.0)
    box = page.locator("canvas.chart").bounding_box()
    assert box is not None
    x, y = page.evaluate(
        "(c => { const s = c.series.find(one => one.name === 'q_learning');"
        " return [c.px(100000), c.py(s.faint[0].y[s.faint[0].x.indexOf(100000)])]; })(viewer.curves.chart)"
    )
    page.mouse.move(box["x"] + x, box["y"] + y)
    yield from hold(0.8)
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.locator("section.watch canvas").first.wait_for()
    page.wait_for_timeout(1200)
    page.evaluate("document.querySelector('section.watch').scrollIntoView()")
    page.evaluate("viewer.watch.player.speed = 2")
    yield from hold(2.0)
    slider = page.locator("section.watch .training input")
    for episode in (0, 5, 20, 50, 80, 120, 200, 300, 600, 2000):
        slider.fill(str(episode))
        page.wait_for_timeout(500)
        page.evaluate("viewer.watch.player.clock = 0; viewer.watch.player.play()")
        yield from hold(1.0)
    yield from hold(2.0)


def still(browser: Browser, address: str, name: str, script: str, **options: object) -> None:
    """Save a picture of a page after a script has run."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(2500)
    page.evaluate(script)
    page.wait_for_timeout(3500)
    Image.fromarray(shot(page)).quantize(128).save(IMAGES / name, optimize=True)
    context.close()


def main(runs: Path) -> None:
    """Run the suite (finished runs are skipped) and take the pictures."""
    for suite in ("book-maze", "demo"):
        run_suite(suite, out=runs, jobs=2)
    page_file = runs / "race.html"
    watch([runs / RUN, runs / "book-maze/maze-15x15/value_iteration/seed-0"], record=page_file)
    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with viewer(runs) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        context = browser.new_context(viewport=SIZE)
        page = context.new_page()
        page.goto(address)
        frames = (Frame(picture, "", False) for picture in tour(page))
        write_video(IMAGES / "viewer.gif", frames, FPS)
        context.close()
        wall = "(() => { player.pause(); player.setTool('drop'); player.dropAt(player.scenes[0].maze, 120); })()"
        still(browser, page_file.as_uri(), "recorded-page.png", wall, viewport={"width": 900, "height": 1180})
        curves = "document.querySelectorAll('nav a')[0].click()"
        dark = {"viewport": {"width": 1200, "height": 760}, "color_scheme": "dark"}
        still(browser, address, "viewer-dark.png", curves, **dark)
        phone = {"viewport": {"width": 360, "height": 740}, "locale": "fr-FR"}
        still(browser, address, "viewer-phone.png", "document.querySelectorAll('nav a')[1].click()", **phone)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
