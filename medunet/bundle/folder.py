"""The bundle's folder: write it from a plan, open and check it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from medunet.bundle.configs import ENSEMBLE_KEYS, INFERENCE_KEYS, OF_NETWORKS, Makers
from medunet.bundle.expressions import refuse_nan, runs_more
from medunet.bundle.metadata import Metadata, TrainingFacts, make_metadata
from medunet.bundle.series import write_rules
from medunet.bundle.temperature import find_temperature, set_temperature
from medunet.cohort import Cohort, read_cohort, write_cohort
from medunet.errors import BundleError
from medunet.files import whole_file, whole_folder
from medunet.measuring import Fingerprint
from medunet.networks import check_stated, find_loss, find_network
from medunet.planning import Plan, read_plan
from medunet.preparation import find_transform
from medunet.records import read_json, read_record, suggest, write_json, write_record
from medunet.task import Task

LICENSE = "Apache License 2.0, http://www.apache.org/licenses/LICENSE-2.0\n"
CARD = """# {name}
A {network} that finds {labels} in {modalities}, planned by medunet. Not a medical device.

Predict: `medunet predict {name} SCAN -o OUT`, or with MONAI alone
`python -m monai.bundle run --config_file {name}/configs/inference.json --dataset_dir FOLDER`.

`monai.bundle ckpt_export`, `onnx_export` and `trt_export` convert one network with one file of weights. Where `models/`
holds those of several folds (`model_fold<K>.pt`), what they give is one network of these, not this bundle, and they say
no word of it.

{objects}`work/` holds paths and patient ids of the training cohort: leave it out when you hand this bundle on.

{details}
"""
OBJECTS = """`medunet predict` numbers the objects, 16 bits a pixel. MONAI alone writes what the network knows: 1 is the
interior of an object, 2 its border with another one. `medunet.objects.separate_objects` makes numbers of it.

"""

OTHER_COHORT = "evaluate it on another one with --cohort, or train a bundle of your own with --from this one"


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle.

    Attributes:
        folder: its root.
        plan: configs/plan.json.
        inference: configs/inference.json, as plain data.
        metadata: configs/metadata.json.
        trust: its user knows who wrote it, so that MONAI may evaluate what it holds beyond data.
    """

    folder: Path
    plan: Plan
    inference: dict[str, Any]
    metadata: Metadata
    trust: bool = False

    @property
    def task(self) -> Task:
        """What it segments, by its plan."""
        return self.plan.task

    @property
    def work(self) -> Path:
        """Folder of what training needs and users of the trained bundle don't: cohort, cache, runs."""
        return self.folder / "work"

    @property
    def preprocessing(self) -> list[dict[str, Any]]:
        """The inference chain as data, without what keeps MONAI alone from images that medunet's reader refuses."""
        steps: list[dict[str, Any]] = self.inference["preprocessing"]["transforms"]
        guards = refuse_nan(self.plan.task)
        return [step for step in steps if step not in guards]

    @property
    def has_cohort(self) -> bool:
        """Whether the cohort that it is trained on came with it."""
        return (self.work / "cohort.json").is_file()

    @property
    def name(self) -> str:
        """Name of the bundle: that of its metadata, or of its folder where they say nothing."""
        return self.metadata.name or self.folder.resolve().name

    def trained(self) -> TrainingFacts:
        """What its training came to.

        Raises:
            BundleError: it wasn't trained.
        """
        if self.metadata.training is None:
            remedy = f"train it first with: medunet train {self.folder}"
            raise BundleError(self.folder, "the bundle has no weights", remedy, code="weights-missing")
        return self.metadata.training

    def cohort(self) -> Cohort:
        """The cohort that it is trained on.

        Raises:
            BundleError: the bundle came without one.
        """
        if not self.has_cohort:
            raise BundleError(self.folder, "it came without its training cohort", OTHER_COHORT)
        return read_cohort(self.work / "cohort.json")


def write_bundle(
    folder: Path,
    plan: Plan,
    fingerprint: Fingerprint,
    cohort: Cohort,
    further: Makers,
    fill: Callable[[Path], None] | None = None,
) -> Bundle:
    """Write a new bundle, whole or not at all.

    Args:
        folder: that is made.
        plan: what it follows from.
        fingerprint: what was measured of the cohort; cases are numbered in it, since a bundle is handed on.
        cohort: that it will be trained on.
        further: configurations beside `inference.json` and `evaluate.json`, such as those that train it.
        fill: writes more into the folder before it has its name.

    Raises:
        OutputExistsError: the folder exists.
    """
    name = folder.resolve().name
    with whole_folder(folder) as part:
        for place in ("configs", "docs", "models", "work"):
            (part / place).mkdir()
        _write_plan(part, plan, name, further)
        write_record(part / "configs" / "fingerprint.json", _without_names(fingerprint))
        write_cohort(part / "work" / "cohort.json", cohort)
        write_rules(part / "configs", plan.task)
        (part / "LICENSE").write_text(LICENSE, encoding="utf-8")
        if fill is not None:
            fill(part)
    return open_bundle(folder)


def rewrite_bundle(bundle: Bundle, plan: Plan, further: Makers) -> Bundle:
    """Give a bundle another plan: plan, configurations, metadata and card.

    Args:
        bundle: whose training hasn't begun, since weights and runs stay as they are.
        plan: the other one.
        further: configurations, as of `write_bundle`.
    """
    _write_plan(bundle.folder, plan, bundle.name, further)
    return open_bundle(bundle.folder)


def find_stale(bundle: Bundle, further: Makers) -> list[str]:
    """Names of configurations that aren't what the plan makes, since it or they were edited; a temperature is no edit.

    Args:
        bundle: as it was opened.
        further: configurations, as of `write_bundle`; one that the bundle hasn't is none of these.
    """
    # Through JSON, which knows no tuples.
    files = tuple(bundle.metadata.fold_weights)
    makers: Makers = {name: partial(make, files=files) for name, make in OF_NETWORKS.items()} | dict(further)
    made = {
        bundle.folder / "configs" / name: json.loads(json.dumps(make(bundle.plan))) for name, make in makers.items()
    }
    own = bundle.folder / "configs" / "inference.json"
    made[own] = set_temperature(made[own], find_temperature(bundle.inference["postprocessing"]["transforms"]))
    return [path.name for path, config in made.items() if path.is_file() and read_json(path) != config]


def _write_plan(folder: Path, plan: Plan, name: str, further: Makers) -> None:
    configs = folder / "configs"
    makers: Makers = {**OF_NETWORKS, **further}
    write_record(configs / "plan.json", plan)
    for config, make in makers.items():
        write_json(configs / config, make(plan))
    write_json(configs / "metadata.json", make_metadata(plan, name).to_json())
    with whole_file(folder / "docs" / "README.md") as part:
        part.write_text(_make_card(name, plan), encoding="utf-8")


def _without_names(fingerprint: Fingerprint) -> Fingerprint:
    """Number the cases: a bundle is handed on, patient ids are not."""
    cases = tuple(case.model_copy(update={"id": f"case {n}"}) for n, case in enumerate(fingerprint.cases, start=1))
    return fingerprint.model_copy(update={"cases": cases})


def _make_card(name: str, plan: Plan) -> str:
    details = "\n".join(f"- {key}: {reason}" for key, reason in plan.reasons.items())
    return CARD.format(
        name=name,
        network=plan.network.describe(),
        labels=", ".join(region.name for region in plan.task.labels.structures),
        modalities=", ".join(plan.task.modalities.values()),
        details=details,
        objects=OBJECTS if plan.task.objects else "",
    )


def open_bundle(folder: Path, *, trust: bool = False) -> Bundle:
    """Open a bundle and check that its parts are there and its keys known; nothing of it is evaluated.

    Args:
        folder: its root.
        trust: as in `Bundle`.

    Raises:
        BundleError: it is no bundle of medunet, or a key of inference.json is unknown or missing.
        RecordError: the same of plan.json, or a key of it or of metadata.json is of the wrong kind.
    """
    if not (folder / "configs" / "plan.json").is_file():
        found = "it is no bundle of medunet (configs/plan.json is missing)"
        further = any((folder / "configs").glob("inference.*"))
        remedy = "make one that goes on from it with medunet init COHORT BUNDLE --from" if further else ""
        first = "make one with medunet init, or take one that medunet bundle list tells; a bundle goes before scans"
        raise BundleError(folder, found, remedy or first)
    plan = read_plan(folder / "configs" / "plan.json")
    if plan.network.given or plan.grid.steps or plan.training.augmentation or isinstance(plan.training.loss, dict):
        _check_given(plan, folder / "configs" / "plan.json")
    path = folder / "configs" / "inference.json"
    inference = read_json(path)
    known = ENSEMBLE_KEYS if "networks" in inference else INFERENCE_KEYS
    for key in inference:
        if key not in known:
            raise BundleError(path, f"the key '{key}' is unknown", suggest(key, list(known)))
    for key in known:
        if key not in inference:
            raise BundleError(path, f"the key '{key}' is missing", "restore the file, or make the bundle again")
    metadata = read_record(folder / "configs" / "metadata.json", Metadata)
    return Bundle(folder=folder, plan=plan, inference=inference, metadata=metadata, trust=trust)


def _check_given(plan: Plan, path: Path) -> None:
    """Refuse a plan that names parts, which configurations are made of, that are no data or not of MONAI."""
    network = plan.network.given.definition if plan.network.given else None
    if network is not None:
        if find_network(network) is None or runs_more(network):
            raise _refuse_part(path, "network.given.definition", network, "network")
        check_stated(network, plan)
    loss = plan.training.loss
    if isinstance(loss, dict) and (find_loss(loss) is None or runs_more(loss)):
        raise _refuse_part(path, "training.loss", loss, "loss")
    steps = {"grid.steps": plan.grid.steps or (), "training.augmentation": plan.training.augmentation}
    for key, parts in steps.items():
        for number, step in enumerate(parts):
            if find_transform(step) is None or runs_more(step):
                raise _refuse_part(path, f"{key}.{number}", step, "transform")


def _refuse_part(path: Path, key: str, part: Mapping[str, Any], kind: str) -> BundleError:
    found = f"'{key}' is {part.get('_target_')!r}, no {kind} of MONAI's that medunet knows, or holds an expression"
    return BundleError(path, found, "correct it, or restore the file from a copy", code="bundle-untrusted")
