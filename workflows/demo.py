"""The main job, from nothing: made-up CT patients in DICOM to a trained bundle and its honest scores.

python workflows/demo.py [OUT] [--minutes 6] [--seed 0]
"""

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

from command import finish

import medunet
from medunet.files import check_free
from medunet.progress import format_seconds
from medunet.testing.phantoms import PhantomSize, make_cohort

TRAINING_PATIENTS = 16
UNSEEN_PATIENTS = 8
LITTLE = 0.3
"""Dice below which the network has seen too little; after six minutes on two free cores it is above 0.8."""
SIZE = PhantomSize(shape=(112, 88, 44), spacing=(3.2, 3.2, 5.0))


def run_demo(out: Path, minutes: float, seed: int) -> None:
    """Make patients, plan, train, predict unseen ones, evaluate; prints the table and where the report lies."""
    check_free(out)
    started = time.monotonic()
    print(f"1/5 writes {TRAINING_PATIENTS} made-up patients for training and {UNSEEN_PATIENTS} unseen ones as DICOM")
    make_cohort(out / "cohort", TRAINING_PATIENTS, SIZE, seed=1000 * seed)
    unseen = make_cohort(out / "unseen", UNSEEN_PATIENTS, SIZE, seed=1000 * seed + 500)
    bundle = out / "bundle"
    print("2/5 finds, measures, plans and writes the bundle")
    plan = medunet.init(out / "cohort", bundle, budget_minutes=minutes)
    print(f"    patch {plan.window.patch}, features {plan.network.filters}; reasons: medunet plan {bundle} --explain")
    print(f"3/5 trains for {minutes:g} minutes")
    medunet.train(bundle)
    print("4/5 predicts the unseen patients")
    medunet.predict(bundle, *unseen, output=out / "masks")
    print("5/5 evaluates")
    result = medunet.evaluate(bundle, cohort=out / "unseen", predictions=out / "masks", output=out / "evaluation")
    print(result.table)
    print(f"picture: {result.picture}\nreport:  {result.report}")
    print(f"done in {format_seconds(time.monotonic() - started)}")
    if (dice := statistics.fmean(score.dice or 0.0 for score in result.scores.methods["medunet"])) < LITTLE:
        print(
            f"Dice {dice:.3f}: too few steps, as on a machine that does something else as well; give it more time: "
            f"make demo MINUTES={4 * minutes:g}"
        )


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("demo"))
    parser.add_argument("--minutes", type=float, default=6, help="of training")
    parser.add_argument("--seed", type=int, default=0, help="of the patients")
    parser.add_argument("--again", action="store_true", help="remove an older demo in OUT first")
    arguments = parser.parse_args()
    if arguments.again:
        shutil.rmtree(arguments.out, ignore_errors=True)
    return finish("demo", lambda: run_demo(arguments.out, arguments.minutes, arguments.seed))


if __name__ == "__main__":
    sys.exit(main())
