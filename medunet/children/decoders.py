"""Decode pixels, and read files by ITK: what a damaged file can crash, as a child process of `workers`.

It is started by its path, so that it imports pydicom and numpy and nothing of our reading.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGExtended12Bit

from medunet.children.supervise import Answer, Record, limit_process, serve


def decode(job: Record, stream: bytes) -> tuple[Record, npt.NDArray[np.generic]]:
    """One frame.

    Args:
        job: `syntax`, its `plugin`, and pydicom's options that describe the `image`.
        stream: the compressed frame.

    Returns:
        No more to say, and the stored values.
    """
    if job["syntax"] == JPEGExtended12Bit:
        return {}, decode_extended(job["image"], stream)
    source = encapsulate([stream], has_bot=False)
    return {}, get_decoder(job["syntax"]).as_array(source, index=0, decoding_plugin=job["plugin"], **job["image"])[0]


def decode_extended(image: Record, stream: bytes) -> npt.NDArray[np.generic]:
    """One frame of JPEG Extended by GDCM, which pydicom doesn't ask for more than 8 bits.

    Args:
        image: pydicom's options that describe it.
        stream: the compressed frame.

    Returns:
        The stored values (rows, columns).
    """
    import gdcm  # only this compression needs it here

    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(stream)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    bits, allocated = image["bits_stored"], image["bits_allocated"]
    grey = gdcm.PhotometricInterpretation.GetPIType(image["photometric_interpretation"])
    file = gdcm.Image()
    file.SetNumberOfDimensions(2)
    file.SetDimensions((image["columns"], image["rows"], 1))
    file.SetDataElement(element)
    file.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    file.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    file.SetPixelFormat(gdcm.PixelFormat(1, allocated, bits, bits - 1, 0))
    # GDCM gives bytes as text.
    data = file.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(data, f"<u{allocated // 8}").reshape(image["rows"], image["columns"])


def read_itk(job: Record, _: bytes) -> tuple[Record, npt.NDArray[np.generic]]:
    """One file that SimpleITK reads.

    Args:
        job: its `path`, the `reader` of ITK ("" where ITK shall find one), and how many `components` are wanted.

    Returns:
        Its place as ITK says it, and its voxels, the last axis first; none where there are more components.
    """
    import SimpleITK  # loading it takes a third of a second, which decoders don't need

    file = SimpleITK.ImageFileReader()
    file.SetFileName(job["path"])
    file.SetImageIO(job["reader"])
    file.ReadImageInformation()
    place = {
        "components": file.GetNumberOfComponents(),
        "axes": file.GetDimension(),
        "spacing": file.GetSpacing(),
        "origin": file.GetOrigin(),
        "direction": file.GetDirection(),
    }
    if file.GetNumberOfComponents() > job["components"]:
        return place, np.empty(0, np.uint8)
    return place, SimpleITK.GetArrayFromImage(file.Execute())


WORK: dict[str, Callable[[Record, bytes], tuple[Record, npt.NDArray[Any]]]] = {"decode": decode, "itk": read_itk}


def answer(job: Record, content: bytes) -> Answer:
    """Do a job within its limits.

    Args:
        job: `work`, and its limits: `memory` in bytes, `seconds` of the processor.
        content: bytes beside it.

    Returns:
        `type` and `shape` of an array and the array, or the `error`.
    """
    limit_process(job["memory"], job["seconds"])
    try:
        record, array = WORK[job["work"]](job, content)
        array = np.ascontiguousarray(array)
        return record | {"type": array.dtype.str, "shape": array.shape}, array.reshape(-1).view(np.uint8).data
    # Whatever a library raises means the same to whoever asked.
    except Exception as error:
        return {"error": (str(error).strip() or type(error).__name__).splitlines()[-1][:150]}, b""


if __name__ == "__main__":
    serve(answer, {"process": os.getpid()})
