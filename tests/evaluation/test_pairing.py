from medunet.evaluation.pairing import Pairing, Refused


def test_it_is_whole_where_nothing_is_missing() -> None:
    assert Pairing(left_out=("values 7 of predictions, in 1 case",)).is_whole
    refused = Refused(case="a", code="label-grid", reason="it lies elsewhere.")
    assert not any(
        pairing.is_whole for pairing in (Pairing(missing=("a",)), Pairing(unpaired=("a",)), Pairing(refused=(refused,)))
    )
