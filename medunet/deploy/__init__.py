"""MONAI Deploy: a bundle as an application that takes a folder of DICOM and gives DICOM SEG."""

from medunet.deploy.run import run_application

__all__ = ["run_application"]
