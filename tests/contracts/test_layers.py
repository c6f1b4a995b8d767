"""A module imports its own folder and the layers above it, and names no others; nothing imports in a circle."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "medunet"
GROUND = (
    *(
        "algorithms",
        "archives",
        "calibration",
        "codes",
        "confidence",
        "errors",
        "extents",
        "extras",
        "files",
        "findings",
        "geometry",
        "labels",
    ),
    *("large_parts", "machine", "measures", "objects", "outlines", "partial", "parts", "postprocessing", "progress"),
    *("records", "runs", "scratch", "sides", "spread", "task", "terms", "windows"),
)
LAYERS = {
    **dict.fromkeys(GROUND, 0),
    "children": 1,
    "reading": 2,
    "writing": 3,
    "conversion": 4,
    "saving": 4,
    "cohort": 4,
    "measuring": 5,
    "planning": 6,
    "preparation": 7,
    "networks": 7,
    "bundle": 8,
    "inference": 9,
    "evaluation": 9,
    "training": 9,
    "planner": 10,
    "deploy": 10,
    "handover": 11,
    "report": 10,
    "testing": 10,
    "calibrating": 11,
    "distilling": 11,
    "cross_validation": 11,
    "training_page": 11,
    "api": 12,
    "node": 13,
    "cli": 14,
}
LEARNING = {"torch", "monai", "ignite"}
# Volumes and masks save themselves, since that is where people look for it. What they call writes and reads back, so
# it lies below them; they import it when they are saved. Nothing else may point down.
DOWN = {("labels", "saving"), ("reading", "saving")}
FORMATS = {"pydicom", "nibabel", "SimpleITK"}
# What the architecture lets a layer load beside numpy and the standard library.
FORBIDDEN = {
    **dict.fromkeys(("reading", "writing", "conversion", "saving", "evaluation", "report", "children"), LEARNING),
    **dict.fromkeys((*GROUND, "cohort", "measuring", "planning"), LEARNING | FORMATS),
}
# What inference needs of a bundle is its recipe, which is made of foreign bundles too: those have no plan.
WITHOUT_PLAN = {"inference": "medunet.planning"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def walk_start(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes outside of functions: what runs when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from walk_start(node)


def find_imports(path: Path, walk: Callable[[ast.AST], Iterable[ast.AST]] = ast.walk) -> set[str]:
    found = set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= names if node.module == "medunet" else {name if is_module(name) else node.module for name in names}
    return found


def is_module(name: str) -> bool:
    """Whether a dotted name is one of our modules or packages, and no name within one."""
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def name_part(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_up(path: Path) -> None:
    part = name_part(path)
    if part in ("__init__", "__main__"):
        return
    for name in find_imports(path):
        root, *rest = name.split(".")
        if root == "medunet":
            assert rest, "a module imports the root package"
            other = rest[0]
            if (part, other) in DOWN:
                assert name not in find_imports(path, walk_start), f"{part} imports {other} before it is called"
                continue
            assert other == part or LAYERS[other] < LAYERS[part] or LAYERS[part] == 0 == LAYERS[other], (
                f"{part} imports {other}"
            )
        assert not f"{name}.".startswith(f"{WITHOUT_PLAN.get(part)}."), f"{part} knows the plan"
        assert root not in FORBIDDEN.get(part, set()), f"{part} loads {root}"


def test_what_others_test_with_is_no_part_of_the_program() -> None:
    for path in MODULES:
        if name_part(path) != "testing":
            assert not [name for name in find_imports(path) if name.startswith("medunet.testing")], path


@pytest.mark.parametrize("folder", ["phantoms", "faults"])
def test_made_up_scans_know_files_alone(folder: str) -> None:
    """So that readers of DICOM are tested where no network can run."""
    modules = list((PACKAGE / "testing" / folder).iterdir())
    assert len(modules) > 3
    for path in modules:
        for name in find_imports(path) if path.suffix == ".py" else ():
            root, *rest = name.split(".")
            assert root not in ("torch", "monai", "ignite"), path
            assert root != "medunet" or rest[0] == "testing" or LAYERS[rest[0]] <= LAYERS["cohort"], path


def find_names_in_strings(path: Path) -> set[str]:
    """Parts of the package that strings name, as configurations do: `training` of `medunet.training.open_session`.

    Docstrings may point anywhere.
    """
    nodes = list(ast.walk(ast.parse(path.read_text())))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in prose]
    return {name for text in texts if isinstance(text, str) for name in re.findall(r"\bmedunet\.(\w+)", text)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_strings_point_up_too(path: Path) -> None:
    part = name_part(path)
    for other in find_names_in_strings(path) & LAYERS.keys():
        assert other == part or LAYERS[other] < LAYERS.get(part, 99), f"{part} names {other}"


def test_the_wiring_of_training_names_what_it_needs_and_a_bundle_does_not() -> None:
    assert "training" in find_names_in_strings(PACKAGE / "training" / "config.py")
    for path in (PACKAGE / "bundle").iterdir():
        assert path.suffix != ".py" or "medunet.training" not in path.read_text(encoding="utf-8")


def test_what_may_point_down_does() -> None:
    for part, other in DOWN:
        files = [path for path in MODULES if name_part(path) == part and f"medunet.{other}" in find_imports(path)]
        assert len(files) == 1, f"{part} to {other} is no exception any more, or more than one"


def test_no_circle() -> None:
    graph = {}
    for path in MODULES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        part = name_part(path)
        graph[name] = {
            item
            for item in find_imports(path)
            if item.startswith("medunet") and (part, item.partition(".")[2]) not in DOWN
        } - {name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name in done or name not in graph:
            return
        for other in graph[name]:
            visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        if not name.endswith("__main__"):
            visit(name, ())
