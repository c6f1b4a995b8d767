"""Verbs about cohorts and what is planned of them: check, export, init, plan."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from medunet.api.arguments import Minutes, verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.cohort import Cohort, LabelChoices
    from medunet.findings import Finding
    from medunet.planning import Memory, Plan


@verb
def check(
    path: PathLike,
    *,
    channels: Sequence[str] | None = None,
    labels: "LabelChoices | None" = None,
    bundle: PathLike | None = None,
    series_rules: Sequence[str] = (),
    each_series: bool = False,
) -> list["Finding"]:
    """Say everything that is wrong or odd about a scan, a folder of scans, a cohort or a bundle.

    Args:
        path: as of `read_volume` or `init`, or with a bundle as of `predict`; or a bundle itself: what of it
            counts, what is ignored, what needs `trust`.
        channels: limits a cohort to these; of a single patient it is said which are missing.
        labels: what is said of its labels beside its files.
        bundle: compare scans with those of its training, as `predict` does.
        series_rules: as of `predict`.
        each_series: as of `predict`.

    Returns:
        Errors, for which it is refused, warnings and notes, in this order.

    Raises:
        MissingInputError: there is no such path.
        InputError: an argument beside what has none, or a rule that can't be fulfilled.
        BundleError: it is no bundle.
    """
    from medunet.cohort import AS_FOUND, check_path
    from medunet.errors import InputError

    if bundle is not None:
        if channels or labels:
            found = "a bundle is given, whose channels and labels are settled"
            raise InputError("medunet.check", found, "leave channels and labels out")
        return _check_beside(Path(path), Path(bundle), series_rules, each=each_series)
    if series_rules or each_series:
        found = "there is no bundle whose channels series could be"
        raise InputError("medunet.check", found, "add --bundle BUNDLE", code="option-wrong")
    if (Path(path) / "configs").is_dir():
        from medunet.bundle import check_bundle

        return check_bundle(Path(path))
    return check_path(Path(path), tuple(channels) if channels else None, labels or AS_FOUND)


def _check_beside(path: Path, bundle: Path, series_rules: Sequence[str], *, each: bool) -> list["Finding"]:
    """What is to be said of scans beside those of a bundle's training."""
    from medunet.bundle import find_rules, locate_bundle, open_any_bundle, take_recipe
    from medunet.files import check_input
    from medunet.findings import sort_findings
    from medunet.inference import check_fit

    check_input(path)
    recipe = take_recipe(open_any_bundle(locate_bundle(bundle)))[0]
    return sort_findings(check_fit(path, recipe, find_rules(bundle, recipe.task, series_rules), each=each))


@verb
def export_cohort(
    cohort: PathLike,
    output: PathLike,
    layout: str,
    *,
    channels: Sequence[str] | None = None,
    labels: "LabelChoices | None" = None,
) -> "Cohort":
    """Write a cohort as NIfTI (pictures as PNG) in the layout of nnU-Net or the Medical Segmentation Decathlon.

    Args:
        cohort: as of `init`.
        output: folder that is made.
        layout: "nnunet" or "msd".
        channels: limits the cohort to these, in this order.
        labels: what is said of its labels beside its files: whether they number objects, regions, which has voxels that
            several structures share, what values mean.

    Returns:
        The cohort of labelled cases as it is found in the folder.

    Raises:
        OutputExistsError: the folder exists.
        MedunetError: the cohort can't be read, or the layout can't hold it.
    """
    from medunet.cohort import AS_FOUND, choose_labels, find_cohort, find_folds, raise_unknown_values
    from medunet.cohort import export_cohort as export
    from medunet.errors import LabelError
    from medunet.files import check_free

    check_free(Path(output))
    labels = labels or AS_FOUND
    wanted = tuple(channels) if channels else None
    found = find_cohort(Path(cohort), channels=wanted, objects=labels.objects, missing=labels.missing)
    found = choose_labels(found, labels, Path(cohort))
    try:
        export(find_folds(found, Path(cohort)), Path(output), layout, _resample)
    except LabelError as error:
        raise_unknown_values(found, error, Path(cohort))
        raise
    return find_cohort(Path(output))


def _resample(*image: Any) -> Any:
    from medunet.preparation import resample_image  # brings MONAI, which cohorts on one grid don't need

    return resample_image(*image)


class Beginning(TypedDict, total=False):
    """With what a bundle begins where that isn't medunet's own U-Net.

    `source`: another bundle, of medunet or in the conventions of MONAI's zoo, whose network, preprocessing and window
    the bundle gets; its training begins with the weights of that as far as they fit, outputs by the names of their
    labels. `network`: another network of MONAI's: `{"_target_": "SegResNet"}` with arguments; inputs, outputs and axes
    follow from the cohort.
    """

    source: PathLike | None
    network: Mapping[str, Any] | None


@verb
def init(
    cohort: PathLike,
    bundle: PathLike,
    *,
    dims: Literal[2, 3] | None = None,
    budget_minutes: Minutes = 45.0,
    memory: "Memory | None" = None,
    channels: Sequence[str] | None = None,
    labels: "LabelChoices | None" = None,
    **beginning: Unpack[Beginning],
) -> "Plan":
    """Find cases, measure them, plan, and write a bundle.

    Folds are the `cohort.json`'s, those of a `folds.json` or `splits_final.json` beside it, or five by lesion volume.

    Args:
        cohort: a tree of DICOM studies with RTSTRUCT, a Decathlon or nnU-Net folder, a folder of `images/` and
            `labels/`, or a `cohort.json`.
        bundle: folder that is made.
        dims: 3, or 2 for slices; 2 where every image is one slice, if not given.
        budget_minutes: training time that the network is chosen for.
        memory: what training may take; half of this machine's (at most 8 GiB without a GPU) where it doesn't say.
        channels: limits the cohort to these, in this order.
        labels: what is said of its labels beside its files: whether they number objects, regions, which has voxels that
            several structures share, what values mean.
        beginning: `source`, another bundle whose network, preprocessing, window and weights are taken as far as they
            fit, or `network`, another network of MONAI's; see `Beginning`.

    Raises:
        OutputExistsError: the bundle exists.
        MedunetError: the cohort or the other bundle can't be used, or not together.
    """
    from medunet.bundle import locate_bundle
    from medunet.cohort import AS_FOUND
    from medunet.planner import Wishes, make_bundle

    network, source = beginning.get("network"), beginning.get("source")
    wishes = Wishes(dims=dims, budget_minutes=budget_minutes, memory=memory, network=_take(network))
    start = locate_bundle(Path(source)) if source is not None else None
    return make_bundle(Path(cohort), Path(bundle), wishes, channels, labels or AS_FOUND, start)


def _take(network: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if network is None else dict(network)


@verb
def plan(  # noqa: PLR0913 - its options have names
    path: PathLike,
    *,
    dims: Literal[2, 3] | None = None,
    budget_minutes: Minutes | None = None,
    memory: "Memory | None" = None,
    channels: Sequence[str] | None = None,
    labels: "LabelChoices | None" = None,
    write: bool = False,
    network: Mapping[str, Any] | None = None,
) -> "Plan":
    """Read the plan of a bundle, say what it would be otherwise, or measure a cohort and plan without a bundle.

    Args:
        path: of a bundle, or a cohort as of `init`.
        dims: as of `init`, like the next two; a bundle's own where not given.
        budget_minutes: see there.
        memory: see there.
        channels: as of `init`, for a cohort.
        labels: as of `init`, for a cohort.
        write: give the bundle this plan, or without other arguments its edited plan.json, in all configurations.
        network: as of `init`; a bundle's own where not given, `{"_target_": "own"}` for the U-Net that medunet plans.

    Raises:
        BundleError: `write`, and the training of the bundle has begun.
        MedunetError: the bundle or cohort can't be used, or not so.
    """
    from medunet.cohort import AS_FOUND
    from medunet.planner import Wishes, plan_path

    wishes = Wishes(dims=dims, budget_minutes=budget_minutes, memory=memory, network=_take(network))
    return plan_path(Path(path), wishes, channels, labels or AS_FOUND, write)
