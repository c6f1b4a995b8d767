"""A module imports its own folder and the layers above it; nothing imports in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "medunet"
GROUND = (
    *("archives", "codes", "errors", "extras", "files", "findings", "geometry", "labels", "machine", "objects"),
    *("progress", "records", "runs", "terms"),
)
LAYERS = {
    **dict.fromkeys(GROUND, 0),
    "children": 1,
    "reading": 2,
    "writing": 2,
    "cohort": 3,
    "measuring": 4,
    "planning": 5,
    "preparation": 6,
    "networks": 6,
    "bundle": 7,
    "inference": 8,
    "evaluation": 8,
    "training": 8,
    "planner": 8,
    "report": 9,
    "cross_validation": 10,
    "api": 11,
    "deploy": 12,
    "node": 12,
    "cli": 13,
}
LEARNING = {"torch", "monai", "ignite"}
FORMATS = {"pydicom", "nibabel", "SimpleITK"}
# What the architecture lets a layer load beside numpy and the standard library.
FORBIDDEN = {
    **dict.fromkeys(("reading", "writing", "evaluation", "report", "children"), LEARNING),
    **dict.fromkeys((*GROUND, "cohort", "measuring", "planning"), LEARNING | FORMATS),
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def find_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= (
                {f"{node.module}.{name.name}" for name in node.names} if node.module == "medunet" else {node.module}
            )
    return found


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
            assert other == part or LAYERS[other] < LAYERS[part] or LAYERS[part] == 0 == LAYERS[other], (
                f"{part} imports {other}"
            )
        assert root not in FORBIDDEN.get(part, set()), f"{part} loads {root}"


def test_no_circle() -> None:
    graph = {}
    for path in MODULES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {item for item in find_imports(path) if item.startswith("medunet")} - {name}
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
