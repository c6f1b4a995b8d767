from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medunet.errors import GeometryError, InputError
from medunet.reading import read_volume

VOXELS = np.random.default_rng(0).normal(0, 100, (7, 6, 5)).astype(np.float32)
AFFINE = np.array([[0, -1.5, 0, 3], [2, 0, 0.1, -4], [0, 0.1, 3, 5], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_itk_formats_lie_where_itk_says(tmp_path: Path, ending: str) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS.transpose(2, 1, 0))
    image.SetSpacing((0.7, 1.1, 3.0))
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    image.SetOrigin((5, -6, 7))
    SimpleITK.WriteImage(image, str(tmp_path / f"a.{ending}"))
    volume = read_volume(tmp_path / f"a.{ending}")
    assert np.array_equal(volume.voxels[0], VOXELS)
    world = image.TransformIndexToPhysicalPoint((2, 3, 4))
    assert np.allclose(volume.grid.to_world([[2, 3, 4]])[0] * (-1, -1, 1), world)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.nhdr", "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: ../b.raw\n"),
        ("b.nhdr", "NRRD0004\n# " + "x" * 5000 + "\ndata file: /b.raw\n"),
        ("c.nhdr", "NRRD0004\ndata file: LIST\n/a.raw\n"),
        ("d.mhd", "NDims = 3\nElementDataFile = slice%03d.raw 1 9 1\n"),
        ("e.mhd", "NDims = 3\nElementDataFile = linked.raw\n"),
    ],
)
def test_voxels_come_from_one_file_beside_the_header(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "linked.raw").symlink_to(tmp_path / "b.raw")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="takes its voxels"):
        read_volume(tmp_path / name)


def test_a_header_with_its_data_beside_it_is_read(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS.transpose(2, 1, 0))
    for ending in ("mhd", "nhdr"):
        SimpleITK.WriteImage(image, str(tmp_path / f"a.{ending}"))
        assert np.array_equal(read_volume(tmp_path / f"a.{ending}").voxels[0], VOXELS)


def test_itk_files_that_are_cut_hold_colours_or_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS), str(path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="can't be read"):
        read_volume(path)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS, isVector=True), str(path))
    with pytest.raises(InputError, match="2 axes and 5 channels"):
        read_volume(path)
    holed = VOXELS.copy()
    holed[1, 2, 3] = np.nan
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(holed), str(path))
    with pytest.raises(InputError, match="1 voxels are not finite"):
        read_volume(path)


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("a.nrrd", b"space: left-posterior-superior\n", "no space,"),
        ("a.nrrd", b"space directions: (0.5,0,0) (0,1.25,0) (0,0,3)\n", "no space directions"),
        ("a.mha", b"ElementSpacing = 0.5 1.25 3\n", "no ElementSpacing"),
    ],
)
def test_what_a_header_leaves_out_is_not_filled_in(tmp_path: Path, name: str, line: bytes, words: str) -> None:
    """ITK takes 1 mm, no turn and LPS."""
    image = SimpleITK.GetImageFromArray(VOXELS.transpose(2, 1, 0))
    image.SetSpacing((0.5, 1.25, 3.0))
    path = tmp_path / name
    SimpleITK.WriteImage(image, str(path))
    assert read_volume(path).grid.spacing == (0.5, 1.25, 3.0)
    assert line in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(line, b""))
    with pytest.raises(GeometryError, match=words):
        read_volume(path)


@pytest.mark.parametrize(
    ("space", "signs"),
    [("right-anterior-superior", (1, 1, 1)), ("left-anterior-superior", (-1, 1, 1)), ("LPS", (-1, -1, 1))],
)
def test_spaces_of_nrrd(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    path = tmp_path / "a.nrrd"
    head = f"NRRD0004\ntype: short\ndimension: 3\nspace: {space}\nsizes: 2 3 4\nspace origin: (5,6,7)\n"
    head += "space directions: (0.7,0,0) (0,1.1,0) (0,0,3)\nendian: little\nencoding: raw\n\n"
    voxels = np.arange(24, dtype="<i2")
    path.write_bytes(head.encode() + voxels.tobytes())
    volume = read_volume(path)
    assert np.array_equal(volume.voxels[0], voxels.reshape(4, 3, 2).T)
    assert volume.grid.to_world([[1, 1, 1]])[0] == pytest.approx(np.array([5.7, 7.1, 10]) * signs)
    path.write_bytes(path.read_bytes().replace(space.encode(), b"scanner-xyz"))
    with pytest.raises(GeometryError, match="scanner-xyz"):
        read_volume(path)
