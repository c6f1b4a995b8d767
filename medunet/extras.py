"""Optional packages: loaded where they are used, or one sentence that names the extra that brings them."""

import importlib
from types import ModuleType

from medunet.errors import ExtraError

EXTRAS = {
    "highdicom": ("dicom", "highdicom>=0.28"),
    "einops": ("zoo", "einops>=0.8"),
    "yaml": ("zoo", "PyYAML>=6.0"),
    "ray": ("ray", "ray>=2.50"),
    "openvino": ("openvino", "openvino>=2026.0"),
    "onnx": ("export", "onnx>=1.19"),
    "onnxruntime": ("export", "onnxruntime>=1.23"),
    "onnxscript": ("export", "onnxscript>=0.5"),
    "monai.deploy.core": ("deploy", "monai-deploy-app-sdk==4.0.0"),
}
"""Module to its extra and the requirement there; a test holds them equal to pyproject.toml."""


def load_extra(module: str, feature: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: one of `EXTRAS`.
        feature: what it is needed for, for the message.

    Raises:
        ExtraError: it isn't installed, or lacks something itself.
    """
    extra, requirement = EXTRAS[module]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraError(
            feature, f"it needs {requirement} ({error})", f"install it with: pip install 'medunet[{extra}]'"
        ) from error
