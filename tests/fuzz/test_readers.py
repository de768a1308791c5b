"""Readers of files that others may have made, fed with damaged ones.

Whatever a file contains, a reader returns or raises an error of the program in one line, with
bounded memory. Hypothesis chooses the damage and shrinks what fails; files that once failed lie in
``corpus/`` and are always read. A few dozen examples run with the other tests; hours of them with

    PYMAF_LIVE_FUZZ_EXAMPLES=100000 python -m pytest tests/fuzz
"""

from __future__ import annotations

import io
import json
import os
import pickle
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from pymaf_live.body import default_body
from pymaf_live.body.safe_pickle import load_arrays
from pymaf_live.errors import PymafLiveError
from pymaf_live.export.bvh import export_bvh
from pymaf_live.export.csv import export_csv
from pymaf_live.export.fbx import export_fbx
from pymaf_live.export.gltf import export_glb
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.trc import export_trc
from pymaf_live.inference.onnx_graph import require_bounded_graph
from pymaf_live.inference.onnx_metadata import metadata_entries
from pymaf_live.settings import Settings, load_settings, save_settings
from pymaf_live.sources.animation import AnimationSource, is_animation
from pymaf_live.sources.image_headers import image_header
from pymaf_live.sources.images import read_image
from pymaf_live.sources.playlist import require_own_files
from pymaf_live.system.reporter import SILENT
from pymaf_live.takes import Take, read_take, write_take
from pymaf_live.takes.journal import TakeJournal, read_journal, summarize_journal
from pymaf_live.workflows.boxes_file import read_boxes
from tests.helpers.model import write_fake_model
from tests.helpers.take import make_take, standing
from tests.takes.test_journal import FACTS, result

EXAMPLES = int(os.environ.get("PYMAF_LIVE_FUZZ_EXAMPLES", "25"))
CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 700_000_000
"""Memory that reading a small file may take; the limit of decoded images."""

Damage = list[tuple[float, int, bytes]]
"""Place as a fraction of the file, number of bytes replaced there, and what replaces them."""

DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 6),
        st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, b"\0" * 8, b"\x7f\xff\xff\xff"]),
    ),
    min_size=1,
    max_size=6,
)


def model(path: Path) -> None:
    metadata_entries(path)
    require_bounded_graph(path)


def journal(path: Path) -> None:
    summarize_journal(path)
    read_journal(path)


def image(path: Path) -> None:
    image_header(path.read_bytes())
    read_image(path)


def animation(path: Path) -> None:
    if is_animation(path):
        list(AnimationSource(path).frames())


def smpl(path: Path) -> None:
    load_arrays(path.read_bytes(), path.name)


def playlist(path: Path) -> None:
    require_own_files(path, path.read_bytes()[:16])


def take_to_export() -> Take:
    body, times = default_body(), np.arange(3) / 30
    return make_take(body, times, {1: standing(body, 3)}, {1: np.tile([0.0, 0.0, 4.0], (3, 1))})


def read_back(writer: PerPersonWriter) -> Callable[[Path], object]:
    """Return a function that verifies a file as if the writer had just written it."""

    def read(path: Path) -> None:
        def write(target: Path, *_: object) -> None:
            target.write_bytes(path.read_bytes())

        target = path.with_name(f"verified{writer.suffix}")
        copying = replace(writer, write=write)
        copying(
            take_to_export(), default_body(), target, ExportOptions(), force=True, reporter=SILENT
        )

    return read


EXPORTS = {
    "glb": export_glb,
    "bvh": export_bvh,
    "fbx": export_fbx,
    "csv": export_csv,
    "trc": export_trc,
}

READERS: dict[str, Callable[[Path], object]] = {
    "take": read_take,
    "journal": journal,
    "settings": load_settings,
    "boxes": read_boxes,
    "model": model,
    "smpl": smpl,
    "png": image,
    "jpg": image,
    "webp": image,
    "tif": image,
    "heic": image,
    "avif": image,
    "animation": animation,
    "playlist": playlist,
    **{kind: read_back(writer) for kind, writer in EXPORTS.items()},
}
SLOW = {"fbx": 5}
"""Kinds whose reader runs in a process of its own: one example of five is read."""


calls: Counter[str] = Counter()


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a small valid file of each kind."""
    folder, body = tmp_path_factory.mktemp("seeds"), default_body()
    write_take(folder / "take.npz", take_to_export())
    recorded = TakeJournal(folder / "a.journal", body, FACTS)
    recorded.add(result(0.0, ()))
    recorded.set_names({1: "Anna"})
    recorded.close()
    save_settings(Settings(), folder / "settings.toml")
    write_fake_model(folder / "fake.onnx", body)
    picture = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    found = {
        "take": (folder / "take.npz").read_bytes(),
        "journal": (folder / "a.journal").read_bytes(),
        "settings": (folder / "settings.toml").read_bytes(),
        "boxes": json.dumps({"a.jpg": [[0, 0, 10, 20.5]], "3": []}).encode(),
        "model": (folder / "fake.onnx").read_bytes(),
        "smpl": pickle.dumps({"f": np.zeros((4, 3), np.uint32), "v": np.ones((2, 2))}, 2),
        "playlist": b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="a"\n#EXTINF:1,\na.ts\n',
    }
    for kind, writer in EXPORTS.items():
        writer(
            take_to_export(),
            body,
            folder / f"a.{kind}",
            ExportOptions(mesh=False),
            force=False,
            reporter=SILENT,
        )
        found[kind] = (folder / f"a.{kind}").read_bytes()
    for kind in ("png", "jpg", "webp", "tif"):
        found[kind] = cv2.imencode(f".{kind}", picture)[1].tobytes()
    for kind in ("heic", "avif"):
        file = io.BytesIO()
        if kind == "avif":
            Pillow.fromarray(picture).save(file, "AVIF")
        else:
            import pillow_heif

            pillow_heif.from_bytes("RGB", (24, 16), picture.tobytes()).save(file)
        found[kind] = file.getvalue()
    file = io.BytesIO()
    frames = [Pillow.new("RGB", (8, 8), (50 * k, 0, 0)) for k in range(3)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=40)
    found["animation"] = file.getvalue()
    return found


def damaged(content: bytes, damage: Damage) -> bytes:
    changed = bytearray(content)
    for place, length, replacement in damage:
        start = int(place * len(changed))
        changed[start : start + length] = replacement
    return bytes(changed)


def read_within_limits(kind: str, path: Path) -> None:
    """Read a file; any error but one of the program fails the test."""
    tracemalloc.start()
    try:
        with suppress(PymafLiveError):
            try:
                READERS[kind](path)
            except PymafLiveError as error:
                if "\n" in str(error):
                    raise AssertionError(f"not one line: {error}") from error
                raise
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", READERS)
def test_undamaged_files_are_read(seeds: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"seed.{kind}"
    path.write_bytes(seeds[kind])
    READERS[kind](path)


@pytest.mark.parametrize("kind", READERS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PYMAF_LIVE_FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(damage=DAMAGE)
def test_damaged_files_are_read_or_refused(
    seeds: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    damage: Damage,
) -> None:
    calls[kind] += 1
    if calls[kind] % SLOW.get(kind, 1):
        return
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(damaged(seeds[kind], damage))
    read_within_limits(kind, path)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_files_that_once_failed(tmp_path: Path, path: Path) -> None:
    """The part of a name up to its first dot is the kind."""
    copy = tmp_path / path.name  # a broken settings file is moved aside
    copy.write_bytes(path.read_bytes())
    read_within_limits(path.name.partition(".")[0], copy)
