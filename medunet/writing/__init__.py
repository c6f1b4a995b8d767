"""Masks on disk: one format a file, read back and compared before the file gets its name."""

from medunet.writing.nifti import write_nifti

__all__ = ["write_nifti"]
