"""What libraries say while an application runs is kept off its screen."""

import logging
import warnings


def silence_libraries() -> None:
    """Keep warnings of libraries off the screen of an application, which says itself what counts."""
    warnings.filterwarnings("ignore")
    for noisy in ("highdicom", "monai"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
