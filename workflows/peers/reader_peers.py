"""Reads folders of DICOM files by one of several readers, as a child of `reader_runs.py`.

It runs in an environment where what medunet needs need not be: it imports the named reader, and of ours what
supervises children.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.children.supervise import Record, serve

Volumes = list[tuple[npt.NDArray[Any], npt.NDArray[np.float64]]]
Read = Callable[[Path], tuple[Volumes, tuple[str, ...]]]
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
CRASHES = (AttributeError, LookupError, TypeError, NameError, RecursionError, ArithmeticError, MemoryError)
"""Exceptions that no reader raises to refuse a file."""
FOREIGN = ("numpy", "nibabel", "struct")
"""Libraries from whose depth an exception is no refusal by the reader."""


def make_simpleitk() -> Read:
    """SimpleITK's series reader, over all series that GDCM finds."""
    import SimpleITK

    def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
        volumes = []
        for uid in SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
            reader = SimpleITK.ImageSeriesReader()
            reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid))
            image = reader.Execute()
            if image.GetDimension() == 4:
                image = image[:, :, :, 0]
            affine = np.eye(4)
            affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
            affine[:3, 3] = image.GetOrigin()
            volumes.append((SimpleITK.GetArrayFromImage(image).T, RAS @ affine))
        return volumes, ()

    return read


def make_monai(name: str) -> Callable[[], Read]:
    """One of MONAI's readers, on the folder."""

    def make() -> Read:
        import monai.data

        reader = getattr(monai.data, name)()
        if name == "ITKReader":
            import itk

            itk.Version.GetITKVersion()

        def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
            array, meta = reader.get_data(reader.read(str(folder)))
            return [(np.asarray(array), np.asarray(meta["affine"], dtype=np.float64))], ()

        return read

    return make


def make_dicom2nifti() -> Read:
    """The single-series call of dicom2nifti."""
    import dicom2nifti
    import nibabel

    def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
        with tempfile.TemporaryDirectory() as out:
            dicom2nifti.dicom_series_to_nifti(str(folder), f"{out}/a.nii", reorient_nifti=False)
            image = nibabel.load(f"{out}/a.nii")
            return [(np.asarray(image.dataobj), image.affine)], ()

    return read


def make_dcm2niix() -> Read:
    """Dcm2niix, without its resampled extra files."""
    import dcm2niix
    import nibabel

    def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
        with tempfile.TemporaryDirectory() as out:
            command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "%s", "-o", out, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
            print(done.stdout, done.stderr, file=sys.stderr)
            if done.returncode < 0:
                raise MemoryError(f"signal {-done.returncode}")
            images = [nibabel.load(path) for path in sorted(Path(out).glob("*.nii")) if not _is_extra(path)]
            return [(np.asarray(image.dataobj), image.affine) for image in images], ()

    return read


def _is_extra(path: Path) -> bool:
    return any(part in path.name for part in ("_Eq", "_Tilt"))


def make_highdicom() -> Read:
    """Highdicom on every file of the folder."""
    import highdicom
    import pydicom

    def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
        files = sorted(folder.iterdir())
        datasets = [pydicom.dcmread(path) for path in files]
        if len(datasets) == 1 and "NumberOfFrames" in datasets[0]:
            volume = highdicom.Image.from_dataset(datasets[0]).get_volume()
        else:
            volume = highdicom.get_volume_from_series(datasets)
        return [(np.asarray(volume.array), RAS @ np.asarray(volume.affine))], ()

    return read


def make_medunet() -> Read:
    """Our own reading, of a PET in its own unit as the others have it."""
    from medunet.errors import MedunetError
    from medunet.reading import ReadOptions, read_volume

    def read(folder: Path) -> tuple[Volumes, tuple[str, ...]]:
        try:
            volume = read_volume(folder, ReadOptions(pet="stored"))
        except MedunetError as error:
            raise ValueError(str(error)) from None
        return [(volume.voxels[0], volume.grid.affine)], tuple(map(str, volume.source.notes))

    return read


READERS: dict[str, tuple[str, Callable[[], Read]]] = {
    "SimpleITK": ("SimpleITK", make_simpleitk),
    "MONAI ITKReader": ("monai", make_monai("ITKReader")),
    "MONAI PydicomReader": ("monai", make_monai("PydicomReader")),
    "dicom2nifti": ("dicom2nifti", make_dicom2nifti),
    "dcm2niix": ("dcm2niix", make_dcm2niix),
    "highdicom": ("highdicom", make_highdicom),
    "medunet": ("medunet", make_medunet),
}
"""Name to its distribution and what makes it."""


def answer(read: Read, job: Record) -> Record:
    """Read one folder.

    Args:
        read: the reader.
        job: the folder and the file that takes the arrays.

    Returns:
        `came` is read, refused or crash; `words` of the error; `warned`, whether something was said of it.
    """
    came, words = "read", ""
    notes: tuple[str, ...] = ()
    with _listen() as heard:
        try:
            volumes, notes = read(Path(job["folder"]))
            np.savez(job["out"], *(part for volume in volumes for part in volume))
            came = "read" if volumes else "refused"
        # Whatever a reader raises is what this is about.
        except Exception as error:
            came = "crash" if _is_crash(error) else "refused"
            words = f"{type(error).__name__}: {error}"
    text = " ".join(heard).lower()
    warned = bool(notes) or any(word in text for word in ("warn", "error", "not uniform", "non-uniform"))
    return {"came": came, "words": words[:300], "warned": warned}


def _is_crash(error: Exception) -> bool:
    deepest = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, CRASHES) or any(f"/{name}/" in deepest for name in FOREIGN)


@contextlib.contextmanager
def _listen() -> Iterator[list[str]]:
    """What is written to standard error meanwhile, by C++ too."""
    heard: list[str] = []
    with tempfile.TemporaryFile() as stream:
        kept = os.dup(2)
        os.dup2(stream.fileno(), 2)
        try:
            yield heard
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            stream.seek(0)
            heard.append(stream.read().decode(errors="replace"))


def main() -> None:
    """Serve the reader that the command line names."""
    distribution, make = READERS[sys.argv[1]]
    read = make()
    serve(lambda job, _: (answer(read, job), b""), {"version": metadata.version(distribution)})


if __name__ == "__main__":
    main()
