from medunet.algorithms import UNKNOWN, Algorithm


def test_what_made_a_label_is_said_for_itself_or_for_all() -> None:
    own = Algorithm("finder", "2", "", kind="SEMIAUTOMATIC")
    made = Algorithm("", "", "", kind="", labels={"liver": own})
    assert made.find("liver") is own
    assert made.find("tumor") is made


def test_descriptions_name_the_algorithm_where_it_has_a_name() -> None:
    assert Algorithm("finder", "2", "").describe(["a", "b"]) == ("finder: a, b", "a, b by finder 2")
    assert Algorithm("finder", "", "").describe(["a"]) == ("finder: a", "a by finder")
    assert UNKNOWN.describe(["a", "b"]) == ("a, b", "a, b")
