import re
from typing import Any

import pytest

from medunet.deploy.manifests import (
    ENVIRONMENT,
    About,
    describe_application,
    describe_command,
    describe_package,
    make_semantic,
)

ABOUT = About("lung_ct", "1.2.0", "0.1.0", "Segments lungs", 3.2)
SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("1", "1.0.0"),
        ("1.0", "1.0.0"),
        ("v2.3.4", "2.3.4"),
        ("0.1.0-rc.1", "0.1.0-rc.1"),
        (None, "0.0.0"),
        ("x", "0.0.0"),
    ],
)
def test_versions_are_semantic(given: str | None, wanted: str) -> None:
    assert make_semantic(given) == wanted


def test_the_application_says_what_the_specification_demands() -> None:
    """What the MAP specification 1.0.0 says with MUST and SHALL of `app.json`."""
    app = describe_application(ABOUT)
    assert app["type"] in ("service", "application")
    assert isinstance(app["command"], str)
    assert app["command"]
    for key in ("apiVersion", "version", "sdkVersion"):
        assert SEMANTIC.fullmatch(app[key])
    assert app["workingDirectory"].startswith("/")
    assert isinstance(app["input"]["formats"], list)
    assert isinstance(app["output"]["formats"], list)
    assert isinstance(app["output"]["format"], str)
    assert app["timeout"] == 0
    wanted = {"INPUT_PATH", "OUTPUT_PATH", "WORKDIR", "MODEL_PATH", "CONFIG_PATH", "APP_MANIFEST_PATH"}
    wanted |= {"PKG_MANIFEST_PATH", "DOCS", "LOGS"}
    assert {f"HOLOSCAN_{name}" for name in wanted} <= set(app["environment"])
    assert all(isinstance(value, str) for value in app["environment"].values())


def test_the_package_says_what_the_specification_demands() -> None:
    """The same of `pkg.json`."""
    package = describe_package(ABOUT)
    assert package["applicationRoot"].startswith("/")
    assert package["modelRoot"] == ENVIRONMENT["HOLOSCAN_MODEL_PATH"]
    (model,) = package["models"]
    assert not re.search(r"\s", model["name"])
    assert len(model["name"].encode()) <= 128
    assert not model["path"].startswith("/")
    assert re.fullmatch(r"\d+(Gi|Mi)", package["resources"]["memory"])
    assert package["resources"]["memory"] == "4Gi"
    assert package["resources"]["gpu"] == 0
    assert SEMANTIC.fullmatch(package["version"])
    assert describe_package(ABOUT, "object")["models"] == {"lung_ct": "lung_ct/"}


@pytest.mark.parametrize(("channels", "kind"), [(1, "Scan"), (2, "Session")])
def test_xnat_hands_over_what_the_bundle_takes(channels: int, kind: str) -> None:
    command = describe_command(About("b", "1.0.0", "0.1.0", "d", 3.2, channels))
    (wrapper,) = command["xnat"]
    assert wrapper["contexts"] == [f"xnat:image{kind}Data"]
    given: list[dict[str, Any]] = [*wrapper["external-inputs"], *wrapper["derived-inputs"]]
    assert [
        item.get("provides-files-for-command-mount") for item in given if "provides-files-for-command-mount" in item
    ] == ["input"]
    mounts = {mount["name"]: mount for mount in command["mounts"]}
    assert (mounts["input"]["writable"], mounts["output"]["writable"]) == (False, True)
    assert command["outputs"][0]["mount"] == "output"
    assert wrapper["output-handlers"][0]["accepts-command-output"] == command["outputs"][0]["name"]
    assert wrapper["output-handlers"][0]["as-a-child-of"] == given[0]["name"]
    assert (command["reserve-memory"], command["limit-cpu"]) == (4096, 2)
