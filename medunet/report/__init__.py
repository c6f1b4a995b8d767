"""What people look at: tables, pictures and the page of scores."""

from medunet.report.comparison import describe_comparison, write_comparison
from medunet.report.drawings import CasePicture, draw_case, draw_overview, draw_scored, part_objects
from medunet.report.embedding import ShownCase, embed_case
from medunet.report.gallery import Gallery
from medunet.report.page import Shown, make_page, write_overview, write_pages, write_report
from medunet.report.spreadsheet import write_spreadsheet
from medunet.report.table import describe_scores, write_spread, write_table
from medunet.report.worst import write_worst

__all__ = [
    "CasePicture",
    "Gallery",
    "Shown",
    "ShownCase",
    "describe_comparison",
    "describe_scores",
    "draw_case",
    "draw_overview",
    "draw_scored",
    "embed_case",
    "make_page",
    "part_objects",
    "write_comparison",
    "write_overview",
    "write_pages",
    "write_report",
    "write_spread",
    "write_spreadsheet",
    "write_table",
    "write_worst",
]
