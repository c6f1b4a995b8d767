from medunet.evaluation import CaseScore, Scores, summarize
from medunet.report.distributions import SHORT, list_intervals, write_distributions, write_interval


def make_scores(count: int, **more: float) -> Scores:
    held = {"nsd": 0.5, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0, "false_found": 0}
    cases = (
        CaseScore(
            case=str(n), label="tumor", dice=0.5 + 0.4 * n / count, hd95_mm=1.0 + n, **(held | {"false_ml": 0} | more)
        )
        for n in range(count)
    )
    return Scores(methods={"medunet": tuple(cases)})


def test_the_page_has_intervals_and_a_warning_where_patients_are_few() -> None:
    scores = make_scores(8)
    (row,) = summarize(scores)
    found = row.distributions["dice"]
    table = write_distributions(row, scores)
    assert f"{found.low:.3f} to {found.high:.3f}" in table
    assert "HD95 mm" in table
    assert SHORT in table
    assert "t and BCa" in table
    assert f"95 %: {found.low:.3f} to" in write_interval(row, "dice")
    assert write_interval(row, "nsd") == ""  # all are alike
    assert write_interval(row, "precision") == ""
    many = make_scores(60)
    assert SHORT not in write_distributions(summarize(many)[0], many)


def test_lines_of_text() -> None:
    scores = make_scores(8)
    lines = list_intervals(summarize(scores), scores)
    assert lines[0].startswith("tumor: 95 % of the mean Dice 0.")
    assert "by 8 cases; median 0.675, quartiles" in lines[0]
    assert lines[1:] == [SHORT]
    known = scores.model_copy(update={"patients": {str(n): "one" if n < 2 else str(n) for n in range(8)}})
    assert "by 7 patients; median" in list_intervals(summarize(known), known)[0]
    one = make_scores(1)
    assert list_intervals(summarize(one), one) == []
