"""Nuclei in microscopy, from the folder of the 2018 Data Science Bowl to scores: a 2D network on PNG, grey and colour.

python workflows/nuclei.py --data FOLDER [--fold 0] [--budget 15m] [--out nuclei]

FOLDER holds images/*.png, labels/*.png of the same names (16 bit, one number a nucleus) and folds.json, which lists
the names that each fold holds out. Public source: BBBC038 of the Broad Bioimage Benchmark Collection (CC0), labels
as corrected by K. Lopuhin; folds of your own will do as well.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import medunet
from medunet.cli.arguments import parse_minutes
from medunet.cli.screen import screen
from medunet.errors import InputError, MedunetError
from medunet.progress import format_seconds
from medunet.records import check_free, read_json, write_json

LABELS = {"labels": [{"value": 1, "name": "nucleus", "colour": [42, 161, 152]}], "objects": True}
"""Label maps number the nuclei; together they are one label."""


def list_cohort(data: Path, folds: dict[str, list[str]]) -> dict[str, Any]:
    """The content of a `cohort.json`: each picture is a case of its own patient.

    Args:
        data: folder of images/ and labels/.
        folds: by number the names of the pictures that are held out.
    """
    names = sorted(name for fold in folds.values() for name in fold)
    cases = [
        {
            "id": name,
            "patient": name,
            "channels": {"image": {"path": str((data / "images" / f"{name}.png").resolve())}},
            "label": {"path": str((data / "labels" / f"{name}.png").resolve())},
        }
        for name in names
    ]
    return {
        "channels": ["image"],
        "modalities": {"image": "OT"},
        "labels": LABELS,
        "cases": cases,
        "folds": [folds[number] for number in sorted(folds, key=int)],
    }


def run_nuclei(data: Path, out: Path, fold: int, minutes: float) -> None:
    """List, plan, train, predict the pictures of the fold, evaluate; prints the table and where the report lies."""
    check_free(out)
    started = time.monotonic()
    folds = read_json(data / "folds.json")
    if str(fold) not in folds:
        raise InputError("--fold", f"there is no fold {fold}", f"choose one of {', '.join(folds)}")
    write_json(out / "cohort.json", list_cohort(data, folds))
    bundle = out / "bundle"
    print("1/4 measures, plans and writes the bundle")
    plan = medunet.init(out / "cohort.json", bundle, budget_minutes=minutes)
    print(f"    {plan.dims}D, patch {plan.patch}, features {plan.network.filters}; reasons: medunet plan {bundle}")
    print(f"2/4 trains for {minutes:g} minutes")
    medunet.train(bundle, fold=fold)
    held_out = [data / "images" / f"{name}.png" for name in folds[str(fold)]]
    print(f"3/4 predicts the {len(held_out)} pictures of fold {fold}")
    medunet.predict(bundle, *held_out, output=out / "masks")
    print("4/4 evaluates")
    result = medunet.evaluate(bundle, predictions=out / "masks", output=out / "evaluation")
    print(result.table)
    print(f"picture: {result.picture}\nreport:  {result.report}")
    print(f"done in {format_seconds(time.monotonic() - started)}")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="images/, labels/ and folds.json")
    parser.add_argument("--fold", type=int, default=0, help="whose pictures are held out")
    parser.add_argument("--budget", default="15m", help="of training, like 15m")
    parser.add_argument("--out", type=Path, default=Path("nuclei"), help="folder to make")
    arguments = parser.parse_args()
    try:
        with screen():
            run_nuclei(arguments.data, arguments.out, arguments.fold, parse_minutes(arguments.budget))
    except MedunetError as error:
        print(f"nuclei: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
