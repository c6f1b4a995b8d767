import errno
import hashlib
import resource
from pathlib import Path

import pytest
import torch
from plans import make_test_plan

from medunet.bundle import (
    Metadata,
    find_weights,
    join_hashes,
    load_weights,
    open_bundle,
    publish_folds,
    publish_weights,
    save_tensors,
    write_weights,
)
from medunet.errors import BundleError, InputError, RecordError, ResourceError
from medunet.files import hash_file
from medunet.networks import build_network, make_network
from medunet.records import read_json, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "configs" / "metadata.json", {"name": "b"})
    return tmp_path


def test_weights_come_back_by_their_hash(folder: Path) -> None:
    first, second = (build_network(make_network(make_test_plan())) for _ in range(2))
    publish_weights(folder, first.state_dict(), {"training": {"fold": 0}})
    metadata = read_json(folder / "configs" / "metadata.json")
    assert metadata["training"] == {"fold": 0}
    assert (
        load_weights(folder / "models" / "model.pt", second, metadata["weights_sha256"]) == metadata["weights_sha256"]
    )
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_equal_weights_make_equal_files_whatever_their_names(tmp_path: Path) -> None:
    for name in ("a.pt", "of another name.pt"):
        write_weights(tmp_path / name, {"x": torch.arange(5.0)})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "of another name.pt").read_bytes()
    assert torch.equal(torch.load(tmp_path / "a.pt", weights_only=True)["x"], torch.arange(5.0))


@pytest.mark.parametrize("most", [70_000, 400_500])
def test_a_disk_that_is_full_is_told_as_that_and_the_older_weights_stay(tmp_path: Path, most: int) -> None:
    write_weights(tmp_path / "model.pt", {"x": torch.zeros(5)})
    before = (tmp_path / "model.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        with pytest.raises(OSError) as raised:  # noqa: PT011 (its number is looked at)
            save_tensors(tmp_path / "part", {"x": torch.ones(100_000)})
        with pytest.raises(ResourceError, match=r"model\.pt: it can't be written"):
            write_weights(tmp_path / "model.pt", {"x": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.errno == errno.EFBIG
    assert (tmp_path / "model.pt").read_bytes() == before


def test_what_is_no_full_disk_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError, match="something else"):
        write_weights(tmp_path / "model.pt", {})
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_counted(folder: Path) -> None:
    network = build_network(make_network(make_test_plan()))
    state = network.state_dict()
    state["extra"] = torch.zeros(1)
    name = next(iter(state))
    state[name] = torch.zeros(1)
    publish_weights(folder, state, {})
    with pytest.raises(BundleError, match="0 tensors are missing, 1 unknown and 1 of another shape"):
        load_weights(folder / "models" / "model.pt", network, None)


def test_a_pickle_of_objects_is_refused(folder: Path) -> None:
    (folder / "models").mkdir()
    torch.save({"a": Path("x")}, folder / "models" / "model.pt")
    with pytest.raises(BundleError, match="read safely"):
        load_weights(folder / "models" / "model.pt", torch.nn.Identity(), None)


def test_folds_are_published_and_left_again(untrained: Path, tmp_path: Path) -> None:
    files = {}
    for fold in range(2):
        files[fold] = tmp_path / f"{fold}.pt"
        write_weights(files[fold], {"a": torch.full((2,), float(fold))})
    publish_folds(untrained, files, {"training": {"fold": "all"}})
    bundle = open_bundle(untrained)
    assert find_weights(untrained, bundle.metadata) == {
        untrained / "models" / f"model_fold{fold}.pt": hash_file(path) for fold, path in files.items()
    }
    assert list(find_weights(untrained, bundle.metadata, 1)) == [untrained / "models" / "model_fold1.pt"]
    assert bundle.metadata.weights_sha256 == join_hashes(bundle.metadata.fold_weights)
    assert len(bundle.inference["networks"]) == 2
    with pytest.raises(InputError, match="no network of fold 7; choose one of 0, 1"):
        find_weights(untrained, bundle.metadata, 7)
    publish_weights(untrained, {"a": torch.ones(2)}, {"training": {"fold": 1}})
    bundle = open_bundle(untrained)
    assert list(find_weights(untrained, bundle.metadata, 1)) == [untrained / "models" / "model.pt"]
    assert "networks" not in bundle.inference
    assert [path.name for path in (untrained / "models").iterdir()] == ["model.pt"]
    with pytest.raises(InputError, match="of fold 1 alone"):
        find_weights(untrained, bundle.metadata, 0)


def test_the_hash_of_several_is_that_of_sha256sum() -> None:
    assert join_hashes({"a": "1"}) == "1"
    wanted = hashlib.sha256(b"1  a\n2  b\n").hexdigest()
    assert join_hashes({"a": "1", "b": "2"}) == wanted


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="lists other names"):
        find_weights(tmp_path, Metadata(fold_weights={"../../model_fold0.pt": "1" * 64}))


def test_weights_whose_hash_is_not_told_are_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "models" / "model.pt", {"a": torch.ones(2)})
    with pytest.raises(BundleError, match=r"metadata\.json: the key 'weights_sha256' is missing"):
        find_weights(tmp_path, Metadata(name="b"))
    (tmp_path / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match="the bundle has no weights; train it first"):
        find_weights(tmp_path, Metadata(name="b"))


def test_facts_of_the_wrong_kind_are_not_published(folder: Path) -> None:
    before = (folder / "configs" / "metadata.json").read_bytes()
    with pytest.raises(RecordError, match=r"the key 'training\.fold"):
        publish_weights(folder, {"a": torch.ones(2)}, {"training": {"fold": "one"}})
    assert (folder / "configs" / "metadata.json").read_bytes() == before
