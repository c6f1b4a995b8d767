"""What people look at: tables, pictures and the page of scores."""

from medunet.report.drawings import CasePicture, draw_case, draw_overview, draw_scored, part_objects
from medunet.report.page import make_page, write_pages, write_report
from medunet.report.table import describe_scores, write_spread, write_table

__all__ = [
    "CasePicture",
    "describe_scores",
    "draw_case",
    "draw_overview",
    "draw_scored",
    "make_page",
    "part_objects",
    "write_pages",
    "write_report",
    "write_spread",
    "write_table",
]
