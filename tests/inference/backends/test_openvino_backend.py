import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from medunet.inference.backends import Backend, ConversionError, OpenVinoBackend
from medunet.inference.backends.interface import EXACT_BOUND
from medunet.machine import measure_memory
from medunet.networks import MeanNetwork, choose_precision
from medunet.testing.backends import BackendSuite, Dims

pytest.importorskip("openvino")
HAS_BF16 = choose_precision(torch.device("cpu")) == torch.bfloat16


class TestFloat32(BackendSuite):
    def make_backend(self) -> Backend:
        return OpenVinoBackend()


class TestEnsemble(BackendSuite):
    def make_backend(self) -> Backend:
        return OpenVinoBackend()

    def make_network(self, dims: Dims, widths: tuple[int, ...] = (4, 8, 8)) -> nn.Module:
        one, other = super().make_network(dims, widths), super().make_network(dims, widths)
        with torch.no_grad():
            for weight in other.parameters():
                weight.mul_(-0.5)
        return MeanNetwork([one, other])


@pytest.mark.skipif(not HAS_BF16, reason="this CPU has no bfloat16")
class TestBfloat16(BackendSuite):
    def make_backend(self) -> Backend:
        return OpenVinoBackend("bfloat16")


@pytest.mark.skipif(HAS_BF16, reason="this CPU has bfloat16")
def test_a_precision_that_the_processor_lacks_is_refused() -> None:
    backend = OpenVinoBackend("bfloat16")
    assert backend.traits.precision == "bfloat16"
    assert not backend.traits.exact
    with pytest.raises(ConversionError, match="the processor has no bfloat16"):
        backend.open(BackendSuite().make_network(3), (2, 16, 16, 16), 3)


def test_what_features_took_goes_back_when_it_is_told_to() -> None:
    """Two patches of 96³ and 32 features, some 0.4 GiB, which stay between two runs."""
    patches = torch.rand(1, 2, 96, 96, 96)
    network = BackendSuite().make_network(3, (32, 32, 32))
    with OpenVinoBackend().open(network, (2, 96, 96, 96), 3) as backend:
        before = measure_memory()
        first = backend.run(patches)
        held = measure_memory() - before
        backend.release()
        assert held > 1.5 * (measure_memory() - before) + (64 << 20)
        assert torch.equal(backend.run(patches), first)


class Anyhow(nn.Module):
    """A network of another kind: what it does may depend on what it sees."""

    def __init__(self, *, decides: bool) -> None:
        super().__init__()
        self.inner = nn.Conv3d(2, 3, 3, padding=1)
        self.decides = decides

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner(image)
        # Of patches whose spread is over 1.1 as those of the check are, other than those that were traced.
        return -result if self.decides and float(image.std()) > 1.1 else result


def test_another_network_is_compared_with_torch() -> None:
    patch = (2, 8, 12, 16)
    torch.manual_seed(0)
    network, patches = Anyhow(decides=False).eval(), torch.rand(1, *patch)
    with torch.inference_mode():
        wanted = network(patches)
    with OpenVinoBackend().open(network, patch, 3) as backend:
        assert (backend.run(patches) - wanted).abs().max() <= EXACT_BOUND
    with pytest.raises(ConversionError, match="gives other logits"):
        OpenVinoBackend().open(Anyhow(decides=True), patch, 3)


class Unknown(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(image)


def test_a_network_that_it_does_not_know_is_refused_in_a_line() -> None:
    with pytest.raises(ConversionError, match="OpenVINO can't") as caught:
        OpenVinoBackend().open(Unknown(), (2, 8, 8, 8), 3)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConversionError, match="whole scans"):
        OpenVinoBackend().open(Unknown(), (2, 0, 8, 8), 3)


SILENT = """
import sys, types
import torch
from medunet.inference.backends import OpenVinoBackend
from medunet.testing.backends import BackendSuite

assert "openvino" not in sys.modules
# MONAI's imports try whether there is IPv6; from here on no socket is opened.
def refuse(event, _):
    if event.startswith("socket."):
        raise SystemExit(event)

sys.addaudithook(refuse)
BEFORE
with OpenVinoBackend().open(BackendSuite().make_network(3), (2, 16, 24, 32), 3) as backend:
    assert backend.run(torch.rand(1, 2, 16, 24, 32)).shape == (1, 3, 16, 24, 32)
assert "openvino" in sys.modules
"""


def test_nothing_is_written_at_home_and_no_socket_is_opened(tmp_path: Path) -> None:
    """OpenVINO's own import makes an id of the user there and sends it."""
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "CI": ""}
    command = [sys.executable, "-c", SILENT.replace("BEFORE", "assert 'openvino_telemetry' not in sys.modules")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_telemetry_that_is_there_is_neither_used_nor_lost(tmp_path: Path) -> None:
    fake = "sys.modules['openvino_telemetry'] = types.ModuleType('openvino_telemetry')"
    after = "assert sys.modules['openvino_telemetry'].__dict__.keys() == {*types.ModuleType('x').__dict__}"
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-c", SILENT.replace("BEFORE", fake) + after]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


SIGNALLED = """
import gc, os, signal, threading, time
import torch
from medunet.inference.backends import OpenVinoBackend
from medunet.testing.backends import BackendSuite

heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))

def use():
    with OpenVinoBackend().open(BackendSuite().make_network(3), (2, 16, 24, 32), 3) as backend:
        backend.run(torch.rand(1, 2, 16, 24, 32))

held = [OpenVinoBackend().open(BackendSuite().make_network(3), (2, 16, 24, 32), 3) for _ in range(2)]
first, second = held
held.clear()
del first
gc.collect()
other = threading.Thread(target=use)
other.start()
other.join()
dropping = threading.Thread(target=lambda things: (things.clear(), gc.collect()), args=([second],))
del second
dropping.start()
dropping.join()
gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(0.1)
assert heard
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no signals of this kind")
def test_signals_find_their_stack_whoever_gave_a_backend_up() -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


TAKEN = """
import sys, threading
import torch
from monai.networks.nets import DynUNet
from medunet.inference.backends import OpenVinoBackend
from medunet.machine import measure_memory

features, outputs, keep = [16, 32, 64], int(sys.argv[1]), sys.argv[2] == "keep"
torch.manual_seed(0)
network = DynUNet(3, 1, outputs, [3] * 3, [1, 2, 2], [2, 2], filters=features, norm_name="instance").eval()
patches = torch.rand(2, 1, 80, 80, 80)
with OpenVinoBackend(keep=keep).open(network, (1, 80, 80, 80), 3) as backend:
    stated = backend.traits.peak_bytes((80, 80, 80), 2)
    before = measure_memory()
    peak, ended = [before], threading.Event()

    def watch():
        while not ended.wait(0.01):
            peak[0] = max(peak[0], measure_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    backend.run(patches)
    ended.set()
    watcher.join()
    print(stated, peak[0] - before, measure_memory() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is held")
@pytest.mark.parametrize(("outputs", "keep"), [(3, "keep"), (60, "keep"), (3, "drop")])
def test_a_run_takes_what_is_stated(outputs: int, keep: str) -> None:
    """Features stay in memory, but where several networks run one after the other."""
    command = [sys.executable, "-c", TAKEN, str(outputs), keep]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stated, taken, kept = map(int, done.stdout.split())
    assert 0.85 * stated <= taken <= 1.15 * stated
    if outputs == 3:
        assert (kept > taken / 2) == (keep == "keep")
