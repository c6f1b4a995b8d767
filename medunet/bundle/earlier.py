"""The expressions that earlier versions of medunet wrote into a bundle's configurations, which are taken still."""

from medunet.task import Task

IMPORTS = [f"$import {name}" for name in ("glob", "os", "sys", "torch")]
TRAINING_IMPORTS = [f"$import {name}" for name in ("os", "sys", "torch")]


def list_expressions(task: Task) -> set[str]:
    """All that differ from those of today.

    Args:
        task: of the bundle.
    """
    keys, ending = task.image_keys(), ".png" if task.unit == "px" else ".nii.gz"
    tail = f"'_{keys[0]}{ending}'" if len(keys) > 1 else f"'{ending}'"
    label = f"@dataset_dir + '/labels/' + os.path.basename(c['{keys[0]}']).replace({tail}, '{ending}')"
    roots = {_find_root(name) for name in ("inference.json", "evaluate.json", "train.json")}
    return roots | {
        "$next((os.path.dirname(os.path.dirname(os.path.abspath(p))) for a in sys.argv "
        "for p in a.replace(chr(34), chr(39)).split(chr(39)) if p.endswith('multi_gpu_train.json')), '.')",
        _list_images(keys, ending, "@dataset_dir"),
        _list_images(keys, ending, "@dataset_dir + '/images'"),
        f"$[dict(c, label={label}) for c in @images]",
        f"$@datalist or sys.exit('no image *{ending} in ' + @dataset_dir)",
        f"$@images or sys.exit('no image *{ending} in ' + @dataset_dir + '/images')",
    }


def _find_root(name: str) -> str:
    return (
        "$next((os.path.dirname(os.path.dirname(os.path.abspath(a.split('=')[-1]))) "
        f"for a in sys.argv if a.endswith('{name}')), '.')"
    )


def _list_images(keys: tuple[str, ...], ending: str, folder: str) -> str:
    if len(keys) == 1:
        return f"$[{{'image': p}} for p in sorted(glob.glob({folder} + '/*{ending}'))]"
    first = keys[0]
    entries = ", ".join(f"'{key}': p.replace('_{first}{ending}', '_{key}{ending}')" for key in keys)
    return f"$[{{{entries}}} for p in sorted(glob.glob({folder} + '/*_{first}{ending}'))]"
