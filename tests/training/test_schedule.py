import pytest

from medunet.training.schedule import make_schedule


@pytest.mark.parametrize("budget", [60.0, 300.0, 2400.0, 36000.0])
@pytest.mark.parametrize("step", [0.05, 0.4, 6.0])
@pytest.mark.parametrize("validation", [0.5, 20.0])
def test_steps_and_validations_fill_the_budget_without_exceeding_it(
    budget: float, step: float, validation: float
) -> None:
    schedule = make_schedule(budget, 5.0, step, validation, (10.0, 5.0))
    validations = schedule.epochs // schedule.validation_interval
    seconds = schedule.epochs * schedule.steps_per_epoch * step + validations * validation
    assert schedule.epochs % schedule.validation_interval == 0
    assert validations >= 1
    if budget > 4 * validation + 20 * step:
        assert 0.6 * budget < seconds + 5.0 <= budget


def test_a_budget_of_nothing_still_makes_a_model() -> None:
    schedule = make_schedule(1.0, 50.0, 1.0, 30.0, (1.0, 1.0))
    assert (schedule.epochs, schedule.steps_per_epoch) == (1, 1)
