"""NIfTI, NRRD and MHA that other readers take wrong without a word: read exactly, noted, or refused."""

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from medunet.errors import GeometryError, InputError, LabelError, MedunetError
from medunet.findings import Note
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import ReadOptions, read_mask, read_volume

VOXELS = np.random.default_rng(0).integers(-3000, 3000, (7, 6, 5)).astype("<i2")
STRAIGHT = np.diag([2.0, 2.0, 3.0, 1.0])
NAN, INF = float("nan"), float("inf")
EXACT, NOTED, REFUSED = "exact", "noted", "refused"
PIXDIM, OFFSET, SLOPE, UNITS, CODES, QUATERNION, SFORM, MAGIC = 76, 108, 112, 123, 252, 256, 280, 344
"""Bytes of the header at which these fields begin (nifti1.h)."""
Edit = Callable[[bytearray], None]


def make_file(qform: int = 0, sform: int = 1, affine: np.ndarray = STRAIGHT, voxels: np.ndarray = VOXELS) -> bytearray:
    """A NIfTI-1 file, field by field as in nifti1.h, by no library."""
    kinds = {"<i2": 4, "<f4": 16, "<f8": 64, "|u1": 2, "<u8": 1280, ">i2": 4, "<c8": 32}
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, voxels.ndim, *voxels.shape, *[1] * (7 - voxels.ndim))
    struct.pack_into("<2h", head, 70, kinds[voxels.dtype.str], 8 * voxels.itemsize)
    struct.pack_into("<4f", head, PIXDIM, 1, 2, 2, 3)
    struct.pack_into("<f", head, OFFSET, 352)
    struct.pack_into("<f", head, SLOPE, 1)
    head[UNITS] = 2
    struct.pack_into("<2h", head, CODES, qform, sform)
    struct.pack_into("<12f", head, SFORM, *affine[:3].ravel())
    struct.pack_into("<4s", head, MAGIC, b"n+1\0")
    return head + voxels.tobytes(order="F")


def put(at: int, kind: str, *values: float | bytes) -> Edit:
    return lambda file: struct.pack_into(f"<{kind}", file, at, *values)


def shift(millimetres: float) -> np.ndarray:
    moved = STRAIGHT.copy()
    moved[0, 3] = millimetres
    return moved


SHEARED = STRAIGHT @ np.array([[1, 0, 0.4, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
ROTATED = nib.affines.from_matvec(nib.eulerangles.euler2mat(np.radians(10)) @ STRAIGHT[:3, :3])
MIRRORED = STRAIGHT * [[-1], [1], [1], [1]]
Row = tuple[str, bytearray, Edit | None, str, str]
PLACES: list[Row] = [
    ("sform alone", make_file(), None, EXACT, ""),
    ("qform alone", make_file(1, 0), None, EXACT, ""),
    ("forms 10 mm apart", make_file(1, 2, shift(10)), None, REFUSED, "lie 10 mm apart; choose one with --prefer"),
    ("forms 0.1 mm apart", make_file(1, 2, shift(0.1)), None, NOTED, "lie 0.1 mm apart; the sform counts"),
    ("rotated by 10 degrees", make_file(1, 1, ROTATED), None, REFUSED, "mm apart"),
    ("mirrored", make_file(1, 1, MIRRORED), None, REFUSED, "mm apart"),
    ("no form", make_file(0, 0), None, REFUSED, "neither sform nor qform is set"),
    ("a negative code", make_file(0, -1), None, REFUSED, "neither sform nor qform is set"),
    ("sheared", make_file(0, 1, SHEARED), None, NOTED, "pixdim gives the spacing"),
    ("pixdim 5", make_file(), put(88, "f", 5), NOTED, r"pixdim gives the spacing \[2.0, 2.0, 5.0\]"),
    ("a row of zeros", make_file(), put(SFORM, "4f", 0, 0, 0, 0), REFUSED, "its sform: it is singular"),
    ("a row of NaN", make_file(), put(SFORM, "4f", *[NAN] * 4), REFUSED, "its sform: it is not a finite"),
    ("qform, pixdim 0", make_file(1, 0), put(88, "f", 0), REFUSED, "its qform: it is singular"),
    ("qform, pixdim -3", make_file(1, 0), put(88, "f", -3), REFUSED, "should be positive"),
    ("qform, pixdim NaN", make_file(1, 0), put(88, "f", NAN), REFUSED, "its qform: it is not a finite"),
    ("qfac 0", make_file(1, 0), put(PIXDIM, "f", 0), EXACT, ""),
    ("qfac 2", make_file(1, 0), put(PIXDIM, "f", 2), REFUSED, "qfac"),
    ("no unit quaternion", make_file(1, 0), put(QUATERNION, "3f", 0.9, 0.9, 0.9), REFUSED, "can't be read as NIfTI"),
    (
        "the same beside sform",
        make_file(1, 1),
        put(QUATERNION, "3f", 0.9, 0.9, 0.9),
        REFUSED,
        "its qform: w2 should be positive",
    ),
]
VALUES: list[Row] = [
    ("slope 0", make_file(), put(SLOPE, "2f", 0, 5), EXACT, ""),
    ("slope NaN", make_file(), put(SLOPE, "2f", NAN, 0), EXACT, ""),
    ("slope infinite", make_file(), put(SLOPE, "2f", INF, 0), REFUSED, "its scl_slope is inf"),
    ("intercept NaN", make_file(), put(SLOPE, "2f", 1, NAN), REFUSED, "invalid intercept"),
    ("complex", make_file(voxels=VOXELS.astype("<c8")), None, REFUSED, "not single numbers"),
    ("NaN", make_file(voxels=np.where(VOXELS > 2900, NAN, VOXELS).astype("<f4")), None, REFUSED, "are not finite"),
    ("one volume in four axes", make_file(voxels=VOXELS[..., None]), None, EXACT, ""),
]
FILES: list[Row] = [
    ("no voxels", make_file(), put(42, "h", 0), REFUSED, "not one volume"),
    ("a negative size", make_file(), put(42, "h", -7), REFUSED, "can't be read"),
    ("32767 voxels each way", make_file(), put(42, "3h", *[32767] * 3), REFUSED, "it holds 772 bytes"),
    ("voxels within the header", make_file(), put(OFFSET, "f", 0), REFUSED, "within the header"),
    ("voxels far behind", make_file(), put(OFFSET, "f", 1e9), REFUSED, "it holds 772 bytes"),
    ("magic broken", make_file(), put(MAGIC, "4s", b"xxxx"), REFUSED, "can't be read as NIfTI"),
    ("trailing bytes", make_file() + bytes(64), None, EXACT, ""),
    ("cut", make_file()[:600], None, REFUSED, "it holds 600 bytes"),
]
ROWS = [*PLACES, *VALUES, *FILES]


@pytest.mark.parametrize("row", ROWS, ids=[row[0].replace(" ", "_") for row in ROWS])
def test_a_file_is_exact_noted_or_refused(tmp_path: Path, row: Row) -> None:
    _, made, edit, expected, words = row
    content, path = bytearray(made), tmp_path / "a.nii"
    if edit is not None:
        edit(content)
    path.write_bytes(content)
    if expected == REFUSED:
        with pytest.raises(MedunetError, match=words):
            read_volume(path)
        return
    volume = read_volume(path)
    sform = np.frombuffer(bytes(content[SFORM : SFORM + 48]), "<f4").reshape(3, 4)
    affine = np.vstack([sform, [0, 0, 0, 1]]) if content[CODES + 2] else STRAIGHT
    assert np.array_equal(volume.voxels[0], VOXELS)
    assert np.array_equal(volume.grid.affine, affine)
    assert bool(volume.source.notes) == (expected == NOTED)
    assert re.search(words, "".join(map(str, volume.source.notes)))


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_one_of_two_forms_can_be_chosen(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", make_file(1, 2, shift(10)))
    for form, place in (("sform", 10), ("qform", 0)):
        volume = read_volume(path, ReadOptions(prefer=form))
        assert volume.grid.affine[0, 3] == place
        assert volume.source.notes == (Note("place-ambiguous", f"the {form} was chosen, whatever the other one says"),)
    broken = bytearray(path.read_bytes())
    put(QUATERNION, "3f", 0.9, 0.9, 0.9)(broken)
    assert read_volume(save(path, broken), ReadOptions(prefer="sform")).grid.affine[0, 3] == 10
    alone = save(tmp_path / "b.nii", make_file(0, 1, shift(10)))
    assert read_volume(alone, ReadOptions(prefer="qform")).source.notes == ()


@pytest.mark.parametrize(("code", "unit", "factor"), [(1, "meter", 1000), (3, "micron", 0.001), (0, "", 1)])
def test_lengths_come_in_millimetres(tmp_path: Path, code: int, unit: str, factor: float) -> None:
    content = make_file(affine=np.diag([0.5, 0.5, 0.4, 1]))
    content[UNITS] = code
    struct.pack_into("<3f", content, PIXDIM + 4, 0.5, 0.5, 0.4)
    volume = read_volume(save(tmp_path / "a.nii", content))
    assert volume.grid.spacing == pytest.approx((0.5 * factor, 0.5 * factor, 0.4 * factor))
    assert volume.source.notes == ((Note("header-scaled", f"units of {unit} were scaled to mm"),) if unit else ())


def test_values_are_scaled_and_whole_numbers_keep_their_type(tmp_path: Path) -> None:
    content = make_file()
    put(SLOPE, "2f", 0.5, -3)(content)
    assert np.array_equal(read_volume(save(tmp_path / "a.nii", content)).voxels[0], VOXELS * 0.5 - 3)
    large = VOXELS.astype("<u8") % 7 + 2**53 + 1
    assert np.array_equal(read_volume(save(tmp_path / "b.nii", make_file(voxels=large))).voxels[0], large)


def test_a_gzip_is_read_to_its_end(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(make_file()))
    assert np.array_equal(read_volume(save(tmp_path / "a.nii.gz", packed)).voxels[0], VOXELS)
    for damage in (packed[: len(packed) * 2 // 3], packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]):
        with pytest.raises(InputError, match="compression is damaged"):
            read_volume(save(tmp_path / "b.nii.gz", damage))
    with pytest.raises(InputError, match="can't be read as NIfTI"):
        read_volume(save(tmp_path / "c.nii.gz", make_file()))


@pytest.mark.parametrize(
    ("voxels", "slope", "expected"),
    [
        (np.full((2, 2, 2), 3.0, "<f8"), 1, 3),
        (np.full((2, 2, 2), 2.99997, "<f4"), 1, 3),
        (np.full((2, 2, 2), 2.99, "<f4"), 1, None),
        (np.full((2, 2, 2), 3, "|u1"), 1 / 255, None),
        (np.full((2, 2, 2), 255, "|u1"), 1 / 255, 1),
        (np.full((2, 2, 2), 4, "|u1"), 1, None),
    ],
)
def test_labels_are_rounded_where_they_are_whole_numbers(
    tmp_path: Path, voxels: np.ndarray, slope: float, expected: int | None
) -> None:
    content = make_file(voxels=voxels)
    put(SLOPE, "f", slope)(content)
    path, grid = save(tmp_path / "a.nii", content), Grid((2, 2, 2), STRAIGHT)
    table = LabelTable.from_names(["one", "two", "three"])
    if expected is None:
        with pytest.raises(LabelError, match=r"no integers|label values 4"):
            read_mask(path, grid, table)
    else:
        assert (read_mask(path, grid, table).voxels == expected).all()


NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 7 6 5\nspace origin: (0,0,0)\n"
    "space directions: (2,0,0) (0,2,0) (0,0,3)\nendian: little\nencoding: raw\n\n"
)
MHA = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nTransformMatrix = "
    "1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 2 2 3\nDimSize = 7 6 5\nElementType = MET_SHORT\n"
    "ElementDataFile = LOCAL\n"
)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("a.nrrd", "(0,0,3)", "(0,0,0)", "can't be read|its affine"),
        ("a.nrrd", "space directions: (2,0,0) (0,2,0) (0,0,3)", "spacings: 2 2 3", "no space directions"),
        ("a.nrrd", "space: left-posterior-superior\n", "", "no space"),
        ("a.nrrd", "sizes: 7 6 5", "sizes: 7 6 50", "can't be read"),
        ("a.nrrd", "encoding: raw", "encoding: raw\ndata file: ../b.raw", "takes its voxels from"),
        ("a.mha", "ElementSpacing = 2 2 3", "ElementSpacing = 2 2 0", "can't be read|its affine"),
        ("a.mha", "1 0 0 0 1 0 0 0 1", "0 0 0 0 0 0 0 0 0", "can't be read|its affine"),
        ("a.mha", "DimSize = 7 6 5", "DimSize = 7 6 50", "can't be read"),
        ("a.mha", "LOCAL", "../b.raw", "takes its voxels from"),
    ],
)
def test_other_headers_that_lie_are_refused(tmp_path: Path, name: str, old: str, new: str, words: str) -> None:
    head = NRRD if name == "a.nrrd" else MHA
    (tmp_path / "b.raw").write_bytes(VOXELS.tobytes(order="F"))
    (tmp_path / "in").mkdir()
    path = save(tmp_path / "in" / name, head.encode() + VOXELS.tobytes(order="F"))
    assert np.array_equal(read_volume(path).voxels[0], VOXELS)
    assert SimpleITK.ReadImage(str(path)).GetSpacing() == (2, 2, 3)
    assert old in head
    with pytest.raises((InputError, GeometryError), match=words):
        read_volume(save(path, head.replace(old, new).encode() + VOXELS.tobytes(order="F")))
