"""Verbs about scans: read, predict."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medunet.api.arguments import verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.inference import Box, Outputs, Predictor, Scan
    from medunet.labels import Mask
    from medunet.reading import ReadOptions, Volume


@verb
def read_volume(
    path: PathLike,
    series: str | None = None,
    *,
    phase: str | None = None,
    assume_rescale: tuple[float, float] | None = None,
    pet: Literal["suv", "stored"] = "suv",
    prefer: Literal["sform", "qform"] | None = None,
) -> "Volume":
    """Read a file, or a folder that holds one DICOM series.

    Args:
        path: NIfTI, NRRD, MHA, PNG or DICOM.
        series: SeriesInstanceUID, where a folder holds several.
        phase: which image, where a series holds several at the same places.
        assume_rescale: slope and intercept of a CT whose headers lack them.
        pet: "suv" where the headers allow it, or "stored" for the values in their own unit.
        prefer: "sform" or "qform", where a NIfTI file's two affines disagree.

    Returns:
        The volume, (C, I, J, K) with its RAS grid in mm; of a picture with its grid of pixels.

    Raises:
        MedunetError: it is no regular volume.

    Example:
        >>> import medunet
        >>> medunet.read_volume("scans/CT")
        Volume(CT of 12 × 10 × 6 voxels of 0.7 × 1.1 × 3 mm in HU, scans/CT)
    """
    from medunet.reading import ReadOptions
    from medunet.reading import read_volume as read
    from medunet.records import check_record

    options = {"series": series, "phase": phase, "assume_rescale": assume_rescale, "pet": pet, "prefer": prefer}
    return read(Path(path), check_record(options, ReadOptions, "read_volume", "option-wrong"))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted of one scan.

    Attributes:
        id: name of the scan.
        mask: labels on the scan's grid.
        files: what was written, by format.
        seconds: from reading to writing.
    """

    id: str
    mask: "Mask"
    files: dict[str, Path]
    seconds: float

    @property
    def path(self) -> Path | None:
        """The first file, None where none was written."""
        return next(iter(self.files.values()), None)


@verb
def predict(
    bundle: PathLike,
    *scans: PathLike,
    output: PathLike | None = None,
    images: Mapping[str, PathLike] | None = None,
    options: "Mapping[str, ReadOptions] | None" = None,
    box: str | None = None,
    formats: Sequence[str] = (),
    empty_seg: bool = True,
) -> list[Prediction]:
    """Predict scans.

    Args:
        bundle: a trained bundle.
        scans: each a file, the folder of one series, a patient's folder, or a folder of pictures.
        output: folder for the masks and a run record of each; nothing is written without it.
        images: instead of `scans`, a path for each channel.
        options: how to read a channel, by its name, or all by "".
        box: "x0:x1,y0:y1,z0:z1" in RAS mm, to which predictions are restricted.
        formats: `nifti` (`<scan>.nii.gz`), `seg` (DICOM SEG, `<scan>.seg.dcm`) or both, and `png` of pictures;
            `nifti` or `png` if not given.
        empty_seg: write a SEG where nothing was found, too.

    Raises:
        OutputExistsError: an output exists.
        ResourceError: its folder can't be written to.
        MedunetError: the bundle or a scan can't be used.
    """
    from medunet.bundle import find_weights, make_recipe, open_bundle
    from medunet.errors import InputError
    from medunet.files import check_writable
    from medunet.inference import find_scans, load_predictor, name_scan, parse_box, plan_outputs

    if output is not None:
        check_writable(Path(output))
    inside = None if box is None else parse_box(box)
    opened = open_bundle(Path(bundle))
    recipe = make_recipe(opened)
    found = [scan for path in scans for scan in find_scans(Path(path), recipe.task, options or {})]
    if images:
        found.append(name_scan({name: Path(path) for name, path in images.items()}, recipe.task, options or {}))
    names = [scan.id for scan in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(name, "two scans have this name", "predict them into two folders", code="name-twice")
    folder = Path(output) if output is not None else None
    outputs = [plan_outputs(recipe, scan, folder, formats, empty_seg) for scan in found]
    predictor = load_predictor(recipe, find_weights(opened.folder, opened.metadata))
    return [_predict_one(predictor, *pair, inside) for pair in zip(found, outputs, strict=True)]


def _predict_one(predictor: "Predictor", scan: "Scan", outputs: "Outputs", box: "Box | None") -> Prediction:
    from medunet.inference import predict_scan, write_outputs

    started = time.monotonic()
    mask = predict_scan(predictor, scan, box)
    files = write_outputs(outputs, mask, predictor, started)
    return Prediction(id=scan.id, mask=mask, files=files, seconds=time.monotonic() - started)
