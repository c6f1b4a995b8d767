"""Ordinary scans of which everybody expects a volume: made up after what scanners, archives and converters write.

They are the counterpart of the faults: a reader that refuses these is safe and of no use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)

from medunet.testing.faults import coding, places, values
from medunet.testing.faults.edits import Edit, combine, keep, number_tags, set_tags
from medunet.testing.faults.scans import Scan, make_scan
from medunet.testing.ordinary import files, headers
from medunet.testing.ordinary.headers import each


@dataclass(frozen=True, slots=True)
class Ordinary:
    """One ordinary scan.

    Attributes:
        name: in words, its own.
        edit: what it does to a clean scan.
        orientation: a key of `ORIENTATIONS`.
        options: how it is to be read, where a choice is needed: fields of `ReadOptions`; the series "first" is that of
            its first slice.
        tolerance: largest difference of a value that is still right, where a compression loses.
        file: that is read, in the folder; the folder if empty.
    """

    name: str
    edit: Edit = keep
    orientation: str = "axial"
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.01
    file: str = ""

    def make(self) -> Scan:
        """Make the scan, which isn't written yet."""
        scan = make_scan(self.orientation)
        self.edit(scan)
        return scan


def _give_class(uid: str, modality: str) -> Edit:
    """Make an edit that gives an object that holds all frames another storage class and modality."""

    def edit(scan: Scan) -> None:
        whole = scan.slices[0].dataset
        whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = UID(uid)
        whole.Modality = modality

    return edit


_LEGACY = LegacyConvertedEnhancedCTImageStorage
_SERIES = {"series": "first"}
_TAGS = ("PatientName", "StudyDate", "StudyTime", "SeriesDescription", "BodyPartExamined", "KVP", "WindowCenter")
_NUMBERS = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
GEOMETRY = (
    *(Ordinary(f"a clean {name} CT", orientation=name) for name in ("axial", "sagittal", "coronal", "oblique")),
    Ordinary("slices stored from head to foot", places.reverse_order),
    Ordinary("a prone patient", places.turn_over),
    Ordinary("feet first", set_tags(PatientPosition="FFS")),
    Ordinary("decubitus", set_tags(PatientPosition="HFDR")),
    Ordinary("no InstanceNumber", set_tags(InstanceNumber=None)),
    Ordinary("InstanceNumber empty", set_tags(InstanceNumber="")),
    Ordinary("numbers in another order", number_tags(InstanceNumber=lambda k: 7 * k % 9 + 1)),
    Ordinary("SliceThickness empty", set_tags(SliceThickness="")),
    Ordinary("no SliceThickness", set_tags(SliceThickness=None)),
    Ordinary("slices that overlap", set_tags(SliceThickness="5")),
    Ordinary("an MR with gaps between slices", combine(places.become_mr, set_tags(SliceThickness="2.5"))),
    Ordinary("SpacingBetweenSlices below zero", set_tags(SpacingBetweenSlices="-3.27")),
    Ordinary("SpacingBetweenSlices that is the gap", set_tags(SpacingBetweenSlices="0.27", SliceThickness="3")),
    Ordinary("a tilted gantry", places.tilt(15)),
    Ordinary("a tilted gantry without the tag", combine(places.tilt(12), set_tags(GantryDetectorTilt=None))),
    Ordinary("positions off by a hundredth of a millimetre", places.jitter(0.01)),
    Ordinary("positions of two decimals", headers.round_positions(2), "oblique"),
    Ordinary("two slices", places.drop_slices(*range(2, 9))),
    Ordinary("oblong pixels", places.start_from("oblique", (0.4, 0.9, 2.0))),
    Ordinary("half a millimetre", places.start_from("axial", (0.5, 0.5, 0.5))),
    Ordinary("a long CT of thin slices", headers.lengthen),
    Ordinary("thick slices", places.start_from("coronal", (0.5, 0.5, 10.0))),
)
TEXT = (
    Ordinary("numbers of more than 16 characters", headers.write_text(_NUMBERS, "{:.17f}".format)),
    Ordinary("numbers with an exponent", headers.write_text(_NUMBERS, "{:.9e}".format)),
    Ordinary("numbers with blanks and signs", headers.write_text(_NUMBERS, " {:+.8f} ".format)),
    Ordinary("tags of the representation UN", headers.write_unknown(*_NUMBERS, "RescaleSlope", "RescaleIntercept")),
    Ordinary("private tags", each(headers.add_private)),
    Ordinary("nothing that isn't needed", each(headers.drop_optional)),
    Ordinary("optional tags that are empty", set_tags(None, **dict.fromkeys(_TAGS, ""))),
    Ordinary("no FrameOfReferenceUID", set_tags(FrameOfReferenceUID=None)),
    Ordinary("a frame of reference for each slice", each(headers.own_frames)),
    Ordinary("no PatientID", set_tags(PatientID=None)),
    Ordinary("no ImageType", set_tags(ImageType=None)),
    Ordinary("another character set", set_tags(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada")),
    Ordinary("an AcquisitionNumber for each slice", number_tags(AcquisitionNumber=lambda k: k + 1)),
    Ordinary("an AcquisitionTime for each slice", number_tags(AcquisitionTime=lambda k: f"1015{k:02d}")),
    Ordinary("NumberOfFrames of one", set_tags(NumberOfFrames=1)),
    Ordinary("several windows", set_tags(WindowCenter=["50", "-600"], WindowWidth=["400", "1500"])),
    Ordinary("a wrong SliceLocation", number_tags(SliceLocation=lambda k: 77.0 * k)),
)  # fmt: skip
CODING = (
    Ordinary("implicit VR", coding.encode(ImplicitVRLittleEndian)),
    Ordinary("big endian", coding.encode(ExplicitVRBigEndian)),
    Ordinary("deflated", coding.encode(DeflatedExplicitVRLittleEndian)),
    Ordinary("RLE", coding.compress(RLELossless, "pydicom")),
    Ordinary("JPEG-LS", coding.compress(JPEGLSLossless, "pyjpegls")),
    Ordinary("JPEG 2000", coding.compress(JPEG2000Lossless, "pylibjpeg")),
    Ordinary("JPEG 2000 with loss", coding.compress(JPEG2000, "pylibjpeg", j2k_cr=[4]), tolerance=200),
    Ordinary("JPEG lossless", values.later(coding.compress_lossless_jpeg)),
    Ordinary("HTJ2K", coding.compress_htj2k),
    Ordinary("several encodings in one series", coding.mix_encodings),
    Ordinary("8 bits", each(headers.store_bytes)),
    Ordinary("32 bits", each(headers.store_words)),
    Ordinary("12 bits with a sign", values.store_signed(lambda _: True, bits=12)),
    Ordinary("16 bits with a sign, HU as stored", values.store_signed(lambda _: True)),
    Ordinary("MONOCHROME1", set_tags(PhotometricInterpretation="MONOCHROME1")),
    Ordinary("a table of values", values.apply_table),
    Ordinary("floating point", values.store_floats),
    Ordinary("padding", values.pad_corners),
    Ordinary("an overlay in the high bits", values.overlay_high_bits),
    Ordinary("an overlay of its own", each(headers.add_overlay)),
    Ordinary("bytes after the pixels", values.change_pixels(None, lambda pixels: pixels + bytes(64))),
    Ordinary("a rescale for each slice", values.rescale_each),
    Ordinary("an MR with a rescale", combine(places.become_mr, each(headers.scale_values))),
    Ordinary("an MR without a rescale", places.become_mr),
)
PET = (
    Ordinary("a PET in Bq/ml, decay to the start", headers.become_pet("START"), tolerance=1e-3),
    Ordinary("a PET in Bq/ml, decay to the injection", headers.become_pet("ADMIN"), tolerance=1e-3),
    Ordinary("a PET without weight", headers.become_pet("START", weight=False)),
    Ordinary("a PET as it is stored", headers.become_pet("START", weight=False), options={"pet": "stored"}),
)
FRAMES = (
    Ordinary("an enhanced CT", values.pack_frames(), "oblique"),
    Ordinary("an enhanced CT, frames in any order", values.pack_frames(values.shuffle_frames)),
    Ordinary("an enhanced CT, all in each frame", values.pack_frames(own_orientation=True, own_rescale=True)),
    Ordinary("an enhanced MR", combine(values.pack_frames(), _give_class(EnhancedMRImageStorage, "MR")), "sagittal"),
    Ordinary("a legacy enhanced CT", combine(values.pack_frames(), _give_class(_LEGACY, "CT"))),
    Ordinary("an enhanced CT of two phases, one chosen", combine(places.PHASES, values.pack_frames()),
             options={"phase": "TemporalPositionIndex 1"}),
)  # fmt: skip
_SIZE: Mapping[str, Any] = {"Rows": 36, "Columns": 32}
_B0: Mapping[str, Any] = {"DiffusionBValue": (0.0, 800.0)}
_TWO = combine(places.become_mr, places.add_group("diffused", ImageType=(["ORIGINAL"], ["ORIGINAL"])))
_DIXON: Mapping[str, Any] = {"ImageType": (["ORIGINAL", "PRIMARY", "W"], ["ORIGINAL", "PRIMARY", "F"])}
PHASES = (
    Ordinary("two contrast phases, one chosen", places.PHASES, options={"phase": "TemporalPositionIdentifier 1"}),
    Ordinary("two echoes, one chosen", combine(places.become_mr, places.add_group("echo", EchoTime=("10", "80"))),
             options={"phase": "EchoTime 10"}),
    Ordinary("two b-values, one chosen", combine(places.become_mr, places.add_group("diffused", **_B0)),
             options={"phase": "DiffusionBValue 800"}),
    Ordinary("two b-values by a private tag of GE, one chosen",
             combine(_TWO, each(headers.add_ge_bvalue)),
             options={"phase": "BValue 800"}),
    Ordinary("two b-values by a private tag of Siemens, one chosen",
             combine(_TWO, each(headers.add_siemens_bvalue)),
             options={"phase": "DiffusionBValue 800"}),
    Ordinary("Dixon, water chosen", combine(places.become_mr, places.add_group("fat", **_DIXON)),
             options={"phase": "ORIGINAL/PRIMARY/W"}),
    Ordinary("numbers of two echoes in turns, one chosen",
             combine(places.become_mr, places.add_group("echo", interleave=True, EchoTime=("10", "80"))),
             options={"phase": "80"}),
)  # fmt: skip
BESIDE = (
    Ordinary("a scout in the series", places.add_localizer((40, 48))),
    Ordinary("a scout of the same size in the series", places.add_localizer((36, 32))),
    Ordinary("a scout that is a series of its own",
             combine(places.add_localizer((40, 48)), set_tags([9], SeriesInstanceUID="1.2.3"))),
    Ordinary("a copy of a slice", places.copy_slice(same_uid=True)),
    Ordinary("a dose report", headers.add_object("report.dcm", headers.REPORT, "SR", same=False)),
    Ordinary("a presentation state", headers.add_object("state.dcm", headers.PRESENTATION, "PR", same=False)),
    Ordinary("an ultrasound of the study",
             headers.add_object("us.dcm", headers.ULTRASOUND, "US", pixels=True, same=False)),
    Ordinary("raw data in the series", headers.add_object("raw.dcm", headers.RAW_DATA)),
    Ordinary("a vendor's object in the series", headers.add_object("private.dcm", headers.PRIVATE_CLASS)),
    Ordinary("raw data with a size in the series", headers.add_object("raw.dcm", headers.RAW_DATA, **_SIZE)),
    Ordinary("a screenshot in the series", headers.add_object("shot.dcm", headers.SECONDARY, pixels=True)),
    Ordinary("a picture in colours in the series", headers.add_picture),
    Ordinary("a damaged report in the folder",
             headers.add_damaged_report, options=_SERIES),
    Ordinary("a second series, the first chosen", headers.add_series(), options=_SERIES),
    Ordinary("a derived series across it, the first chosen", headers.add_series(turned=True), options=_SERIES),
    Ordinary("a single image of its own series, the scan chosen",
             combine(headers.add_series(), places.drop_slices(*range(10, 18))), options=_SERIES),
)  # fmt: skip
FOLDERS = (
    Ordinary("no preamble", values.change_files(None, values.drop_preamble)),
    Ordinary("implicit VR without preamble", combine(coding.encode(ImplicitVRLittleEndian),
                                                     values.change_files(None, values.drop_preamble))),
    Ordinary("names without ending", headers.rename_files(lambda k: f"IM{k:06d}")),
    Ordinary("names in capitals", headers.rename_files(lambda k: f"IMG{k:04d}.{('DCM', 'Dcm', 'IMA')[k % 3]}")),
    Ordinary("names with blanks and signs", headers.rename_files(lambda k: f"Schnitt {k} [ä&b] (1).dcm")),
    Ordinary("a folder for each slice", headers.rename_files(lambda k: f"{k:02d}/image.dcm")),
    Ordinary("a DICOMDIR", values.later(values.write_directory)),
    Ordinary("a text", values.write_text("README.txt", "hello")),
    Ordinary("thumbnails", headers.add_file("Thumbs.db", b"\xd0\xcf")),
    Ordinary("hidden files of another system", headers.add_file("._0001.dcm", b"\x00\x05\x16\x07" + bytes(96))),
    Ordinary("a file without a byte", values.write_text("empty", "")),
)  # fmt: skip
_NII = "scan.nii.gz"
FILES = (
    Ordinary("NIfTI", files.save_nifti(files.save_plain), "oblique", file=_NII),
    Ordinary("NIfTI without compression", files.save_nifti(files.save_plain, "scan.nii"), file="scan.nii"),
    Ordinary("NIfTI in capitals", files.save_nifti(files.save_plain, "SCAN.NII.GZ"), file="SCAN.NII.GZ"),
    Ordinary("NIfTI with a sform only", files.save_nifti(files.save_sform), "oblique", file=_NII),
    Ordinary("NIfTI with a qform only", files.save_nifti(files.save_qform), "oblique", file=_NII, tolerance=0.01),
    Ordinary("NIfTI of floating point", files.save_nifti(files.save_floats), file=_NII),
    Ordinary("NIfTI with a slope", files.save_nifti(files.save_scaled), file=_NII, tolerance=0.1),
    Ordinary("NIfTI with other axes", files.save_nifti(files.save_permuted), "sagittal", file=_NII),
    Ordinary("NIfTI of the other byte order", files.save_nifti(files.save_big_endian), file=_NII),
    Ordinary("NIfTI-2", files.save_nifti(files.save_second), file=_NII),
    Ordinary("NIfTI of four axes", files.save_nifti(files.save_four_axes), file=_NII),
    Ordinary("NIfTI in metres", files.save_nifti(files.save_metres), file=_NII),
    Ordinary("NIfTI sheared by a hair", files.save_nifti(files.save_sheared), file=_NII),
    Ordinary("NRRD", files.save_itk("scan.nrrd"), "oblique", file="scan.nrrd"),
    Ordinary("NRRD, compressed", files.save_itk("scan.nrrd", compress=True), file="scan.nrrd"),
    Ordinary("MHA", files.save_itk("scan.mha"), "coronal", file="scan.mha"),
)
ORDINARY: tuple[Ordinary, ...] = (
    *(*GEOMETRY, *TEXT, *CODING, *PET, *FRAMES),
    *(*PHASES, *BESIDE, *FOLDERS, *FILES),
)
