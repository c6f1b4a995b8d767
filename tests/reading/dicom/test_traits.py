from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from enhanced import write_enhanced
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from medunet.geometry import Grid
from medunet.reading import find_series
from medunet.reading.dicom.traits import find_traits
from medunet.reading.rules import ChannelRule, explain_series


@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal"])
def test_planes_and_distances(tmp_path: Path, plane: str) -> None:
    write_series(tmp_path / "a", make_grid(plane))
    traits = find_traits(find_series(tmp_path).series[0])
    assert (traits.plane, traits.slices, traits.modality, traits.contrast) == (plane, 6, "CT", "no")
    assert traits.spacing == pytest.approx(3)
    assert traits.pixel == pytest.approx(1.1)


@pytest.mark.parametrize(("degrees", "plane"), [(20, "axial"), (40, "oblique"), (70, "coronal")])
def test_what_leans_is_oblique_from_thirty_degrees_on(tmp_path: Path, degrees: float, plane: str) -> None:
    grid = make_grid("axial")
    turn, angle = np.eye(4), np.radians(degrees)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    write_series(tmp_path / "a", Grid(grid.shape, turn @ grid.affine))
    assert find_traits(find_series(tmp_path).series[0]).plane == plane


def test_numbers_that_are_none(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, _: setattr(dataset, "ImageType", "ORIGINAL"))
    change(tmp_path / "a", lambda dataset, _: dataset.__delattr__("SeriesNumber"))
    traits = find_traits(find_series(tmp_path).series[0])
    assert (traits.number, traits.image_type, traits.kernel) == (None, ("ORIGINAL",), None)


def test_a_multi_frame_object_has_the_traits_of_its_slices(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid("axial"))
    single = find_traits(find_series(tmp_path / "a").series[0])
    write_enhanced(tmp_path / "e.dcm", sorted((tmp_path / "a").iterdir()))
    (series,) = find_series(tmp_path / "e.dcm").series
    whole = find_traits(series)
    assert (whole.plane, whole.slices, whole.thickness) == (single.plane, 6, single.thickness)
    assert whole.thickness == pytest.approx(3)
    assert whole.spacing == pytest.approx(single.spacing)


@pytest.mark.parametrize(
    ("agent", "contrast"), [("Ultravist 370", "yes"), ("APPLIED", "yes"), ("NONE", "no"), ("no", "no"), ("", "no")]
)
def test_an_agent_of_single_slices(tmp_path: Path, agent: str, contrast: str) -> None:
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, _: setattr(dataset, "ContrastBolusAgent", agent))
    assert find_traits(find_series(tmp_path).series[0]).contrast == contrast


def test_an_agent_by_its_code_alone(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, _: setattr(dataset, "ContrastBolusAgentSequence", [name_agent(1)]))
    assert find_traits(find_series(tmp_path).series[0]).contrast == "yes"


def name_agent(number: int) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "C-B0322", "SRT", "Iohexol"
    item.ContrastBolusAgentNumber = number
    return item


def use_agent(number: int, administered: str) -> Dataset:
    item = Dataset()
    item.ContrastBolusAgentNumber, item.ContrastBolusAgentAdministered = number, administered
    return item


@pytest.mark.parametrize(
    ("given", "contrast"),
    [
        ({"shared": ["YES"]}, "yes"),
        ({"shared": ["NO"]}, "no"),
        ({"shared": ["NO", "YES"]}, "yes"),
        ({"frames": ["NO", "NO", "NO", "NO", "NO", "YES"]}, "yes"),
        ({"frames": ["NO"] * 6}, "no"),
        ({}, "yes"),
        (None, "no"),
    ],
)
def test_an_agent_of_frames(tmp_path: Path, given: dict[str, list[str]] | None, contrast: str) -> None:
    """Enhanced objects list agents, and say of frames which of them was administered."""
    write_series(tmp_path / "a", make_grid("axial"))
    frames = (given or {}).get("frames")

    def edit(frame: Dataset, number: int) -> None:
        if frames:
            frame.ContrastBolusUsageSequence = [use_agent(1, frames[number])]

    write_enhanced(tmp_path / "e.dcm", sorted((tmp_path / "a").iterdir()), edit)
    dataset = dcmread(tmp_path / "e.dcm")
    if given is not None:
        dataset.ContrastBolusAgentSequence = [name_agent(1), name_agent(2)]
    if shared := (given or {}).get("shared"):
        used = [use_agent(number, text) for number, text in enumerate(shared, start=1)]
        dataset.SharedFunctionalGroupsSequence[0].ContrastBolusUsageSequence = used
    dataset.save_as(tmp_path / "e.dcm")
    (series,) = find_series(tmp_path / "e.dcm").series
    assert find_traits(series).contrast == contrast


# Real headers, of scanners and of software, which come with packages that are installed anyway.
NICOM = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"
SCANS = Path(get_testdata_file("CT_small.dcm")).parent


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (SCANS / "CT_small.dcm", {"contrast": "yes", "kernel": "STANDARD", "plane": "axial", "number": 1}),
        (SCANS / "examples_overlay.dcm", {"contrast": "yes", "description": "marked lesion<MPR Collection>"}),
        (SCANS / "J2K_pixelrep_mismatch.dcm", {"contrast": "no", "plane": "axial", "kernel": "11"}),
        (SCANS / "dicomdirtests/77654033/CT2", {"spacing": 1.25, "thickness": 1.25, "slices": 4}),
        # Projections from around the patient share no plane, and lie at no distance from each other.
        (SCANS / "dicomdirtests/98892003/MR700", {"plane": None, "spacing": None, "thickness": 1.2, "slices": 7}),
        (NICOM / "slicethickness_empty_string.dcm", {"plane": "oblique", "thickness": None}),
        # A mosaic makes no volume, but its header says what it is.
        (NICOM / "0.dcm", {"thickness": 2.5, "plane": None, "pixel": 1.796875, "kernel": None}),
    ],
    ids=lambda item: item.name if isinstance(item, Path) else "",
)
def test_real_headers(path: Path, wanted: dict[str, object]) -> None:
    (series,) = find_series(path).series
    traits = find_traits(series)
    assert {name: getattr(traits, name) for name in wanted} == wanted


def test_a_rule_tells_a_mosaic_from_what_it_is() -> None:
    (series,) = find_series(NICOM / "0.dcm").series
    why = explain_series(series, ChannelRule(where=("image_type!=MOSAIC", "thickness<=3")), "MR")
    assert why == "image_type is ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND\\MOSAIC, not image_type!=MOSAIC"
