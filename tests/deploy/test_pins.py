from importlib import metadata

import pytest
from packaging.requirements import Requirement

from medunet.deploy.pins import pin_packages
from medunet.errors import ExtraError


def test_all_that_is_needed_is_pinned_as_it_is_here() -> None:
    lines = pin_packages()
    found = {line.split("==")[0].lower().replace("_", "-"): line.split("==")[1] for line in lines}
    assert lines == sorted(lines, key=lambda line: line.split("==")[0].lower().replace("_", "-"))
    assert {"torch", "monai", "highdicom", "openvino", "numpy", "sympy"} <= set(found)
    assert not {"medunet", "pytest", "ray", "hypothesis", "monai-deploy-app-sdk"} & set(found)
    assert found["torch"] == metadata.version("torch")
    for name in found:
        for line in metadata.distribution(name).requires or ():
            inner = Requirement(line)
            if inner.marker is None or inner.marker.evaluate({"extra": ""}):
                assert inner.name.lower().replace("_", "-") in found


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = metadata.distribution

    def hide(name: str) -> metadata.Distribution:
        if name == "highdicom":
            raise metadata.PackageNotFoundError(name)
        return whole(name)

    monkeypatch.setattr(metadata, "distribution", hide)
    with pytest.raises(ExtraError, match=r"it needs highdicom.*pip install 'medunet"):
        pin_packages()
