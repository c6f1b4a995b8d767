"""The expressions by which MONAI alone finds a bundle's files and ends where it can't be right.

Each is evaluated by MONAI's parser, where nothing of medunet can be imported. An expression can't raise, so `sys.exit`
ends with the sentence and a code that isn't 0.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medunet.task import Task

Config = dict[str, Any]
IMPORTS = [f"$import {name}" for name in ("glob", "inspect", "os", "re", "sys", "torch")]
WORKFLOW = "isinstance(f.frame.f_locals.get('self'), monai.bundle.ConfigWorkflow)"
PLACES = ("bundle_root", "output_dir", "dataset_dir")
"""Keys that hold paths."""


def find_root(name: str) -> str:
    """Expression for the bundle's folder: that of the configuration of this name, from wherever and however it is run.

    MONAI hands a configuration nothing of where it lies, but the workflow that evaluates it knows the folder of the
    first configuration, and MONAI's function that made the workflow all of them. Where none has the name, the path is
    one that no file can have, so that never another bundle's weights are found.
    """
    files = "o.frame.f_locals.get('config_file') if o.filename.endswith(os.path.join('bundle', 'scripts.py')) else None"
    last = f"os.path.join(f.frame.f_locals['self'].config_root_path, '{name}')"
    unknown = f"/bundle_root is unknown, since MONAI got no {name}: give it by --bundle_root"
    return (
        "$next((os.path.dirname(os.path.dirname(os.path.abspath(p))) "
        "for f, o in list(zip(inspect.stack(0), inspect.stack(0)[1:])) "
        f"if {WORKFLOW} and not {WORKFLOW.replace('f.', 'o.', 1)} "
        f"for p in reversed(monai.utils.ensure_tuple(({files}) or {last})) "
        f"if os.path.basename(p) == '{name}' and os.path.isfile(p)), "
        f"os.devnull + '{unknown}')"
    )


def find_endings(task: Task) -> tuple[str, ...]:
    """How the names of images and label maps end; that of results first."""
    return (".png",) if task.unit == "px" else (".nii.gz", ".nii")


def _match_ending(task: Task) -> str:
    return r"\.png$" if task.unit == "px" else r"\.nii(\.gz)?$"


def _list_files(folder: str) -> str:
    return f"glob.glob(os.path.join(glob.escape(os.path.abspath({folder})), '*'))"


def list_images(task: Task, folder: str) -> str:
    """Expression for the paths of each case of a folder, by key.

    Args:
        task: a single channel takes every image, several take `CASE_<channel>`.
        folder: expression.
    """
    keys, ending = task.image_keys(), _match_ending(task)
    if len(keys) == 1:
        return f"$[{{'image': p}} for p in sorted({_list_files(folder)}) if re.search(r'{ending}', p, re.I)]"
    first = keys[0]
    stems = {key: f"s + '_{key}'" for key in keys[1:]}
    others = ", ".join(f"'{key}': {_find_file(task, stem)}" for key, stem in stems.items())
    return (
        f"$[{{'{first}': p, {others}}} for p in sorted({_list_files(folder)}) "
        f"for s in [re.sub(r'_{first}{ending}', '', p)] if s != p]"
    )


def _find_file(task: Task, stem: str) -> str:
    """Expression for the file of a path without its ending."""
    first, *others = (f"{stem} + '{ending}'" for ending in find_endings(task))
    return "(" + "".join(f"{path} if os.path.isfile({path}) else " for path in others) + f"{first})"


def list_labels(task: Task) -> str:
    """Expression for the cases of `@images` with their label maps: of the name of the case, in `labels`."""
    first = task.image_keys()[0]
    channel = f"_{first}" if len(task.image_keys()) > 1 else ""
    name = f"re.sub(r'{channel}{_match_ending(task)}', '', os.path.basename(c['{first}']), flags=re.I)"
    path = f"os.path.join(os.path.abspath(@dataset_dir), 'labels', {name})"
    return f"$[dict(c, label={_find_file(task, 's')}) for c in @images for s in [{path}]]"


def check_places(task: Task, images: str, *folders: str) -> list[str]:
    """Expressions that end where the wrong files would be read: none at all, or not those that were named.

    The command line of MONAI takes words for Python: of `scan#1` it makes `scan`, of `1_0` the number 10.

    Args:
        task: gives the endings of names.
        images: reference to the cases.
        folders: expressions of the folders whose files are read.
    """
    ending, places = _match_ending(task), ", ".join(f"'{key}': @{key}" for key in PLACES)
    given = (
        f"$[sys.exit(f'--{{k}} {{w}} reaches the bundle as {{v!r}}, since MONAI takes it for Python: "
        "give an absolute path without a number sign') "
        f"for k, v in {{{places}}}.items() for n, a in enumerate(sys.argv[1:], 2) "
        "if sys.argv[0].endswith(os.path.join('bundle', '__main__.py')) and a.startswith('-') "
        "and a.split('=')[0].strip('-').replace('-', '_') == k "
        "for w in [(a.split('=', 1) + sys.argv[n:])[1]] "
        r"if w != v and (os.path.exists(w) or w.strip('\'\"') != v)]"
    )
    texts = (
        f"$[sys.exit(f'{{k}} is {{v!r}}, which is no path') for k, v in {{{places}}}.items() "
        "if not isinstance(v, (str, os.PathLike))]"
    )
    said = " or ".join(f"*{ending}" for ending in find_endings(task))
    some = f"$@{images} or sys.exit('no image {said} in ' + str(@dataset_dir))"
    twins = [
        "$[sys.exit(f'{n}: two files have this name, with other endings; leave one of them') "
        f"for s in [[re.sub(r'{ending}', '', p, flags=re.I) for p in {_list_files(folder)} "
        f"if re.search(r'{ending}', p, re.I)]] if len(set(s)) < len(s) for n in s if s.count(n) > 1]"
        for folder in folders
    ]
    there = "$os.path.isdir(@bundle_root) or sys.exit('there is no folder ' + str(@bundle_root))"
    return [given, texts, there, *(twins if task.unit == "mm" else []), some]


def refuse_nan(task: Task) -> list[Config]:
    """Transform that ends where an image holds voxels that are no finite number; a PNG holds none."""
    said = "voxels are not finite; replace them before use"
    count = "int((~torch.isfinite(x)).sum())"
    func = (
        "$lambda x: x if torch.isfinite(x).all() else "
        f"sys.exit(f\"{{x.meta.get('filename_or_obj', 'the image')}}: {{{count}}} {said}\")"
    )
    return [] if task.unit == "px" else [{"_target_": "Lambdad", "keys": list(task.image_keys()), "func": func}]


def refuse_nan_logits() -> list[Config]:
    """Transform that ends where the network gives logits `pred` that are no numbers, as of damaged weights."""
    func = (
        "$lambda x: x if torch.isfinite(x).all() else "
        "sys.exit('the logits of the network are not finite: its weights are damaged; restore them')"
    )
    return [{"_target_": "Lambdad", "keys": ["pred"], "func": func}]


def walk(config: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of everything in a configuration, the outer ones first; numbers of list items are parts too."""
    yield above, config
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(config, Mapping):
        items = config.items()
    elif isinstance(config, list):
        items = enumerate(config)
    for name, item in items:
        yield from walk(item, *above, str(name))


def find_expressions(config: Any) -> Iterator[tuple[str, str]]:
    """Path and text of everything that MONAI would evaluate or look up."""
    for parts, value in walk(config):
        if isinstance(value, str) and value.startswith(("$", "@", "%")):
            yield ".".join(parts), value


def runs_more(part: Mapping[str, Any]) -> bool:
    """Whether MONAI's parser would do more with a `_target_` dictionary than call what it names with data."""
    inner = any(name.startswith("_") for parts, _ in walk(part) for name in parts[1:])
    return inner or any(True for _ in find_expressions(part))
