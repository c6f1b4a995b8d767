from medunet.testing.faults import EXACT, FAULTS, RECORDED, REFUSED, combine_faults, draw_pairs
from medunet.testing.faults.catalogue import BITS, VALUES

ORDER = (EXACT, RECORDED, REFUSED)
BY_CODE = {fault.code: fault for fault in FAULTS}


def test_a_pair_is_made_in_the_order_of_its_stages_and_comes_to_the_worse() -> None:
    rle, gap = BY_CODE["57"], BY_CODE["01"]
    pair = combine_faults(rle, gap)
    assert (pair.code, pair.name) == ("01+57", "missing middle; RLE")
    assert (pair.expected, pair.stage) == (REFUSED, rle.stage)
    scan = pair.make("axial")
    assert len(scan.slices) == 8
    assert {item.dataset.file_meta.TransferSyntaxUID.name for item in scan.slices} == {"RLE Lossless"}
    assert combine_faults(BY_CODE["60"], BY_CODE["41"]).tolerance == BY_CODE["60"].tolerance


def test_pairs_differ_and_are_drawn_alike() -> None:
    pairs = draw_pairs(120)
    assert len({pair.code for pair in pairs}) == 120
    assert [pair.code for pair in draw_pairs(120)] == [pair.code for pair in pairs]
    assert [pair.code for pair in draw_pairs(120, seed=1)] != [pair.code for pair in pairs]


def test_neither_of_a_pair_replaces_the_other() -> None:
    for pair in draw_pairs(300, seed=2):
        first, second = (BY_CODE[code] for code in pair.code.split("+"))
        assert "00" not in (first.code, second.code)
        assert first.stage <= second.stage
        assert first.stage < 3 or (first.stage, second.stage) == (4, 5)
        assert not {first, second} <= {*VALUES, *BITS}
        assert ORDER.index(pair.expected) == max(ORDER.index(first.expected), ORDER.index(second.expected))


def test_pairs_are_drawn_of_the_faults_that_are_given() -> None:
    few = [BY_CODE[code] for code in ("01", "13", "57")]
    assert {pair.code for pair in draw_pairs(3, faults=few)} == {"01+57", "13+57", "13+01"}
