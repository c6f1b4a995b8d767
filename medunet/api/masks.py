"""Verbs about masks: convert."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medunet.api.arguments import verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.labels import LabelTable
    from medunet.reading import ReadOptions


@verb
def convert(  # noqa: PLR0913 - its options have names
    mask: PathLike,
    output: PathLike = ".",
    *,
    to: Literal["nifti", "seg", "seg-labelmap", "rtstruct", "rtstruct-inner"],
    source: PathLike | None = None,
    options: "ReadOptions | None" = None,
    labels: "LabelTable | Sequence[str] | None" = None,
    made_by: Literal["manual", "semiautomatic", "automatic"] | None = None,
    overwrite: bool = False,
) -> Path:
    """Convert a mask to another kind of file: the same label at every voxel and the same label table, or nothing.

    The mask must lie on the grid of its source, in whatever order and direction of axes; it is never resampled.
    Contours enclose the voxels whose centres lie within them. What was written is read back and compared.

    Args:
        mask: a file: NIfTI, NRRD or MHA label map, DICOM SEG or RTSTRUCT.
        output: file to write where its name ends like the format's (`.nii.gz`, `.nii`, `.dcm`), else its folder.
        to: "nifti", "seg", "seg-labelmap" (as a compressed label map), "rtstruct", or "rtstruct-inner" with holes as
            contours of their own.
        source: the image of the mask: a folder of a DICOM series (of several the one that the mask refers to), for
            "nifti" also NIfTI, NRRD or MHA. Needed for DICOM results, and for contours; a SEG without it becomes the
            planes that it spans.
        options: which series of the source, and which image of it.
        labels: names of the values 1, 2, … of a label map, instead of those that medunet wrote into its header; of a
            SEG or RTSTRUCT what becomes the labels 1, 2, …. A table gives colours and coded terms, too.
        made_by: what made the mask, for DICOM; what the file itself says if not given.
        overwrite: replace a file that exists.

    Returns:
        The file that was written.

    Raises:
        OutputExistsError: the file exists.
        GeometryError: the mask lies on another grid than its source.
        LabelError: it holds voxels of no label or of several or what the format has no place for, or refers to
            another series or frame of reference.
        SeriesError: the source is no DICOM series that such a result could refer to.
        InputError: there is no mask, or no source.
        ResourceError: the file can't be written, or what was read back differs.
    """
    from medunet.conversion import Wishes, convert_mask
    from medunet.labels import LabelTable
    from medunet.reading import ReadOptions

    chosen = labels if labels is None or isinstance(labels, LabelTable) else tuple(labels)
    wishes = Wishes(to, Path(source) if source is not None else None, options or ReadOptions(), chosen, made_by)
    return convert_mask(Path(mask), Path(output), wishes, overwrite=overwrite)
