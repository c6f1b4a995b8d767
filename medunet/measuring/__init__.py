"""What is measured of a cohort's cases, in child processes, and kept by content."""

from medunet.measuring.fingerprint import Fingerprint, ObjectStatistics, measure_cohort
from medunet.measuring.measures import CaseMeasure, ChannelStatistics, ValueRange

__all__ = [
    "CaseMeasure",
    "ChannelStatistics",
    "Fingerprint",
    "ObjectStatistics",
    "ValueRange",
    "measure_cohort",
]
