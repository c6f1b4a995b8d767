"""The sections of a model card, in Markdown, each from the records of a bundle."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod
from statistics import median

from medunet.bundle import Bundle
from medunet.bundle.metadata import FOUND_LITTLE
from medunet.calibration import Calibration
from medunet.evaluation import CaseScore, Distribution, Scores, SummaryRow, compare_methods, summarize
from medunet.evaluation.intervals import NEEDED, find_share_interval
from medunet.evaluation.summary import FEW
from medunet.handover.checklists import LINES, NONE
from medunet.handover.statements import Statements, find_meaning
from medunet.measuring import Fingerprint
from medunet.report.distributions import KINDS, Write
from medunet.report.worst import describe_failure, list_worst

MISSING = "**missing**"
MANY = 8
"""Labels above which each has one line of results."""
LOWEST = 3
"""Labels of a case that failures list."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card is made of.

    Attributes:
        bundle: whose card it is.
        statements: of people.
        fingerprint: of its cohort.
        scores: of held-out cases.
        calibration: of its probabilities.
        pictures: of its worst cases, in order, as paths from the card.
    """

    bundle: Bundle
    statements: Statements
    fingerprint: Fingerprint | None = None
    scores: Scores | None = None
    calibration: Calibration | None = None
    pictures: tuple[str, ...] = ()

    @property
    def volume(self) -> str:
        """Unit of volumes."""
        return "mL" if self.bundle.task.unit == "mm" else "px"

    def tell(self, *keys: str) -> Iterator[str]:
        """What people said, a line for each key."""
        for key in keys:
            said = " ".join(getattr(self.statements, key).split())
            name = key.replace("_", " ")
            yield f"- {name}: {said or f'{MISSING} ({find_meaning(key)[0].lower()}{find_meaning(key)[1:]})'}"


def list_sections(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each section."""
    yield "Device", list(_tell_device(facts))
    use = facts.bundle.metadata.intended_use or MISSING
    yield "Intended use", [use, "", *facts.tell("users", "indications", "workflow", "regulatory")]
    yield "Data", list(_tell_data(facts))
    plan = facts.bundle.plan
    reasons = [f"- {key}: {reason}" for key, reason in plan.reasons.items()]
    summary = f"<details><summary>Each number of the plan of this {plan.network.describe()}, and why</summary>"
    yield "How it was planned", [summary, "", *reasons, "", "</details>"]
    yield "Protocol", list(_tell_protocol(facts))
    yield "Results", list(_tell_results(facts))
    yield "Probabilities", list(_tell_probabilities(facts))
    yield "Robustness", list(_tell_robustness(facts))
    yield "Failures", list(_tell_failures(facts))
    yield "Limits", list(_tell_limits(facts))
    yield "Checklists", list(_tell_checklists(facts))


def write_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown; nothing without rows."""
    if rows:
        yield f"| {' | '.join(head)} |"
        yield "|---" * len(head) + "|"
        yield from (f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)


def _tell_device(facts: Facts) -> Iterator[str]:
    bundle, metadata, task = facts.bundle, facts.bundle.metadata, facts.bundle.task
    plan, version = bundle.plan, str(metadata.version)
    hashes = metadata.weight_hashes
    units = {name: f" in {task.units[name]}" if name in task.units else "" for name in task.channels}
    outputs = (f"{region.value} {region.name}" for region in task.labels.structures)
    patch = " × ".join(map(str, plan.window.patch[: plan.network.dims]))
    several = f"; the mean of the logits of {len(hashes)}" if len(hashes) > 1 else ""
    licence = bundle.folder / "LICENSE"
    rows = {
        "name, version": f"{bundle.name} {version}: {metadata.changelog.get(version, NONE)}",
        "network": f"{plan.network.describe()}, patches of {patch}{several}",
        "weights (SHA-256)": ", ".join(f"{name} {digest[:12]}…" for name, digest in hashes.items()),
        "inputs": ", ".join(f"{name} ({task.modalities[name]}{units[name]})" for name in task.channels),
        "outputs": f"a mask on the grid of {task.channels[0]}: {', '.join(outputs)}",
        "made with": f"MONAI {metadata.monai_version}, PyTorch {metadata.pytorch_version}, medunet",
        "run": f"`medunet predict {bundle.name} SCAN -o OUT`; each mask has a run record with its hashes",
        "licence": licence.read_text(encoding="utf-8").strip().splitlines()[0] if licence.is_file() else MISSING,
    }
    yield from write_rows(("", ""), [[f"**{key}**", " ".join(value.split())] for key, value in rows.items()])


def _tell_data(facts: Facts) -> Iterator[str]:
    found, said = facts.fingerprint, "sources eligibility demographics acquisition deidentification ethics missing_data"
    if found is not None and found.cases:
        yield f"{len(found.cases)} cases, as they were measured:"
        yield ""
        yield from write_rows(("", "least", "median", "most"), list(_list_measures(found, facts)))
        yield ""
    yield from facts.tell("design", *said.split(), "reference", "annotators", "variability", "masking", "sample_size")


def _list_measures(found: Fingerprint, facts: Facts) -> Iterator[list[str]]:
    unit = found.unit
    for axis, name in enumerate("xyz"[: 3 if unit == "mm" else 2]):
        if unit == "mm":
            yield [f"voxel along {name}, mm", *_span([case.spacing_mm[axis] for case in found.cases])]
        sizes = [case.shape[axis] * case.spacing_mm[axis] for case in found.cases]
        yield [f"extent along {name}, {unit}", *_span(sizes)]
    for label in facts.bundle.task.labels.labels:
        held = [case.label_ml[label.name] for case in found.cases if case.label_ml.get(label.name)]
        if held:
            yield [f"{label.name}, {facts.volume} ({len(held)} cases hold it)", *_span(held)]


def _span(values: Sequence[float]) -> list[str]:
    return [_write(value) for value in (min(values), median(values), max(values))]


def _write(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _tell_protocol(facts: Facts) -> Iterator[str]:
    training = facts.bundle.metadata.training
    if training is None:
        yield "It wasn't trained yet."
        return
    yield from _tell_teacher(facts)
    many = training.fold == "all"
    whose = "each from the one network that is scored on it" if many else f"those of fold {training.fold}"
    yield (
        f"Patients are parted into folds, so that none is in two. {training.held_out_cases} cases were held out, "
        f"{whose}; {training.count_steps():,} steps in {training.minutes:g} minutes, from random weights "
        "unless the plan says otherwise. The weights are the best of several validations on the held-out cases, so "
        "that their scores are optimistic by a little."
        f"{' No held-out case can score the mean of all folds, which the bundle takes.' if many else ''}"
    )
    yield from facts.tell("registration", "protocol")


def _tell_teacher(facts: Facts) -> Iterator[str]:
    """Who taught a student, and the seconds that both take."""
    teacher, scan = facts.bundle.plan.training.teacher, facts.bundle.plan.foreseen.scan
    if teacher is None:
        return
    scans = f"; of {teacher.unlabelled} unlabelled scans these alone" if teacher.unlabelled else ""
    yield (
        f"It is a student of {teacher.name} {teacher.version} (weights {teacher.weights_sha256[:12]}…), whose "
        f"probabilities taught it beside the labels, with the weight {teacher.weight:g}{scans}. Each network was "
        "taught by the one of the same fold alone, which never saw the held-out patients."
    )
    if scan is not None:
        yield f"Where it was made, for a scan of {scan.describe()}."
    yield ""


def _tell_results(facts: Facts) -> Iterator[str]:
    scores = facts.scores
    if scores is None:
        yield f"{MISSING}: score it with `medunet evaluate BUNDLE`, then write the card again."
        yield from facts.tell("external")
        return
    rows = summarize(scores)
    first = next(iter(scores.methods))
    yield (
        "On held-out cases, by the measures that docs/reference/measures.md of medunet defines. Intervals are of the "
        "mean over patients."
    )
    own = [row for row in rows if row.method == first]
    yield from (
        _tell_many(own, scores) if len(own) > MANY else (line for row in own for line in _tell_label(row, scores))
    )
    yield from (
        f"- {row.label}: better than {row.method} in {row.better} of {row.cases} cases, by {row.mean:+.3f} "
        f"{scores.measure} ({row.lowest:+.3f} to {row.highest:+.3f})"
        for row in compare_methods(scores)
    )
    yield from facts.tell("external")


def _tell_label(row: SummaryRow, scores: Scores) -> Iterator[str]:
    """All measures of a label."""
    yield ""
    yield f"**{row.label}**, {row.holding} of {row.cases} cases hold it:"
    yield ""
    known = [(KINDS[key], row.distributions[key]) for key in KINDS if key in row.distributions]
    rows = [[name.format(unit=scores.unit), *_list_values(found, write)] for (name, write), found in known]
    yield from write_rows(("measure", "patients", "mean", "95 %", "median", "quartiles"), rows)
    yield ""
    yield from _tell_parts(row, scores)


def _tell_many(rows: Sequence[SummaryRow], scores: Scores) -> Iterator[str]:
    """The measure by which methods are compared, a line for each of many labels."""
    key = "precision" if scores.objects else "dice"
    found = [(row.label, row.distributions[key]) for row in rows if key in row.distributions]
    yield ""
    head = (scores.measure, "patients", "mean", "95 %", "median", "quartiles")
    yield from write_rows(head, [[label, *_list_values(own, KINDS[key][1])] for label, own in found])
    yield ""


def _list_values(found: Distribution, write: Write) -> list[str]:
    between = NONE if found.low is None else f"{write(found.low)} to {write(found.high)}"
    quartiles = f"{write(found.lower_quartile)} to {write(found.upper_quartile)}"
    return [str(found.patients), write(found.mean), between, write(found.median), quartiles]


def _tell_parts(row: SummaryRow, scores: Scores) -> Iterator[str]:
    parts = "objects" if scores.objects else "lesions" if scores.unit == "mm" else "parts"
    yield f"- {parts}: {row.found} found, {row.missed} missed, {row.false_found} falsely found"
    unit = "mL" if scores.unit == "mm" else "px"
    sizes = (
        f"{size.at_least_ml:g} {unit} on"
        if size.below_ml is None
        else f"{size.at_least_ml:g} to {size.below_ml:g} {unit}"
        for size in row.sizes
    )
    said = [f"{name} {size.found} of {size.found + size.missed}" for name, size in zip(sizes, row.sizes, strict=True)]
    if said:
        yield f"- found by size: {', '.join(said)}"


def _tell_probabilities(facts: Facts) -> Iterator[str]:
    record = facts.calibration
    if record is None:
        yield f"{MISSING}: it has no temperature; `medunet evaluate BUNDLE --calibrate` fits one and tells its errors."
        return
    yield (
        f"Logits are divided by the temperature {record.temperature:g}, fitted on {record.cases} held-out cases; masks "
        f"are the same. Mean negative log-likelihood of a voxel {record.likelihood_before:.4f} before and "
        f"{record.likelihood_after:.4f} after, each case by the temperature of the others."
    )
    yield ""
    rows = [
        [name, what, f"{before.count:,}", *(NONE if one.ece is None else f"{one.ece:.3f}" for one in (before, after))]
        for name, item in record.structures.items()
        for what, before, after in (
            ("voxels", item.voxels_before, item.voxels_after),
            ("predicted parts", item.lesions_before, item.lesions_after),
        )
    ]
    yield from write_rows(("", "of", "n", "ECE before", "ECE after"), rows)


def _tell_robustness(facts: Facts) -> Iterator[str]:
    trust = facts.bundle.metadata.trust
    looked = trust.validation.get("looked_at") if trust else None
    if not isinstance(looked, dict) or not looked:
        yield f"{MISSING}: nobody validated the column `trust` of this bundle on scans of another kind."
        return
    yield "Scans of which the column `trust` says `look` or `outside training`; the ordinary ones are held-out cases:"
    yield ""
    rows = []
    for kind, (count, of) in looked.items():
        low, high = find_share_interval(count, of)
        rows.append([kind, str(of), str(count), f"{count / of:.0%} ({low:.0%} to {high:.0%})"])
    yield from write_rows(("scans", "n", "look or worse", "share, 95 %"), rows)


def _tell_failures(facts: Facts) -> Iterator[str]:
    scores = facts.scores
    if scores is None:
        yield f"{MISSING}: score it with `medunet evaluate BUNDLE`."
        return
    worst = list_worst(scores)
    yield f"The {len(worst)} cases with the lowest {scores.measure}:"
    yield ""
    rows = [
        [
            score.case,
            score.label,
            NONE if (value := _take(score, scores)) is None else f"{value:.3f}",
            f"{_write(score.truth_ml)}, {_write(score.predicted_ml)}",
            scores.trust.get(score.label, {}).get(score.case, NONE),
            describe_failure(score),
        ]
        for case in worst
        for score in _find_lowest(scores, case)
    ]
    yield from write_rows(
        ("case", "label", scores.measure, f"{facts.volume}: truth, found", "trust", "what went wrong"), rows
    )
    if facts.pictures:
        yield ""
    for number, (picture, case) in enumerate(zip(facts.pictures, worst, strict=False), start=1):
        yield f"![{number}, {case}: truth in green-blue, prediction in orange]({picture})"


def _take(score: CaseScore, scores: Scores) -> float | None:
    return score.precision if scores.objects else score.dice


def _find_lowest(scores: Scores, case: str) -> list[CaseScore]:
    """Scores of the labels of a case that are lowest, those of labels that aren't there last."""
    own = [score for score in scores.of_first() if score.case == case]
    values = [_take(score, scores) for score in own]
    order = sorted(range(len(own)), key=lambda n: inf if (value := values[n]) is None else value)
    return [own[n] for n in order[:LOWEST]]


def _tell_limits(facts: Facts) -> Iterator[str]:
    scores, found = facts.scores, facts.fingerprint
    yield "- It is no medical device, and was scored on held-out cases of its own cohort."
    rows = summarize(scores) if scores else []
    first = next(iter(scores.methods)) if scores else ""
    for row in (item for item in rows if item.method == first):
        patients = max((own.patients for own in row.distributions.values()), default=row.holding)
        if patients < NEEDED:
            yield f"- {row.label}: {patients} patients, and below {NEEDED} intervals hold less often than they say."
        if row.holding < FEW:
            yield f"- {row.label}: held by {row.holding} cases, whose mean says little."
        if row.dice is not None and row.dice < FOUND_LITTLE:
            yield f"- {row.label}: its masks mean little."
    if found is not None and found.cases:
        largest = max(prod(case.shape) for case in found.cases)
        yield f"- Training saw at most {largest:,} voxels a case; what lies beyond its sizes or spacings is told."
    yield from facts.tell("fairness", "risks", "maintenance", "funding")


def _tell_checklists(facts: Facts) -> Iterator[str]:
    yield (
        "Which line answers which items of CLAIM 2024, STARD-AI and FDA's example of a model card (draft guidance of "
        "2025-01-07, appendix E); what is missing only a person can say, in `docs/card.json`. Items of a paper's form "
        "and of trials (title, abstract, flow, time between tests, adverse events) have no line."
    )
    yield ""
    rows = []
    for line in LINES:
        if line.place in Statements.model_fields:
            where = "said above" if getattr(facts.statements, line.place).strip() else f"{MISSING} (`{line.place}`)"
        else:
            where = f"[{line.place}](#{line.place.lower().replace(' ', '-')})"
        rows.append([line.said, line.claim, line.stard, line.fda, where])
    yield from write_rows(("line", "CLAIM 2024", "STARD-AI", "FDA", "where"), rows)
