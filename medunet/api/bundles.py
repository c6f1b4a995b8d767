"""Verbs about bundles: audit, card, check, export, list, self-test."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medunet.api.arguments import Count, verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.bundle.audit import Audit
    from medunet.findings import Finding
    from medunet.handover import SelfTest, ShippedBundle
    from medunet.handover.exports import Exported


@verb
def audit_bundle(bundle: PathLike, *, report: PathLike | None = None, sarif: PathLike | None = None) -> "Audit":
    """List all that a bundle would run, of medunet's or of MONAI's zoo, without importing, evaluating or unpickling it.

    That is each `_target_`, expression, import and macro of its configurations, each script, logging handler and
    download, and each class that its pickles name, TorchScript archives as well.

    Args:
        bundle: a folder.
        report: JSON file to write, too.
        sarif: file to write in SARIF 2.1.0, too.

    Returns:
        The entries: errors reach beyond the bundle or can't be looked into, warnings are programs of whoever wrote it,
        notes are data or parts of MONAI, torch and Ignite.

    Raises:
        MissingInputError: there is no such folder.
        ResourceError: a file can't be written.
    """
    from medunet.bundle import locate_bundle
    from medunet.bundle.audit import audit_bundle as audit
    from medunet.bundle.audit import make_sarif
    from medunet.records import write_json, write_record
    from medunet.training import CONFIGS

    found = audit(locate_bundle(Path(bundle)), CONFIGS)
    if report is not None:
        write_record(Path(report), found)
    if sarif is not None:
        write_json(Path(sarif), make_sarif(found))
    return found


@verb
def check_bundle(bundle: PathLike, *, trust: bool = False) -> "list[Finding]":
    """Check all of a bundle before it is handed on or taken, offline: what MONAI's zoo checks, and what that misses.

    Files and metadata, references and overrides that point at nothing, chain of training and of inference, weights by
    hash and strictly, a forward pass at the smallest size, card and licence, places on a machine, what may name a
    patient, what would be run; and its self-test: the labels of a made-up case by medunet, by MONAI alone, and by MONAI
    Deploy where its SDK is installed.

    Args:
        bundle: a folder, of medunet or in the conventions of MONAI's zoo.
        trust: let MONAI alone run it on the self-test even where its configurations hold more than medunet knows, since
            you know who wrote it.

    Returns:
        Errors, warnings and notes, in this order, each with its code.

    Raises:
        MissingInputError: there is no such folder.
    """
    from medunet.bundle import locate_bundle
    from medunet.handover import check_handover
    from medunet.training import CONFIGS

    return check_handover(locate_bundle(Path(bundle)), CONFIGS, trust=trust)


@verb
def export_bundle(
    bundle: PathLike,
    output: PathLike,
    to: Sequence[Literal["torchscript", "torch-export", "onnx", "openvino"]],
    *,
    scan: PathLike | None = None,
    overwrite: bool = False,
) -> "list[Exported]":
    """Write the network of a bundle in other formats, of an ensemble the mean of all folds in one.

    It is compared with PyTorch in float32 on windows of a prepared scan, two sizes of patches one and three at a time,
    before the file gets its name. A JSON beside it holds what a program must do before and after, as data: chain,
    window, decision, labels.

    Args:
        bundle: a trained one, whose parts are data.
        output: folder for the files: `model.ts`, `model.pt2`, `model.onnx`, `model.xml` with `model.bin`; and the JSON.
        to: formats; "onnx" needs `medunet[export]`, "openvino" `medunet[openvino]`.
        scan: whose windows are compared, as of `predict`; the bundle's self-test if not given, else a made-up case.
        overwrite: replace files that exist.

    Returns:
        What was written, with the largest difference.

    Raises:
        OutputExistsError: a file exists.
        BundleError: the bundle can't predict.
        InputError: its network can't be written so, or computes otherwise then.
        ExtraError: what writes or reads a format isn't installed.
    """
    from medunet.bundle import locate_bundle
    from medunet.handover.exports import export_bundle as export

    chosen = Path(scan) if scan is not None else None
    return export(locate_bundle(Path(bundle)), Path(output), tuple(to), scan=chosen, overwrite=overwrite)


@verb
def list_bundles() -> "list[ShippedBundle]":
    """Describe the bundles that come with medunet: what they find, on what, how well, how fast, and where they lie.

    Every verb that reads a bundle takes their names in place of a path.

    Returns:
        One each, in the order of their names.
    """
    from medunet.handover import list_bundles as list_all

    return list_all()


@verb
def write_card(bundle: PathLike, *, pictures: bool = False) -> list[str]:
    """Write the model card of a bundle, the part of docs/README.md that records make; what stands around it stays.

    It tells what the bundle is, its data, plan, protocol, results with intervals, probabilities, failures and limits,
    and which of that answers which items of CLAIM 2024, STARD-AI and FDA's example. What only a person can say stands
    in `docs/card.json`, whose empty form is written where there is none.

    Args:
        bundle: a trained one of medunet; scores are those of its last `evaluate`, their cases numbered.
        pictures: take over pictures of its worst held-out cases from there, which show patients.

    Returns:
        What only a person can say and nobody said, as keys of `docs/card.json`.

    Raises:
        BundleError: it is no bundle of medunet.
        RecordError: `docs/card.json` holds other keys.
    """
    from medunet.handover import write_card as write

    return write(Path(bundle), pictures=pictures)


@verb
def write_selftest(bundle: PathLike, *, tries: Count = 24) -> "SelfTest":
    """Write a self-test into a trained bundle: a made-up case on which it finds something, and the labels expected.

    It lies in `docs/selftest/`, below 1 MB, and holds nothing of any patient: random ellipsoids with values within the
    range of training. An older one is replaced. `train` and `train_folds` end with it.

    Args:
        bundle: a folder.
        tries: cases that are drawn at most.

    Returns:
        What was written.

    Raises:
        BundleError: the network finds nothing in any of them, or the bundle can't predict.
    """
    from medunet.handover import write_selftest as write

    return write(Path(bundle), tries)
