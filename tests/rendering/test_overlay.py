from __future__ import annotations

import gc
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pymaf_live.body import Body, PointSet, project
from pymaf_live.errors import ModelError
from pymaf_live.rendering import Overlay, OverlayStyle, open_overlay, person_colour
from pymaf_live.rendering.overlay import FallbackOverlay
from pymaf_live.types import Camera, Image, Person
from tests.helpers.paths import ROOT
from tests.rendering.conftest import OverlayOpener
from tests.rendering.posed import CAMERA, SIZE, person

OPAQUE = OverlayStyle(opacity=1.0)


def noise(size: tuple[int, int] = SIZE) -> Image:
    random = np.random.default_rng(7)
    return random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def black(size: tuple[int, int] = SIZE) -> Image:
    return np.zeros((size[1], size[0], 3), np.uint8)


def coverage(body: Body, someone: Person, camera: Camera = CAMERA) -> npt.NDArray[np.float64]:
    """Return the covered share of each pixel by OpenCV polygons, eight times supersampled."""
    fine = 8
    vertices = PointSet.vertices(body).pose(someone.rotations, someone.shape, someone.translation)
    corners = (project(vertices, camera) + 0.5) * fine - 0.5
    width, height = camera.size
    mask = np.zeros((height * fine, width * fine), np.uint8)
    for triangle in np.rint(corners[body.faces]).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 255)
    return np.asarray(cv2.resize(mask, camera.size, interpolation=cv2.INTER_AREA)) / 255


def drawn_coverage(
    overlay: Overlay, people: list[Person], camera: Camera = CAMERA
) -> npt.NDArray[np.float64]:
    """Return the share of each pixel that an opaque overlay hides, from two backgrounds."""
    dark = overlay.draw(black(camera.size), people, camera)
    bright = overlay.draw(255 - black(camera.size), people, camera)
    return np.asarray(1 - (bright.astype(float) - dark).mean(axis=2) / 255)


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_silhouette_matches_the_projected_mesh(
    opener: OverlayOpener, body: Body, seed: int
) -> None:
    someone = person(body, seed, turn=seed)
    truth = coverage(body, someone)
    drawn = drawn_coverage(opener(OPAQUE), [someone])
    assert overlap(truth > 0.5, drawn > 0.5) > 0.97
    # wrong pixel centres would shift the centroid by half a pixel
    for axis in (0, 1):
        position = np.indices(truth.shape)[axis]
        centroids = [(cover * position).sum() / cover.sum() for cover in (truth, drawn)]
        assert abs(centroids[0] - centroids[1]) < 0.1


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_gl_and_cpu_draw_the_same_silhouette_and_nearly_the_same_colours(
    body: Body, seed: int
) -> None:
    size = (640, 480)
    camera = Camera.for_frame(size)
    people = [
        person(body, seed, turn=seed, camera=camera),
        person(body, seed + 9, (0.5, 0.2, 4.6), 1, camera=camera),
    ]
    covers, images = [], []
    for overlay in (_gl(body), open_overlay(body, size, "cpu", OPAQUE)):
        covers.append(drawn_coverage(overlay, people, camera))
        images.append(overlay.draw(black(size), people, camera))
        overlay.close()
    assert overlap(covers[0] > 0.4, covers[1] > 0.4) > 0.98
    inner = cv2.erode(np.floor(covers[0]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    difference = np.abs(images[0].astype(int) - images[1])[inner]
    assert difference.mean() < 4


def test_every_joint_lies_on_the_drawn_mesh(opener: OverlayOpener, body: Body) -> None:
    overlay = opener(OPAQUE)
    for seed in range(5):
        someone = person(body, seed, bend=0.2, turn=seed)
        inside = drawn_coverage(overlay, [someone]) > 0.5
        # within a pixel, since a wrist is hardly two pixels wide here
        inside = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        columns, rows = np.rint(someone.joints_2d).astype(int).T
        assert inside[rows, columns].all()


def test_pixels_outside_the_body_are_unchanged(opener: OverlayOpener, body: Body) -> None:
    someone, image = person(body, 1), noise()
    drawn = opener().draw(image, [someone], CAMERA)
    near = (
        cv2.dilate(np.ceil(coverage(body, someone)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    )
    assert np.array_equal(drawn[~near], image[~near])
    assert (drawn[near] != image[near]).any()


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.85])
def test_overlapping_bodies_do_not_add_up_their_opacities(
    opener: OverlayOpener, body: Body, opacity: float
) -> None:
    people = [person(body, n, (0, 0.2, 4 + 0.3 * n), n) for n in range(3)]
    image = noise()
    opaque = opener(OPAQUE).draw(image, people, CAMERA).astype(float)
    drawn = opener(OverlayStyle(opacity=opacity)).draw(image, people, CAMERA)
    inner = (
        cv2.erode(np.floor(coverage(body, people[0])).astype(np.uint8), np.ones((3, 3), np.uint8))
        > 0
    )
    expected = opacity * opaque + (1 - opacity) * image
    assert inner.sum() > 500
    assert np.abs(drawn - expected)[inner].max() <= 2


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_person_is_visible_in_any_order(
    opener: OverlayOpener, body: Body, order: int
) -> None:
    near, far = person(body, 1, (0, 0.2, 3), person_id=1), person(body, 1, (0, 0.2, 5), person_id=2)
    drawn = opener(OPAQUE).draw(black(), [near, far][::order], CAMERA)
    alone = opener(OPAQUE).draw(black(), [near], CAMERA)
    column, row = np.rint(near.joints_2d[0]).astype(int)
    assert np.abs(drawn[row, column].astype(int) - alone[row, column]).max() <= 1
    hue = drawn[row, column] / drawn[row, column].max()
    assert np.abs(hue - person_colour(1) / person_colour(1).max()).max() < 0.15


def test_a_person_keeps_its_colour_when_others_join(opener: OverlayOpener, body: Body) -> None:
    overlay = opener(OPAQUE)
    left = person(body, at=(-0.8, 0.2, 4.0), person_id=1)
    right = person(body, at=(0.8, 0.2, 4.0), person_id=4)
    alone = overlay.draw(black(), [right], CAMERA)
    both = overlay.draw(black(), [left, right], CAMERA)
    swapped = overlay.draw(black(), [right, left], CAMERA)
    half = SIZE[0] // 2
    np.testing.assert_allclose(both[:, half:], alone[:, half:], atol=1)
    np.testing.assert_allclose(swapped, both, atol=1)
    lit = alone.max(axis=2) > 100
    hue = alone[lit].mean(axis=0) / alone[lit].mean()
    differences = [
        float(np.abs(hue - colour / colour.mean()).sum()) for colour in map(person_colour, range(8))
    ]
    assert int(np.argmin(differences)) == 4


def test_intersecting_bodies_are_each_visible_where_they_are_nearer(
    opener: OverlayOpener, body: Body
) -> None:
    overlay = opener(OPAQUE)
    # turned sideways, one arm reaches in front of the other body and the other arm behind it
    across = person(body, bend=0.0, turn=np.pi / 2, at=(0.0, 0.2, 4.0), person_id=1)
    facing = person(body, bend=0.0, at=(0.0, 0.2, 4.0), person_id=4)
    drawn = overlay.draw(black(), [across, facing], CAMERA).astype(float)
    first = overlay.draw(black(), [across], CAMERA).astype(float)
    second = overlay.draw(black(), [facing], CAMERA).astype(float)
    shared = (first.max(axis=2) > 60) & (second.max(axis=2) > 60)
    as_first = shared & (np.abs(drawn - first).max(axis=2) < 3)
    as_second = shared & (np.abs(drawn - second).max(axis=2) < 3)
    assert as_first.sum() > 20
    assert as_second.sum() > 20
    assert (as_first | as_second).sum() > 0.8 * shared.sum()


def test_depth_is_resolved_to_centimetres(opener: OverlayOpener, body: Body) -> None:
    # the same body twice, the second two centimetres behind: it must not show through
    one, other = person(body, 1, person_id=1), person(body, 1, (0.0, 0.2, 4.02), person_id=2)
    drawn = opener(OPAQUE).draw(black(), [other, one], CAMERA)
    front = opener(OPAQUE).draw(black(), [one], CAMERA)
    inner = cv2.erode((front.max(axis=2) > 60).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    same = np.abs(drawn.astype(int) - front).max(axis=2) <= 2
    assert same[inner].mean() > 0.97


@pytest.mark.parametrize(
    "where",
    [(0.0, 0.2, -4.0), (0.0, 0.2, -0.3), (40.0, 0.2, 4.0), (np.nan, 0.2, 4.0), (0, 0, np.inf)],
    ids=["behind", "just behind", "beside", "not a number", "infinite"],
)
def test_an_invisible_body_changes_nothing(
    opener: OverlayOpener, body: Body, where: tuple[float, float, float]
) -> None:
    someone = person(body, 1, bend=0.0)
    invisible = replace(someone, translation=np.array(where))
    assert np.array_equal(opener().draw(noise(), [invisible], CAMERA), noise())


def test_without_people_a_copy_of_the_image_is_returned(opener: OverlayOpener) -> None:
    image = noise()
    image.setflags(write=False)
    drawn = opener().draw(image, [], CAMERA)
    assert np.array_equal(drawn, image)
    assert drawn.flags.writeable


@pytest.mark.parametrize("at", [(0.9, 0.2, 3.0), (0.0, 0.1, 0.4), (0.0, 0.0, 0.02)])
def test_the_visible_part_of_a_body_partly_outside_is_drawn(
    opener: OverlayOpener, body: Body, at: tuple[float, float, float]
) -> None:
    image = noise()
    drawn = opener().draw(image, [person(body, 1, at)], CAMERA)
    assert drawn.shape == image.shape
    assert (drawn != image).any() == (at[2] > 0.1)


def test_the_image_size_may_change(opener: OverlayOpener, body: Body) -> None:
    overlay = opener(OPAQUE)
    for size in ((320, 240), (640, 480), (97, 131), (1, 1), (1280, 720), (320, 240)):
        camera = Camera.for_frame(size)
        someone = person(body, 1, camera=camera)
        drawn = overlay.draw(black(size), [someone], camera)
        assert drawn.shape == (size[1], size[0], 3)
        if size != (1, 1):
            again = overlay.draw(black(size), [someone], camera)
            assert np.array_equal(drawn, again)
            inside = drawn_coverage(overlay, [someone], camera) > 0.5
            assert overlap(inside, coverage(body, someone, camera) > 0.5) > 0.95


def test_a_change_of_shape_is_drawn(opener: OverlayOpener, body: Body) -> None:
    overlay = opener(OPAQUE)
    someone = person(body, 1)
    overlay.draw(black(), [someone], CAMERA)
    larger = replace(someone, shape=someone.shape + 2.0)
    inside = drawn_coverage(overlay, [larger]) > 0.5
    assert overlap(inside, coverage(body, larger) > 0.5) > 0.97


def test_the_skeleton_lies_over_the_body(opener: OverlayOpener, body: Body) -> None:
    someone = person(body, 1)
    without = opener(OPAQUE).draw(black(), [someone], CAMERA)
    with_bones = opener(replace(OPAQUE, skeleton=True)).draw(black(), [someone], CAMERA)
    changed = (with_bones != without).any(axis=2)
    columns, rows = np.rint(someone.joints_2d).astype(int).T
    assert changed[rows, columns].all()
    knee = body.joint_names.index("left_knee")
    thigh = someone.joints_2d[[knee, body.parents[knee]]].mean(axis=0)
    assert with_bones[tuple(np.rint(thigh).astype(int)[::-1])].min() > 150
    assert changed.mean() < 0.1


def test_hundreds_of_frames_leak_no_opengl_objects(body: Body) -> None:
    overlay = _gl(body)
    from vispy.gloo.globject import GLObject

    def objects() -> int:
        gc.collect()
        return sum(isinstance(item, GLObject) for item in gc.get_objects())

    people = [person(body, seed, person_id=seed) for seed in range(40)]
    for someone in people:
        overlay.draw(black(), [someone], CAMERA)
    before = objects()
    for frame in range(200):
        overlay.draw(black(), [people[frame % 40], people[(frame * 7 + 1) % 40]], CAMERA)
    assert objects() == before
    overlay.close()


def _gl(body: Body) -> Overlay:
    try:
        return open_overlay(body, SIZE, "gl", OPAQUE)
    except ModelError as error:
        pytest.skip(str(error))


def test_the_overlay_works_in_another_thread(body: Body) -> None:
    _gl(body).close()
    someone = person(body, 1)
    drawn: list[Image] = []

    def work() -> None:
        overlay = open_overlay(body, SIZE, "gl", OPAQUE)
        drawn.append(overlay.draw(black(), [someone], CAMERA))
        overlay.close()
        overlay.close()

    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert len(drawn) == 2
    assert np.array_equal(drawn[0], drawn[1])
    assert drawn[0].any()


def test_without_opengl_the_cpu_draws_and_reports_it(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    # on a bare server no OpenGL library is found
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(ModelError, match="OpenGL is not available"):
        open_overlay(body, SIZE, "gl")
    overlay = open_overlay(body, SIZE, "auto", OPAQUE)
    assert overlay.name == "cpu rasteriser"
    assert "without OpenGL" in overlay.notice
    assert "\n" not in overlay.notice
    assert overlay.draw(black(), [person(body, 1)], CAMERA).any()


def test_an_opengl_failure_during_a_run_falls_back_to_the_cpu(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    _gl(body).close()
    overlay = open_overlay(body, SIZE, "auto", OPAQUE)
    assert isinstance(overlay, FallbackOverlay)
    assert "vispy" in overlay.name
    assert not overlay.notice
    someone = person(body, 1)
    before = overlay.draw(black(), [someone], CAMERA)

    def fail(*arguments: object) -> None:
        raise RuntimeError("the context was lost\nfor ever")

    monkeypatch.setattr("pymaf_live.rendering.texture_layer.TextureLayer.render", fail)
    after = overlay.draw(black(), [someone], CAMERA)
    assert overlap(before.max(axis=2) > 60, after.max(axis=2) > 60) > 0.98
    assert overlay.name == "cpu rasteriser"
    assert "the context was lost for ever" in overlay.notice
    assert overlay.draw(black(), [someone], CAMERA).any()
    overlay.close()


@pytest.mark.parametrize("module", ["pymaf_live", "pymaf_live.rendering"])
def test_importing_loads_no_vispy(module: str) -> None:
    code = f"import sys, {module}; sys.exit('vispy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_osmesa_draws_the_same_image(body: Body, tmp_path: Path) -> None:
    """Draw without EGL, in a new process, since a process loads one OpenGL library only."""
    code = """
import sys
import numpy as np
from pymaf_live.rendering import OverlayStyle, offscreen, open_overlay
from pymaf_live.body import default_body
from tests.rendering.posed import CAMERA, SIZE, person
def no_egl():
    raise offscreen.OpenGLUnavailable("none")
offscreen._open_egl = no_egl
try:
    overlay = open_overlay(default_body(), SIZE, "gl", OverlayStyle(opacity=1.0))
except Exception as error:
    print(error)
    sys.exit(77)
assert "osmesa" in overlay.name, overlay.name
people = [person(default_body(), 1)]
drawn = overlay.draw(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), people, CAMERA)
np.save(sys.argv[1], drawn)
overlay.close()
"""
    target = tmp_path / "drawn.npy"
    run = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if run.returncode == 77:
        pytest.skip(f"no OSMesa: {run.stdout.strip()}")
    assert run.returncode == 0, run.stderr
    drawn = np.load(target)
    assert overlap(drawn.max(axis=2) > 60, coverage(body, person(body, 1)) > 0.5) > 0.97
