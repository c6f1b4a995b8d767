import pytest
from reference_pages import COMMANDS, FOLDER, PAGES, describe_files, describe_names

import medunet


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_the_program_says(page: str) -> None:
    assert (FOLDER / page).read_text(encoding="utf-8") == PAGES[page](), "run workflows/reference_pages.py"


def test_every_command_and_name_has_its_place() -> None:
    commands = (FOLDER / "cli.md").read_text(encoding="utf-8")
    assert all(f"## medunet {name}".strip() in commands for name in COMMANDS)
    names = describe_names()
    assert all(f"### medunet.{name}\n" in names for name in medunet.__all__ if name != "__version__")


def test_keys_of_records_within_records_have_their_paths() -> None:
    page = describe_files()
    for key in ("window.patch", "task.labels.labels[].name", "images.*.sha256", "scores.methods.*[].dice"):
        assert f"| `{key}` |" in page
    assert "|  |" not in page, "a key is without a meaning"
