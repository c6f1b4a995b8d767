"""What a trusted bundle from elsewhere holds beyond data, made by MONAI's own parser.

Here a stranger's Python runs: expressions, lambdas, scripts beside the configuration, pickles.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, SaveImaged, Transform
from monai.utils import ensure_tuple

from medunet.bundle.foreign_steps import name_target
from medunet.errors import BundleError, MedunetError, name_fault

PICKLES = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Lets torch read files that hold more than tensors, for those who can't say it in the call."""
CUDA = re.compile(r"""(['"])cuda(?::\d+)?\1""")
SCRIPTS = "scripts"
"""Folder of a bundle's own Python, as MONAI's zoo calls it."""


class Parser:
    """MONAI's parser over a configuration.

    Args:
        folder: the bundle, whose scripts can be imported.
        path: of the file, for messages.
        config: what it holds. Devices are the CPU, where the network is moved from.
    """

    def __init__(self, folder: Path, path: Path, config: Mapping[str, Any]) -> None:
        self._folder, self._path = folder, path
        text = _without_cuda(dict(config))
        self._parser = ConfigParser({**text, "bundle_root": str(folder), "device": torch.device("cpu")})

    def make(self, key: str) -> Any:
        """What stands at a key, evaluated.

        Raises:
            BundleError: MONAI can't evaluate it.
        """
        try:
            with _importing(self._folder):
                return self._parser.get_parsed_content(key)
        except MedunetError:
            raise
        except Exception as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            remedy = "install what it needs, or correct it"
            raise BundleError(self._path, f"MONAI can't evaluate '{key}' ({name_fault(cause)})", remedy) from error

    def make_postprocessing(self, chain: Sequence[Transform]) -> "Postprocessing":
        """The postprocessing without what saves; it brings outputs back through a chain that was run.

        Raises:
            BundleError: MONAI can't evaluate it.
        """
        self._parser["preprocessing"] = Compose(list(chain))
        raw = self._parser.get("postprocessing::transforms")
        if not isinstance(raw, list):
            return Postprocessing(tuple(ensure_tuple(self.make("postprocessing::transforms"))))
        kept = [n for n, step in enumerate(raw) if name_target(step) != "SaveImaged"]
        return Postprocessing(tuple(self.make(f"postprocessing::transforms::{n}") for n in kept))


@dataclass(frozen=True, slots=True, eq=False)
class Postprocessing:
    """MONAI's own postprocessing of one scan.

    Attributes:
        steps: its transforms.
    """

    steps: tuple[Any, ...]

    @property
    def restores(self) -> bool:
        """Whether it brings its result back to the source grid."""
        return any(isinstance(step, Invertd) for step in self.steps)

    def __call__(self, data: Mapping[str, Any]) -> torch.Tensor:
        """The result (C, I, J, K) of the prepared `image` and the outputs `pred`."""
        kept = [step for step in self.steps if not isinstance(step, SaveImaged)]
        result: torch.Tensor = Compose(kept)(dict(data))["pred"]
        return result

    def probe(self, outputs: int, axes: int) -> list[int]:
        """The label value where each output alone is certain; empty where that can't be told."""
        scores = torch.full((outputs, outputs, *[1] * (axes - 1)), -20.0)
        scores[range(outputs), range(outputs)] = 20.0
        kept = [step for step in self.steps if not isinstance(step, Invertd | SaveImaged)]
        try:
            values = torch.as_tensor(Compose(kept)({"pred": MetaTensor(scores)})["pred"])
        except Exception:
            # Steps of any kind may need more than outputs; then labels have no names.
            return []
        return [int(value) for value in values.flatten()] if values.shape == (1, *scores.shape[1:]) else []


def _without_cuda(value: Any) -> Any:
    """The same configuration for a machine without a GPU: what expressions would put on one stays with the CPU."""
    if torch.cuda.is_available():
        return value
    if isinstance(value, dict):
        return {key: _without_cuda(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_cuda(item) for item in value]
    return CUDA.sub(r"\1cpu\1", value) if isinstance(value, str) and value.startswith("$") else value


@contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Let Python import the scripts of a bundle, not those of one that was opened before, and torch read pickles."""
    for name in [name for name in sys.modules if name.partition(".")[0] == SCRIPTS]:
        del sys.modules[name]
    before = os.environ.get(PICKLES)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    os.environ[PICKLES] = "1"
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del os.environ[PICKLES]
        else:
            os.environ[PICKLES] = before
