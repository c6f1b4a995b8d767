"""Forms that are understood without running them, and that nothing else is."""

from pathlib import Path
from typing import Any

import pytest

from medunet.bundle.literals import Literals, Mark, find_components, find_entry, locate

CONFIG: dict[str, Any] = {
    "bundle_root": "/bundles/spleen",
    "ckpt": "$@bundle_root + '/models/' + @name",
    "fine": True,
    "options": {"highres": False, "sizes": [1, 2]},
    "name": "$'model.pt' if @options#highres else 'model_lowres.pt'",
    "pixdim": "$[1.5, 1.5, -1.5] if not @options::highres else [3.0, 3.0, 3.0]",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {"_target_": "UNet", "_desc_": "small", "channels": "@options#sizes"},
    "network": "$@network_def.to(@device)",
    "steps": ["@network_def", {"_target_": "A", "_disabled_": True}],
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@ckpt", "/bundles/spleen/models/model_lowres.pt"),
        ("@options#sizes#1", 2),
        ("@options::sizes::0", 1),
        ("@pixdim", [1.5, 1.5, -1.5]),
        ("@device", Mark.DEVICE),
        ("$@device", Mark.DEVICE),
        ({"_target_": "torch.device", "device": "cuda"}, Mark.DEVICE),
        ("@network", {"_target_": "UNet", "channels": [1, 2]}),
        ("$@network_def.to('cpu')", {"_target_": "UNet", "channels": [1, 2]}),
        ("@steps", [{"_target_": "UNet", "channels": [1, 2]}]),
        ("$@options#sizes + [3]", [1, 2, 3]),
        ("$1 + @options#sizes#0", 2),
        ("$numpy.float32", "float32"),
        ("$np.uint8", "uint8"),
        ("$torch.float16", "float16"),
        ("$os.path.join(@bundle_root, 'models', 'model.pt')", "/bundles/spleen/models/model.pt"),
        ("$None", None),
        ("plain @text", "plain @text"),
        (0.5, 0.5),
    ],
)
def test_what_is_understood(text: Any, value: Any) -> None:
    literals = Literals(CONFIG)
    assert literals.resolve(text, "key") == value
    assert not literals.odd


@pytest.mark.parametrize(
    "text",
    [
        "$__import__('os').system('touch hacked')",
        "$open('hacked', 'w')",
        "$lambda x: x[1:]",
        "$torch.load(@ckpt)",
        "$len(@options)",
        "$[i for i in @options#sizes]",
        "$@network_def.cuda()",
        "$@network_def.to(print('hacked'))",
        "$os.path.join(@options#sizes)",
        "$'a' + 1",
        "$True + 1",
        "$'a' if @ckpt else 'b'",
        "$-@ckpt",
        "$(",
        "$" + "(" * 500 + ")" * 500,
        "$9 ** 9 ** 9",
        "$'a' * 10 ** 10",
        "@nowhere",
        "%other.json::key",
        "$import os",
        "$f'{@ckpt}'",
    ],
)
def test_what_is_not_is_listed_and_never_run(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    literals = Literals({**CONFIG, "asked": {"deep": [text]}})
    assert literals.read("asked") == {"deep": [Mark.UNKNOWN]}
    assert literals.odd["asked::deep::0"] == text
    assert not list(tmp_path.iterdir())


def test_a_circle_is_listed_where_it_closes() -> None:
    literals = Literals({"first": "$@second", "second": "@first"})
    assert literals.read("first") is Mark.UNKNOWN
    assert literals.odd == {"first": "$@second"}


@pytest.mark.parametrize("key", ["_requires_", "_disabled_", "_mode_"])
def test_a_component_made_in_another_way_is_listed(key: str) -> None:
    literals = Literals({"part": {"_target_": "A", key: "$import os"}})
    assert literals.read("part") == {"_target_": "A"}
    assert literals.odd == {f"part::{key}": "$import os"}


def test_only_what_is_asked_for_counts_and_is_known_to_be_used() -> None:
    literals = Literals({**CONFIG, "run": ["$@evaluator.run()"]})
    assert literals.read("ckpt")
    assert literals.used == {"ckpt", "bundle_root", "name", "options"}
    assert not literals.odd


def test_entries_and_components_are_found_wherever_they_stand() -> None:
    config = {"handlers": [{"_target_": "StatsHandler"}, {"_target_": "monai.handlers.CheckpointLoader", "a": 1}]}
    assert list(find_components(config, "CheckpointLoader")) == [("handlers::1", config["handlers"][1])]
    assert find_entry(config, "handlers::1::a") == 1
    assert find_entry(config, "handlers::7::a", "none") == "none"
    assert find_entry(config, "handlers::x") is None


def test_paths_begin_at_the_bundle() -> None:
    assert locate("models/model.pt", Path("/b")) == Path("/b/models/model.pt")
    assert locate("/w/model.pt", Path("/b")) == Path("/w/model.pt")
