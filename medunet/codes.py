"""The codes of what can be wrong or odd: one table, from which the reference of `medunet check` is made.

A *code* names one kind of fault for programs, and stays what it is while sentences are worded better. It is given
where the fault is found: with the error that is raised, the warning that is told or the note that is taken.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: refused when it is read or trained on; warning: taken as it is, and probably not meant; note: odd."""
Code = Literal[
    # files, series and labels
    "path-missing",
    "file-damaged",
    "not-an-image",
    "encoding-unsupported",
    "too-large",
    "archive-refused",
    "voxels-elsewhere",
    "values-not-finite",
    "place-missing",
    "place-ambiguous",
    "header-wrong",
    "header-contradicts",
    "header-scaled",
    "single-slice",
    "slices-missing",
    "slices-irregular",
    "slices-mixed",
    "slice-copied",
    "slices-sheared",
    "frames-differ",
    "several-series",
    "several-phases",
    "choice-unknown",
    "patients-mixed",
    "patient-missing",
    "rescale-missing",
    "rescale-wrong",
    "rescale-given",
    "sign-wrong",
    "pet-in-suv",
    "pet-not-suv",
    "padding-kept",
    "monochrome1",
    "compressed-with-loss",
    "bytes-left-out",
    "alpha-left-out",
    "set-aside",
    "scan-read",
    "label-grid",
    "label-overlap",
    "label-values",
    "label-unknown",
    "label-twice",
    "label-names-differ",
    "structures",
    "label-contours",
    "label-fractions",
    "label-not-dicom",
    # cohorts
    "channel-missing",
    "channel-ambiguous",
    "series-unmatched",
    "name-twice",
    "folds-wrong",
    "list-wrong",
    "patients-too-few",
    "units-differ",
    "components-differ",
    "size-differs",
    "dimensions-differ",
    "modality-differs",
    "channels-apart",
    "label-missing",
    "label-empty",
    "label-unsaid",
    "label-rare",
    "patient-twice",
    "patients-guessed",
    "volume-twice",
    "image-empty",
    "spacing-outlier",
    "size-implausible",
    "values-not-hu",
    "values-outlier",
    "label-at-border",
    "label-margin-constant",
    "label-specks",
    "label-holes",
    "label-every-nth-slice",
    "side-differs",
    "image-mirrored",
    "handedness-differs",
    # commands
    "input-wrong",
    "option-wrong",
    "output-exists",
    "output-differs",
    "format-unfit",
    "record-wrong",
    "bundle-wrong",
    "bundle-untrusted",
    "bundle-unoriented",
    "bundle-read",
    "bundle-ignored",
    "bundle-schema",
    "bundle-incomplete",
    "bundle-reference",
    "bundle-place",
    "bundle-identity",
    "bundle-card",
    "bundle-forward",
    "bundle-chain",
    "bundle-selftest",
    "bundle-runs",
    "weights-missing",
    "weights-wrong",
    "labels-differ",
    "scan-unlike",
    "patient-seen",
    "files-changed",
    "run-busy",
    "run-begun",
    "run-unfinished",
    "run-damaged",
    "teaching-missing",
    "loss-not-finite",
    "processes-unfit",
    "resource-short",
    "memory-short",
    "scans-refused",
    "program-fault",
    "cluster-missing",
    "worker-died",
    "extra-missing",
    "backend-unfit",
    "body-box",
    "preset-unmeasured",
    "limits-dropped",
    "viewer-plain",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be known of a code.

    Attributes:
        meaning: what it stands for, for users; Markdown.
        severity: what it usually is; a code of errors may be a warning or a note where less is lost.
        remedy: what to do about warnings and notes that don't say so themselves.
        option: of the command line, that repairs it; a finding has it where its remedy names it.
    """

    meaning: str
    severity: Severity = "error"
    remedy: str = ""
    option: str = ""


FILES: dict[Code, Entry] = {
    "path-missing": Entry("a file that is named isn't there, or a folder holds no image"),
    "file-damaged": Entry("cut, broken, or less in it than its header says; two images of one SOPInstanceUID"),
    "not-an-image": Entry("colours, animation, a time series, another format than its name says"),
    "encoding-unsupported": Entry("a compression, an encoding or a name that isn't read"),
    "too-large": Entry("a picture of more pixels than are read"),
    "archive-refused": Entry("a zip that can't be unpacked safely"),
    "voxels-elsewhere": Entry("a header that takes its voxels from an arbitrary place"),
    "values-not-finite": Entry("NaN or infinite voxels"),
    "place-missing": Entry("position, orientation or spacing is missing or can't be"),
    "place-ambiguous": Entry("affines that contradict each other, or can't be", option="--prefer"),
    "header-wrong": Entry("another tag that is missing or can't be"),
    "header-contradicts": Entry("a header whose spacing or order isn't that of its affine, which counts", "note"),
    "header-scaled": Entry("lengths that were scaled to mm", "note"),
    "single-slice": Entry("one slice, which makes no volume"),
    "slices-missing": Entry("gaps in a series"),
    "slices-irregular": Entry(
        "slices off any regular grid, or of another size, spacing or orientation; as a note, slightly off"
    ),
    "slices-mixed": Entry("images that don't belong to one series"),
    "slice-copied": Entry("a copy of a slice was left out", "note"),
    "slices-sheared": Entry("a tilted gantry; the affine keeps it", "note"),
    "frames-differ": Entry("each slice has a frame of reference of its own; that of the first one counts", "note"),
    "several-series": Entry(
        "a folder of several scans is one; an error where one image is to be read: choose it", "note", option="--series"
    ),
    "several-phases": Entry("choose one; each phase is checked", option="--phase"),
    "choice-unknown": Entry("there is no such series or phase"),
    "patients-mixed": Entry("several patients or studies in one series, or in the channels of one case"),
    "patient-missing": Entry("no PatientID, or labels of a patient without images"),
    "rescale-missing": Entry("a CT whose values have no unit", option="--assume-rescale"),
    "rescale-wrong": Entry("a rescale or Modality LUT that can't be"),
    "rescale-given": Entry("HU by the given rescale", "note"),
    "sign-wrong": Entry("negative values declared unsigned"),
    "pet-in-suv": Entry("a PET in SUV: by which factor", "note"),
    "pet-not-suv": Entry(
        "a PET not in SUV: why not; as a note, it was asked for as it is stored",
        "warning",
        "complete the header, or take it as it is with --pet stored",
        "--pet",
    ),
    "padding-kept": Entry("pixels that the header declares to be padding, which are kept", "note"),
    "monochrome1": Entry("a picture that shows high values dark; its values are kept as stored", "note"),
    "compressed-with-loss": Entry("an image that may have been compressed with loss", "note"),
    "bytes-left-out": Entry("bytes after the pixels, which were left out", "note"),
    "alpha-left-out": Entry("an opaque alpha channel, which was left out", "note"),
    "set-aside": Entry("what is no image", "note"),
    "scan-read": Entry(
        "what was read of a scan that is no part of a cohort: modality, voxels, spacing, unit and range of values",
        "note",
    ),
    "label-grid": Entry(
        "labels that don't lie on their image, or, as a warning, not wholly",
        remedy="make sure that the labels were made on this image",
    ),
    "label-overlap": Entry("structures or segments share voxels"),
    "label-values": Entry("values that no label has; as a warning, classes that may be objects", option="--objects"),
    "label-unknown": Entry("a structure or segment that isn't there or isn't described"),
    "label-twice": Entry("two of one name, or two files for one image"),
    "label-names-differ": Entry("structures are called differently from patient to patient"),
    "structures": Entry("the structures that label files hold, with aliases for names that look alike", "note"),
    "label-contours": Entry(
        "contours that are broken or, as a warning, enclose nothing",
        remedy="draw closed contours, or do without them",
    ),
    "label-fractions": Entry("a fractional segmentation, taken from one half on", "warning"),
    "label-not-dicom": Entry("no RTSTRUCT or SEG where one is named"),
}
"""Codes of single images and labels."""
COHORTS: dict[Code, Entry] = {
    "channel-missing": Entry(
        "a patient without a channel (the patient is checked by those that all have)", option="--channels"
    ),
    "channel-ambiguous": Entry("a patient with two series for one channel"),
    "series-unmatched": Entry("a scan of whose series none follows the rules of a bundle", option="--series-rule"),
    "name-twice": Entry("two cases, channels or files of one name"),
    "folds-wrong": Entry("folds that hold out unknown patients, nobody or everybody"),
    "list-wrong": Entry("the list of cases: a key, a column or a cell that can't be"),
    "patients-too-few": Entry("fewer than two patients with labels; as a note, labelled scans of one patient"),
    "units-differ": Entry("values that aren't in one unit in all cases"),
    "components-differ": Entry("files of a channel that aren't alike in all cases: grey, colours, several volumes"),
    "size-differs": Entry("images with and without a physical size, or pictures of one case that differ in size"),
    "dimensions-differ": Entry("single slices beside volumes", option="--dims"),
    "modality-differs": Entry("an image of another modality than its channel is said to be, or than a bundle takes"),
    "channels-apart": Entry("channels of one case whose fields of view hardly overlap", "warning"),
    "label-missing": Entry(
        "a case without labels, which `init` leaves out; as a note, scans of several patients without any",
        "warning",
        "add labels, or leave it out",
    ),
    "label-empty": Entry("labels without a voxel, or (note) without one of the labels", "warning"),
    "label-unsaid": Entry(
        "some cases lack a label that others have, and nothing says whether there is none or nobody looked for it",
        option="--missing",
    ),
    "label-rare": Entry(
        "a label that one patient has, or that a given fold holds out altogether; as a note, one that fewer patients "
        "than folds have",
        "warning",
    ),
    "patient-twice": Entry(
        "one PatientID, up to case and spaces, is several patients of the cohort, so that folds would train on one and "
        "score the other. Several cases of one patient are no finding: folds keep them together",
        "warning",
    ),
    "patients-guessed": Entry(
        "how cases are held out together: by patients that somebody named, by names of files that differ only in their "
        "end (`_tp0`, `_visit2`, `ses-01`, a date, a letter, where the beginning repeats), or file by file",
        "note",
    ),
    "volume-twice": Entry(
        "two images of equal values, in whatever file format, type or order of axes; not after resampling or rescaling",
        "warning",
    ),
    "image-empty": Entry("all values are equal", "warning"),
    "spacing-outlier": Entry("a spacing half or twice the median, along any axis", "warning"),
    "size-implausible": Entry("voxels below 0.02 mm or above 20 mm, or above 2.5 m in all: a wrong unit", "warning"),
    "values-not-hu": Entry(
        "a CT whose range is below 100, or without anything below 0 and a median above 600, as if 1024 hadn't been "
        "taken off. A box within the body has no air, so that its absence says nothing",
        "warning",
    ),
    "values-outlier": Entry(
        "a range (0.5th to 99.5th percentile) 30 times the median or a 30th of it; a note for MR, whose values have no "
        "unit",
        "warning",
    ),
    "label-at-border": Entry(
        "a label touches the border of its volume; one note where more than half of the cases do", "warning"
    ),
    "label-margin-constant": Entry(
        "in 90 % of at least 8 cases the labels keep the same margins along an axis, within one voxel, while their "
        "extents differ: the images were cut around the labels",
        "warning",
    ),
    "label-specks": Entry("pieces of at most 3 voxels beside one of 100 or more, no corner in common", "warning"),
    "label-holes": Entry("enclosed places without any label", "warning"),
    "label-every-nth-slice": Entry(
        "80 % of the steps between the slices of a label, at least 3, are the same one above 1. Contours of that kind "
        "are refused",
        "warning",
    ),
    "side-differs": Entry(
        "a label lies on the other side of the middle, or of another label, than in nearly all cases (at least nine "
        "tenths lie off the middle by a tenth of half the image and on one side, and chance is below 0.2 %, so at "
        "least 14 cases); or a label called left lies right of the one called right, in any one case",
        "warning",
    ),
    "image-mirrored": Entry(
        "an image resembles the others only with left and right swapped, from 8 cases on", "warning"
    ),
    "handedness-differs": Entry(
        "axes are stored in the other handedness than in most files, which is right if the affine is", "note"
    ),
}
"""Codes of cases beside each other, and of the list that names them."""
COMMANDS: dict[Code, Entry] = {
    "input-wrong": Entry("anything else that was given and can't be used"),
    "option-wrong": Entry("an option that can't be read, or names what isn't there"),
    "output-exists": Entry("an output that would be overwritten"),
    "output-differs": Entry("what was read back isn't what was written: the disk is damaged"),
    "format-unfit": Entry("a format that can't hold this mask or this cohort", option="--format"),
    "record-wrong": Entry("a JSON file of medunet with a key that is unknown, missing or can't be"),
    "bundle-wrong": Entry("no bundle, or one that is incomplete or whose parts don't fit each other"),
    "bundle-untrusted": Entry(
        "a bundle that would run what its writer wrote, beyond what medunet writes itself", option="--trust"
    ),
    "bundle-unoriented": Entry(
        "a bundle from elsewhere whose network sees the axes of a scan as they are stored", "warning"
    ),
    "bundle-read": Entry("what was read of a bundle, and what is repaired or done otherwise than by MONAI", "note"),
    "bundle-ignored": Entry("keys of a bundle from elsewhere that decide nothing", "note"),
    "bundle-schema": Entry("a metadata.json that MONAI's schema or the zoo's checks refuse"),
    "bundle-incomplete": Entry("a file or key that the zoo's checks want of a bundle is missing"),
    "bundle-reference": Entry("a reference or an override of a configuration that points at nothing"),
    "bundle-place": Entry("a bundle that names a folder of the machine that it was made on"),
    "bundle-identity": Entry("a bundle that may name a patient"),
    "bundle-card": Entry("a bundle without a card, or whose card tells too little or wrong numbers"),
    "bundle-forward": Entry("a network that can't run, or gives other outputs than metadata.json tells"),
    "bundle-chain": Entry("a chain of inference that isn't the one of training"),
    "bundle-selftest": Entry("a self-test that finds other labels than expected, or can't be run"),
    "bundle-runs": Entry("what a bundle would run beyond data and parts of MONAI, torch and Ignite", "warning"),
    "weights-missing": Entry("a bundle that isn't trained"),
    "weights-wrong": Entry("weights that aren't those of the bundle, or can't be read safely"),
    "labels-differ": Entry("masks with other labels than the bundle or the truth"),
    "scan-unlike": Entry(
        "a scan that is unlike those of the bundle's training: other values, voxels of another size, far larger, or "
        "one value everywhere",
        "warning",
    ),
    "patient-seen": Entry("a network would be scored or trained on patients that must be held out from it"),
    "files-changed": Entry("files that changed while they were read"),
    "run-busy": Entry("another process trains this fold"),
    "run-begun": Entry("a training that has begun with something else"),
    "run-unfinished": Entry("a training that stopped before its end; the same command goes on"),
    "run-damaged": Entry("a training whose checkpoints or weights are broken", option="--restart"),
    "teaching-missing": Entry("a student of which the teacher's probabilities aren't all there"),
    "loss-not-finite": Entry("a training whose loss became infinite or no number"),
    "processes-unfit": Entry("more, fewer or other processes than a training can be shared by"),
    "resource-short": Entry("disk, memory or time that ran out"),
    "memory-short": Entry("a scan whose prediction doesn't fit the memory, found before it starts", option="--ram"),
    "scans-refused": Entry("some scans of several, each with its own code; the others are done"),
    "program-fault": Entry("a fault of medunet or of a library, which its authors should hear of"),
    "cluster-missing": Entry("no Ray cluster answers at an address", option="--ray"),
    "worker-died": Entry("a worker of a Ray cluster that died twice over one scan, or can't predict"),
    "extra-missing": Entry("an optional package that isn't installed"),
    "backend-unfit": Entry("a network that a backend can't run; as a note, another one runs it", option="--backend"),
    "body-box": Entry("of a CT only the box around the body was predicted, as `--preset fast` does", "note"),
    "preset-unmeasured": Entry("nobody measured what `--preset fast` costs this bundle", "note", option="--preset"),
    "limits-dropped": Entry(
        "limits of scores of the column `trust` that were made of other probabilities, before `--calibrate`",
        "note",
        remedy="validate the column again, as workflows/claims/trust_score.py does",
    ),
    "viewer-plain": Entry(
        "niivue is installed in a version that isn't as expected: pages have the plain viewer", "note"
    ),
}
"""Codes of commands other than `check`."""
CODES: dict[Code, Entry] = {**FILES, **COHORTS, **COMMANDS}
"""Everything that is known of each code."""
