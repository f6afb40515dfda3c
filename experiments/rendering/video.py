"""Frames as a file: MP4 or GIF, streaming, or a strip of pictures."""

import contextlib
import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import InputError
from experiments.files import check_replaceable, coming_path
from experiments.rendering.captions import Image, captioned, tiled
from experiments.rendering.frames import Frame

FORMATS = (".mp4", ".gif", ".png")
HOLD_SECONDS = 1.0  # the last frame of an episode stays this long
GIF_MAX_FPS = 25  # a GIF's clock ticks in hundredths of a second
STRIP = 12  # pictures of a strip, at most
STRIP_COLUMNS = 4


def check_video_path(path: Path) -> None:
    """Raise where no video can be written.

    Raises:
        InputError: neither .mp4 nor .gif, or its folder is none.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: expected a file that ends in .html, {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, got "
            f"{path.suffix or 'no ending'!r}"
        )
    if path.is_dir():
        raise InputError(f"{path}: expected a file, got a folder")
    if not path.resolve().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    check_replaceable(path)


def write_video(path: Path, frames: Iterator[Frame], fps: float, *, strip: int = STRIP) -> int:
    """Write frames as MP4 (H.264), GIF or a PNG strip, by the file's ending; the number of frames written.

    Args:
        path: the file.
        frames: of a film.
        fps: its speed.
        strip: pictures of a strip, at most; of one it is the last.
    """
    ending = path.suffix.lower()
    pictures = _held(frames, 1 if ending == ".png" else max(1, round(HOLD_SECONDS * fps)))
    writers: dict[str, Callable[[Path, Iterator[Image], float], int]] = {
        ".gif": _write_gif,
        ".png": partial(_write_strip, most=strip),
    }
    write = writers.get(ending, _write_mp4)
    coming = coming_path(path).with_suffix(path.suffix)  # a video that is there stays until the new one is complete
    try:
        coming.unlink(missing_ok=True)
        coming.touch(exist_ok=False)
        count = write(coming, pictures, fps)
        coming.replace(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[-200:]
        raise InputError(f"{path}: cannot write the video: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            coming.unlink(missing_ok=True)
    return count


def _held(frames: Iterator[Frame], hold: int) -> Iterator[Image]:
    """Pictures with their captions, all of one size: an environment may change its pictures', and a video's is one."""
    from PIL import Image as PillowImage

    size: tuple[int, int] | None = None  # width and height of the first
    for frame in frames:
        picture = frame.picture
        if isinstance(picture, str):
            raise InputError("render: expected an image [height, width, 3], got text")
        size = size or (picture.shape[1], picture.shape[0])
        if picture.shape[:2] != size[::-1]:
            picture = np.asarray(PillowImage.fromarray(picture).resize(size))
        picture = captioned(picture, frame.caption) if frame.caption else picture
        for _ in range(hold if frame.last else 1):
            yield picture


def _write_mp4(path: Path, pictures: Iterator[Image], fps: float) -> int:
    return _stream(path, (_even(picture) for picture in pictures), fps, quality=8, macro_block_size=2)


def _write_gif(path: Path, pictures: Iterator[Image], fps: float) -> int:
    """By way of a lossless film on the disk: the colours are chosen when all pictures are known, and none is kept."""
    import imageio_ffmpeg

    step = max(1, round(fps / GIF_MAX_FPS))
    some = (picture for number, picture in enumerate(pictures) if number % step == 0)
    with tempfile.TemporaryDirectory(prefix="rl-lab-gif-") as scratch:
        film, colours = Path(scratch) / "film.mkv", Path(scratch) / "colours.png"
        lossless = {"codec": "ffv1", "pix_fmt_out": "bgr0", "quality": None, "macro_block_size": 1}
        count = _stream(film, some, fps / step, **lossless)
        begin = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film)]
        _run([*begin, "-vf", "palettegen", str(colours)])
        _run(
            [*begin, "-i", str(colours), "-lavfi", "paletteuse=dither=none:diff_mode=rectangle", "-f", "gif", str(path)]
        )
    return count


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.decode(errors="replace"))


def _stream(path: Path, pictures: Iterator[Image], fps: float, **options: Any) -> int:
    """Hand picture after picture to ffmpeg, however many there are."""
    import imageio_ffmpeg

    count, writer = 0, None
    try:
        for picture in pictures:
            if writer is None:
                size = (picture.shape[1], picture.shape[0])
                writer = imageio_ffmpeg.write_frames(str(path), size, fps=fps, ffmpeg_log_level="error", **options)
                writer.send(None)
            writer.send(np.ascontiguousarray(picture))
            count += 1
    finally:
        if writer is not None:
            writer.close()
    return count


def _even(picture: Image) -> Image:
    """With even sides, as video wants."""
    return picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def _write_strip(path: Path, pictures: Iterator[Image], fps: float, most: int) -> int:
    """The first picture, the last, and some evenly between them; twice as many as are shown are kept, at most."""
    from PIL import Image as PillowImage

    kept: list[Image] = []
    stride, last, count = 1, None, 0
    for last in pictures:
        if count % stride == 0:
            kept.append(last)
        count += 1
        if len(kept) > 2 * most:
            kept, stride = kept[::2], 2 * stride
    if last is None:
        return 0
    if (count - 1) % stride:
        kept.append(last)
    places = np.unique(np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(int))
    if most == 1:
        places = np.array([len(kept) - 1])
    strip = tiled([kept[place] for place in places], STRIP_COLUMNS)
    written = io.BytesIO()
    PillowImage.fromarray(strip).save(written, "png", optimize=True)
    path.write_bytes(written.getvalue())
    return len(places)
