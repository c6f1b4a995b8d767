"""Whether the training of a bundle has begun, so that its plan must stay as it is."""

from pathlib import Path

from medunet.bundle import Bundle
from medunet.errors import BundleError, InputError
from medunet.training.runs import RunFolder


def find_training(bundle: Bundle) -> Path | None:
    """A run, put aside or not, or the weights of a bundle whose training has begun."""
    traces = [*filter(_is_begun, sorted(bundle.work.glob("fold*"))), *sorted((bundle.folder / "models").glob("*.pt"))]
    return next(iter(traces), None)


def _is_begun(run: Path) -> bool:
    """Whether a folder holds more than its lock, which a run that was refused leaves, or another process holds that."""
    if any(path.name != "lock" for path in run.iterdir()):
        return True
    try:
        RunFolder(run).hold().close()
    except InputError:
        return True
    return False


def check_untrained(bundle: Bundle) -> None:
    """Check that a bundle may get another plan.

    Raises:
        BundleError: it was trained, or its training has begun.
    """
    if begun := find_training(bundle):
        found = f"its training has begun ({begun.name})"
        raise BundleError(bundle.folder, found, "make another bundle with medunet init", code="run-begun")
