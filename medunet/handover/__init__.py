"""A bundle that is handed on or taken: checked with all that lies in it, proven on a case of its own, exported."""

from medunet.handover.check import check_handover
from medunet.handover.gallery import ShippedBundle, list_bundles
from medunet.handover.model_card import write_card
from medunet.handover.selftest import PLACE, SelfTest, renew_selftest, write_selftest

__all__ = [
    "PLACE",
    "SelfTest",
    "ShippedBundle",
    "check_handover",
    "list_bundles",
    "renew_selftest",
    "write_card",
    "write_selftest",
]
