"""DICOM: from the bytes of a header to series, their grid and their values."""

__all__: list[str] = []
