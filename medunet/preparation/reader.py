"""Our reading as a MONAI `ImageReader`, so that `LoadImaged` gets DICOM and NIfTI without a silent error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys

from medunet.errors import SeriesError
from medunet.reading import Image, ReadOptions, Volume, read_image, read_volume


class VolumeReader(ImageReader):
    """Reads one file, or a folder that holds one DICOM series, as a volume with its RAS affine.

    MONAI falls back to other readers when a reader named at construction refuses a file, and loses the reason;
    given at the call, `LoadImaged(keys="image")(data, reader=VolumeReader())`, a refusal is final and keeps its
    sentence.

    Args:
        options: how to read, for all paths or by path: which series of a folder, which phase of a series, …; or the
            image at the path, found already with its headers.

    Example:
        >>> from monai.transforms import LoadImaged
        >>> load = LoadImaged(keys="image", ensure_channel_first=True)
        >>> load({"image": "scans/CT"}, reader=VolumeReader())["image"].shape
        torch.Size([1, 12, 10, 6])
    """

    def __init__(self, options: Mapping[str, ReadOptions] | ReadOptions | Image | None = None) -> None:
        super().__init__()
        self._options = options or {}

    def verify_suffix(self, filename: Sequence[Path | str] | Path | str) -> bool:
        """Whether this reader takes the path: it takes every single one, since contents decide, not names."""
        return isinstance(filename, str | Path) or len(filename) == 1

    def read(self, data: Sequence[Path | str] | Path | str, **_: Any) -> Volume:
        """Read one path.

        Raises:
            MedunetError: as `medunet.reading.read_volume`.
        """
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

    def get_data(self, img: Volume) -> tuple[npt.NDArray[np.generic], dict[str, Any]]:
        """Array, float32, and MONAI's meta data with the affine: (C, I, J, K) in RAS mm, a picture as (C, I, J)."""
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
        return img.voxels.astype(np.float32).reshape(img.voxels.shape[: axes + 1]), meta
