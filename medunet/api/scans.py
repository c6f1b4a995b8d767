"""Verbs about scans: read, predict."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, Unpack

from medunet.api.arguments import Above, verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.inference import Prediction, Refusal
    from medunet.reading import ReadOptions, Volume


class Decisions(TypedDict, total=False):
    """How a mask is decided, otherwise than the bundle does by itself.

    `thresholds`: probability from which on a label or region is taken, by its name: of several that are reached the
    most probable, and the class of the largest logit among the others where none is. `keep_largest`: labels of which
    only the largest part is kept, ["all"] of all, [] of none. `smallest`: size below which a part is left out, in mL,
    in pixels of pictures; or as text, "0.1mL".
    """

    thresholds: Mapping[str, float]
    keep_largest: Sequence[str]
    smallest: float | str


class Further(Decisions, total=False):
    """What else may be said of a prediction: how it is decided, how it is computed, and of what it may be made.

    `ray`: address of a Ray cluster whose workers share the scans, "auto" for that of this machine; every node needs
    medunet, the bundle and the scans at the same paths. `preset`: "exact" or "fast". `backend`: "torch" or "openvino".
    `mirror`: the mean over all mirror images of patches. `ram_gib`: GiB that all processes of a prediction may hold,
    Python and weights included; what is free if not given. The peak is stated before it starts, and what can't be kept
    is refused. `scratch`: folder of scratch files, which have no names and are gone however a prediction ends.
    `seg_empty_frames`: whether a DICOM SEG has frames without a voxel, "keep" or "omit". `series_rules`: which series
    is a channel, like "ct: thickness<=3, description!~lung, prefer=thinnest", beside or in place of the bundle's
    `configs/series.json`. `each_series`: every series that follows the rule of the only channel is a scan of its own.
    """

    ray: str
    preset: Literal["exact", "fast"]
    backend: Literal["torch", "openvino"]
    mirror: bool
    ram_gib: Annotated[float, Above(0)]
    scratch: PathLike
    seg_empty_frames: Literal["keep", "omit"]
    series_rules: Sequence[str]
    each_series: bool


SAID = 3
"""Refusals whose sentences an error of many repeats."""


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


@verb
def predict(  # noqa: PLR0913 - its options have names
    bundle: PathLike,
    *scans: PathLike | Mapping[str, PathLike],
    output: PathLike | None = None,
    options: "Mapping[str, ReadOptions] | None" = None,
    box: str | None = None,
    formats: Sequence[str] = (),
    empty_seg: bool = True,
    overwrite: bool = False,
    trust: bool = False,
    **further: Unpack[Further],
) -> "list[Prediction]":
    """Predict scans, all that can be; then a scan that was refused is an error.

    The same call again goes on: files that the same weights and options have made of the same scan stay as they are.

    Args:
        bundle: a trained bundle: its folder, or the name of one that comes with medunet (`list_bundles`).
        scans: each a file, a folder of a series, a patient or files, a dict with a path for each channel, or a cohort
            as `init` takes it, each case under its name: a list (CSV, JSON lines, `cohort.json`), a dataset's folder
            (`imagesTs`, else `imagesTr`), `images/`, a tree of DICOM studies given alone.
        output: folder for the masks and a run record of each; without it nothing is written, and masks stay in memory.
        options: how to read a channel, by its name, or all by "".
        box: "x0:x1,y0:y1,z0:z1" in RAS mm, to which predictions are restricted.
        formats: `nifti`, `seg` (DICOM SEG; `seg-labelmap` as a compressed label map), `rtstruct` (DICOM contours;
            `rtstruct-inner` with holes as contours of their own) and `png` of pictures hold the mask; `sr` (DICOM
            report), `sc` (slices with outlines), `probabilities` (`seg-fractional` as DICOM SEG), `picture` and `page`
            come beside it. `nifti` or `png` where none of the first is named. What is measured is always written.
        empty_seg: write a SEG or RTSTRUCT where nothing was found, too.
        overwrite: replace files that something else has made.
        trust: let MONAI evaluate what network and chain of the bundle hold beyond data, since you know who wrote it.
        further: `thresholds`, the probability from which on a label is taken; `keep_largest`, labels of which only the
            largest part is kept (["all"] of all); `smallest`, the size below which parts are left out, in mL or pixels;
            `preset`, "exact" (float32) or "fast" (bfloat16 where the processor has it, patches that overlap less, and
            of a CT the box around the body); `backend`, "torch" or "openvino"; `mirror`, the mean over all mirror
            images of each patch, 8 times the work for volumes and 4 for slices; `ram_gib`, GiB that all processes may
            hold, where a scan that takes more streams through files in the folder `scratch` (that of the outputs), with
            the same mask; `ray`, the address of a Ray cluster; `seg_empty_frames`, "omit" for a DICOM SEG without
            frames that have no voxel; `series_rules`, which series is a channel; `each_series`, all. See `Further`.

    Returns:
        What came of each scan, in their order. Scans whose names repeat are told apart by their folders.

    Raises:
        ScansError: some of several scans are refused; its `results` tell all. A single scan raises its own error:
        OutputExistsError: a file is there that something else has made.
        MedunetError: the bundle, the folder or a scan can't be used, or it doesn't fit the memory.
    """
    how = {"box": box, "formats": formats, "empty_seg": empty_seg, "overwrite": overwrite, "trust": trust}
    return _take_all(list(_start(bundle, scans, output, options, further, **how)))


@verb
def predict_each(  # noqa: PLR0913 - its options have names
    bundle: PathLike,
    *scans: PathLike | Mapping[str, PathLike],
    output: PathLike | None = None,
    options: "Mapping[str, ReadOptions] | None" = None,
    box: str | None = None,
    formats: Sequence[str] = (),
    empty_seg: bool = True,
    overwrite: bool = False,
    trust: bool = False,
    **further: Unpack[Further],
) -> "Iterator[Prediction | Refusal]":
    """Predict scans, and give what came of each as soon as it is there; what is refused doesn't end it.

    Args:
        bundle: a trained bundle; the arguments are those of `predict`.
        scans: see there.
        output: see there.
        options: see there.
        box: see there.
        formats: see there.
        empty_seg: see there.
        overwrite: see there.
        trust: see there.
        further: see there.

    Returns:
        A `Prediction` or a `Refusal` for each scan, in their order; a scan is predicted when its turn comes.

    Raises:
        ResourceError: the folder can't be written to.
        MedunetError: the bundle or an option can't be used; a scan that can't is a `Refusal`.
    """
    how = {"box": box, "formats": formats, "empty_seg": empty_seg, "overwrite": overwrite, "trust": trust}
    return _start(bundle, scans, output, options, further, **how)


def _start(
    bundle: PathLike,
    scans: Sequence[PathLike | Mapping[str, PathLike]],
    output: PathLike | None,
    options: "Mapping[str, ReadOptions] | None",
    further: Further,
    **how: Any,
) -> "Iterator[Prediction | Refusal]":
    from medunet.bundle import find_rules, locate_bundle
    from medunet.files import check_writable
    from medunet.inference import Computing, Means, Wanted, list_inputs, parse_box, run_jobs
    from medunet.inference.cluster import Setup, load_ray, run_on_cluster
    from medunet.report import picture, scan_page
    from medunet.writing import add_beside, choose_formats, omit_empty_frames

    place = Path.absolute if "ray" in further else Path  # workers run in folders of their own
    folder = place(Path(output)) if output is not None else None
    if folder is not None:
        check_writable(folder)
    inside = None if how["box"] is None else parse_box(how["box"])
    if "ray" in further:
        load_ray()  # known before the bundle is read
    decisions: Any = {name: value for name, value in further.items() if name in Decisions.__annotations__}
    computing = Computing(further.get("preset", "exact"), further.get("backend"), further.get("mirror", False))
    setup = Setup(place(locate_bundle(Path(bundle))), how["trust"], decisions, computing)
    maker = setup.make()
    task = maker.recipe.task
    formats = add_beside(choose_formats(how["formats"], task.unit, [picture.FORMAT, scan_page.FORMAT]))
    if further.get("seg_empty_frames") == "omit":
        formats = tuple(map(omit_empty_frames, formats))
    given = [
        {name: place(Path(path)) for name, path in item.items()} if isinstance(item, Mapping) else place(Path(item))
        for item in scans
    ]
    ram = int(further["ram_gib"] * 2**30) if "ram_gib" in further else None
    scratch = Path(further["scratch"]) if "scratch" in further else None
    if scratch is not None:
        check_writable(scratch)
    means = Means(ram, scratch or folder, tuple(row.name for row in formats))
    wanted = Wanted(formats, folder, inside, how["empty_seg"], how["overwrite"], means)
    rules = find_rules(setup.bundle, task, further.get("series_rules", ()))
    inputs = list_inputs(given, task, options or {}, rules, each=further.get("each_series", False))
    if "ray" in further:
        return run_on_cluster(inputs, wanted, setup, further["ray"], maker.recipe.peak_gib)
    return run_jobs(inputs, wanted, maker)


def _take_all(results: "Sequence[Prediction | Refusal]") -> "list[Prediction]":
    from medunet.errors import ScansError
    from medunet.inference import Prediction

    done = [item for item in results if isinstance(item, Prediction)]
    refused = [item for item in results if not isinstance(item, Prediction)]
    if not refused:
        return done
    if len(results) == 1:
        raise refused[0].error
    said = " ".join(str(item.error) for item in refused[:SAID])
    more = f" and {len(refused) - SAID} more" if len(refused) > SAID else ""
    error = ScansError(
        "medunet.predict", f"{len(refused)} of {len(results)} scans are refused ({said}{more})", "the others are done"
    )
    error.results = tuple(results)
    raise error
