from pathlib import Path

import numpy as np

import medunet


def test_what_is_kept_in_memory_is_what_lies_in_files(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (held,) = medunet.predict(trained, patients[0])
    (written,) = medunet.predict(trained, patients[0], output=tmp_path)
    assert held.path is None
    assert written.path == tmp_path / f"{written.id}.nii.gz"
    assert np.array_equal(held.mask.voxels, written.mask.voxels)
    assert held.measures.structures == written.measures.structures
    assert (held.status, held.unit, held.objects) == (written.status, written.unit, written.objects)
    assert held.seconds > 0
