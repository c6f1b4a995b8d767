import numpy as np
import pytest

from medunet.testing.faults import damage
from medunet.testing.faults.mutations import MUTATIONS

HEADER = b"\x08\x00\x60\x00CS\x02\x00CT\x20\x00\x32\x00DS\x0c\x00-20.0\\35.0\\1" * 20
CONTENTS = {"header": HEADER, "random": np.random.default_rng(0).bytes(3000), "zeros": bytes(1000)}


@pytest.mark.parametrize("name", CONTENTS)
def test_damage_follows_its_seed_and_shows(name: str) -> None:
    content = CONTENTS[name]
    damaged = [damage(content, np.random.default_rng(seed)) for seed in range(100)]
    assert damaged == [damage(content, np.random.default_rng(seed)) for seed in range(100)]
    assert sum(one != content for one in damaged) > 80
    assert len(set(damaged)) > 60


@pytest.mark.parametrize("change", MUTATIONS, ids=lambda change: change.__name__)
def test_each_way_changes_a_file(change: object) -> None:
    changed = [change(HEADER, np.random.default_rng(seed)) != HEADER for seed in range(40)]
    assert sum(changed) > 20


def test_what_is_too_small_stays_and_small_files_are_damaged_too() -> None:
    for size in range(17):
        assert damage(HEADER[:size], np.random.default_rng(size)) == HEADER[:size]
    assert any(damage(HEADER[:17], np.random.default_rng(seed)) != HEADER[:17] for seed in range(10))


def test_lengths_of_elements_are_lied_about() -> None:
    (lie,) = [change for change in MUTATIONS if "length" in change.__name__]
    assert len(lie(HEADER, np.random.default_rng(3))) == len(HEADER)
    at = [n for n in range(len(HEADER)) if lie(HEADER, np.random.default_rng(3))[n] != HEADER[n]]
    assert HEADER[at[0] - 2 : at[0]] in (b"CS", b"DS") or HEADER[at[0] - 3 : at[0] - 1] in (b"CS", b"DS")
