import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from dicoms import change, make_grid, write_series
from pydicom.uid import JPEGLSLossless

from medunet.children.decoding import WorkError, read_by_itk, submit
from medunet.errors import InputError
from medunet.reading import read_volume


def test_a_file_that_crashes_itk_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path, sound = tmp_path / "0001.dcm", tmp_path / "a.nrrd"
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\0OW")
    nested = (b"\x29\0\x10\x10SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff") * 200_000
    path.write_bytes(content[:at] + nested + content[at:])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones((2, 3, 4), np.int16)), str(sound))
    for _ in range(2):
        with pytest.raises(InputError, match=r"0001\.dcm: it can't be read \(.*signal 11"):
            read_by_itk(path, 1 << 20, "GDCMImageIO")
        place, voxels = read_by_itk(sound, 1 << 20)
        assert voxels.shape == (2, 3, 4)
        assert place["components"] == 1


def test_a_refusal_is_an_error_with_its_words() -> None:
    job = {"work": "decode", "syntax": str(JPEGLSLossless), "plugin": "pyjpegls", "image": {}}
    with pytest.raises(WorkError, match="Bits Allocated"):
        submit(job, b"no stream", 100)()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork")
def test_a_daemon_that_was_forked_decodes_too(tmp_path: Path) -> None:
    """As torch's DataLoader reads."""
    voxels = write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls"))
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def read() -> None:
        theirs.send(read_volume(tmp_path).voxels.sum())

    process = context.Process(target=read, daemon=True)
    process.start()
    assert ours.poll(120)
    assert ours.recv() == voxels.sum()
    process.join()
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)
