from pathlib import Path

import numpy as np
import SimpleITK
from dicoms import make_grid, write_series
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.uid import JPEGLSLossless

from medunet.children.decoders import decode, read_itk
from medunet.reading.dicom.codestreams import describe_stream
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.stored import describe_image, open_stored


def test_a_frame_is_decoded_by_what_describes_it(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())
    path = tmp_path / "0001.dcm"
    dataset = dcmread(path)
    dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls")
    dataset.save_as(path)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    own = describe_stream(stream)
    assert own is not None
    image = describe_image(open_stored(read_dataset(path), str(path)), own)
    _, pixels = decode({"syntax": str(JPEGLSLossless), "plugin": "pyjpegls", "image": image}, stream)
    assert np.array_equal(pixels - 1024.0, voxels[:, :, 0].T)


def test_itk_tells_its_place_and_reads_no_more_components_than_wanted(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    image.SetSpacing((0.5, 1, 2))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
    SimpleITK.WriteImage(SimpleITK.Compose(image, image), str(tmp_path / "b.nrrd"))
    job = {"reader": "", "components": 1}
    place, voxels = read_itk(job | {"path": str(tmp_path / "a.nrrd")}, b"")
    assert (place["axes"], place["components"], place["spacing"]) == (3, 1, (0.5, 1, 2))
    assert np.array_equal(voxels.ravel(), np.arange(24))
    place, voxels = read_itk(job | {"path": str(tmp_path / "b.nrrd")}, b"")
    assert (place["components"], voxels.size) == (2, 0)
