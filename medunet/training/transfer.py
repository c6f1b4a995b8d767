"""Start a run from the weights of another bundle: what fits is copied, the rest says why not."""

import logging
from collections.abc import Mapping

import torch
from torch import nn

from medunet.bundle import Bundle, find_weights, read_weights, write_weights
from medunet.cohort import split_cases
from medunet.errors import InputError
from medunet.files import hash_file
from medunet.networks import build_network
from medunet.records import Record, read_record, write_record
from medunet.training.ranks import on_first
from medunet.training.runs import Action, RunFolder, find_run

LOGGER = logging.getLogger(__name__)
SHARE = 0.3
"""Share of the plan's learning rate that weights which have learnt already begin with."""
FIRST, LAST = "input_block.", "output_block."
"""How names of the first and the last block of a DynUNet begin."""
TWINS = "skip_layers."
"""Under such names a DynUNet lists the tensors of its blocks once more."""


class Start(Record):
    """What a run started from, kept in its folder, so that a resumed run needs no other bundle."""

    bundle: str
    """Name of the other bundle."""
    source_sha256: str
    """SHA-256 of the weights of the bundle that the run starts from."""
    weights_sha256: str
    """SHA-256 of the weights that were copied from it, `start.pt`."""
    copied: int
    """Tensors."""
    left: tuple[str, ...]
    """Tensors of the network that weren't copied, or in part, each with the reason."""
    learning_rate: float
    unused: tuple[str, ...] = ()
    """Tensors of the other bundle that the network hasn't."""


def prepare_start(bundle: Bundle, fold: int, source: Bundle) -> Start:
    """Copy what fits of another bundle's weights into the folder of a run that hasn't begun.

    Of an ensemble the network of the same fold is taken, or the first. A run that began with the same weights goes on.

    Args:
        bundle: that is trained.
        fold: of the run.
        source: a trained bundle.

    Raises:
        InputError: the run began otherwise, a held-out patient was in the training of `source`, or nothing fits.
        BundleError: `source` has no weights.
    """
    known = [number for number in (fold,) if f"model_fold{number}.pt" in source.metadata.fold_weights]
    path, wanted = next(iter(find_weights(source.folder, source.metadata, known[0] if known else None).items()))
    digest, state = read_weights(path, wanted)
    run = find_run(bundle, fold)
    begun = read_start(run)
    if begun is not None and begun.source_sha256 == digest:
        return begun
    if not run.allows(Action.START):
        how = "without other weights" if begun is None else f"from other weights, of {begun.bundle}"
        raise InputError(
            f"--from {source.folder}", f"fold {fold} began {how}", "leave it out, or add --restart", code="run-begun"
        )
    _check_patients(bundle, fold, source, known)
    network = build_network(bundle.inference["network_def"])
    fitting, left = fit_weights(network, state, bundle.plan.task.labels.names == source.plan.task.labels.names)
    if not any(value.ndim > 2 for value in fitting.values()):
        raise InputError(
            f"--from {source.folder}",
            "no convolution of it fits the network",
            "start from a bundle with as many features a level, or copy its network into plan.json and run medunet "
            f"plan {bundle.folder} --write",
            code="bundle-wrong",
        )
    write_weights(run.start_weights, fitting)
    start = Start(
        bundle=source.folder.resolve().name,
        source_sha256=digest,
        weights_sha256=hash_file(run.start_weights),
        copied=len(fitting),
        left=tuple(left),
        learning_rate=slow_down(bundle.plan.training.learning_rate),
    )
    write_record(run.start, start)
    return start


def _check_patients(bundle: Bundle, fold: int, source: Bundle, known: list[int]) -> None:
    """A network that has seen the held-out patients would be scored on what it knows."""
    if not source.has_cohort:
        return
    theirs = source.cohort()
    trained = source.metadata.training.fold if source.metadata.training else 0
    number = known[0] if known else 0 if trained == "all" else trained
    seen = {case.patient for case in split_cases(theirs, number)[0]}
    for case in split_cases(bundle.cohort(), fold)[1]:
        if case.patient in seen:
            raise InputError(
                f"--from {source.folder}",
                f"patient {case.patient}, whom fold {fold} holds out, was in its training",
                "start from a bundle that has seen none of the held-out patients",
                code="patient-seen",
            )


def fit_weights(
    network: nn.Module, state: dict[str, torch.Tensor], same_labels: bool
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The weights that fit a network, and of each of its other tensors why none does.

    Args:
        network: a DynUNet.
        state: weights of another one.
        same_labels: its classes mean the same; else its last layer isn't taken.
    """
    fitting: dict[str, torch.Tensor] = {}
    left = []
    own = {name: value for name, value in network.state_dict().items() if not name.startswith(TWINS)}
    state = _count_from_finest(state, _count_ups(own) - _count_ups(state))
    for name, value in own.items():
        there = state.get(name)
        if there is None:
            left.append(f"{name}: there is no such layer")
        elif there.shape != value.shape:
            why = "other channels" if name.startswith(FIRST) and value.ndim > 2 else "another size"
            why = "other labels" if name.startswith(LAST) else why
            left.append(f"{name}: {why}, {_describe(there)} there and {_describe(value)} here")
        elif name.startswith(LAST) and not same_labels:
            left.append(f"{name}: other labels")
        else:
            fitting[name] = there
    return fitting, left


def _count_ups(state: Mapping[str, torch.Tensor]) -> int:
    return len({name.split(".")[1] for name in state if name.startswith("upsamples.")})


def _count_from_finest(state: dict[str, torch.Tensor], deeper: int) -> dict[str, torch.Tensor]:
    """DynUNet numbers its decoder from the coarsest level: of another depth, the same level has another number."""
    moved = {}
    for name, value in state.items():
        block, _, rest = name.partition(".")
        number, _, layer = rest.partition(".")
        moved[f"upsamples.{int(number) + deeper}.{layer}" if block == "upsamples" else name] = value
    return moved


def _describe(value: torch.Tensor) -> str:
    return " × ".join(map(str, value.shape))


def read_start(run: RunFolder) -> Start | None:
    """What a run started from; None for random weights."""
    return read_record(run.start, Start) if run.start.is_file() else None


def load_start(run: RunFolder, network: nn.Module) -> None:
    """Load what a run started from into its network, and say what fits; random weights stay where nothing was given.

    Raises:
        BundleError: `start.pt` isn't the file that `start.json` names.
    """
    start = on_first(lambda: read_start(run))
    if start is None:
        return
    _, state = on_first(lambda: read_weights(run.start_weights, start.weights_sha256))
    network.load_state_dict(state, strict=False)
    total = start.copied + len(start.left)
    LOGGER.info(
        "starts from %s: %d of %d tensors fit, learning rate %g", start.bundle, start.copied, total, start.learning_rate
    )
    for line in start.left:
        LOGGER.info("  not %s", line)


def slow_down(learning_rate: float) -> float:
    """The learning rate with which weights begin that have learnt already."""
    return float(f"{SHARE * learning_rate:.3g}")
