"""Everything that can be proven of a bundle before it is handed on, offline: files, references, network, self-test."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medunet.bundle import Bundle, ForeignBundle, Makers, check_bundle, open_any_bundle, take_recipe
from medunet.bundle.audit import Audit, audit_bundle
from medunet.bundle.literals import read_config
from medunet.bundle.parts import Recipe
from medunet.errors import MedunetError, MissingInputError
from medunet.findings import Finding, describe_error, make_finding, sort_findings
from medunet.handover.alone import predict_alone
from medunet.handover.card import check_card, check_written
from medunet.handover.chains import check_chains
from medunet.handover.deployed import predict_deployed, tell_unfit
from medunet.handover.files import check_files
from medunet.handover.network import check_network, load_networks
from medunet.handover.references import check_references
from medunet.handover.selftest import DICE, PLACE, RECORD, Case, compare_masks, read_selftest
from medunet.handover.traces import check_traces
from medunet.inference import Computing, open_predictor, predict_scan
from medunet.inference.backends import has_openvino
from medunet.inference.computing import PLAIN
from medunet.labels import Mask
from medunet.reading import attempt

STORED = ("pickle", "torchscript", "download")
RESTORE = "restore the bundle from a copy; after a change that is meant, write it anew with medunet.write_selftest"


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is known of a bundle whose recipe could be read.

    Attributes:
        bundle: as it was opened.
        recipe: by which it predicts.
        files: of weights, with the SHA-256 that each must have.
    """

    bundle: Bundle | ForeignBundle
    recipe: Recipe
    files: dict[Path, str]


def check_handover(folder: Path, makers: Makers, *, trust: bool = False) -> list[Finding]:
    """Check all of a bundle.

    Args:
        folder: its root.
        makers: of the configurations that train it, as of `audit_bundle`.
        trust: its user knows who wrote it, so that MONAI alone may run it on the self-test even where its
            configurations hold more than medunet writes and knows.

    Returns:
        Errors, warnings and notes, in this order.

    Raises:
        MissingInputError: there is no such folder.
    """
    if not folder.is_dir():
        raise MissingInputError(folder, "there is no such folder", "name the folder of a bundle")
    audit = audit_bundle(folder, makers)
    found = [*check_bundle(folder), *check_files(folder), *check_references(folder), *check_traces(folder)]
    found += _tell_audit(audit, folder)
    ready, refused = attempt(_open, folder)
    found += refused
    if ready is None:
        found += check_card(folder, [], [])
    else:
        found += _check_ready(ready, audit, trust=trust)
    return sort_findings(found)


def _open(folder: Path) -> _Ready:
    bundle = open_any_bundle(folder)
    return _Ready(bundle, *take_recipe(bundle))


def _check_ready(ready: _Ready, audit: Audit, *, trust: bool) -> Iterator[Finding]:
    bundle, recipe, folder = ready.bundle, ready.recipe, ready.bundle.folder
    yield from check_chains(bundle)
    if isinstance(bundle, ForeignBundle):
        said = "no hash says which file of weights is the right one; medunet's own bundles are refused without"
        for path in ready.files:
            yield make_finding("weights-wrong", path, said, "name its SHA-256 in large_files.yml", "warning")
    loaded = load_networks(recipe, ready.files)
    yield from loaded.findings
    yield from check_card(folder, loaded.counts, list(ready.files))
    if isinstance(bundle, Bundle):
        yield from check_written(bundle)
    if not loaded.networks:
        return
    metadata, _ = attempt(read_config, folder / "configs" / "metadata.json")
    yield from check_network(loaded.networks[0], recipe, metadata, folder)
    yield from _run_selftest(ready, audit, trust=trust)


def _run_selftest(ready: _Ready, audit: Audit, *, trust: bool) -> Iterator[Finding]:
    folder = ready.bundle.folder
    if not (folder / PLACE / RECORD).is_file():
        found = "there is no self-test, so that nobody can tell whether it predicts what it did"
        yield make_finding("bundle-selftest", folder / PLACE, found, "write it with medunet.write_selftest", "warning")
        return
    ways = [("torch", PLAIN), *([("OpenVINO", Computing(backend="openvino"))] if has_openvino() else [])]
    case: Case | None = None
    for name, computing in ways:
        try:
            with open_predictor(ready.bundle, computing=computing) as predictor:
                case = read_selftest(folder, predictor)
                told = _compare(f"medunet by {name}", predict_scan(predictor, case.scan()), case, folder)
        except MedunetError as error:
            told = describe_error(error)
        yield told
        if told.severity == "error":
            return
    if case is not None:
        yield from _run_alone(ready, case, audit, trust=trust)
        yield _run_deployed(ready, case)


def _compare(name: str, mask: Mask, case: Case, folder: Path) -> Finding:
    """One way to predict the case, beside the labels that are expected."""
    dice: dict[str, float] = compare_masks(mask, case.mask)
    said = ", ".join(f"{label} {value:.4f}" for label, value in dice.items()) or "nothing in either"
    subject = folder / PLACE
    if not dice or min(dice.values()) < DICE:
        return make_finding("bundle-selftest", subject, f"{name}: Dice {said}, and {DICE} is wanted", RESTORE)
    same = "the same labels" if (mask.voxels == case.mask.voxels).all() else f"Dice {said}"
    return make_finding("bundle-read", subject, f"self-test by {name}: {same}")


def _run_alone(ready: _Ready, case: Case, audit: Audit, *, trust: bool) -> Iterator[Finding]:
    folder = ready.bundle.folder
    config = ready.bundle.path if isinstance(ready.bundle, ForeignBundle) else folder / "configs" / "inference.json"
    # Pickles and archives are read by what the configurations name, and by that as tensors alone.
    unknown = [item for item in audit.entries if item.severity != "note" and item.kind not in STORED]
    if unknown and not trust:
        found = f"MONAI alone didn't predict it, since it would run {len(unknown)} things beyond what medunet knows"
        remedy = "read what medunet bundle audit lists, and give --trust if you know who wrote it"
        yield make_finding("bundle-untrusted", folder, found, remedy, "warning")
        return
    try:
        mask = predict_alone(folder, config, case.images, case.mask.grid, ready.recipe)
        yield _compare("MONAI alone", mask, case, folder)
    except MedunetError as error:
        yield describe_error(error)


def _run_deployed(ready: _Ready, case: Case) -> Finding:
    """MONAI Deploy's application, which evaluates nothing of the bundle; or why it was left out."""
    folder = ready.bundle.folder
    if unfit := tell_unfit(ready.recipe):
        return make_finding(
            "bundle-read", folder / PLACE, f"self-test: MONAI Deploy was left out, since {unfit}", severity="note"
        )
    try:
        images = case.scan().images
        return _compare("MONAI Deploy", predict_deployed(folder, images, case.mask.grid, ready.recipe), case, folder)
    except MedunetError as error:
        return describe_error(error)


def _tell_audit(audit: Audit, folder: Path) -> Iterator[Finding]:
    """What the bundle would run: each thing beyond data, and how many are known."""
    for item in audit.entries:
        if item.severity != "note":
            at = f"{item.file}:{item.line}" if item.line else item.file
            place = f" {item.place}" if item.place else ""
            found = f"{item.kind}{place} {item.text[:100]!r}: {item.reason}"
            yield make_finding("bundle-runs", folder / at, found, "see medunet bundle audit", item.severity)
    found = f"{audit.count()['note']} targets, expressions, imports and pickled classes are known to be harmless"
    yield make_finding("bundle-runs", folder, found, severity="note")
