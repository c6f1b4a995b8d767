"""Images that are one file each: NIfTI, NRRD and MHA, PNG."""

__all__: list[str] = []
