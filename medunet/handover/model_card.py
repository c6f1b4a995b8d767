"""Write the model card of a bundle into its docs/README.md, from its records; what people wrote around it stays."""

import shutil
from pathlib import Path
from typing import TypeVar

from medunet.bundle import Bundle, find_calibration, open_bundle
from medunet.errors import MedunetError
from medunet.evaluation import CaseScore, CrossValidation, Scores
from medunet.files import whole_file
from medunet.handover.card_sections import Facts, list_sections
from medunet.handover.statements import FILE, read_statements, write_statements
from medunet.measuring import Fingerprint
from medunet.records import Record, read_record, write_record
from medunet.report.worst import FOLDER

R = TypeVar("R", bound=Record)
BEGIN = "<!-- medunet bundle card writes what follows anew; write above or below it, or in docs/card.json -->"
END = "<!-- to here -->"
CARD = Path("docs", "README.md")
SCORES = Path("docs", "scores.json")


def write_card(folder: Path, *, pictures: bool = False) -> list[str]:
    """Write the card of a bundle from its records.

    Where it lies with the cohort of its training, scores of the last evaluation, or else of all folds, are taken over
    into docs/scores.json first, their cases numbered, since names of patients aren't handed on.

    Args:
        folder: of a bundle.
        pictures: take over pictures of the worst cases, too, which show patients.

    Returns:
        What only a person can say and nobody said, as keys of docs/card.json.

    Raises:
        BundleError: it is no bundle of medunet.
        RecordError: docs/card.json holds other keys.
    """
    bundle = open_bundle(folder)
    statements = read_statements(folder)
    _take_scores(bundle, pictures=pictures)
    if not (folder / FILE).is_file():
        write_statements(folder, statements)
    path = folder / CARD
    before = path.read_text(encoding="utf-8") if path.is_file() else f"# {bundle.name}\n"
    with whole_file(path) as part:
        part.write_text(merge(before, render(bundle)), encoding="utf-8")
    return [key for key, _ in statements.list_missing()]


def render(bundle: Bundle) -> str:
    """The part of the card that records make, in Markdown."""
    folder = bundle.folder
    found = sorted((folder / "docs" / FOLDER).glob("*.jpg"), key=lambda path: (len(path.stem), path.stem))
    facts = Facts(
        bundle=bundle,
        statements=read_statements(folder),
        fingerprint=_read(folder / "configs" / "fingerprint.json", Fingerprint),
        scores=_read(folder / SCORES, Scores),
        calibration=find_calibration(folder, bundle.metadata),
        pictures=tuple(f"{FOLDER}/{path.name}" for path in found),
    )
    sections = (f"### {title}\n" + "\n".join(lines) for title, lines in list_sections(facts))
    return "## Model card\n" + "\n\n".join(sections) + "\n"


def merge(before: str, card: str) -> str:
    """A text with the written part in place of the one of before, or at its end where there was none."""
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    written = f"{BEGIN}\n{card}{END}"
    return f"{head}{written}{tail}" if begin and end else f"{before.rstrip()}\n\n{written}\n"


def find_written(text: str) -> str | None:
    """The written part of a card, None where there is none."""
    _, begin, rest = text.partition(BEGIN)
    card, end, _ = rest.partition(END)
    return card.lstrip("\n") if begin and end else None


def _read(path: Path, kind: type[R]) -> R | None:
    try:
        return read_record(path, kind)
    except MedunetError:
        return None


def _take_scores(bundle: Bundle, *, pictures: bool) -> None:
    """Take over what was scored in `work/`, and where it is wanted pictures."""
    last, own = bundle.work / "evaluation", bundle.folder / "docs"
    scores = _read(last / "scores.json", Scores)
    if scores is None and (bundle.work / "cross_validation" / "scores.json").is_file():
        scores = read_record(bundle.work / "cross_validation" / "scores.json", CrossValidation).scores
    if scores is None:
        return
    write_record(own / "scores.json", number_cases(scores))
    if pictures and (last / FOLDER).is_dir():
        shutil.rmtree(own / FOLDER, ignore_errors=True)
        shutil.copytree(last / FOLDER, own / FOLDER)


def number_cases(scores: Scores) -> Scores:
    """Scores whose cases and patients are numbered, in the order in which they were scored."""
    cases = list(dict.fromkeys(score.case for score in scores.of_first()))
    names = {case: f"case {number}" for number, case in enumerate(cases, start=1)}
    people = list(dict.fromkeys(scores.patients.values()))
    patients = {name: f"patient {number}" for number, name in enumerate(people, start=1)}

    def rename(score: CaseScore) -> CaseScore:
        return score.model_copy(update={"case": names[score.case]})

    return scores.model_copy(
        update={
            "methods": {method: tuple(map(rename, own)) for method, own in scores.methods.items()},
            "patients": {names[case]: patients[name] for case, name in scores.patients.items() if case in names},
            "trust": {label: {names[case]: word for case, word in own.items()} for label, own in scores.trust.items()},
            "seen": tuple(names[case] for case in scores.seen),
        }
    )
