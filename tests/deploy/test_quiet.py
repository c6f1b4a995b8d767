import logging
import warnings

import pytest

from medunet.deploy.quiet import silence_libraries


def test_libraries_are_heard_only_where_something_fails(caplog: pytest.LogCaptureFixture) -> None:
    before = {name: logging.getLogger(name).level for name in ("highdicom", "monai")}
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            silence_libraries()
            warnings.warn("old", UserWarning, stacklevel=1)
            for name in before:
                logging.getLogger(name).warning("odd")
                logging.getLogger(name).error("broken")
        assert heard == []
        assert [record.message for record in caplog.records] == ["broken", "broken"]
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
