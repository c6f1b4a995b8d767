from plans import make_test_plan

from medunet.measuring import CaseMeasure, Fingerprint
from medunet.planning.losses import choose_loss


def measure(volumes: dict[str, float], unknown: tuple[str, ...] = ()) -> Fingerprint:
    case = CaseMeasure(id="p", shape=(64, 64, 64), spacing_mm=(3.0, 3.0, 5.0), label_ml=volumes, unknown=unknown)
    return Fingerprint(channels={}, cases=(case, case.model_copy(update={"id": "q"})))


def test_small_labels_get_a_loss_to_which_missing_costs_more() -> None:
    small, large = (choose_loss(make_test_plan(), measure({"a": 500.0, "b": ml})) for ml in (0.1, 200.0))
    assert (small.training.loss, large.training.loss) == ("tversky_ce", "dice_ce")
    assert "of a patch in the median case" in small.reasons["loss"]
    assert "Isensee" in large.reasons["loss"]
    assert not small.training.partial


def test_what_nobody_looked_for_is_neither_small_nor_background() -> None:
    plan = choose_loss(make_test_plan(), measure({"a": 500.0}, unknown=("b",)))
    assert (plan.training.loss, plan.training.partial) == ("dice_ce", True)
    assert "nobody looked for all labels in 2 of 2 cases" in plan.reasons["partial"]
    assert choose_loss(make_test_plan(), measure({}, unknown=("a", "b"))).training.loss == "dice_ce"
