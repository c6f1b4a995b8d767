"""Names by which code reaches beyond a bundle are found, however they are imported."""

import ast

import pytest

from medunet.bundle.audit.dangers import find_danger, find_dangers


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('x')",
        "import os as o\no.system('x')",
        "from os import system as s\ns('x')",
        "import subprocess",
        "().__class__.__mro__[1].__subclasses__()",
        "open('/etc/passwd')",
        "torch.load('a.pt')",
        "torch.load('a.pt', weights_only=False)",
        "x.write_text('a')",
        "[f for f in [1]][0].f_globals",
        "getattr(os, 'sys' + 'tem')",
        "from importlib import import_module",
    ],
)
def test_dangers_are_found(code: str) -> None:
    assert list(find_dangers(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "torch.load('a.pt', weights_only=True)",
        "sorted(glob.glob(os.path.join(a, '*.nii.gz')))",
        "torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "x.to(device)",
        "list(map(float, [1]))",
    ],
)
def test_what_is_harmless_is_none(code: str) -> None:
    assert not list(find_dangers(ast.parse(code)))


def test_each_danger_has_its_line_and_is_told_once() -> None:
    found = list(find_dangers(ast.parse("x = 1\nimport os\nos.popen('a'); os.popen('b')")))
    assert [(line, name) for line, name, _ in found] == [(3, "os.popen")]


def test_parts_of_a_name_count() -> None:
    assert find_danger("urllib.request.urlopen") == find_danger("socket")
    assert find_danger("monai.networks.nets.UNet") == ""
    assert find_danger("os.path.join") == ""
