"""How well the column `trust` of a shipped bundle tells good masks from bad ones, and shifted scans from ordinary ones.

python workflows/claims/trust_score.py BUNDLE --data FOLDER --out FOLDER [--write]

Every held-out patient is predicted by the one network that never saw it, in float32; so are scans of other kinds that
are made of them, unless the scan alone gives them away. Whatever is compared with training (ranges, limits) is made
without that patient each time. `--out` keeps what was measured of each case, so that a run goes on. `--write` puts the
limits of all cases together into the bundle's metadata.json.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from command import finish
from trust_numbers import find_interval, measure_auroc
from trust_shifts import SHIFTS, keep

from medunet.bundle import (
    Bundle,
    Recipe,
    TrustFacts,
    load_weights,
    open_bundle,
    summarize_seen,
    take_recipe,
)
from medunet.cohort import Case, Cohort, find_cohort, open_case, read_channel, read_folds, take_percentiles
from medunet.confidence import Confidence, Limits, Reason
from medunet.evaluation.intervals import find_share_interval
from medunet.inference import Predictor, Scan, predict_scan
from medunet.inference.backends import MeanBackend, TorchBackend
from medunet.inference.computing import PLAIN, describe_computed
from medunet.inference.judgement import judge_numbers, judge_scan, measure_contacts, measure_noise
from medunet.inference.likeness import find_scale, find_unlike
from medunet.labels import Mask
from medunet.measuring import Fingerprint, ValueRange
from medunet.networks import build_network
from medunet.progress import track
from medunet.reading import ReadOptions, Volume, find_image
from medunet.records import read_json, read_record, write_json

BAD = 0.7
"""Dice below which a mask is bad."""
LOW, HIGH = 0.05, 0.90
"""Shares of ordinary scans: below the score and up to the contact from which they are looked at."""


class Bench:
    """One bundle and the patients that each of its networks never saw.

    Args:
        bundle: a shipped one.
        data: the cohort of its training, with its folds.
        out: folder that keeps what was measured.
    """

    def __init__(self, bundle: Path, data: Path, out: Path) -> None:
        self.bundle: Bundle = open_bundle(bundle)
        self.out = out
        task = self.bundle.task
        found = find_cohort(data, channels=task.channels, objects=task.labels.objects)
        self.cohort: Cohort = read_folds(data / "folds.json", found)
        self.fingerprint = read_record(bundle / "configs" / "fingerprint.json", Fingerprint)
        self.data = data
        self._predictors: dict[int, Predictor] = {}

    def list_held_out(self) -> list[tuple[int, Case]]:
        """Every case with the fold whose network never saw it."""
        folds = range(len(self.cohort.folds or ()))
        trained = self.bundle.trained().fold
        patients = {name: fold for fold in folds for name in (self.cohort.folds or ())[fold]}
        return [
            (patients[case.patient], case)
            for case in self.cohort.cases
            if case.patient in patients and trained in ("all", patients[case.patient])
        ]

    def open(self, fold: int) -> Predictor:
        """The network of a fold in float32."""
        if fold not in self._predictors:
            many = bool(self.bundle.metadata.fold_weights)
            recipe, files = take_recipe(self.bundle, fold if many else None)
            network, window = build_network(recipe.network), recipe.window
            hashes = {path.name: load_weights(path, network, digest) for path, digest in files.items()}
            shape = (recipe.task.count_inputs(), *window.patch)
            count = len(recipe.decision.values)
            backend = MeanBackend(lambda: TorchBackend(torch.device("cpu"), torch.float32), count)
            self._predictors[fold] = Predictor(
                recipe, backend.open(network, shape, window.dims), hashes, describe_computed(backend, PLAIN)
            )
        return self._predictors[fold]

    def read(self, case: Case) -> dict[str, Volume]:
        """The images of a case."""
        return {name: read_channel(case, name) for name in self.cohort.channels}

    def predict(self, fold: int, case: Case, volumes: Mapping[str, Volume]) -> Mask:
        """Predict images by the network of a fold, through files as anybody would."""
        recipe = self.open(fold).recipe
        ending = ".png" if recipe.task.unit == "px" else ".nii.gz"
        with tempfile.TemporaryDirectory() as folder:
            images = {}
            for key, (name, volume) in zip(recipe.inputs, volumes.items(), strict=True):
                path = volume.save(Path(folder) / f"{name}{ending}")
                images[key] = find_image(path, ReadOptions())
            return predict_scan(self.open(fold), Scan(case.id, images))


def measure_ordinary(bench: Bench, fold: int, case: Case) -> dict[str, Any]:
    """What is kept of a held-out case that is as it should be."""
    volumes = keep(bench.read(case), bench.data, 0)
    recipe = bench.open(fold).recipe
    mask = bench.predict(fold, case, volumes)
    truth = open_case(bench.cohort, case)[1]
    kept = measure_mask(mask)
    known = {region.name for region in truth.list_known()}
    for name, own in kept.items():
        own["dice"] = measure_dice(truth, mask, name) if name in known else None
    images = zip(recipe.inputs, volumes.items(), strict=True)
    return {
        "id": case.id,
        "structures": kept,
        "truth": truth.volumes_ml(),
        "shape": next(iter(volumes.values())).grid.shape,
        "values": {name: take_percentiles(volume.voxels) for name, volume in volumes.items()},
        "noise": {name: measure_noise(volume.voxels, find_scale(recipe, key)) for key, (name, volume) in images},
    }


def measure_mask(mask: Mask) -> dict[str, dict[str, Any]]:
    """Score, contact with the border and volume of each structure."""
    sure, contacts, volumes = mask.confidence, measure_contacts(mask), mask.volumes_ml()
    return {
        item.name: {"expected": item.expected, "contact": contacts[item.name], "volume": volumes[item.name]}
        for item in (sure.structures if sure else ())
    }


def measure_dice(truth: Mask, mask: Mask, name: str) -> float:
    """Dice of a label, of objects that of all together; 1 where there is none in either."""
    values = next(region.values for region in truth.table.structures if region.name == name)
    one, other = (
        item.voxels > 0 if item.kind == "instances" else np.isin(item.voxels, values) for item in (truth, mask)
    )
    whole = int(one.sum() + other.sum())
    return float(2 * (one & other).sum() / whole) if whole else 1.0


def make_facts(rows: Sequence[Mapping[str, Any]]) -> TrustFacts:
    """Limits and ranges of ordinary cases."""
    limits = {}
    for name in rows[0]["structures"]:
        own = [row["structures"][name] for row in rows]
        scores = [item["expected"] for item in own if item["expected"] is not None]
        contact = float(np.quantile([item["contact"] for item in own], HIGH))
        limits[name] = Limits(score=round(float(np.quantile(scores, LOW)), 4), contact=round(contact, 4))
    values, noise = {}, {}
    for name in rows[0]["values"]:
        found = np.array([row["values"][name] for row in rows])
        low, middle, high = zip(found.min(axis=0).tolist(), found.max(axis=0).tolist(), strict=True)
        values[name] = ValueRange(low=low, middle=middle, high=high)
        known = [row["noise"][name] for row in rows if row["noise"][name] is not None]
        noise[name] = (float(f"{min(known):.4g}"), float(f"{max(known):.4g}"))
    return TrustFacts(limits=limits, values=values, noise=noise)


def leave_patient_out(bench: Bench, recipe: Recipe, rows: Sequence[Mapping[str, Any]], number: int) -> Recipe:
    """The recipe as it would compare a scan if one case had never been seen, neither by training nor by limits."""
    row = rows[number]
    facts = make_facts([*rows[:number], *rows[number + 1 :]])
    cases = [case for case in bench.fingerprint.cases if not _is_case(case, row)]
    seen = summarize_seen(bench.fingerprint.model_copy(update={"cases": tuple(cases)}), recipe.task, facts)
    return replace(recipe, seen=seen, values=facts.values)


def _is_case(case: Any, row: Mapping[str, Any]) -> bool:
    return sorted(case.shape) == sorted(row["shape"]) and all(
        abs(case.label_ml[name] - volume) <= 0.001 * volume + 0.01 for name, volume in row["truth"].items()
    )


def measure_shifted(
    bench: Bench, held: tuple[int, Case], recipe: Recipe, volumes: Mapping[str, Volume], row: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What speaks against a scan, and what is measured of its mask where nothing does: only then the network runs."""
    fold, case = held
    images = {name: (volume.voxels, volume.grid) for name, volume in volumes.items()}
    reasons = judge_scan(images, recipe, list(find_unlike(images, recipe, case.id)))
    structures = row and row["structures"]
    if not reasons and row is None:
        structures = measure_mask(bench.predict(fold, case, volumes))
    return {"scan": [reason.model_dump(mode="json") for reason in reasons], "structures": structures}


def judge_shifted(found: Mapping[str, Any], recipe: Recipe) -> Confidence:
    """The word of the column and its reasons."""
    structures = found["structures"] or {}
    volumes, contacts = ({name: own[key] for name, own in structures.items()} for key in ("volume", "contact"))
    scores = {name: (own["expected"], None) for name, own in structures.items()}
    return judge_numbers(volumes, contacts, scores, recipe, [Reason(**reason) for reason in found["scan"]])


def keep_result(path: Path, make: Any) -> Any:
    """What lies in a file, made first where it isn't there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, make())
    return read_json(path)


def measure_bundle(bench: Bench) -> tuple[list[dict[str, Any]], dict[str, list[Confidence]]]:
    """Every ordinary case, and by kind of scan how it is judged, ordinary ones first."""
    held = bench.list_held_out()
    rows = [
        keep_result(bench.out / f"{case.id}.json", partial(measure_ordinary, bench, fold, case))
        for fold, case in track(held, "held-out cases", len(held))
    ]
    judged: dict[str, list[Confidence]] = {}
    for number, (fold, case) in enumerate(track(held, "shifted cases", len(held))):
        recipe = leave_patient_out(bench, bench.open(fold).recipe, rows, number)
        volumes = bench.read(case)
        for kind, shift in {"ordinary": keep, **SHIFTS[bench.bundle.task.unit]}.items():
            made = shift(volumes, bench.data / case.patient, number)
            if made is not None:
                row = rows[number] if kind == "ordinary" else None
                measure = partial(measure_shifted, bench, (fold, case), recipe, made, row)
                found = keep_result(bench.out / "shifted" / f"{case.id} {kind}.json", measure)
                judged.setdefault(kind, []).append(judge_shifted(found, recipe))
    return rows, judged


def tell(rows: Sequence[Mapping[str, Any]], judged: Mapping[str, list[Confidence]]) -> Iterator[str]:
    """Lines of the result, in Markdown."""
    for name in rows[0]["structures"]:
        own = [found for row in rows if (found := row["structures"][name])["dice"] is not None]
        bad = [item["dice"] < BAD for item in own]
        yield f"{name}: {sum(bad)} of {len(bad)} masks have a Dice below {BAD}"
        numbers = {
            "expected Dice": [item["expected"] or 0.0 for item in own],
            "predicted volume": [item["volume"] for item in own],
        }
        for what, values in numbers.items():
            low, high = find_interval(values, bad)
            yield f"{what}: AUROC {measure_auroc(values, bad):.3f} ({low:.3f} to {high:.3f})"
    words = {kind: [item.trust for item in found] for kind, found in judged.items()}
    yield "\n| scans | n | as trained | look | outside training | look or worse |\n|---|---|---|---|---|---|"
    shifted = [word for kind, found in words.items() if kind != "ordinary" for word in found]
    for kind, found in {**words, "all shifted": shifted}.items():
        counts = [found.count(word) for word in ("as trained", "look", "outside training")]
        low, high = find_share_interval(len(found) - counts[0], len(found))
        share = f"{1 - counts[0] / len(found):.0%} ({low:.0%} to {high:.0%})"
        yield f"| {kind} | {len(found)} | {' | '.join(map(str, counts))} | {share} |"


def write_facts(bench: Bench, rows: Sequence[Mapping[str, Any]], judged: Mapping[str, list[Confidence]]) -> None:
    """Put the limits of all cases into the bundle's metadata.json, with what they come to."""
    shares = {kind: [sum(item.trust != "as trained" for item in found), len(found)] for kind, found in judged.items()}
    facts = make_facts(rows).model_copy(
        update={"validation": {"script": "workflows/claims/trust_score.py", "cases": len(rows), "looked_at": shares}}
    )
    path = bench.bundle.folder / "configs" / "metadata.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**content, "trust": facts.model_dump(mode="json")})


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the cohort, with folds.json")
    parser.add_argument("--out", type=Path, default=Path("trust"), help="folder for what was measured of each case")
    parser.add_argument("--write", action="store_true", help="put the limits into the bundle")
    arguments = parser.parse_args()

    def run() -> None:
        bench = Bench(arguments.bundle, arguments.data, arguments.out)
        rows, judged = measure_bundle(bench)
        print("\n".join(tell(rows, judged)))
        if arguments.write:
            write_facts(bench, rows, judged)

    return finish("trust_score", run)


if __name__ == "__main__":
    sys.exit(main())
