"""Read the two masks of a case, each label of both by one name, on one grid.

The grid is that of the truth where it is a label map. Contours and segments take that of their image, else that of the
other mask, else the planes that a SEG spans. A mask that lies on the same voxels in another order or direction of axes
is turned; nothing is resampled.

What a file *declares* are names: those that a user gives to its values, that medunet wrote into its header, or of
structures and segments. The truth's names are scored; a label map whose values nobody named is known by its values.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.conversion import find_origin
from medunet.errors import GeometryError, InputError, LabelError, MedunetError
from medunet.evaluation.pairs import Pair
from medunet.files import check_input
from medunet.findings import warn
from medunet.geometry import Grid, check_same_grid, measure_displacement, turn_voxels
from medunet.labels import LabelTable, Mask, Region, list_unknown_values, simplify_name
from medunet.objects import number_parts
from medunet.reading import (
    ANYWHERE,
    Image,
    Place,
    find_series,
    is_image_file,
    measure_image,
    read_image,
    read_mask,
    read_placed_map,
)
from medunet.reading.labels.planes import find_frames_grid
from medunet.reading.labels.tables import Labelling, read_labelling, read_nifti_table
from medunet.reading.options import DEFAULTS
from medunet.records import suggest

IGNORED = 255
"""Of voxels that nobody looked at, among fewer labels than these."""
MOST_VALUES = 255
"""More values that nobody named number objects."""
OBJECT = "object"
"""What objects are called that nobody named."""
NAME_THEM = "name the values alike, as with --labels 1=tumor,2=liver"


@dataclass(frozen=True, slots=True)
class Naming:
    """What a user says of the values of label maps, or of the structures that count.

    Attributes:
        values: name of each value that counts; None takes what files say.
        regions: unions of these values that are scored in place of labels.
        ignore: value of voxels that nobody looked at.
        objects: label maps number the objects of the only label.
    """

    values: Mapping[int, str] | None = None
    regions: tuple[Region, ...] = ()
    ignore: int | None = None
    objects: bool = False

    @classmethod
    def from_table(cls, table: LabelTable) -> "Naming":
        """What a label table says."""
        values = {label.value: label.name for label in table.labels}
        return cls(values, table.regions, table.ignore, table.objects)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a file holds.

    Attributes:
        path: the file itself.
        names: the stored value of each label.
        declared: somebody named these.
        voxels: (I, J, K) stored values of a label map, None of contours and segments.
        grid: on which these lie.
        labelling: what contours or segments say of themselves.
        others: stored values of a label map that don't count.
        folder: in which its image may lie, too.
        lacking: structures or segments that a user named and it hasn't got.
    """

    path: Path
    names: Mapping[str, int]
    declared: bool
    voxels: npt.NDArray[np.generic] | None = None
    grid: Grid | None = None
    labelling: Labelling | None = None
    others: tuple[int, ...] = ()
    folder: Path | None = None
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CaseMasks:
    """The masks of a case.

    Attributes:
        parts: prediction and truth, of all labels together, or label by label where they share voxels.
        left_out: what isn't scored, in words.
        image: what they were made on, as it was found.
    """

    parts: tuple[tuple[Mask, Mask], ...]
    left_out: tuple[str, ...] = ()
    image: Image | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """Where masks shall lie, and what is wanted of them."""

    grid: Grid
    table: LabelTable
    place: Place = ANYWHERE
    ignore: int | None = None
    """Stored value of voxels of the truth that nobody looked at."""


def open_mask(path: Path, naming: Naming) -> Held:
    """Read what a file holds; contours and segments are described only.

    Args:
        path: label map, RTSTRUCT or DICOM SEG, or a folder that holds one such file (and perhaps its series).
        naming: of its values.

    Raises:
        MissingInputError: it isn't there.
        InputError: a folder holds none or several.
        LabelError: the file is no mask, or numbers objects and nobody said so.
        MedunetError: it can't be read.
    """
    file = _find_file(path)
    folder = path if path.is_dir() else None
    if not is_image_file(file):
        labelling = read_labelling(file)
        said = {simplify_name(name): name for name in (naming.values or {}).values()}
        every = {label.name: label.value for label in labelling.table.labels}
        chosen = {said.get(simplify_name(name), name): value for name, value in every.items()}
        lacking = tuple(name for name in said.values() if name not in chosen)
        if said:
            chosen = {name: value for name, value in chosen.items() if name in said.values()}
        if not chosen:
            found = f"it has no structure '{lacking[0]}'"
            raise LabelError(file, found, suggest(lacking[0], [*every]), code="label-unknown")
        return Held(file, chosen, declared=True, labelling=labelling, folder=folder, lacking=lacking)
    voxels, grid = read_placed_map(file)
    stored = list_unknown_values(voxels, LabelTable(labels=()), str(file))
    if stored and stored[0] < 0:
        found = f"it holds the value {stored[0]}, which no label can have"
        raise LabelError(file, found, "store it as a label map; are image and label swapped?", code="label-values")
    names, declared = _name_values(file, stored, naming)
    others = tuple(value for value in stored if value not in {*names.values(), naming.ignore})
    return Held(file, names, declared, voxels, grid, others=() if naming.objects else others, folder=folder)


def _find_file(path: Path) -> Path:
    check_input(path)
    if not path.is_dir():
        return path
    maps = [file for file in sorted(path.iterdir()) if is_image_file(file)]
    files = maps if len(maps) == 1 else [Path(item.path) for item in find_series(path).labels]
    if len(files) != 1:
        said = f"it holds {len(files) or 'no'} files of labels" if files or not maps else f"it holds {len(maps)} images"
        raise InputError(path, said, "leave one mask there, or name it with --table", code="label-twice")
    return files[0]


def _name_values(file: Path, stored: Sequence[int], naming: Naming) -> tuple[dict[str, int], bool]:
    """The value of each label, and whether somebody named them."""
    if naming.objects:
        return {next(iter((naming.values or {}).values()), OBJECT): 1}, True
    if naming.values is not None:
        return {name: value for value, name in naming.values.items()}, True
    table = read_nifti_table(file) if file.name.lower().endswith((".nii", ".nii.gz")) else None
    if (table and table.objects) or len(stored) > MOST_VALUES:
        raise LabelError(file, f"it numbers {len(stored)} objects", "add --objects, or name values with --labels")
    if table:
        return {label.name: label.value for label in table.labels}, True
    return {str(value): value for value in stored}, False


def read_masks(pair: Pair, truth_naming: Naming, naming: Naming) -> CaseMasks:
    """Read both masks of a case; a prediction that isn't there holds no voxel.

    Args:
        pair: the case.
        truth_naming: of values of the truth.
        naming: of those of the prediction.

    Raises:
        GeometryError: they lie on different voxels.
        LabelError: they have no name in common.
        InputError: nothing tells on which grid contours lie.
        MedunetError: a file can't be read.
    """
    truth = open_mask(pair.truth, truth_naming)
    prediction = open_mask(pair.prediction, naming) if pair.prediction else None
    image = _find_image(pair, truth, prediction)
    names, left_out = _agree(truth, prediction, naming)
    place = image.series.place if image is not None and image.series is not None else ANYWHERE
    target = _Target(_choose_grid(truth, prediction, image), _make_table(names, truth_naming), place)
    ours = replace(target, ignore=truth_naming.ignore)
    try:
        parts = [(_lay(prediction, target, "its truth"), _lay(truth, ours, "its image"))]
    except LabelError as error:
        if error.code != "label-overlap":
            raise
        parts = [_lay_alone(prediction, truth, target, region) for region in target.table.structures]
    return CaseMasks(tuple(parts), left_out, image)


def _find_image(pair: Pair, truth: Held, prediction: Held | None) -> Image | None:
    """What the masks were made on: it is named, or its series lies beside contours or segments.

    Where the truth is a label map, only a picture would lack it, so that no case is refused for it.
    """
    uids = tuple(uid for held in (truth, prediction) if held and held.labelling for uid in held.labelling.series_uids)
    beside = [held.folder for held in (truth, prediction) if held and held.labelling and held.folder]
    path = pair.image or next((folder for folder in beside if find_series(folder).series), None)
    if path is None:
        return None
    try:
        return find_origin(path, DEFAULTS, uids)
    except MedunetError as error:
        if truth.grid is None:
            raise
        warn(error.code, path, error.found, error.remedy)
        return None


def _choose_grid(truth: Held, prediction: Held | None, image: Image | None) -> Grid:
    if truth.grid is not None:
        return truth.grid
    if image is not None:
        size = measure_image(image)
        return size.grid if size else read_image(image).grid
    if prediction is not None and prediction.grid is not None:
        return prediction.grid
    spanned = [
        find_frames_grid(held.path)
        for held in (truth, prediction)
        if held is not None and held.labelling is not None and held.labelling.modality == "SEG"
    ]
    if not spanned:
        found = "nothing tells on which grid its contours lie"
        remedy = "name the images with --images, or put the series into the folder of the contours"
        raise InputError(truth.path, found, remedy, code="label-grid")
    return max(spanned, key=lambda grid: int(np.prod(grid.shape)))


def _agree(truth: Held, prediction: Held | None, naming: Naming) -> tuple[list[str], tuple[str, ...]]:
    """Names that are scored, and what isn't."""
    left_out = [f"values {_list(truth.others)} of the truth"] if truth.others else []
    if truth.lacking:
        left_out.append(f"{', '.join(truth.lacking)}, which the truth lacks")
    if prediction is None:
        return list(truth.names), tuple(left_out)
    if prediction.others:
        left_out.append(f"values {_list(prediction.others)} of predictions")
    ours, theirs = {simplify_name(name) for name in truth.names}, list(prediction.names)
    strange = [name for name in theirs if simplify_name(name) not in ours]
    if not truth.declared and not (truth.names and prediction.declared):
        # Values that one side alone has are labels that were missed or falsely found.
        return sorted({*truth.names, *theirs}, key=rank_value), tuple(left_out)
    if theirs and len(strange) == len(theirs):
        found = f"its labels are {', '.join(theirs)}, those of the truth {', '.join(truth.names)}"
        raise LabelError(prediction.path, found, NAME_THEM, code="labels-differ")
    if strange and naming.values is None:
        left_out.append(f"{', '.join(strange)} of predictions")
    return list(truth.names), tuple(left_out)


def rank_value(name: str) -> tuple[int, str]:
    """Sorts labels that are called by their values; other names are left in their order."""
    return (int(name), name) if name.isdecimal() else (0, "")


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")


def _make_table(names: Sequence[str], naming: Naming) -> LabelTable:
    """The labels of a case, with the regions whose labels it has."""
    if naming.objects:
        return LabelTable.from_names(list(names), objects=True)
    own = naming.values or {}
    places = {name: place for place, name in enumerate(names, 1)}
    regions = [
        Region(name=r.name, values=tuple(places[own[value]] for value in r.values), value=places[own[r.value]])
        for r in naming.regions
        if all(own[value] in places for value in r.values)
    ]
    labels = LabelTable.from_names(list(names)).labels
    ignore = IGNORED if naming.ignore is not None and len(names) < IGNORED else None
    return LabelTable(labels=labels, regions=tuple(regions), ignore=ignore)


def _lay(held: Held | None, target: _Target, reference: str) -> Mask:
    """A mask on the grid, with the values of the table."""
    kind: Any = "instances" if target.table.objects else "classes"
    if held is None:
        return Mask(kind, np.zeros(target.grid.shape, np.uint16), target.grid, target.table)
    voxels = _lay_map(held, target, reference) if held.voxels is not None else _lay_structures(held, target)
    if target.table.objects and held.voxels is None:
        voxels = number_parts(voxels > 0)
    return Mask(kind, voxels, target.grid, target.table)


def _lay_map(held: Held, target: _Target, reference: str) -> npt.NDArray[np.unsignedinteger]:
    if held.voxels is None or held.grid is None:
        raise ValueError("it is no label map")
    turned, own = turn_voxels(held.voxels, held.grid, target.grid)
    check_place(own, target.grid, str(held.path), reference)
    if target.table.objects:
        return np.asarray(np.rint(turned), dtype=np.uint32)
    places = _find_places(target.table)
    meant = np.zeros(max(1, round(float(turned.max(initial=0)))) + 1, dtype=np.uint16)
    for name, value in held.names.items():
        if value < len(meant):
            meant[value] = places.get(simplify_name(name), 0)
    if target.ignore is not None and target.ignore < len(meant):
        meant[target.ignore] = target.table.ignore or 0
    laid = np.empty(turned.shape, dtype=np.uint16)
    for number, plane in enumerate(turned):  # at once their indices would be 8 bytes each
        laid[number] = meant[np.rint(plane).astype(np.intp)]
    return laid


def _find_places(table: LabelTable) -> dict[str, int]:
    return {simplify_name(label.name): label.value for label in table.labels}


def _lay_structures(held: Held, target: _Target) -> npt.NDArray[np.unsignedinteger]:
    """Contours or segments; those that the file lacks have no voxel."""
    if held.labelling is None:
        raise ValueError("it is no file of structures")
    theirs = {simplify_name(name): held.labelling.table.names[value - 1] for name, value in held.names.items()}
    wanted = [label for label in target.table.labels if simplify_name(label.name) in theirs]
    if not wanted:
        return np.zeros(target.grid.shape, np.uint16)
    table = LabelTable.from_names([label.name for label in wanted])
    names = {label.name: theirs[simplify_name(label.name)] for label in wanted}
    found = read_mask(held.path, target.grid, table, names, target.place)
    values = np.array([0, *(label.value for label in wanted)], dtype=np.uint16)
    return np.asarray(values[found.voxels])


def _lay_alone(prediction: Held | None, truth: Held, target: _Target, region: Region) -> tuple[Mask, Mask]:
    """One label or region, whose voxels others may have too."""
    masks = []
    for held, reference in ((prediction, "its truth"), (truth, "its image")):
        inside = np.zeros(target.grid.shape, dtype=np.uint8)
        for value in region.values:
            name = target.table.names[value - 1]
            one = replace(target, table=LabelTable.from_names([name]))
            inside[_lay(held, one, reference).voxels > 0] = 1
        masks.append(Mask("classes", inside, target.grid, LabelTable.from_names([region.name])))
    return masks[0], masks[1]


def check_place(grid: Grid, other: Grid, subject: str, reference: str) -> None:
    """Check that two masks lie on the same voxels; a small displacement is accepted as of images and their labels.

    Raises:
        GeometryError: they don't; both spacings, shapes or places are named.
    """
    if grid.unit != other.unit:
        found = f"it lies on {grid.describe()}, {reference} on {other.describe()}"
        raise GeometryError(subject, found, "give both as pictures, or both as scans", code="label-grid")
    distance = measure_displacement(grid, other)
    alike = grid.shape == other.shape and np.allclose(grid.spacing, other.spacing, rtol=1e-3, atol=0)
    if alike and distance > other.limits.recorded:
        first = (_write_place(one.affine[:3, 3]) for one in (grid, other))
        found = "its first voxel lies at {} {unit}, that of {} at {} {unit}, and others up to {far:.3g} {unit} apart"
        mine, theirs = first
        found = found.format(mine, reference, theirs, unit=other.unit, far=distance)
        raise GeometryError(subject, found, "give masks of one image; nothing is resampled", code="label-grid")
    check_same_grid(grid, other, subject, reference)


def _write_place(place: Iterable[float]) -> str:
    return f"({', '.join(f'{value:.5g}' for value in place)})"
