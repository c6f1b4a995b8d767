import pytest
from pydantic import ValidationError

from medunet.planning import Memory


def test_what_is_not_said_is_taken_from_another() -> None:
    machine = Memory(ram_gib=64, vram_gib=24, gpu=True)
    assert Memory(ram_gib=16).fill(machine) == Memory(ram_gib=16, vram_gib=24, gpu=True)
    assert Memory().fill(machine) == machine
    assert not Memory(gpu=True).fill(Memory()).gpu


def test_training_fits_where_neither_memory_is_too_small() -> None:
    peaks = {"train": 4.0, "train_vram": 6.0}
    assert Memory(ram_gib=4, vram_gib=6).holds(peaks)
    assert not Memory(ram_gib=3.9, vram_gib=6).holds(peaks)
    assert not Memory(ram_gib=4, vram_gib=5.9).holds(peaks)
    assert Memory().holds(peaks)
    assert Memory(ram_gib=4).holds({"train": 4.0})


def test_it_is_told_in_words_and_is_above_zero() -> None:
    assert Memory(ram_gib=8, vram_gib=6).describe() == "8 GiB and 6 GiB of a GPU"
    assert Memory(ram_gib=11.77).describe() == "11.8 GiB"
    assert Memory(ram_gib=0.1, vram_gib=0.999).describe() == "102 MiB and 1023 MiB of a GPU"
    with pytest.raises(ValidationError):
        Memory(ram_gib=0)
