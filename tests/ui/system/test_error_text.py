from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.errors import (
    BodyMismatchError,
    EndlessSourceError,
    InputError,
    OutputExistsError,
    PymafLiveError,
)
from ui.system.error_text import error_text, sentence


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (InputError("cannot read a.mp4"), "Cannot read a.mp4.", ""),
        (InputError("is the camera connected?"), "Is the camera connected?", ""),
        (OutputExistsError(Path("/out/a.bvh")), "The folder /out already has a.bvh.", "Allow"),
        (
            OutputExistsError(Path("/out/a.bvh"), 2),
            "The folder /out already has a.bvh and 2",
            "Allow",
        ),
        (BodyMismatchError("full"), "The take has the body of full.", "Model page"),
        (EndlessSourceError("camera 0"), "Camera 0 is live", "record it"),
    ],
)
def test_an_error_is_one_sentence_and_the_remedy_in_the_window(
    error: PymafLiveError, cause: str, remedy: str
) -> None:
    text = error_text(error)
    assert text.startswith(cause)
    assert remedy in text
    assert "--" not in text
    assert "\n" not in text


def test_an_unexpected_error_is_shown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert error_text(ValueError("odd")) == (
        "Something went wrong inside PyMAF Live (ValueError: odd)."
    )
    assert "unexpected error" in caplog.text


def test_a_sentence_has_one_full_stop() -> None:
    assert sentence("done") == "Done."
    assert sentence("Done.") == "Done."
    assert sentence("Loading…") == "Loading…"
