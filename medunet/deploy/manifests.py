"""The manifests of a MONAI Application Package, by its specification 1.0.0, and the command of XNAT's containers.

https://github.com/Project-MONAI/monai-deploy/blob/main/guidelines/monai-application-package.md
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

API = "1.0.0"
"""Version of the manifests."""
COMMAND = "python3 /opt/holoscan/app"
"""By which the application is run."""
ENVIRONMENT = {
    "HOLOSCAN_INPUT_PATH": "/var/holoscan/input/",
    "HOLOSCAN_OUTPUT_PATH": "/var/holoscan/output/",
    "HOLOSCAN_WORKDIR": "/var/holoscan/",
    "HOLOSCAN_MODEL_PATH": "/opt/holoscan/models/",
    "HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml",
    "HOLOSCAN_APP_MANIFEST_PATH": "/etc/holoscan/app.json",
    "HOLOSCAN_PKG_MANIFEST_PATH": "/etc/holoscan/pkg.json",
    "HOLOSCAN_APPLICATION": "/opt/holoscan/app",
    "HOLOSCAN_DOCS": "/opt/holoscan/docs",
    "HOLOSCAN_DOCS_PATH": "/opt/holoscan/docs",
    "HOLOSCAN_LOGS": "/var/holoscan/logs",
    "HOLOSCAN_LOGS_PATH": "/var/holoscan/logs",
}
"""As the text names variables, and as the packager of MONAI Deploy does where it differs."""
ModelsForm = Literal["array", "object"]


@dataclass(frozen=True, slots=True)
class About:
    """What manifests say of an application.

    Attributes:
        name: of the bundle.
        version: of the bundle, semantic.
        medunet: version of medunet.
        description: of what it segments.
        gib: memory that it needs.
        channels: images that it takes.
        cores: that it needs.
        timeout: seconds; 0 for none.
    """

    name: str
    version: str
    medunet: str
    description: str
    gib: float
    channels: int = 1
    cores: int = 2
    timeout: int = 0

    @property
    def memory(self) -> str:
        """As the specification writes it, in whole GiB."""
        return f"{max(1, math.ceil(self.gib))}Gi"


def make_semantic(version: str | None) -> str:
    """A version with the three numbers that semantic versions have: `1` becomes `1.0.0`; 0.0.0 where there is none."""
    found = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)$", version or "")
    if found is None:
        return "0.0.0"
    major, minor, patch, rest = found.groups()
    return f"{int(major)}.{int(minor or 0)}.{int(patch or 0)}{rest or ''}"


def describe_application(about: About) -> dict[str, Any]:
    """`app.json`."""
    return {
        "apiVersion": API,
        "type": "application",
        "command": COMMAND,
        "environment": dict(ENVIRONMENT),
        "input": {"path": "input/", "formats": ["file"]},
        "output": {"path": "output/", "format": "file", "formats": ["file"]},
        "sdk": "medunet",
        "sdkVersion": make_semantic(about.medunet),
        "timeout": about.timeout,
        "version": about.version,
        "workingDirectory": "/var/holoscan/",
    }


def describe_package(about: About, models: ModelsForm = "array") -> dict[str, Any]:
    """`pkg.json`; `models` as the specification has them, an array, or as the packager of MONAI Deploy wrote them."""
    path = f"{about.name}/"
    return {
        "apiVersion": API,
        "applicationRoot": "/opt/holoscan/app/",
        "modelRoot": "/opt/holoscan/models/",
        "models": [{"name": about.name, "path": path}] if models == "array" else {about.name: path},
        "resources": {"cpu": about.cores, "gpu": 0, "memory": about.memory, "sharedMemory": "64Mi"},
        "version": about.version,
    }


def describe_command(about: About) -> dict[str, Any]:
    """XNAT's command: DICOM of a scan, or of a session where several channels are taken, goes in; results stay there.

    https://wiki.xnat.org/container-service/command-definition
    """
    mounts = [
        {"name": "input", "writable": False, "path": "/var/holoscan/input"},
        {"name": "output", "writable": True, "path": "/var/holoscan/output"},
    ]
    kind = "Scan" if about.channels == 1 else "Session"
    source: dict[str, Any] = {"name": "source", "type": kind, "required": True, "load-children": True}
    derived: list[dict[str, Any]] = []
    if kind == "Scan":
        resource = {"name": "dicom", "type": "Resource", "matcher": "@.label == 'DICOM'"}
        derived = [
            {**resource, "derived-from-wrapper-input": "source", "provides-files-for-command-mount": "input"},
        ]
    else:
        source["provides-files-for-command-mount"] = "input"
    kept = {
        **{"name": "results", "accepts-command-output": "results", "as-a-child-of": "source"},
        **{"type": "Resource", "label": about.name},
    }
    wrapper = {
        **{"name": about.name, "description": about.description, "contexts": [f"xnat:image{kind}Data"]},
        **{"external-inputs": [source], "derived-inputs": derived, "output-handlers": [kept]},
    }
    return {
        "name": about.name,
        "description": about.description,
        "version": about.version,
        "schema-version": "1.0",
        "type": "docker",
        "command-line": COMMAND,
        "mounts": mounts,
        "inputs": [],
        "outputs": [{"name": "results", "description": "DICOM results", "required": True, "mount": "output"}],
        "reserve-memory": 1024 * max(1, math.ceil(about.gib)),
        "limit-cpu": about.cores,
        "xnat": [wrapper],
    }
