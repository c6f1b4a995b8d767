from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from monai.data import PILReader
from PIL import Image

from medunet.errors import InputError
from medunet.findings import Note
from medunet.reading import read_indices, read_volume

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 7), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (5, 7), dtype=np.uint16)
COLOUR = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
OPAQUE = np.full((5, 7, 1), 255, np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("pixels", [GREY, DEEP, COLOUR], ids=["grey", "16 bit", "colour"])
def test_values_and_order_are_those_of_monais_reader(tmp_path: Path, pixels: np.ndarray) -> None:
    volume = read_volume(save(tmp_path / "a.png", pixels))
    reader = PILReader()
    theirs, _ = reader.get_data(reader.read(tmp_path / "a.png"))
    assert np.array_equal(np.moveaxis(volume.voxels[..., 0], 0, -1).squeeze(), theirs)
    assert (volume.grid.shape, volume.grid.unit) == ((7, 5, 1), "px")
    assert volume.voxels[0, 6, 1, 0] == np.atleast_3d(pixels)[1, 6, 0]
    assert volume.voxels.dtype == pixels.dtype


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_an_opaque_alpha_is_dropped_and_a_transparent_one_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    both = np.concatenate([np.atleast_3d(pixels), OPAQUE], axis=2)
    volume = read_volume(save(tmp_path / "a.png", both))
    assert np.array_equal(volume.voxels[..., 0].transpose(2, 1, 0), np.atleast_3d(pixels))
    assert volume.source.notes == (Note("alpha-left-out", "an opaque alpha channel was dropped"),)
    both[2, 3, -1] = 10
    with pytest.raises(InputError, match=r"b\.png: its alpha channel makes 1 pixels transparent"):
        read_volume(save(tmp_path / "b.png", both))


def test_colours_of_16_bits_keep_them(tmp_path: Path) -> None:
    deep = RANDOM.integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(deep, isVector=True), str(tmp_path / "a.png"))
    assert np.array_equal(read_volume(tmp_path / "a.png").voxels[..., 0].transpose(2, 1, 0), deep)


def test_a_palette_is_colours_in_an_image_and_numbers_in_a_label_map(tmp_path: Path) -> None:
    indices = (GREY % 3).astype(np.uint8)
    image = Image.fromarray(indices, mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_volume(tmp_path / "a.png").voxels[1, ..., 0].T, 20 + 30 * indices)
    assert np.array_equal(read_indices(tmp_path / "a.png")[0][0, ..., 0].T, indices)
    image.save(tmp_path / "b.png", transparency=0)
    with pytest.raises(InputError, match="pixels transparent"):
        read_volume(tmp_path / "b.png")


def test_a_transparent_colour_is_refused_where_it_occurs(tmp_path: Path) -> None:
    for name, value in (("never", 256), ("somewhere", int(DEEP[0, 0]))):
        Image.fromarray(np.where(DEEP == 256, 257, DEEP).astype(np.uint16)).save(
            tmp_path / f"{name}.png", transparency=value
        )
    assert read_volume(tmp_path / "never.png").voxels.shape == (1, 7, 5, 1)
    with pytest.raises(InputError, match="pixels transparent"):
        read_volume(tmp_path / "somewhere.png")


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_keep_the_stored_numbers(tmp_path: Path, depth: int) -> None:
    values = (GREY % 2**depth).astype(np.uint8)
    packed = np.packbits(np.unpackbits(values[..., None], axis=2)[..., 8 - depth :].reshape(5, -1), axis=1)
    content = Image.new("1", (7, 5))
    content.save(tmp_path / "a.png")
    write_grey(tmp_path / "a.png", packed, depth)
    assert np.array_equal(read_indices(tmp_path / "a.png")[0][0, ..., 0].T, values)
    assert np.array_equal(read_volume(tmp_path / "a.png").voxels[0, ..., 0].T, values)


def write_grey(path: Path, packed: np.ndarray, depth: int) -> None:
    """A PNG of 7 × 5 grey pixels by the standard, since Pillow writes none of 2 and 4 bits."""
    import struct
    import zlib

    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 7, 5, depth, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def make_jpeg(path: Path) -> None:
    Image.fromarray(COLOUR).save(path, format="JPEG")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 0xFF
    path.write_bytes(content)


def animate(path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (make_jpeg, "named PNG but is JPEG inside"),
        (cut, "within its data"),
        (spoil, "a checksum of its IDAT chunk is wrong"),
        (animate, "it is animated"),
        (empty, "something else inside"),
    ],
)
def test_what_is_no_whole_png_is_refused(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(save(tmp_path / "a.png", GREY))
    for read in (read_volume, read_indices):
        with pytest.raises(InputError, match=words):
            read(tmp_path / "a.png")


def test_a_short_stream_of_pixels_is_refused(tmp_path: Path) -> None:
    write_grey(tmp_path / "a.png", np.zeros((2, 1), np.uint8), 1)
    with pytest.raises(InputError, match="can't be decoded"):
        read_volume(tmp_path / "a.png")
