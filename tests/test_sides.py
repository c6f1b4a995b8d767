import pytest

from medunet.sides import describe_sides, find_sides, join_sides, name_sides


@pytest.mark.parametrize(
    "names",
    [
        ["LeftParotid", "RightParotid"],
        ["Parotid_L", "Parotid_R"],
        ["l_lung", "r_lung"],
        ["lung_l", "lung_r"],
        ["LParotid", "RParotid"],
        ["leftparotid", "rightparotid"],
        ["Lt Kidney", "Rt Kidney"],
        ["kidney (left)", "kidney (right)"],
        ["left", "right"],
        ["Niere links", "Niere rechts"],
        ["N. opticus li", "N. opticus re"],
        ["rein gauche", "rein droit"],
        ["Rein_G", "Rein_D"],
        ["riñón izquierdo", "riñón derecho"],
        ["ventriculus sinister", "ventriculus dexter"],
        ["rene sx", "rene dx"],
        ["nerka lewa", "nerka prawa"],
        ["левая почка", "правая почка"],
        ["左肾", "右肾"],
    ],
)
def test_names_that_a_side_tells_apart(names: list[str]) -> None:
    for given in (names, names[::-1]):
        assert find_sides(["Larynx", *given]) == (tuple(names),)


@pytest.mark.parametrize("name", ["left kidney", "KidneyRight", "GLND_SUBMAND_L", "hip-r", "Niere links"])
def test_a_side_whose_other_is_no_label(name: str) -> None:
    assert find_sides(["liver", name]) == ((name,),)


@pytest.mark.parametrize(
    "names",
    [
        ["Anterior", "Posterior"],
        ["L1", "L2", "vertebrae_L5"],
        ["GTVp", "GTVn"],
        ["liver", "tumor", "sinus", "bright spot", "upright"],
        ["a", "b", "c", "d", "e", "f", "g", "l", "r"],
        ["organ 1", "organ 2"],
    ],
)
def test_names_without_a_side(names: list[str]) -> None:
    assert find_sides(names) == ()


def test_places_add_what_no_name_says() -> None:
    named = find_sides(["eye_l", "eye_r"])
    assert join_sides(named, (("eye_l", "eye_r"), ("horn 1", "horn 2"))) == (("eye_l", "eye_r"), ("horn 1", "horn 2"))
    assert describe_sides([("eye_l", "eye_r"), ("hip-r",)]) == "eye_l and eye_r, hip-r"


def test_the_side_of_a_label() -> None:
    names = ["Kidney_L", "Kidney_R", "Niere links", "ParotidRight", "Larynx", "L1"]
    assert [name_sides(names).get(name) for name in names] == ["left", "right", "left", "right", None, None]
    # A letter alone says a side where there is the other one.
    assert [name_sides(names).get("lung_l") for names in (["lung_l", "lung_r"], ["lungl"])] == ["left", None]
