import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medunet.cohort import Case, Channel, Cohort, split_folds
from medunet.cohort.rare_labels import FOLDS, find_rare, spread_labels
from medunet.labels import LabelTable

VOLUMES = {f"p{n:02}": float(volume) for n, volume in enumerate(np.random.default_rng(0).lognormal(3, 1.0, 38))}
COMMON = dict.fromkeys(VOLUMES, frozenset({"liver"}))


def make(patients: list[str]) -> Cohort:
    cases = tuple(Case(id=name, patient=name, channels={"ct": Channel(path="x")}) for name in patients)
    labels = LabelTable.from_names(["liver"])
    return Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=labels, cases=cases)


def hold(**rare: list[str]) -> dict[str, frozenset[str]]:
    """What each patient holds: a liver, and the rare labels of those who are named."""
    return {name: own | {label for label, patients in rare.items() if name in patients} for name, own in COMMON.items()}


def test_folds_stay_where_no_label_is_crowded() -> None:
    cohort = make(list(VOLUMES))
    plain = split_folds(cohort, volumes=VOLUMES)
    assert split_folds(cohort, volumes=VOLUMES, labels=COMMON) == plain
    apart = [fold[0] for fold in plain]
    assert split_folds(cohort, volumes=VOLUMES, labels=hold(rare=apart)) == plain


def test_two_who_have_a_label_don_t_share_a_fold() -> None:
    cohort = make(list(VOLUMES))
    plain = split_folds(cohort, volumes=VOLUMES)
    labels = hold(rare=list(plain[1][:2]), rarer=list(plain[2][:5]))
    spread = split_folds(cohort, volumes=VOLUMES, labels=labels)
    assert split_folds(cohort, volumes=VOLUMES, labels=labels) == spread
    for label in ("rare", "rarer"):
        assert max(sum(label in labels[name] for name in fold) for fold in spread) == 1
    assert list(map(len, spread)) == list(map(len, plain))
    # Few change places, with others of nearly the same volume.
    moved = sum(len(set(new) - set(old)) for new, old in zip(spread, plain, strict=True))
    assert moved <= 10
    means = [np.mean([VOLUMES[name] for name in fold]) for fold in spread]
    before = [np.mean([VOLUMES[name] for name in fold]) for fold in plain]
    assert np.abs(np.subtract(means, before)).max() < 0.2 * np.mean(before)


def test_no_fold_holds_out_all_who_have_a_label() -> None:
    folds = [[f"a{n}" for n in range(8)], [f"b{n}" for n in range(8)]]
    labels = {name: frozenset({"x"} if name in ("a0", "a1", "a2", "a3") else ()) for fold in folds for name in fold}
    spread_labels(folds, labels, {})
    assert 0 < sum("x" in labels[name] for name in folds[0]) < 4


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=2, max_size=24), st.integers(0, 3))
def test_every_patient_stays_held_out_once_and_folds_as_large(sets: list[set[str]], seed: int) -> None:
    labels = {str(n): frozenset(own) for n, own in enumerate(sets)}
    volumes = {name: float(len(own)) for name, own in labels.items()}
    plain = split_folds(make(list(labels)), seed=seed, volumes=volumes)
    folds = split_folds(make(list(labels)), seed=seed, volumes=volumes, labels=labels)
    assert sorted(name for fold in folds for name in fold) == sorted(labels)
    assert list(map(len, folds)) == list(map(len, plain))
    for label in "abcd":
        counts = [sum(label in labels[name] for name in fold) for fold in folds]
        before = [sum(label in labels[name] for name in fold) for fold in plain]
        if sum(map(bool, before)) > 1:
            assert sum(map(bool, counts)) > 1


def test_what_can_t_be_spread_is_said() -> None:
    labels = hold(one=["p00"], two=["p01", "p02"], five=[f"p0{n}" for n in range(5)])
    alone, few = find_rare(labels, FOLDS)
    assert (alone.severity, alone.subject) == ("warning", "label one")
    assert alone.found.startswith("only the patient p00 has it")
    assert (few.severity, few.subject) == ("note", "label two")
    assert few.found == "2 patients have it, so that 3 of 5 folds hold out nobody who has it"
    crowded = [["p01", "p02"], ["p00", "p03"], ["p04"]]
    (found,) = [item for item in find_rare(labels, 3, crowded) if item.subject == "label two"]
    assert found.severity == "warning"
    assert found.found == "2 patients have it, all of whom fold 0 holds out, so that it trains without the label"
    assert not [*find_rare({"p00": frozenset({"liver"})}, 1)]
