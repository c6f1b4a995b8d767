"""Which files of a scan are which channel of a bundle."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medunet.cohort.cases import Channel
from medunet.cohort.companions import check_patients
from medunet.cohort.opening import find_channel
from medunet.errors import InputError, MissingInputError, UnmatchedError
from medunet.files import check_input
from medunet.reading import (
    Contents,
    Image,
    ReadOptions,
    Series,
    find_image,
    find_known,
    find_series,
    is_image_file,
    strip_ending,
    tabulate_series,
)
from medunet.reading.rules import NO_RULE, Rules, explain_series, prefer_series, tell_reasons
from medunet.records import suggest
from medunet.task import Task

Options = Mapping[str, ReadOptions]
NO_OPTIONS: Options = {}
NO_RULES: Rules = {}
NAME_EACH = "name each channel with --image NAME=PATH, or call the files CASE_<channel> or CASE_0000, CASE_0001, …"


@dataclass(frozen=True, slots=True)
class Scan:
    """One study, its channels found.

    Attributes:
        id: name of its outputs.
        images: a file, or a series with its headers, for each channel key of the bundle's chain; the first is the
            reference, on whose grid the mask lies.
    """

    id: str
    images: dict[str, Image]

    @property
    def reference(self) -> Image:
        """The image on whose grid the mask lies."""
        return next(iter(self.images.values()))


def list_pictures(folder: Path) -> list[Path]:
    """Every PNG of a folder, sorted.

    Raises:
        MissingInputError: the folder holds no PNG.
    """
    files = sorted(item for item in folder.iterdir() if item.suffix.lower() == ".png")
    if not files:
        raise MissingInputError(folder, "it holds no PNG", "give pictures, or a folder of them")
    return files


def find_scan(path: Path, task: Task, options: Options = NO_OPTIONS, rules: Rules = NO_RULES) -> Scan:
    """Match a file, a series' folder or a patient's folder to the channels of a task, by modality and rules.

    Args:
        path: what to match.
        task: of the bundle.
        options: how to read a channel, by its name, or all by "".
        rules: which series is a channel, by its name; a series that `options` name needs to follow none.

    Raises:
        InputError: an option names no channel, a file is to be several channels, or it is of another modality.
        MissingInputError: nothing is there, or no image.
        UnmatchedError: no series, or more than one, has the modality of a channel and follows its rule, or they are of
            different patients.
    """
    check_input(path)
    if path.is_file():
        if len(task.channels) > 1:
            said = f"it is one file, but the bundle takes {_join(task.channels)}"
            raise InputError(path, said, NAME_EACH, code="channel-missing")
        how = spread_options(options, task)
        return check_scan(Scan(strip_ending(path.name), {key: find_image(path, own) for key, own in how.items()}), task)
    return choose_scan(path, find_series(path, keep=True), task, options, rules)


def choose_scan(
    path: Path, contents: Contents, task: Task, options: Options = NO_OPTIONS, rules: Rules = NO_RULES
) -> Scan:
    """As `find_scan`, of a folder that was found already.

    Args:
        path: the folder.
        contents: what it holds, with whole headers.
        task: of the bundle.
        options: as of `find_scan`.
        rules: as of `find_scan`.

    Raises:
        MedunetError: as `find_scan`.
    """
    how = spread_options(options, task)
    found = contents.series
    if not found:
        raise contents.damaged[0] if contents.damaged else _miss_series(path, task)
    chosen = {
        key: _choose(path, found, channel, task, how[key].series, rules)
        for key, channel in zip(task.image_keys(), task.channels, strict=True)
    }
    if len({item.patient_id for item in chosen.values()}) > 1:
        said = f"its series of {_join(task.channels)} are of different patients"
        raise UnmatchedError(path, said, "give the folder of one patient", code="patients-mixed")
    images = {
        key: Image(item.folder, how[key].model_copy(update={"series": item.uid}), item) for key, item in chosen.items()
    }
    return Scan(path.resolve().name, images)


def spread_options(options: Options, task: Task) -> dict[str, ReadOptions]:
    """Options by key of the chain, from those by name of the channel.

    Raises:
        InputError: one names no channel.
    """
    for name in options:
        if name and name not in task.channels:
            found = "the bundle has no such channel"
            raise InputError(f"{name}=", found, suggest(name, list(task.channels)), code="option-wrong")
    common = options.get("", ReadOptions())
    return {key: options.get(name, common) for key, name in zip(task.image_keys(), task.channels, strict=True)}


def _choose(path: Path, found: tuple[Series, ...], channel: str, task: Task, uid: str | None, rules: Rules) -> Series:
    """The series of a channel; its rule counts where none is named by its UID."""
    modality, rule = task.modalities[channel], NO_RULE if uid else rules.get(channel, NO_RULE)
    fitting = [item for item in found if uid in (None, item.uid) and not explain_series(item, rule, modality)]
    if not fitting:
        raise miss_channel(path, found, channel, task, uid, rules)
    if (patients := len({series.patient_id for series in fitting})) > 1:
        said = f"its {modality} series are of {patients} patients"
        remedy = f"give the folder of each, like {path / '*'}, or name one series with --series {channel}=UID"
        raise UnmatchedError(path, said, remedy, code="patients-mixed")
    fitting = prefer_series(fitting, rule)
    if len(fitting) > 1:
        said = f"{len(fitting)} series are {modality}"
        said += f" and fit the rule of channel {channel}" if channel in rules else ""
        remedy = f"name one with --series {channel}=UID, or say which with --series-rule:"
        remedy += tabulate_series(found, tell_reasons(found, rule, modality, fitting))
        raise UnmatchedError(path, said, remedy, code="channel-ambiguous")
    return fitting[0]


def miss_channel(
    path: Path, found: tuple[Series, ...], channel: str, task: Task, uid: str | None, rules: Rules
) -> UnmatchedError:
    """Why no series is a channel, each listed with its reason.

    Args:
        path: of the folder.
        found: its series.
        channel: that lacks one.
        task: whose channel it is.
        uid: by which it was to be, None by rules.
        rules: by channel.
    """
    modality, rule = task.modalities[channel], NO_RULE if uid else rules.get(channel, NO_RULE)
    reasons = tell_reasons(found, rule, modality)
    if not uid and any(item.modality == modality for item in found):
        which = f"none of its {modality} series follows the rule of channel {channel}"
        remedy = (
            f"name one with --series {channel}=UID, or give another --series-rule:{tabulate_series(found, reasons)}"
        )
        return UnmatchedError(path, which, remedy, code="series-unmatched")
    which = f"it has no {modality} series{f' with the UID {uid}' if uid else ''}, which channel {channel} needs"
    table = tabulate_series(found, None if uid else reasons)
    return UnmatchedError(path, which, f"give that scan; there are:{table}", code="channel-missing")


def _miss_series(path: Path, task: Task) -> MissingInputError:
    if (path / "configs").is_dir():
        remedy = "give a scan; the order is medunet predict BUNDLE SCAN"
        return MissingInputError(path, "it is a bundle, no scan", remedy)
    files = sorted(path.iterdir())
    if not files:
        return MissingInputError(path, "it is empty", "give a file, or the folder of a series or a patient")
    images = [file.name for file in files if is_image_file(file)]
    if images:
        remedy = f"give the files, like {path / '*'}" if len(task.channels) == 1 else NAME_EACH
        return MissingInputError(path, f"it holds no DICOM image, but others like {images[0]}", remedy)
    return MissingInputError(path, "it holds no DICOM image", "give a file, or the folder of a series or a patient")


def name_scan(images: Mapping[str, Path], task: Task, options: Options = NO_OPTIONS, rules: Rules = NO_RULES) -> Scan:
    """A scan from one path for each channel; `options` as of `find_scan`, `rules` choose where a folder holds several.

    Raises:
        InputError: a name is no channel of the task, a channel is missing or of another modality, or channels are of
            several patients.
        MissingInputError: a path isn't there.
    """
    check_names(images, task)
    for path in images.values():
        check_input(path)
    for name in task.channels:
        if name not in images:
            found = "this channel of the bundle is missing"
            raise InputError(f"--image {name}", found, f"add --image {name}=PATH", code="channel-missing")
    how = spread_options(options, task)
    images_found = {
        key: _find_image(images[name], name, task, how[key], rules)
        for key, name in zip(task.image_keys(), task.channels, strict=True)
    }
    return check_scan(Scan(strip_ending(images[task.channels[0]].name), images_found), task)


def _find_image(path: Path, channel: str, task: Task, how: ReadOptions, rules: Rules) -> Image:
    """The image of a channel; of a folder of several series that which the channel's rule takes."""
    if channel in rules and how.series is None and path.is_dir():
        found = find_series(path, keep=True).series
        if len(found) > 1:
            chosen = _choose(path, found, channel, task, None, rules)
            return Image(chosen.folder, how.model_copy(update={"series": chosen.uid}), chosen)
    return find_image(path, how)


def choose_channel(channel: Channel, name: str, task: Task, rules: Rules = NO_RULES) -> Image:
    """The image of a channel of a listed case; where a folder of several series is listed that which the rule takes.

    Args:
        channel: as listed.
        name: of the task's channel.
        task: of the bundle.
        rules: which series is a channel, by its name.

    Raises:
        UnmatchedError: no series of the folder, or more than one, is of the modality and follows the rule.
        MedunetError: as `find_channel`.
    """
    path = Path(channel.path)
    if channel.series is None and channel.found is None and path.is_dir():
        found = find_known(path).series
        if len(found) > 1:
            chosen = _choose(path, found, name, task, None, rules)
            return Image(chosen.folder, channel.model_copy(update={"series": chosen.uid}), chosen)
    return find_channel(channel)


def check_names(images: Iterable[str], task: Task) -> None:
    """Check that images are named after channels of a task.

    Raises:
        InputError: a name is no channel.
    """
    for name in images:
        if name not in task.channels:
            found = "the bundle has no such channel"
            raise InputError(f"--image {name}", found, suggest(name, list(task.channels)), code="option-wrong")


def check_scan(scan: Scan, task: Task) -> Scan:
    """Refuse series of another modality than their channel, or of several patients, where headers tell."""
    found = dict(zip(task.channels, scan.images.values(), strict=True))
    for name, image in found.items():
        wanted = task.modalities[name]
        if image.series is not None and image.series.modality != wanted:
            said = f"it is {image.series.modality}, but the channel '{name}' of the bundle takes {wanted}"
            raise InputError(image.path, said, f"give a {wanted} scan", code="modality-differs")
    check_patients({name: image.series.patient_id if image.series else "" for name, image in found.items()}, scan.id)
    return scan


def _join(names: tuple[str, ...]) -> str:
    return " and ".join(names)
