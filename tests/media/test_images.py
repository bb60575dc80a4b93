"""Images are whole, upright and RGB, or named for what they are; many come in order, few at once."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from abaw_jax.media import images
from abaw_jax.media.images import read_image, read_images
from abaw_jax.problems import Problem, UnusableFile

REAL = Path(__file__).parents[2].parent / "shared" / "media"


@pytest.fixture
def picture() -> Image.Image:
    """Dark on the left, red on the right, wider than high."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, 24:] = (220, 40, 40)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_pixels_are_those_of_the_file(tmp_path, picture, suffix):
    picture.save(tmp_path / f"a.{suffix}")
    read = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read, np.asarray(picture))
    read[0, 0] = 1  # the caller's own


def test_jpeg_is_decoded_at_full_size(tmp_path, picture):
    picture.save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg")[4, [4, 44]], [[0, 0, 0], [220, 40, 40]], atol=6)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "LA", "1"])
def test_other_modes_become_rgb(tmp_path, picture, mode):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    picture.convert(mode).save(tmp_path / name)
    expected = np.asarray(picture.convert(mode).convert("RGB")).astype(int)
    np.testing.assert_allclose(read_image(tmp_path / name)[::31, ::47], expected[::31, ::47], atol=6)


def test_a_palette_with_transparency_loses_only_that(tmp_path, picture):
    palette = picture.convert("P")
    palette.save(tmp_path / "a.png", transparency=bytes([0] * 128 + [255] * 128))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(palette.convert("RGB")))


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.array([[0, 256, 40_000, 65_535]], np.uint16)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0, :, 0], [0, 1, 156, 255])


@pytest.mark.parametrize(("orientation", "place"), [(1, "e"), (2, "w"), (3, "w"), (6, "s"), (8, "n")])
def test_exif_turns_upright(tmp_path, picture, orientation, place):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.jpg", exif=exif)
    read = read_image(tmp_path / "a.jpg")
    row, column = {"e": (16, -4), "w": (16, 4), "s": (-4, 16), "n": (4, 16)}[place]
    assert read[row, column, 0] > 180
    assert read[-1 - row, -1 - column, 0] < 40


@pytest.mark.parametrize("left", [0.2, 0.6, 0.95])
def test_a_truncated_jpeg_is_refused(tmp_path, left):
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "00001.jpg")
    content = (tmp_path / "00001.jpg").read_bytes()
    (tmp_path / "00001.jpg").write_bytes(content[: int(left * len(content))])
    with pytest.raises(UnusableFile, match=r"00001\.jpg: unreadable image: found .*truncated"):
        read_image(tmp_path / "00001.jpg")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty image: found 0 bytes, expected an image"),
        (b"not an image", "unreadable image: found .cannot identify"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unreadable image"),
        (None, "unreadable image: found .*No such file"),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnusableFile, match=f"a.jpg: {message}"):
        read_image(tmp_path / "a.jpg")


def test_formats_that_nobody_ships_faces_in_are_refused(tmp_path, picture):
    picture.save(tmp_path / "a.pcx")
    with pytest.raises(UnusableFile, match="cannot identify"):
        read_image(tmp_path / "a.pcx")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9500, 12_000, 60_000])
def test_bombs_are_refused_before_they_are_decoded(tmp_path, side):
    header = f"P6 {side} {side} 255\n".encode()
    (tmp_path / "a.ppm").write_bytes(header + bytes(64))
    with pytest.raises(UnusableFile, match=r"too large|exceeds limit"):
        read_image(tmp_path / "a.ppm")


def test_pillow_must_not_let_cut_images_pass(tmp_path, picture, monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    picture.save(tmp_path / "a.jpg")
    with pytest.raises(RuntimeError, match="LOAD_TRUNCATED_IMAGES"):
        read_image(tmp_path / "a.jpg")


def test_flipped_bytes_are_read_or_refused(tmp_path, picture):
    rng = np.random.default_rng(0)
    for suffix in ("jpg", "png", "webp", "gif", "tiff", "bmp", "ppm"):
        path = tmp_path / f"a.{suffix}"
        picture.save(path)
        content = path.read_bytes()
        for _ in range(40):
            broken = bytearray(content)
            broken[rng.integers(min(len(broken), 200))] = rng.integers(256)
            path.write_bytes(broken)
            try:
                assert read_image(path).dtype == np.uint8
            except UnusableFile as error:
                assert str(path) in str(error)


def test_many_come_in_order_with_the_broken_ones_named(tmp_path):
    paths = [tmp_path / f"{k:05d}.png" for k in range(1, 60)]
    for k, path in enumerate(paths):
        Image.new("RGB", (8, 8), (k, k, k)).save(path)
    paths[7].write_bytes(b"")
    paths[30].unlink()
    found = list(read_images(paths, threads=3, ahead=5))
    assert len(found) == len(paths)
    for k, (path, image) in enumerate(zip(paths, found, strict=True)):
        if k in (7, 30):
            assert isinstance(image, Problem)
            assert image.path == str(path)
        else:
            assert image[0, 0, 0] == k


def test_no_more_are_decoded_than_asked_ahead(tmp_path, monkeypatch):
    read, most, lock, taken = [], 0, threading.Lock(), 0

    def count(path):
        nonlocal most
        with lock:
            read.append(path)
            most = max(most, len(read) - taken)
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(images, "read_image", count)
    for _ in read_images([tmp_path / str(k) for k in range(50)], threads=4, ahead=6):
        with lock:
            taken += 1
        time.sleep(0.001)
    assert len(read) == 50
    assert 2 <= most <= 7


def test_who_stops_early_waits_for_nothing(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(images, "read_image", lambda path: read.append(path) or np.zeros((1, 1, 3), np.uint8))
    reading = read_images((tmp_path / str(k) for k in range(10**9)), threads=2, ahead=4)
    next(reading)
    reading.close()
    assert len(read) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("images")]


@pytest.mark.skipif(not REAL.exists(), reason="real pictures are not here")
def test_real_pictures():
    assert read_image(REAL / "multi_face.jpg").shape[-1] == 3
