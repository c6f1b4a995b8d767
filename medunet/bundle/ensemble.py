"""What of a configuration depends on whether one network predicts or the networks of several folds do."""

from typing import Any

Files = tuple[str, ...]
"""Names of the weights of several folds in `models/`; none where there is `model.pt` alone."""


def make_networks(files: Files) -> dict[str, Any]:
    """The networks. MONAI replaces `%network_def` by a copy, so that each fold has a network of its own."""
    if not files:
        return {"network": "$@network_def.to(@device)"}
    return {
        "network_defs": ["%network_def" for _ in files],
        "networks": [f"$@network_defs#{number}.to(@device)" for number in range(len(files))],
    }


def load_files(files: Files) -> list[dict[str, Any]]:
    """Handlers that load the weights, one a file."""
    pairs = [(name, f"@networks#{number}") for number, name in enumerate(files)] or [("model.pt", "@network")]
    return [
        {
            "_target_": "CheckpointLoader",
            "load_path": f"$@bundle_root + '/models/{name}'",
            "load_dict": {"model": network},
            "map_location": "@device",
            "strict": True,
        }
        for name, network in pairs
    ]


def average_logits(files: Files) -> list[dict[str, Any]]:
    """A transform that takes the mean of the folds' logits, before anything is made of them."""
    keys = [f"pred_{number}" for number in range(len(files))]
    return [{"_target_": "MeanEnsembled", "keys": keys, "output_key": "pred"}] if files else []
