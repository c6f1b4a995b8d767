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

from medunet.children.supervise import Answer, Record, limit_process, serve


def decode(job: Record, stream: bytes) -> tuple[Record, npt.NDArray[np.generic]]:
    """One frame.

    Args:
        job: `syntax`, its `plugin`, and pydicom's options that describe the `image`.
        stream: the compressed frame.

    Returns:
        No more to say, and the stored values.
    """
    source = encapsulate([stream], has_bot=False)
    return {}, get_decoder(job["syntax"]).as_array(source, index=0, decoding_plugin=job["plugin"], **job["image"])[0]


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
