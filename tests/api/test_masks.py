from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_series

import medunet


def test_a_mask_is_converted_and_read_again(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    mask = draw_balls(medunet.read_volume(tmp_path / "series").grid, ["liver", "GTV_1"])
    mask.save(tmp_path / "m.nii.gz")
    seg = medunet.convert(tmp_path / "m.nii.gz", tmp_path, to="seg", source=tmp_path / "series", made_by="manual")
    assert seg == tmp_path / "m.seg.dcm"
    back = medunet.convert(seg, str(tmp_path / "gtv.nii.gz"), to="nifti", labels=["GTV_1"])
    assert np.array_equal(medunet.read_volume(back).voxels[0], mask.voxels == 2)
    table = medunet.LabelTable.from_names(["organ", "tumor"])
    named = medunet.convert(tmp_path / "m.nii.gz", tmp_path / "named.nii.gz", to="nifti", labels=table)
    assert np.array_equal(medunet.read_volume(named).voxels[0], mask.voxels)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"to": "png"},
            "to is 'png', a str; give 'nifti' or 'seg' or 'seg-labelmap' or 'rtstruct' or",
        ),
        ({"to": "seg", "labels": "liver"}, "labels is 'liver', a str; give a LabelTable or a list of text or None"),
        ({"to": "seg", "options": {"series": "1"}}, "give a ReadOptions or None"),
        ({"to": "seg", "made_by": "me"}, "made_by is 'me'"),
        ({"to": "seg", "source": ""}, "source is ''"),
    ],
)
def test_wrong_arguments_are_refused_by_name(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(medunet.InputError, match=r"medunet\.convert: ") as caught:
        medunet.convert("m.nii.gz", **given)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
