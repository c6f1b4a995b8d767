"""What of a bundle's configurations is more than data, and its evaluation by MONAI where its user trusts it.

MONAI evaluates every text that begins with `$` as Python, imports and calls whatever a `_target_` names, and reads the
file behind a `%`: a configuration is a program of whoever wrote it.
"""

from typing import Any

from monai.bundle import ConfigParser

from medunet.bundle.expressions import find_expressions
from medunet.bundle.folder import Bundle
from medunet.errors import BundleError, MedunetError, name_fault
from medunet.preparation import find_transform

TRUST = "read that file, and give --trust if you know who wrote it"


def evaluate_parts(bundle: Bundle) -> dict[str, Any] | None:
    """The inference.json of a trusted bundle, with its network and chain as MONAI's parser makes them.

    Returns:
        A copy, whose arguments of `network_def` are values and whose steps of `preprocessing` are built where they are
        more than data; None where all of it is data anyway.

    Raises:
        BundleError: MONAI can't evaluate it.
    """
    network, steps = bundle.inference["network_def"], bundle.preprocessing
    if not isinstance(network, dict):
        return None
    open_steps = [number for number, step in enumerate(steps) if find_transform(step) is None]
    if not open_steps and not any(True for _ in find_expressions(network)):
        return None
    parser = ConfigParser({**bundle.inference, "bundle_root": str(bundle.folder), "steps": steps})
    parts: dict[str, Any] = {}
    try:
        for key in network:
            parts[key] = network[key] if key == "_target_" else parser.get_parsed_content(f"network_def::{key}")
        built = {number: parser.get_parsed_content(f"steps::{number}") for number in open_steps}
    except MedunetError:
        raise
    except Exception as error:
        said = name_fault(error.__cause__ or error)
        path = bundle.folder / "configs" / "inference.json"
        raise BundleError(path, f"MONAI can't evaluate it ({said})", "correct it or restore it from a copy") from error
    chain = [built.get(number, step) for number, step in enumerate(steps)]
    return {**bundle.inference, "network_def": parts, "preprocessing": {"transforms": chain}}
