"""Every fault and oddity of DICOM series that medunet answers for, with what must come of it.

A fault is an edit of a clean scan. What it must come to in a reader that is never wrong without a word:

- exact: read, each voxel within 0.05 mm of where its own header puts it, and its value exact;
- recorded: the same (within 0.2 mm), and the reader says what was odd or repaired;
- refused: one sentence that names the fault.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medunet.testing.faults import coding, places, strangers, values
from medunet.testing.faults.edits import Edit, combine, keep, number_tags, set_tags
from medunet.testing.faults.scans import SHAPE, SPACING, Scan, make_scan

Expected = Literal["exact", "recorded", "refused"]
EXACT: Expected = "exact"
RECORDED: Expected = "recorded"
REFUSED: Expected = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault or oddity, and what must come of it.

    Attributes:
        code: its number.
        name: in words.
        edit: what it does to a clean scan.
        expected: what must come of it: exact, recorded or refused.
        says: regular expression that medunet's refusal or note must match.
        stage: in a pair the lower stage goes first: 0 another scan, 1 edits of slices, 2 more or fewer slices,
            3 coding, 4 one object for all, 5 bytes of files.
        tolerance: largest difference of a value that is still right, where a compression loses.
        orientations: in which it is made, keys of `ORIENTATIONS`.
    """

    code: str
    name: str
    edit: Edit
    expected: Expected
    says: str = ""
    stage: int = 1
    tolerance: float = 0.0
    orientations: tuple[str, ...] = ("axial", "sagittal", "oblique")

    def make(self, orientation: str) -> Scan:
        """Make a scan with this fault, not yet written.

        Args:
            orientation: a key of `ORIENTATIONS`.
        """
        scan = make_scan(orientation)
        self.edit(scan)
        return scan


def _round_off(cosines: npt.NDArray[np.float64]) -> Any:
    return cosines + np.random.default_rng(2).uniform(-5e-4, 5e-4, cosines.shape)


def _lean(cosines: npt.NDArray[np.float64]) -> Any:
    return np.array([cosines[0], cosines[1] + 0.25 * cosines[0]])


SAGITTAL = ("sagittal",)
GEOMETRY = (
    Fault("01", "missing middle", places.drop_slices(4), REFUSED, "missing", 2),
    Fault("02", "missing end", places.drop_slices(8), EXACT, "", 2),
    Fault(
        "B17",
        "missing end of the slices that NumberOfSlices counts",
        combine(set_tags(NumberOfSlices=9), places.drop_slices(8)),
        RECORDED,
        "NumberOfSlices",
        2,
    ),
    Fault("03", "copy of a slice, new UID", places.copy_slice(same_uid=False), RECORDED, "copy", 2),
    Fault("04", "two images at one place", places.copy_slice(same_uid=False, same_pixels=False), REFUSED, "", 2),
    Fault("05", "two slices share a UID", places.share_uid, REFUSED, "SOPInstanceUID", 2),
    Fault("06", "same file twice", places.copy_slice(same_uid=True), RECORDED, "copy", 2),
    Fault("11", "shuffled instance numbers", number_tags(InstanceNumber=lambda k: 7 * k % 9 + 1), EXACT),
    Fault("12", "no instance numbers", set_tags(InstanceNumber=None), EXACT),
    Fault("13", "gantry tilt 15 degrees", places.tilt(15), RECORDED, "shear|tilt"),
    Fault("14", "gantry tilt 1 degree", places.tilt(1), RECORDED, "shear|tilt"),
    Fault("15", "steps 3.27 then 5.0 mm", places.widen_steps, REFUSED, "step|grid"),
    Fault("C17", "a slice too many", strangers.add_between, REFUSED, "too many", 2),
    Fault("16", "jitter 0.005 mm", places.jitter(0.005), EXACT),
    Fault("17", "jitter 0.04 mm", places.jitter(0.04), EXACT),
    Fault("B1", "jitter 0.12 mm", places.jitter(0.12), RECORDED, "mm"),
    Fault("18", "jitter 0.5 mm", places.jitter(0.5), REFUSED, "step|grid"),
    Fault("19", "another PixelSpacing in one slice", places.scale_spacing(1.1), REFUSED, "Pixel ?Spacing"),
    Fault("20", "one slice turned by 0.3 degrees", places.turn_slices(0.3, [5]), RECORDED, "mm"),
    Fault("21", "half of the slices turned by 10 degrees", places.turn_slices(10, range(5)), REFUSED, "orientation"),
    Fault("B2", "one slice mirrored", places.mirror_slice, REFUSED, "orientation"),
    Fault("22", "another size in one slice", places.crop_slice, REFUSED, "size|Rows"),
    Fault("23", "localizer of another size", places.add_localizer((40, 48)), RECORDED, "localizer", 2),
    Fault("24", "localizer of the same size", places.add_localizer((36, 32)), RECORDED, "localizer", 2),
    Fault("29", "no position", set_tags(ImagePositionPatient=None), REFUSED, "ImagePosition"),
    Fault("30", "no position in one slice", set_tags([5], ImagePositionPatient=None), REFUSED, "ImagePosition"),
    Fault("31", "no orientation", set_tags(ImageOrientationPatient=None), REFUSED, "ImageOrientation"),
    Fault("32", "orientation zero", places.skew_cosines(lambda c: 0 * c), REFUSED, "Orientation"),
    Fault("33", "orientation not perpendicular", places.skew_cosines(_lean), REFUSED, "Orientation"),
    Fault("34", "orientation of length 1.1", places.skew_cosines(lambda c: 1.1 * c), REFUSED, "Orientation"),
    Fault("35", "orientation parallel", places.skew_cosines(lambda c: c[[0, 0]]), REFUSED, "Orientation"),
    Fault("36", "PixelSpacing zero", set_tags(PixelSpacing=["0", "0"]), REFUSED, "Pixel ?Spacing"),
    Fault("37", "PixelSpacing NaN", set_tags(PixelSpacing=["NaN", "NaN"]), REFUSED, "Pixel ?Spacing"),
    Fault("38", "PixelSpacing missing", set_tags(PixelSpacing=None), REFUSED, "Pixel ?Spacing"),
    Fault("39", "PixelSpacing negative", set_tags(PixelSpacing=["-0.6", "-0.9"]), REFUSED, "Pixel ?Spacing"),
    Fault("B3", "PixelSpacing of one value", set_tags(PixelSpacing=["0.6"]), REFUSED, "Pixel ?Spacing"),
    Fault("40", "NaN in one position", places.edit_position([5], lambda v: [v[0], "NaN", v[2]]), REFUSED, "Position"),
    Fault("41", "SpacingBetweenSlices 10", set_tags(SpacingBetweenSlices=10), RECORDED, "Spacing ?Between"),
    Fault("42", "SliceThickness 10", set_tags(SliceThickness=10), RECORDED, "Thickness"),
    Fault("43", "SpacingBetweenSlices -3.27", set_tags(SpacingBetweenSlices="-3.27"), RECORDED, "Spacing ?Between"),
    Fault("44", "reversed order", places.reverse_order, EXACT),
    Fault("45", "prone", places.turn_over, EXACT),
    Fault("46", "feet first", set_tags(PatientPosition="FFS"), EXACT),
    Fault("47", "decubitus", set_tags(PatientPosition="HFDR"), EXACT),
    Fault("48", "sagittal", places.start_from("sagittal"), EXACT, "", 0),
    Fault("49", "coronal", places.start_from("coronal"), EXACT, "", 0),
    Fault("50", "oblique", places.start_from("oblique"), EXACT, "", 0),
    Fault("51", "pixels 0.9 x 0.4", places.start_from("oblique", (0.4, 0.9, 2.0)), EXACT, "", 0),
    Fault("84", "one slice", places.keep_one, REFUSED, "single|one slice", 2),
    Fault("91", "wrong SliceLocation", number_tags(SliceLocation=lambda k: 77.0 * k), RECORDED, "Location"),
    Fault("94", "two positions swapped", places.swap_positions, RECORDED, "Instance ?Number"),
    Fault("96", "two numbers in one position", places.edit_position([5], lambda v: v[:2]), REFUSED, "Position"),
    Fault("B4", "decimal comma", values.change_files([5], values.write_comma), REFUSED, "Position", 5),
    Fault("97", "positions sheared by 0.2 mm a slice", places.shear(0.2, 0), RECORDED, "shear|tilt"),
    Fault("98", "all at one position", places.stack_at_one_place, REFUSED, "place|position|lies"),
    Fault("A1", "sagittal, no orientation", set_tags(ImageOrientationPatient=None), REFUSED, "", 1, 0, SAGITTAL),
    Fault("A2", "sagittal, length 1.1", places.skew_cosines(lambda c: 1.1 * c), REFUSED, "", 1, 0, SAGITTAL),
    Fault("A3", "sagittal, not perpendicular", places.skew_cosines(_lean), REFUSED, "", 1, 0, SAGITTAL),
    Fault("A4", "orientation of length 0.9999", places.skew_cosines(lambda c: 0.9999 * c), EXACT),
    Fault("A5", "orientation rounded to 5e-4", places.skew_cosines(_round_off), EXACT),
    Fault(
        "A6",
        "sagittal, negative spacing",
        set_tags(SpacingBetweenSlices="-3.27"),
        RECORDED,
        "Spacing ?Between",
        1,
        0,
        SAGITTAL,
    ),
)
GROUPS = (
    Fault(
        "07", "two time points in a series", places.add_group("late", AcquisitionTime=("101500", "11")), REFUSED, "", 2
    ),
    Fault("08", "two temporal positions", places.PHASES, REFUSED, "", 2),
    Fault("09", "two acquisitions, 1 mm apart", places.add_group("next", 1, AcquisitionNumber=(1, 2)), REFUSED, "", 2),
    Fault("10", "two series", places.add_group("b", SeriesInstanceUID=("1.2.3", "1.2.4")), REFUSED, "2 series", 2),
    Fault("52", "a slice of another patient", set_tags([5], PatientID="PH-G"), REFUSED, "Patient ?ID|patients"),
    Fault("B5", "a slice of another study", set_tags([5], StudyInstanceUID="1.2.3"), REFUSED, "Study|studies"),
    Fault("B6", "the last slice in a series of its own", places.split_uid, REFUSED, "2 series"),
    Fault("56", "another frame of reference", set_tags([5], FrameOfReferenceUID="1.2.3"), REFUSED, "Frame ?Of"),
    Fault("C9", "a frame of reference for each slice", strangers.number_frames(9), RECORDED, "FrameOfReference"),
    Fault("C10", "two frames of reference", strangers.number_frames(2), REFUSED, "Frame ?Of"),
    *(
        Fault(code, name, strangers.add_object("odd", become), RECORDED, "set aside", 2)
        for code, name, become in (
            ("C11", "raw data", strangers.become_raw),
            ("C12", "a private object", strangers.become_private),
            ("C13", "a secondary capture", strangers.become_capture),
            ("C14", "a picture in colour", strangers.become_coloured),
            ("C15", "an image without a place", strangers.lose_place),
        )
    ),
    Fault("81", "three phases", combine(places.PHASES, places.add_third), REFUSED, "", 2),
    Fault(
        "82",
        "MR of two b-values",
        combine(places.become_mr, places.add_group("diffused", DiffusionBValue=(0.0, 800.0))),
        REFUSED,
        "",
        2,
    ),
    Fault(
        "83",
        "MR of two echoes, interleaved",
        combine(places.become_mr, places.add_group("echo", 0, interleave=True, EchoTime=("10", "80"))),
        REFUSED,
        "",
        2,
    ),
    Fault(
        "B15",
        "a second echo between the slices of the first",
        combine(places.become_mr, places.add_group("between", SPACING[2] / 2, interleave=True, EchoTime=("10", "80"))),
        REFUSED,
        "",
        2,
    ),
    Fault(
        "B16",
        "a second b-value where the first one ends",
        combine(places.become_mr, places.add_group("behind", SPACING[2] * SHAPE[2], DiffusionBValue=(0.0, 800.0))),
        REFUSED,
        "",
        2,
    ),
    Fault(
        "C18",
        "MR of two b-values in GE's private element",
        combine(places.become_mr, strangers.put_private(([0, 8], [1000000800, 8]), 0x0043, "GEMS_PARM_01", 0x39, "IS")),
        REFUSED,
        "BValue 800",
        2,
    ),
    Fault("C19", "two images that InstanceNumber tells apart", places.add_group("later"), REFUSED, "Number #2", 2),
    Fault(
        "C20",
        "Siemens mosaics",
        combine(places.become_mr, set_tags(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])),
        REFUSED,
        "mosaic",
    ),
    Fault("95", "CT and PET in one series", places.add_group("pet", 0, interleave=True, **places.PET), REFUSED, "", 2),
)
VALUES = (
    Fault("25", "a rescale for each slice", values.rescale_each, EXACT),
    Fault("26", "no rescale", set_tags(RescaleSlope=None, RescaleIntercept=None), REFUSED, "Rescale"),
    Fault("27", "no rescale in one slice", set_tags([5], RescaleSlope=None, RescaleIntercept=None), REFUSED, "Rescale"),
    Fault("28", "RescaleSlope zero", set_tags(RescaleSlope="0"), REFUSED, "Rescale ?Slope"),
    Fault("B7", "RescaleSlope NaN", set_tags(RescaleSlope="NaN"), REFUSED, "Rescale ?Slope"),
    Fault("67", "MONOCHROME1", set_tags(PhotometricInterpretation="MONOCHROME1"), RECORDED, "MONOCHROME1"),
    Fault("68", "colour secondary capture", values.become_colour, REFUSED, "colour", 3),
    Fault("69", "signed declared unsigned", values.store_signed(lambda _: False), REFUSED, "unsigned"),
    Fault("70", "one slice of signed declared unsigned", values.store_signed(lambda k: k != 5), REFUSED, "unsigned"),
    Fault("B8", "one negative voxel declared unsigned", values.lie_about_few, REFUSED, "unsigned|Representation"),
    Fault("71", "12 bits signed, not extended", values.store_signed(lambda _: True, bits=12), EXACT),
    Fault("72", "an overlay in the high bits", values.overlay_high_bits, EXACT),
    Fault("B14", "12 bits in the upper part of 16", values.shift_bits, REFUSED, "High ?Bit"),
    Fault("73", "padding of -2000", values.pad_corners, EXACT),
    Fault("74", "slices overlap", set_tags(SliceThickness="5"), RECORDED, "Thickness"),
    Fault("93", "Modality LUT", values.apply_table, EXACT),
    Fault("C7", "PET in counts, factor to SUV 0.004", values.become_pet(0.004), RECORDED, "SUV", tolerance=0.01),
    Fault("C8", "PET in counts, factor to SUV -0.0004", values.become_pet(-0.0004), REFUSED, "7053,1000"),
    Fault("99", "float pixels", values.store_floats, EXACT, "", 3),
)
CODING = (
    Fault("54", "short pixels in one slice", values.change_pixels([5], lambda p: p[:-600]), REFUSED, "Pixel ?Data", 3),
    Fault("55", "surplus pixels in one slice", values.change_pixels([5], lambda p: p * 2), RECORDED, "bytes", 3),
    Fault("92", "one header declares more rows", values.lie_about_rows, REFUSED, "size|Rows|Pixel ?Data", 3),
    Fault("57", "RLE", coding.compress(RLELossless, "pydicom"), EXACT, "", 4),
    Fault("58", "JPEG-LS", coding.compress(JPEGLSLossless, "pyjpegls"), EXACT, "", 4),
    Fault("59", "JPEG 2000 lossless", coding.compress(JPEG2000Lossless, "pylibjpeg"), EXACT, "", 4),
    Fault("61", "JPEG baseline of a window", coding.compress_baseline, REFUSED, "JPEG|8 bit", 4, 20),
    Fault("62", "JPEG lossless", values.later(coding.compress_lossless_jpeg), EXACT, "", 4),
    Fault("63", "HTJ2K lossless", coding.compress_htj2k, EXACT, "", 4),
    Fault("64", "deflated", coding.encode(DeflatedExplicitVRLittleEndian), EXACT, "", 4),
    Fault("65", "big endian", coding.encode(ExplicitVRBigEndian), EXACT, "", 4),
    Fault("66", "implicit VR", coding.encode(ImplicitVRLittleEndian), EXACT, "", 4),
    Fault("90", "mixed transfer syntaxes", coding.mix_encodings, EXACT, "", 4),
    Fault(
        "B9",
        "half of a JPEG-LS stream",
        combine(coding.compress(JPEGLSLossless, "pyjpegls"), coding.damage_stream),
        REFUSED,
        "decode",
        4,
    ),
    Fault(
        "B12",
        "JPEG-LS of another shape than its header",
        combine(coding.compress(JPEGLSLossless, "pyjpegls"), coding.turn_headers),
        REFUSED,
        "Rows|shape|size|decode",
        4,
    ),
    Fault(
        "B13",
        "JPEG 2000 of another shape than its header",
        combine(coding.compress(JPEG2000Lossless, "pylibjpeg"), coding.turn_headers),
        REFUSED,
        "Rows|shape|size|decode",
        4,
    ),
)
BITS = tuple(
    Fault(f"C{number}", name, combine(first, second), expected, says, 4)
    for number, (name, first, second, expected, says) in enumerate(
        (
            (
                "13 bits signed as JPEG-LS of 16",
                values.store_signed(lambda _: True, bits=13),
                coding.compress_bits(JPEGLSLossless, "pyjpegls"),
                EXACT,
                "",
            ),
            (
                "13 bits signed as JPEG 2000 of 16",
                values.store_signed(lambda _: True, bits=13),
                coding.compress_bits(JPEG2000Lossless, "pylibjpeg"),
                EXACT,
                "",
            ),
            (
                "an overlay in the high bits of JPEG 2000",
                values.overlay_high_bits,
                coding.compress_bits(JPEG2000Lossless, "pylibjpeg"),
                EXACT,
                "",
            ),
            (
                "an overlay in the high bits of RLE",
                values.overlay_high_bits,
                coding.compress(RLELossless, "pydicom"),
                EXACT,
                "",
            ),
            (
                "signed JPEG 2000 declared unsigned",
                values.store_signed(lambda _: False),
                coding.compress_bits(JPEG2000Lossless, "pylibjpeg", signed=True),
                REFUSED,
                "signed",
            ),
            (
                "16 bits signed as JPEG-LS of 12",
                values.store_signed(lambda _: True, bits=12),
                combine(coding.compress_bits(JPEGLSLossless, "pyjpegls", 12), set_tags(BitsStored=16, HighBit=15)),
                REFUSED,
                "12 bits",
            ),
        ),
        start=1,
    )
)
LOSSY = (Fault("60", "JPEG 2000 lossy", coding.compress(JPEG2000, "pylibjpeg", j2k_cr=[4]), RECORDED, "loss", 4, 200),)
FRAMES = (
    Fault("75", "enhanced, orientation in each frame", values.pack_frames(own_orientation=True), EXACT, "", 4),
    Fault("76", "enhanced", values.pack_frames(), EXACT, "", 4),
    Fault("77", "enhanced, frames shuffled", values.pack_frames(values.shuffle_frames), EXACT, "", 4),
    Fault("78", "enhanced, a frame missing", combine(places.drop_slices(4), values.pack_frames()), REFUSED, "", 4),
    Fault("79", "enhanced, rescale in each frame", values.pack_frames(own_rescale=True), EXACT, "", 4),
    Fault("80", "enhanced, two phases", combine(places.PHASES, values.pack_frames()), REFUSED, "", 4),
)
FILES = (
    Fault("53", "one file cut", values.change_files([5], lambda b: b[: len(b) * 7 // 10]), REFUSED, "", 5),
    Fault("85", "a text file", values.write_text("README.txt", "hello"), EXACT, "", 5),
    Fault("86", "a file of zero bytes", values.write_text("empty", ""), EXACT, "", 5),
    Fault("B10", "zero bytes called .dcm", values.write_text("empty.dcm", ""), RECORDED, "empty", 5),
    Fault("C16", "a dose report that breaks off", values.later(values.write_broken_report), EXACT, "", 5),
    Fault("87", "a DICOMDIR", values.later(values.write_directory), EXACT, "", 5),
    Fault("88", "no preamble", values.change_files(None, values.drop_preamble), EXACT, "", 5),
    Fault("B11", "the last file without preamble and ending", values.hide_name, EXACT, "", 5),
    Fault("89", "sequences nested 200 deep", values.change_files([5], values.nest(200)), REFUSED, "nest|header", 5),
)
FAULTS: tuple[Fault, ...] = (
    Fault("00", "clean", keep, EXACT),
    *GEOMETRY,
    *GROUPS,
    *VALUES,
    *CODING,
    *BITS,
    *LOSSY,
    *FRAMES,
    *FILES,
)
