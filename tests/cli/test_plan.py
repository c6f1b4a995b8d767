import pytest
from plans import make_test_plan

from medunet.cli.plan import describe_plan


def test_every_number_stands_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    describe_plan(make_test_plan())
    shown = capsys.readouterr().out
    assert "patch             16 × 16 × 16\n" in shown
    assert "because: small" in shown
    assert "3D, features 4-8-16" in shown
