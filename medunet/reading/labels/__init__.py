"""Labels that DICOM holds: contours of RTSTRUCT, frames of SEG."""

__all__: list[str] = []
