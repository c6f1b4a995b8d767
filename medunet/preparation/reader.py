"""Our reading as a MONAI `ImageReader`, so that `LoadImaged` gets DICOM and NIfTI without a silent error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys

from medunet.errors import SeriesError
from medunet.large_parts import copy_boxes
from medunet.reading import Image, ReadOptions, Volume, read_image, read_volume


class VolumeReader(ImageReader):
    """Reads one file, or a folder that holds one DICOM series, as a volume with its RAS affine.

    A refusal is final, at whichever place `LoadImaged` gets the reader: at its construction (as an object, a class or,
    in a configuration, as text), by `register` or at the call. MONAI takes up its own readers where the `read` of
    another one raises, so this one keeps what it would raise until `get_data`, which MONAI doesn't try again.

    Args:
        options: how to read, for all paths or by path: which series of a folder, which phase of a series, …; or the
            image at the path, found already with its headers.

    Example:
        >>> from monai.transforms import LoadImaged
        >>> load = LoadImaged(keys="image", reader=VolumeReader(), ensure_channel_first=True)
        >>> load({"image": "scans/CT"})["image"].shape
        torch.Size([1, 12, 10, 6])
    """

    def __init__(self, options: Mapping[str, ReadOptions] | ReadOptions | Image | None = None) -> None:
        super().__init__()
        self._options = options or {}

    def verify_suffix(self, filename: Sequence[Path | str] | Path | str) -> bool:
        """Whether this reader takes the path: it takes every one, since contents decide, not names."""
        return True

    def read(self, data: Sequence[Path | str] | Path | str, **_: Any) -> Volume | Exception:
        """Read one path; where that fails, give the error, for `get_data` to raise."""
        try:
            return self._read(data)
        except Exception as error:
            return error

    def _read(self, data: Sequence[Path | str] | Path | str) -> Volume:
        if not isinstance(data, str | Path):
            if len(data) != 1:
                raise SeriesError(data[0], f"it came with {len(data) - 1} more paths", "give the folder of the series")
            data = data[0]
        options = self._options
        if isinstance(options, Image):
            return read_image(options)
        return read_volume(
            data, options if isinstance(options, ReadOptions) else options.get(str(data)) or ReadOptions()
        )

    def get_data(self, img: Volume | Exception) -> tuple[npt.NDArray[np.generic], dict[str, Any]]:
        """Array, float32, and MONAI's meta data with the affine: (C, I, J, K) in RAS mm, a picture as (C, I, J).

        Raises:
            MedunetError: as `medunet.reading.read_volume`, where `read` came to one.
        """
        if isinstance(img, Exception):
            raise img
        axes = 2 if img.grid.unit == "px" else 3
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: img.grid.affine.copy(),
            MetaKeys.ORIGINAL_AFFINE: img.grid.affine.copy(),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.SPATIAL_SHAPE: np.array(img.grid.shape[:axes]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
            "units": img.source.units,
            "notes": "; ".join(map(str, img.source.notes)),
        }
        # Of files the first axis comes fastest, of MONAI's tensors the last one.
        voxels = np.empty(img.voxels.shape, dtype=np.float32)
        for stored, component in zip(img.voxels, voxels, strict=True):
            copy_boxes(stored, component)
        return voxels.reshape(voxels.shape[: axes + 1]), meta
