"""A small network that learns from a bundle, for a scan of a stated size in stated seconds."""

from medunet.distilling.ladder import count_windows, list_students
from medunet.distilling.student import make_student
from medunet.distilling.teaching import check_fold, choose_fold, teach_fold
from medunet.distilling.timing import Timer, choose_student
from medunet.distilling.wishes import Wishes

__all__ = [
    "Timer",
    "Wishes",
    "check_fold",
    "choose_fold",
    "choose_student",
    "count_windows",
    "list_students",
    "make_student",
    "teach_fold",
]
