"""Measurement groups of a structured report: of each structure and lesion what it is, where it lies, what it measures.

A structure is a group of TID 1411 on its segment of a SEG. A lesion is no segment of its own, and DICOM refers either
to a segment or to frames (PS3.3 C.18.4), so it is a group of TID 1501: its centre in space, and the slices nearest to
it. Without a SEG, or of several labels, a structure is one, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from medunet.geometry import flip_lps_ras
from medunet.labels import CodedTerm, Label
from medunet.measures import PERCENTILES, LesionMeasures, Measured, Measures, StructureMeasures, Values
from medunet.reading import Header
from medunet.terms import ANATOMICAL, find_lateralities, find_terms

MOST_LESIONS = 100
"""Lesions of a structure that have a group; the largest. All count in its volume and in their number. Each takes 8 KB
a channel, and people read such a list."""
PRIVATE = "99MEDUNET"
"""Coding scheme of what DICOM has no code for."""
CUBIC_CENTIMETRE = codes.UCUM.CubicCentimeter
MILLIMETRE = codes.UCUM.Millimeter
LESIONS = Code("{lesions}", "UCUM", "lesions")
NO_UNITS = codes.UCUM.NoUnits
KINDS = {
    "HU": (codes.DCM.AttenuationCoefficient, codes.UCUM.HounsfieldUnit),
    "SUVbw": (codes.DCM.Suvbw, codes.UCUM.StandardizedUptakeValueBodyWeight),
    "BQML": (codes.DCM.NuclearMedicineTomographicActivity, codes.UCUM.BecquerelsPerMilliliter),
}
"""What the values of an image are and their unit, by the unit that reading gives (PS3.16 CID 7180, 83 to 85)."""
DERIVATIONS = {
    "mean": codes.SCT.Mean,
    "sd": codes.SCT.StandardDeviation,
    **{name: Code(name, PRIVATE, f"{share}th percentile") for name, share in PERCENTILES.items()},
    "minimum": codes.SCT.Minimum,
    "median": codes.SCT.Median,
    "maximum": codes.SCT.Maximum,
}
"""How one number is made of the values within (PS3.16 CID 7464, which has no percentiles)."""


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The slices of a channel, or the frames of its only image.

    Attributes:
        headers: of each, in order.
        datasets: headers of their files, without pixels: one for each slice, or a single one.
    """

    headers: Sequence[Header]
    datasets: Sequence[FileDataset]

    def find_nearest(self, centre: npt.NDArray[np.float64]) -> dict[str, Any]:
        """How a report refers to the slice or frame whose plane is nearest to a point in LPS mm."""
        normal = np.cross(*self.headers[0].orientation)
        heights = [abs(float(normal @ (header.position - centre))) for header in self.headers]
        place = int(np.argmin(heights))
        frame = self.headers[place].frame
        dataset = self.datasets[place if frame is None else 0]
        return {
            "referenced_sop_class_uid": dataset.SOPClassUID,
            "referenced_sop_instance_uid": dataset.SOPInstanceUID,
            "referenced_frame_numbers": None if frame is None else [frame + 1],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Makes groups that refer to the same files.

    Attributes:
        highdicom: the package.
        labels: of the mask.
        channels: slices of each channel that is a DICOM series, by name; the first is that of the mask.
        segmentation: header of the SEG of the same mask; None where there is none.
    """

    highdicom: ModuleType
    labels: Sequence[Label]
    channels: Mapping[str, Slices]
    segmentation: Dataset | None

    def list_groups(self, measures: Measures) -> Iterator[Any]:
        """A group for each structure, found or not, and one for each of its lesions, the 100 largest."""
        sides = find_lateralities([label.name for label in self.labels])
        for structure in measures.structures:
            named = self._name(structure, sides)
            yield self._describe_structure(structure, named)
            for lesion in structure.lesions[:MOST_LESIONS]:
                measured = [*self._measure_size(lesion), *self._measure_values(lesion)]
                yield self._place(self._name(structure, sides, lesion.number), measured, lesion)

    def _describe_structure(self, structure: StructureMeasures, named: dict[str, Any]) -> Any:
        sr, whole = self.highdicom.sr, structure.whole
        volume = whole.volume if whole else 0.0
        named |= {
            "qualitative_evaluations": [
                sr.QualitativeEvaluation(codes.DCM.PresenceOfProperty, codes.SCT.Present if whole else codes.SCT.Absent)
            ]
        }
        measured = [
            sr.Measurement(codes.SCT.Volume, volume, CUBIC_CENTIMETRE),
            sr.Measurement(codes.SCT.NumberOfLesions, structure.lesion_count, LESIONS),
            *(self._measure_values(whole) if whole else ()),
        ]
        number = structure.label_values[0]
        if self.segmentation is None or len(structure.label_values) > 1:
            return self._place(named, measured, whole)
        segment = self._find_segment(number)
        if segment is not None and "TrackingUID" in segment:
            named["tracking_identifier"] = sr.TrackingIdentifier(segment.TrackingUID, segment.TrackingID)
        region = sr.ReferencedSegment(
            *(self.segmentation.SOPClassUID, self.segmentation.SOPInstanceUID, number),
            source_series=sr.SourceSeriesForSegmentation(self._own.SeriesInstanceUID),
        )
        return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            **named, measurements=measured, referenced_segment=region
        )

    @property
    def _own(self) -> FileDataset:
        """A slice of the series that the mask lies on."""
        return next(iter(self.channels.values())).datasets[0]

    def _find_segment(self, number: int) -> Dataset | None:
        segments = self.segmentation.SegmentSequence if self.segmentation is not None else ()
        return next((item for item in segments if item.SegmentNumber == number), None)

    def _name(
        self, structure: StructureMeasures, sides: Mapping[str, CodedTerm], lesion: int | None = None
    ) -> dict[str, Any]:
        """What a group is about, and how it is tracked."""
        label = self.labels[structure.label_values[0] - 1]
        if len(structure.label_values) > 1:
            label = Label(value=label.value, name=structure.name, colour=label.colour)
        category, kind = find_terms(label)
        name = structure.name if lesion is None else f"{structure.name} {lesion}"
        side = sides.get(label.name) if category == ANATOMICAL else None
        place = Code(kind.value, kind.scheme, kind.meaning)
        sites = [self.highdicom.sr.FindingSite(place, Code(side.value, side.scheme, side.meaning))] if side else None
        return {
            "tracking_identifier": self.highdicom.sr.TrackingIdentifier(generate_uid(prefix=None), name),
            "finding_category": Code(category.value, category.scheme, category.meaning),
            "finding_type": place,
            "finding_sites": sites,
        }

    def _place(self, named: dict[str, Any], measured: Sequence[Any], where: Measured | None) -> Any:
        """A group of TID 1501: the slices nearest to the centre, and the centre itself."""
        sr = self.highdicom.sr
        centre = None if where is None else _turn(where.centre)
        near = () if centre is None else [item.find_nearest(centre) for item in self.channels.values()]
        images = [sr.SourceImageForMeasurementGroup(**item) for item in near]
        group = sr.MeasurementsAndQualitativeEvaluations(**named, measurements=measured, source_images=images)
        if centre is not None:
            point = sr.Scoord3DContentItem(
                *(codes.DCM.Center, "POINT", centre[None], self._own.FrameOfReferenceUID),
                relationship_type="CONTAINS",
            )
            group[0].ContentSequence.append(point)
        return group

    def _measure_size(self, lesion: LesionMeasures) -> Iterator[Any]:
        measurement = self.highdicom.sr.Measurement
        yield measurement(codes.SCT.Volume, lesion.volume, CUBIC_CENTIMETRE)
        yield measurement(codes.SCT.LongAxis, lesion.longest_diameter, MILLIMETRE)
        yield measurement(codes.SCT.ShortAxis, lesion.perpendicular_diameter, MILLIMETRE)
        if lesion.spatial_diameter is not None:
            longest = {"derivation": codes.SCT.Maximum}
            yield measurement(codes.SCT.Diameter, lesion.spatial_diameter, MILLIMETRE, **longest)

    def _measure_values(self, measured: Measured) -> Iterator[Any]:
        """Numbers of the values of each channel, with the slice nearest to the centre to tell which one it is."""
        sr, centre = self.highdicom.sr, _turn(measured.centre)
        for channel, values in measured.values.items():
            sources = []
            if channel in self.channels:
                sources = [sr.SourceImageForMeasurement(**self.channels[channel].find_nearest(centre))]
            kind, unit = self._find_kind(channel, values)
            for name, derivation in DERIVATIONS.items():
                number = getattr(values, name)
                yield sr.Measurement(kind, number, unit, derivation=derivation, referenced_images=sources)

    def _find_kind(self, channel: str, values: Values) -> tuple[Code, Code]:
        if values.unit in KINDS:
            return KINDS[values.unit]
        if channel in self.channels and self.channels[channel].datasets[0].get("Modality") == "MR":
            return codes.DCM.MRSignalIntensity, NO_UNITS
        return Code("value", PRIVATE, f"Value in {values.unit}" if values.unit else "Value"), NO_UNITS


def _turn(centre: Sequence[float]) -> npt.NDArray[np.float64]:
    """A point (3,) in RAS mm as LPS mm."""
    turned: npt.NDArray[np.float64] = (flip_lps_ras(np.eye(4)) @ (*centre, 1.0))[:3]
    return turned
