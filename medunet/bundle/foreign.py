"""Bundles from elsewhere, in the conventions of MONAI's zoo: opened, checked, and made a recipe, as data.

Only what is reachable from network, preprocessing, inferer, postprocessing and the path of the weights counts; all
other keys are ignored. Nothing is evaluated unless the bundle is trusted, and then only what isn't understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from medunet.bundle.folder import OTHER_COHORT, Bundle, open_bundle
from medunet.bundle.foreign_steps import (
    CORRECT,
    Chain,
    Restoring,
    UntrustedStepError,
    holds,
    join_files,
    name_target,
    read_chain,
    read_postprocessing,
)
from medunet.bundle.foreign_task import (
    check_segments,
    count_axes,
    count_outputs,
    make_task,
    name_outputs,
)
from medunet.bundle.foreign_weights import find_foreign_weights
from medunet.bundle.foreign_window import find_unit, read_window
from medunet.bundle.literals import Literals, Mark, find_entry, read_config
from medunet.bundle.metadata import Metadata, TrainingFacts
from medunet.bundle.parts import Decision, Evaluated, Recipe, Step
from medunet.bundle.recipe import make_recipe
from medunet.bundle.trust import TRUST
from medunet.bundle.weights import find_weights, join_hashes
from medunet.cohort import Cohort
from medunet.errors import BundleError
from medunet.files import hash_file
from medunet.findings import warn
from medunet.networks import find_arguments, find_network
from medunet.preparation import instantiate
from medunet.records import check_record, read_json
from medunet.task import Task

CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
NEEDED = ("network_def", "preprocessing", "inferer", "postprocessing")
"""Keys of MONAI's conventions without which nothing can be predicted."""
HELD = "MONAI's own postprocessing of this bundle holds all outputs of a scan in memory, on both grids"
MOST_OUTPUTS = 255
"""As many label values fit 8 bits."""


@dataclass(frozen=True, eq=False)
class ForeignBundle:
    """An opened bundle from elsewhere.

    Attributes:
        folder: its root.
        path: its configuration of inference.
        inference: what that holds, as plain data.
        described: what its metadata.json holds.
        trust: its user knows who wrote it, so that MONAI may evaluate what it holds beyond data.
    """

    folder: Path
    path: Path
    inference: dict[str, Any]
    described: dict[str, Any]
    trust: bool = False

    @property
    def work(self) -> Path:
        """Folder of what medunet makes with it."""
        return self.folder / "work"

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self.folder.resolve().name

    @cached_property
    def reading(self) -> "Reading":
        """How it predicts; errors as of `read_foreign`."""
        return read_foreign(self)

    @property
    def task(self) -> Task:
        """What it segments; errors as of `read_foreign`."""
        return self.reading.recipe.task

    @property
    def metadata(self) -> Metadata:
        """What medunet takes of its metadata.json, and the SHA-256 of its weights."""
        found = {"name": self.name, "weights_sha256": hash_file(self.reading.weights)}
        for key in ("version", "task", "description"):
            found[key] = str(self.described.get(key, ""))
        return check_record(found, Metadata, str(self.folder))

    def trained(self) -> TrainingFacts:
        """What is known of its training: not on whom it was."""
        return TrainingFacts(fold="all")

    def cohort(self) -> Cohort:
        """The cohort that it was trained on.

        Raises:
            BundleError: always, since such bundles come without it.
        """
        raise BundleError(self.folder, "it came without its training cohort", OTHER_COHORT)


def find_config(folder: Path) -> Path | None:
    """The configuration of inference of a bundle from elsewhere, None where the folder is none."""
    if (folder / "configs" / "plan.json").is_file():
        return None
    found = (folder / "configs" / name for name in CONFIGS)
    return next((path for path in found if path.is_file()), None)


def open_any_bundle(folder: Path, *, trust: bool = False) -> Bundle | ForeignBundle:
    """Open a bundle of medunet, or one in the conventions of MONAI's zoo; nothing of it is evaluated.

    Args:
        folder: its root.
        trust: its user knows who wrote it.

    Raises:
        BundleError: it is none, or a part is missing.
        ExtraError: its configuration is YAML, and nothing that reads it is installed.
    """
    path = find_config(folder)
    if path is None:
        return open_bundle(folder, trust=trust)
    config = read_config(path)
    metadata = read_json(folder / "configs" / "metadata.json")
    if not isinstance(config, dict) or not isinstance(metadata, dict):
        raise BundleError(path if isinstance(metadata, dict) else folder, "it holds no keys", CORRECT)
    return ForeignBundle(folder, path, {**config, "bundle_root": str(folder.absolute())}, metadata, trust)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A bundle from elsewhere, as far as it is understood.

    Attributes:
        recipe: by which it predicts; what isn't understood is left out of it unless it is trusted.
        weights: its file of weights.
        odd: text of each reachable entry that isn't understood, by its key.
        ignored: keys that nothing refers to which counts.
    """

    recipe: Recipe
    weights: Path
    odd: Mapping[str, str]
    ignored: tuple[str, ...]


def read_foreign(bundle: ForeignBundle, *, refuse: bool = True) -> Reading:
    """Read a bundle from elsewhere.

    Args:
        bundle: as it was opened.
        refuse: what isn't understood, and isn't trusted, is an error; else it is only listed.

    Raises:
        BundleError: it isn't for segmentation, a part is missing or can't be used, or it holds more than data.
    """
    check_segments(bundle.described, bundle.folder / "configs" / "metadata.json")
    for key in NEEDED:
        if key not in bundle.inference:
            raise BundleError(bundle.path, f"the key '{key}' of MONAI's conventions is missing", CORRECT)
    return _Reader(bundle, Literals(_without_wiring(bundle.inference))).read(refuse=refuse)


def _without_wiring(value: Any) -> Any:
    """A configuration without what says how a result is saved, and through which chain it is brought back."""
    if isinstance(value, list):
        return [_without_wiring(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = name_target(value) if "_target_" in value else ""
    if name == "SaveImaged":
        return {"_target_": name}
    return {key: _without_wiring(item) for key, item in value.items() if not (name == "Invertd" and key == "transform")}


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Makes a recipe of a bundle.

    Attributes:
        bundle: from elsewhere.
        literals: reads its configuration.
    """

    bundle: ForeignBundle
    literals: Literals

    def read(self, *, refuse: bool) -> Reading:
        """See `read_foreign`."""
        network, inferer = self._read_network(), self.literals.read("inferer")
        steps = self.literals.read("preprocessing::transforms")
        self._check_known(inferer, "inferer")
        self._check_known(steps[:1] if isinstance(steps, list) else steps, "preprocessing")
        chain = read_chain(steps, self.bundle.path)
        dims = self._find_dims(network)
        outputs = self._count_outputs(network)
        window = read_window(inferer, dims, self.bundle.path)
        decision, restoring, notes, missed = self._read_decision(outputs)
        weights, entry = find_foreign_weights(self.literals, self.bundle.folder, self.bundle.path)
        odd = {key: text for key, text in self.literals.odd.items() if not key.startswith("postprocessing")} | missed
        if refuse and odd and not self.bundle.trust:
            self._distrust(odd)
        evaluated, steps = Evaluated(pickles=self.bundle.trust), chain.steps
        names: dict[int, str] = {}
        if odd and self.bundle.trust:
            evaluated, steps, names = self._evaluate(odd, chain, outputs, dims)
        own = None if evaluated.postprocessing is not None else decision
        restoring = "nearest" if chain.nearest else restoring
        unit = find_unit(inferer, dims)
        task = make_task(self.bundle.described, chain, unit, own, names)
        self._check_inputs(network, task, chain)
        network, dropped = self._drop_arguments(network, evaluated)
        recipe = Recipe(
            name=self.bundle.name,
            version=str(self.bundle.described.get("version") or "0"),
            task=task,
            inputs=task.image_keys(),
            preprocessing=(*self._load(task, chain), *steps),
            network=network,
            window=window,
            restoring=restoring,
            decision=decision,
            trusted=self._hash_sources() if odd and self.bundle.trust else "",
            origin="elsewhere",
            entry=entry,
            notes=(*dropped, *(_list_notes(chain, restoring, notes) if own else (HELD,))),
            evaluated=evaluated,
        )
        return Reading(recipe, weights, odd, self._list_ignored())

    def _distrust(self, odd: Mapping[str, str]) -> None:
        (key, text), more = next(iter(odd.items())), len(odd) - 1
        others = f", and {more} more like it" if more else ""
        found = f"'{key}' is {text[:120]!r}, which is more than data{others}"
        raise BundleError(self.bundle.path, found, TRUST, code="bundle-untrusted")

    def _check_known(self, value: Any, key: str) -> None:
        """Refuse a value without which nothing can be read of a bundle, trusted or not."""
        if holds(value, Mark.UNKNOWN):
            odd = self.literals.odd
            place = next((name for name in odd if name.startswith(key)), next(iter(odd)))
            text = odd[place]
            found = f"'{place}' is {text[:120]!r}, which isn't understood"
            raise BundleError(self.bundle.path, found, "write it as data, or predict with MONAI alone")

    def _read_network(self) -> Step:
        """The dictionary of the network; listed as odd where it isn't one that is known."""
        key = "network" if "network" in self.bundle.inference else "network_def"
        network = self.literals.read(key)
        if not isinstance(network, dict):
            network = find_entry(self.bundle.inference, "network_def")
        if not isinstance(network, dict) or "_target_" not in network:
            raise BundleError(self.bundle.path, "'network_def' names no network", CORRECT)
        if find_network(network) is None:
            self.literals.odd.setdefault("network_def::_target_", str(network["_target_"]))
        return network

    def _drop_arguments(self, network: Step, evaluated: Evaluated) -> tuple[Step, list[str]]:
        if evaluated.network is not None or find_network(network) is None or holds(network, Mark.UNKNOWN):
            return network, []
        kept, dropped = find_arguments(network)
        target = network["_target_"]
        notes = [f"'{name}' of {target} is left out: this MONAI has no such argument" for name in dropped]
        return {"_target_": target, **kept}, notes

    def _find_dims(self, network: Step) -> Literal[2, 3]:
        dims = network.get("spatial_dims") or count_axes(self.bundle.described) or 3
        if dims not in (2, 3):
            raise BundleError(self.bundle.path, f"'network_def::spatial_dims' is {dims!r}, neither 2 nor 3", CORRECT)
        return 2 if dims == 2 else 3

    def _count_outputs(self, network: Step) -> int:
        own = network.get("out_channels", network.get("num_classes"))
        outputs = own if isinstance(own, int) else count_outputs(self.bundle.described)
        if not 0 < outputs <= MOST_OUTPUTS:
            found = f"its network has {outputs} outputs, not from 1 to {MOST_OUTPUTS}"
            raise BundleError(self.bundle.path, found, "run it with monai.bundle")
        return outputs

    def _read_decision(self, outputs: int) -> tuple[Decision, Restoring, tuple[str, ...], dict[str, str]]:
        """The decision, and what of postprocessing isn't understood."""
        key = "postprocessing::transforms"
        try:
            return *read_postprocessing(self.literals.read(key), outputs, self.bundle.path), {}
        except UntrustedStepError as error:
            odd = {name: text for name, text in self.literals.odd.items() if name.startswith("postprocessing")}
            plain = Decision("largest", tuple(range(outputs)))
            return plain, "nearest", (), odd or {f"{key}::{error.number}": error.name}

    def _evaluate(
        self, odd: Mapping[str, str], chain: Chain, outputs: int, axes: int
    ) -> tuple[Evaluated, tuple[Any, ...], dict[int, str]]:
        """What MONAI makes of what isn't understood: parts, steps of the chain, names of label values."""
        from medunet.bundle.foreign_parser import Parser  # runs code of others, so it isn't there unless it's asked for

        parser = Parser(self.bundle.folder, self.bundle.path, self.bundle.inference)
        pre, post = ("preprocessing::transforms::", "postprocessing")
        network = None if all(key.startswith((pre, post)) for key in odd) else parser.make("network_def")
        steps = [parser.make(f"{pre}{step}") if isinstance(step, int) else step for step in chain.steps]
        if not any(key.startswith(post) for key in odd):
            return Evaluated(network, None, pickles=True), tuple(steps), {}
        steps = instantiate(steps)
        postprocessing = parser.make_postprocessing(steps)
        values, outputs_named = postprocessing.probe(outputs, axes), name_outputs(self.bundle.described)
        named = {value: outputs_named[n] for n, value in enumerate(values) if value and n in outputs_named}
        names = {value: f"label {value}" for value in range(1, outputs)} if not values else {}
        return Evaluated(network, postprocessing, pickles=True), tuple(steps), {**names, **named}

    def _load(self, task: Task, chain: Chain) -> list[Step]:
        if len(chain.keys) == 1 and len(task.channels) > 1:
            return join_files(task.channels, chain)
        return [{"_target_": "LoadImaged", "keys": list(chain.keys)}]

    def _check_inputs(self, network: Step, task: Task, chain: Chain) -> None:
        if chain.keys != ("image",) and len(chain.keys) == 1:
            raise BundleError(self.bundle.path, f"its image has the key '{chain.keys[0]}', not 'image'", CORRECT)
        wanted = network.get("in_channels")
        if isinstance(wanted, int) and wanted != task.count_inputs():
            found = f"its network takes {wanted} channels, but a scan has {task.count_inputs()} by metadata.json"
            raise BundleError(self.bundle.path, found, "correct the one that is wrong, or run it with monai.bundle")

    def _hash_sources(self) -> str:
        """One SHA-256 for the configuration and the bundle's own Python."""
        files = [self.bundle.path, *sorted(self.bundle.folder.rglob("*.py"))]
        return join_hashes({str(path.relative_to(self.bundle.folder)): hash_file(path) for path in files})

    def _list_ignored(self) -> tuple[str, ...]:
        used = self.literals.used | {*NEEDED, "network", "bundle_root"}
        return tuple(key for key in self.bundle.inference if key not in used)


def _list_notes(chain: Chain, restoring: Restoring, notes: tuple[str, ...]) -> tuple[str, ...]:
    """What is done otherwise than by MONAI; its nearest voxel after these two is that of an index rounded down."""
    names = {name_target(step) for step in chain.steps if isinstance(step, dict)} & {"Resized", "Zoomd"}
    moved = "MONAI brings labels back through {} up to half a voxel off; here they lie right"
    more = (moved.format(names.pop()),) if names and restoring == "nearest" else ()
    return (*chain.notes, *notes, *more)


def tell_unoriented(recipe: Recipe, path: Path) -> None:
    """Warn where a network sees the axes of a scan as they are stored, which in DICOM aren't those of NIfTI."""
    names = [name_target(step) if isinstance(step, dict) else type(step).__name__ for step in recipe.preprocessing]
    if recipe.task.unit == "mm" and "Orientationd" not in names:
        found = "its chain doesn't orient scans, so its network sees rows and columns as they are stored"
        remedy = "compare its masks of DICOM with those of NIfTI as in its training, whose rows run the other way"
        warn("bundle-unoriented", path, found, remedy)


def take_recipe(bundle: Bundle | ForeignBundle, fold: int | None = None) -> tuple[Recipe, dict[Path, str]]:
    """The recipe of any bundle, and its files of weights with the SHA-256 that each must have.

    Args:
        bundle: as it was opened.
        fold: only of the network of this fold.

    Raises:
        BundleError: as `make_recipe`, `find_weights` and `read_foreign`.
        InputError: it has no network of this fold.
    """
    if isinstance(bundle, Bundle):
        return make_recipe(bundle), find_weights(bundle.folder, bundle.metadata, fold)
    reading = bundle.reading
    tell_unoriented(reading.recipe, bundle.path)
    return reading.recipe, {reading.weights: hash_file(reading.weights)}
