from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medunet.testing.faults import judge, make_scan
from medunet.testing.ordinary import files


@pytest.mark.parametrize(
    "make",
    [
        *(files.save_plain, files.save_sform, files.save_qform, files.save_floats, files.save_scaled),
        *(files.save_permuted, files.save_big_endian, files.save_second, files.save_four_axes, files.save_sheared),
    ],
)
def test_a_file_holds_the_scan_as_nibabel_has_it(make: files.Make, tmp_path: Path) -> None:
    scan = make_scan("oblique")
    files.save_nifti(make)(scan)
    scan.write(tmp_path)
    (path,) = tmp_path.iterdir()
    image = nib.load(path)
    verdict = judge([(np.asarray(image.dataobj).reshape(image.shape[:3]), image.affine)], scan)
    assert verdict.is_right(units=0.1), verdict


def test_metres_are_said_in_the_header(tmp_path: Path) -> None:
    scan = make_scan()
    files.save_nifti(files.save_metres)(scan)
    scan.write(tmp_path)
    image = nib.load(tmp_path / "scan.nii.gz")
    assert image.header.get_xyzt_units()[0] == "meter"
    assert image.header.get_zooms() == pytest.approx((0.9e-3, 0.6e-3, 3.27e-3))


def test_files_of_itk_are_written_where_the_name_says(tmp_path: Path) -> None:
    for name in ("scan.nrrd", "scan.mha"):
        scan = make_scan("coronal")
        files.save_itk(name, compress=True)(scan)
        scan.write(tmp_path)
        assert all(item.dataset is None for item in scan.slices)
        assert (tmp_path / name).stat().st_size > 1000
