from pathlib import Path

import numpy as np
from dicoms import make_grid, write_series
from pydicom import Dataset

from medunet.labels import LabelTable
from medunet.reading import find_image
from medunet.testing.faults import FAULTS
from medunet.writing import Algorithm
from medunet.writing.segments import Encoding, make_segmentation, make_skeleton
from medunet.writing.sources import Kind, find_files, order_frames

ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
KIND = Kind("DICOM SEG", "seg")
LABELS = LabelTable.from_names(["liver", "GTV_1", "spleen"]).labels


def strip_uids(item: Dataset) -> Dataset:
    """Without what is new in each object."""
    for element in list(item):
        if element.VR == "UI" and "Referenced" not in element.keyword:
            del item[element.tag]
        elif element.VR == "SQ":
            for inner in element.value:
                strip_uids(inner)
    return item


def test_what_is_said_frame_by_frame_is_what_highdicom_says_of_all_at_once(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid("sagittal"))
    _, slices = find_files(find_image(tmp_path), KIND)
    skeleton = make_skeleton(LABELS, slices, ALGORITHM, Encoding(KIND, "BINARY"))
    voxels = np.zeros((slices[0].Columns, slices[0].Rows, len(slices)), np.uint8)
    whole = make_segmentation(voxels, LABELS, slices, ALGORITHM, Encoding(KIND, "BINARY"))
    frames = [(label.value, k) for label in LABELS for k in range(len(slices))]
    groups = list(skeleton.list_groups(frames))
    for k, item in enumerate(skeleton.groups):
        (source,) = item.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == slices[k].SOPInstanceUID
    ranks = [item.FrameContentSequence[0].DimensionIndexValues for item in groups]
    ordered = [groups[n] for n in sorted(range(len(groups)), key=lambda n: list(ranks[n]))]
    assert ordered == list(whole.PerFrameFunctionalGroupsSequence)
    skeleton.count_frames(frames)
    del whole.PerFrameFunctionalGroupsSequence, whole.PixelData
    for name in ("InstanceCreationTime", "ContentTime"):
        setattr(whole, name, skeleton.dataset[name].value)
    assert [str(item) for item in strip_uids(skeleton.dataset)] == [str(item) for item in strip_uids(whole)]


def test_frames_of_one_label_are_the_planes_of_a_volume(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid("axial"))
    _, slices = find_files(find_image(tmp_path), KIND)
    for frames, kind in (([(1, k) for k in range(len(slices))], "3D"), ([(1, 2), (1, 3)], None)):
        skeleton = make_skeleton(LABELS[:1], slices, ALGORITHM, Encoding(KIND, "BINARY"))
        skeleton.count_frames(frames)
        assert skeleton.dataset.get("DimensionOrganizationType") == kind
        assert skeleton.dataset.NumberOfFrames == len(frames)


def test_slices_that_are_left_out_leave_no_gap_in_the_order(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid("axial"))
    _, slices = find_files(find_image(tmp_path), KIND)
    skeleton = make_skeleton(LABELS, slices, ALGORITHM, Encoding(KIND, "BINARY"))
    groups = list(skeleton.list_groups([(1, 2), (1, 4), (3, 4)]))
    assert [list(item.FrameContentSequence[0].DimensionIndexValues) for item in groups] in (
        [[1, 1], [1, 2], [3, 2]],
        [[1, 2], [1, 1], [3, 1]],
    )
    assert [item.SegmentIdentificationSequence[0].ReferencedSegmentNumber for item in groups] == [1, 1, 3]
    assert groups[1].PlanePositionSequence == groups[2].PlanePositionSequence


def test_frames_of_one_image_are_found_by_their_numbers(tmp_path: Path) -> None:
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(tmp_path)
    headers, slices = find_files(find_image(tmp_path), KIND)
    skeleton = make_skeleton(LABELS, slices, ALGORITHM, Encoding(KIND, "FRACTIONAL"), order_frames(headers))
    for header, item in zip(headers, skeleton.groups, strict=True):
        assert np.allclose(item.PlanePositionSequence[0].ImagePositionPatient, header.position, atol=1e-3)
        (source,) = item.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedFrameNumber == (header.frame or 0) + 1
