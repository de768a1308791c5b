from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import ModelError
from pymaf_live.rendering import Overlay, OverlayStyle, open_overlay
from tests.rendering.posed import SIZE

OverlayOpener = Callable[..., Overlay]


@pytest.fixture(scope="session")
def body() -> Body:
    return default_body()


@pytest.fixture(params=["gl", "cpu"])
def opener(request: pytest.FixtureRequest, body: Body) -> Iterator[OverlayOpener]:
    """OverlayOpener overlays of each kind and close them after the test."""
    opened: list[Overlay] = []

    def open_(style: OverlayStyle | None = None) -> Overlay:
        try:
            overlay = open_overlay(body, SIZE, request.param, style)
        except ModelError as error:
            pytest.skip(str(error))
        opened.append(overlay)
        return overlay

    yield open_
    for overlay in opened:
        overlay.close()
