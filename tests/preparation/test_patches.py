import logging
import multiprocessing.synchronize
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plans import make_test_plan, make_tiny_bundle, pin_schedule
from torch.utils.data import Dataset

from medunet.preparation import PatchDataset, PatchLoader, PreparedCase, Warp, WholeDataset, build_augmentation, patches
from medunet.preparation.patches import cut_patch, end_orphan


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    made = []
    for number, filled in enumerate([True, True, False]):
        folder = tmp_path / str(number)
        folder.mkdir()
        image = np.random.default_rng(number).normal(size=(1, 40, 30, 12)).astype(np.float32)
        label = np.zeros((40, 30, 12), np.uint8)
        if filled:
            label[5:9, 20:24, 3:6] = 1
        np.save(folder / "image.npy", image)
        np.save(folder / "label.npy", label)
        indices = np.argwhere(label)
        np.save(folder / "centres.npy", np.column_stack([np.ones(len(indices), int), indices]).astype(np.int32))
        made.append(PreparedCase(f"case {number}", folder))
    return made


def make_dataset(cases: list[PreparedCase], dims: int = 3, seed: int = 0) -> PatchDataset:
    warp, steps = build_augmentation(make_test_plan(dims=dims))
    return PatchDataset(cases, warp, 2, 10, 0.5, steps, seed)


def test_a_patch_depends_on_seed_epoch_and_index_alone(cases: list[PreparedCase]) -> None:
    first, second = make_dataset(cases), make_dataset(cases)
    for index in (7, 3, 0):
        first[index]
    assert np.array_equal(first[5]["image"], second[5]["image"])
    second.set_epoch(1)
    assert not np.array_equal(first[5]["image"], second[5]["image"])
    assert not np.array_equal(first[5]["image"], make_dataset(cases, seed=1)[5]["image"])


def test_cases_are_read_when_an_epoch_is_chosen(tmp_path: Path) -> None:
    dataset = make_dataset([PreparedCase("absent", tmp_path / "absent")])
    assert len(dataset) == 20
    with pytest.raises(FileNotFoundError):
        dataset.set_epoch(1)


def test_the_cases_of_a_batch_have_names(cases: list[PreparedCase]) -> None:
    dataset = make_dataset(cases[:1])
    assert dataset.name_batch(3) == ["case 0", "case 0"]
    names = [name for step in range(10) for name in make_dataset(cases).name_batch(step)]
    assert set(names[::2]) == {"case 0", "case 1"}
    assert "case 2" in names[1::2]


@pytest.mark.parametrize("dims", [2, 3])
def test_half_of_each_batch_holds_foreground_however_it_is_warped(cases: list[PreparedCase], dims: int) -> None:
    patch, angles = make_test_plan(dims=dims).window.patch, (1, 1, 1) if dims == 3 else (0, 0, 3)
    warp = Warp(patch, angles=angles, scales=(0.5, 2.0), probabilities=(0.5, 0.5, 0.5, 0))
    dataset = PatchDataset(cases, warp, 2, 40, 0.5, [], 0)
    assert all(dataset[index]["label"].max() == 1 for index in range(0, len(dataset), 2))
    assert dataset[0]["image"].shape == (1, 16, 16, 16)[: dims + 1]


def test_augmented_patches_keep_their_shape_and_their_labels_are_integers(cases: list[PreparedCase]) -> None:
    dataset = make_dataset(cases)
    for index in range(10):
        sample = dataset[index]
        assert sample["image"].shape == sample["label"].shape == (1, 16, 16, 16)
        assert set(np.unique(sample["label"])) <= {0.0, 1.0}


def test_patches_are_plain_tensors(cases: list[PreparedCase]) -> None:
    assert {type(value) for index in range(10) for value in make_dataset(cases)[index].values()} == {torch.Tensor}


def test_no_change_of_shape_shows_anything_beyond_a_case(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.full((1, 18, 17, 20), 5, np.float32))
    np.save(tmp_path / "label.npy", np.ones((18, 17, 20), np.uint8))
    np.save(tmp_path / "centres.npy", np.array([[1, 0, 0, 0], [1, 17, 16, 19]], np.int32))
    warp = Warp((16, 16, 16), angles=(1, 1, 1), scales=(0.5, 2.0), probabilities=(1, 1, 1, 0))
    dataset = PatchDataset([PreparedCase("small", tmp_path)], warp, 2, 10, 0.5, [], 0)
    for index in range(20):
        assert dataset[index]["image"].min() > 4.99
        assert dataset[index]["label"].min() == 1


def test_what_lies_outside_is_zero() -> None:
    array = np.ones((1, 4, 4, 4), np.float32)
    cut = cut_patch(array, np.array([-2, 1, 0]), np.array([4, 4, 4]))
    assert cut.sum() == 2 * 3 * 4
    assert cut[0, 2:, :3].all()


@pytest.mark.parametrize("dims", [2, 3])
def test_patches_say_what_is_unknown_in_their_case(cases: list[PreparedCase], dims: int) -> None:
    plain = make_dataset(cases, dims)
    plain.set_epoch(0)
    (cases[0].folder / "unknown.json").write_text("[2, 17]")
    coded = make_dataset(cases, dims)
    coded.set_epoch(0)
    assert coded.count_bytes() == plain.count_bytes() * 4 // 2
    names = coded.name_batch(0) + coded.name_batch(1)
    assert "case 0" in names
    for index, name in enumerate(names):
        before, after = plain[index], coded[index]
        if index % 2:
            # What holds a label is drawn otherwise.
            assert torch.equal(before["image"], after["image"])
            assert torch.equal(before["label"], after["label"][:1])
        assert after["label"].shape == (3, *before["label"].shape[1:])
        assert after["label"][1:].flatten(1).unique(dim=1)[:, 0].tolist() == ([2, 1] if name == "case 0" else [0, 0])


def test_whole_cases_come_as_they_are(cases: list[PreparedCase]) -> None:
    whole = WholeDataset(cases)
    assert "unknown" not in whole[0]
    assert len(whole) == 3
    assert np.array_equal(whole[0]["image"], cases[0].image())
    assert whole[0]["label"].shape == (1, 40, 30, 12)


def test_where_cases_are_partial_each_label_is_drawn_as_often(cases: list[PreparedCase]) -> None:
    """The first case alone holds the second label, beside the first, which both hold."""
    rows = cases[0].centres()
    rare = np.column_stack([np.full(4, 2), rows[:4, 1:] + [20, 0, 0]]).astype(np.int32)
    np.save(cases[0].folder / "centres.npy", np.concatenate([rows, rare]))
    shares = []
    for unknown in ("[]", "[3]"):
        (cases[1].folder / "unknown.json").write_text(unknown)
        dataset = PatchDataset(cases, Warp((2, 2, 2)), 1, 400, 1.0, [], 0)
        names = [dataset.name_batch(step)[0] for step in range(400)]
        shares.append(names.count("case 0") / 400)
    assert shares == pytest.approx([1 / 2, 3 / 4], abs=0.07)


def test_whole_cases_say_what_is_unknown(cases: list[PreparedCase]) -> None:
    (cases[0].folder / "unknown.json").write_text("[2, 17]")
    whole = WholeDataset(cases)
    assert [whole[number]["unknown"].tolist() for number in range(3)] == [[2, 17], [0, 0], [0, 0]]


class Blocked(Dataset[list[bool]]):
    """Whether the process that loads an item has SIGTERM blocked."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, _: int) -> list[bool]:
        return [signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])]


def test_workers_do_not_see_signals_and_the_trainer_does() -> None:
    (batch,) = PatchLoader(Blocked(), num_workers=1)  # type: ignore[arg-type]
    assert batch[0].tolist() == [True]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_worker_whose_process_was_killed_as_it_began_ends() -> None:
    end_orphan(os.getppid())
    orphan = "time.sleep(0.5); end_orphan(own); print('waits for ever')"
    script = f"own = os.getpid()\nif os.fork():\n    os._exit(0)\n{orphan}"
    imports = "import os, time\nfrom medunet.preparation.patches import end_orphan\n"
    done = subprocess.run([sys.executable, "-c", imports + script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("free", [0, 2**20, None])
def test_small_shared_memory_changes_no_batch(
    cases: list[PreparedCase], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, free: int | None
) -> None:
    dataset = make_dataset(cases)
    wanted = list(PatchLoader(dataset, batch_size=2, shuffle=False))
    monkeypatch.setattr(patches, "find_shared_memory", lambda: free)
    caplog.set_level(logging.INFO)
    loader = PatchLoader(dataset, batch_size=2, shuffle=False, num_workers=1)
    for found, batch in zip(loader, wanted, strict=True):
        assert all(torch.equal(found[key], batch[key]) and found[key].dtype == torch.float32 for key in batch)
    assert ("come through pipes" in caplog.text) == (free == 0)


def test_without_anything_to_share_the_process_makes_the_patches(
    cases: list[PreparedCase], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    loader = PatchLoader(make_dataset(cases), batch_size=2, num_workers=2)
    assert next(iter(loader))["image"].shape == (2, 1, 16, 16, 16)
    assert "one alone makes patches" in caplog.text


SCRIPT = """
import multiprocessing, sys
from pathlib import Path
print("body", flush=True)
multiprocessing.set_start_method("spawn", force=True)
import medunet
from medunet.preparation import patches
{more}
medunet.train(Path(sys.argv[1]), budget_minutes=0.03)
print("done", flush=True)
"""


def run_script(tmp_path: Path, more: str) -> subprocess.CompletedProcess[str]:
    bundle = make_tiny_bundle(tmp_path / "tiny", "ab")
    pin_schedule(bundle, epochs=1, steps_per_epoch=2)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(more=more))
    environment = {**os.environ, "PYTHONPATH": str(Path(patches.__file__).parents[2])}
    command = [sys.executable, script, bundle]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes aren't forked")
def test_a_script_without_a_main_guard_that_spawns_trains_once(tmp_path: Path) -> None:
    done = run_script(tmp_path, "")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["body", "done"]


def test_where_processes_are_not_forked_the_missing_guard_is_told(tmp_path: Path) -> None:
    """As on systems that can't fork."""
    done = run_script(tmp_path, "patches.FORKED = ()")
    assert done.returncode == 1
    assert "done" not in done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert "put what the script does below a line if __name__ == '__main__':" in last


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs a mount of its own")
def test_training_ends_where_shared_memory_is_small(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "tiny", "ab")
    pin_schedule(bundle, epochs=1, steps_per_epoch=6)
    train = f"{sys.executable} -m medunet train {bundle}"
    command = ["unshare", "-m", "bash", "-c", f"mount -t tmpfs -o size=128k tmpfs /dev/shm && {train}"]
    environment = {**os.environ, "PYTHONPATH": str(Path(patches.__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this system lets nobody mount")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "come through pipes" in done.stdout + done.stderr
    assert (bundle / "models" / "model.pt").is_file()


@pytest.mark.parametrize("dims", [2, 3])
def test_what_a_teacher_tells_follows_every_change_of_its_image(cases: list[PreparedCase], dims: int) -> None:
    """It tells the label itself here: at its voxels where a patch is only cut and mirrored, else nearly so."""
    taught = []
    for case in cases:
        path = case.folder / "told.npy"
        np.save(path, 255 * case.label()[None])
        taught.append(replace(case, teaching=path))
    plain, dataset = make_dataset(cases, dims), make_dataset(taught, dims)
    assert dataset.count_bytes() == plain.count_bytes() * 3 // 2
    exact, near, changed = 0, [], 0
    for index in range(20):
        sample, same = dataset[index], plain[index]
        assert torch.equal(sample["image"], same["image"])
        label, told = sample["label"][:1], sample["label"][1:]
        assert torch.equal(label, same["label"])
        assert told.shape == label.shape
        assert told.min() >= 0
        assert told.max() <= 1 + 1e-6
        exact += torch.equal(label, told)
        changed += bool(((told > 0) & (told < 1)).any())
        near.append(float(((told >= 0.5) == (label > 0)).float().mean()))
    assert exact >= 5
    assert changed >= 2
    assert min(near) > 0.98


def test_a_teacher_comes_before_what_is_unknown(cases: list[PreparedCase]) -> None:
    (cases[0].folder / "unknown.json").write_text("[1]")
    np.save(cases[0].folder / "told.npy", np.full((1, 40, 30, 12), 51, np.uint8))
    case = replace(cases[0], teaching=cases[0].folder / "told.npy")
    label = PatchDataset([case], Warp((8, 8, 8)), 1, 1, 0.5, [], 0)[0]["label"]
    assert label.shape == (3, 8, 8, 8)
    torch.testing.assert_close(label[1].unique(), torch.tensor([0.2]))
    assert label[2].unique().tolist() == [1.0]
