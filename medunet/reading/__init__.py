"""Any path to a volume or a mask on its grid, or to one sentence that says why not."""

from medunet.reading.check import (
    attempt,
    check_contours,
    check_folder,
    check_found,
    check_image,
    describe_read,
    excuse_study,
)
from medunet.reading.dicom.file_headers import stamp_file
from medunet.reading.dicom.headers import Header
from medunet.reading.dicom.known import find_known
from medunet.reading.dicom.objects import ANYWHERE, LabelFile, Place, find_modality, read_label_file
from medunet.reading.dicom.series import (
    Contents,
    Series,
    find_again,
    find_series,
    measure_grid,
    sort_series,
    tabulate_series,
)
from medunet.reading.files.png import read_indices
from medunet.reading.labels.contours import measure_contours, rasterize, read_contours
from medunet.reading.labels.segmentations import measure_segments, read_segmentation
from medunet.reading.options import LabelOptions, ReadOptions, parse_options
from medunet.reading.volume import (
    Image,
    ImageSize,
    Source,
    Volume,
    choose_series,
    find_image,
    is_image_file,
    measure_image,
    read_image,
    read_label_map,
    read_mask,
    read_placed_map,
    read_volume,
    strip_ending,
)

__all__ = [
    "ANYWHERE",
    "Contents",
    "Header",
    "Image",
    "ImageSize",
    "LabelFile",
    "LabelOptions",
    "Place",
    "ReadOptions",
    "Series",
    "Source",
    "Volume",
    "attempt",
    "check_contours",
    "check_folder",
    "check_found",
    "check_image",
    "choose_series",
    "describe_read",
    "excuse_study",
    "find_again",
    "find_image",
    "find_known",
    "find_modality",
    "find_series",
    "is_image_file",
    "measure_contours",
    "measure_grid",
    "measure_image",
    "measure_segments",
    "parse_options",
    "rasterize",
    "read_contours",
    "read_image",
    "read_indices",
    "read_label_file",
    "read_label_map",
    "read_mask",
    "read_placed_map",
    "read_segmentation",
    "read_volume",
    "sort_series",
    "stamp_file",
    "strip_ending",
    "tabulate_series",
]
