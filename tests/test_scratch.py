import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from medunet.errors import ResourceError
from medunet.machine import measure_memory
from medunet.scratch import IN_MEMORY, Scratch, measure_free


def test_arrays_are_zeros_and_keep_what_was_written(tmp_path: Path) -> None:
    with Scratch(tmp_path / "new") as room:
        array = room.make((3, 4, 5), np.int16)
        assert not array.any()
        array[1] = 7
        room.settle()
        assert (array[1] == 7).all()
        assert array.sum() == 7 * 20
        assert room.size == 120
        assert room.holds(array[:, ::2].T)
        assert not room.holds(array.copy())
        assert list((tmp_path / "new").iterdir()) == []
    assert (array[1] == 7).all()


def test_what_is_settled_is_no_memory_of_the_process(tmp_path: Path) -> None:
    with Scratch(tmp_path) as room:
        before = measure_memory()
        array = room.make((64, 1 << 20), np.uint8)
        array[:] = 1
        held = measure_memory() - before
        room.settle()
        assert held > 48 << 20
        assert measure_memory() - before < 16 << 20
        with room.settling():
            assert array.sum() == 64 << 20


def test_memory_has_the_same_arrays() -> None:
    array = IN_MEMORY.make((2, 3), np.float32)
    IN_MEMORY.settle()
    assert array.dtype == np.float32
    assert array.shape == (2, 3)


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    free = measure_free(tmp_path / "not" / "there")
    assert free is not None
    with Scratch(tmp_path) as room, pytest.raises(ResourceError, match=r"it can't hold .* GiB of scratch"):
        room.make((2 * free,), np.uint8)
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_behind_when_the_process_is_killed(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
import numpy as np
from medunet.scratch import Scratch
room = Scratch(Path({str(tmp_path)!r}))
array = room.make((1 << 24,), np.uint8)
array[:] = 1
print("made", flush=True)
time.sleep(60)
"""
    free = measure_free(tmp_path)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"made\n"
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
    for _ in range(50):
        if measure_free(tmp_path) >= free - (8 << 20):
            break
        time.sleep(0.1)
    assert measure_free(tmp_path) >= free - (8 << 20)
