"""Facts of a card, for several tests."""

from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.handover.card_sections import Facts
from medunet.handover.statements import Statements
from medunet.measuring import Fingerprint
from medunet.records import read_record

ROOT = Path(__file__).parents[2] / "bundles" / "sts_petct_unet3d"


@pytest.fixture
def facts() -> Facts:
    """Of a shipped bundle, whose scores nobody knows."""
    return Facts(open_bundle(ROOT), Statements(), read_record(ROOT / "configs" / "fingerprint.json", Fingerprint))
