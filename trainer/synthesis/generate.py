"""Generate a packed set of synthetic people: `python -m trainer synthesize`."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, OutputError, UsageError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from trainer.data.locations import NATURAL_FITS, SHARED_DATA
from trainer.data.lspet import read_joint_set
from trainer.data.synthetic import labels_from_arrays
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.poses import Poses, kept_fits
from trainer.synthesis.render_sample import CROP_SIZE, SampleRenderer
from trainer.synthesis.truth import DressedTruth, Truth

if TYPE_CHECKING:
    # imported only where used: Numba takes seconds
    from trainer.synthesis.dressed.picture import DressedRenderer

IMAGES_PER_SHARD = 400
LARGEST_SHARD = 24 * 1024 * 1024
_QUALITY = 85
_MAX_COUNT = 1_000_000
_SECONDS_BETWEEN_LINES = 20.0
_VERSION = 1
"""Increases when the same seed gives other images than before."""
_DRESSED_VERSION = 1
"""Version of sets of dressed people."""


@dataclass(frozen=True)
class SynthesisOptions:
    """Options of a set; two runs with the same options make the same set."""

    count: int
    seed: int
    clean: bool = False
    """Use only sources that are free for commercial use."""
    test: bool = False
    """Use poses, backgrounds and random numbers that training sets do not use."""
    size: int = 288
    """Longer side of the images in pixels."""
    data: str = str(SHARED_DATA)
    """Folder with the packed sets lspet, ccp, coco_mini and mocap; missing ones are not used."""
    fits: str = str(NATURAL_FITS)
    """Fits of LSPET to take poses from; the default file is not used if it is missing."""
    clothes: str = ""
    """Clothes folder of dressed people; '' makes people in painted cloth."""

    def text(self, body_sha256: str) -> str:
        """Return the options as JSON, which the set stores."""
        options = asdict(self)
        version = _DRESSED_VERSION
        if not self.clothes:
            del options["clothes"]
            version = _VERSION
        return json.dumps({**options, "version": version, "body_sha256": body_sha256})


def synthesize(folder: Path, options: SynthesisOptions, *, workers: int = 1) -> None:
    """Generate a set, or continue an interrupted one.

    Each shard is a zip of JPEGs, for dressed people one of masks, and, until the set is complete, a
    file with its labels; they get their final names only when complete. An image depends only on
    the seed and its number.

    Parameters
    ----------
    folder : Path
        Created if missing. A set in it that was made with other options is not changed.
    options : SynthesisOptions
    workers : int
        Number of processes.

    Raises
    ------
    UsageError
        If an option is out of range.
    InputError
        If a source is missing or unsound, or `clean` has no source of poses.
    OutputError
        If the set cannot be written, or `folder` holds another set.
    """
    if not 1 <= options.count <= _MAX_COUNT:
        raise UsageError(f"--count must be 1 to {_MAX_COUNT}, not {options.count}")
    if not 32 <= options.size <= 1024:
        raise UsageError(f"--size must be 32 to 1024 pixels, not {options.size}")
    if workers < 1:
        raise UsageError("--workers must be at least 1")
    if options.seed < 0:
        raise UsageError("--seed must not be negative")
    text = options.text(default_body().sha256)
    if _finished(folder, text):
        return
    _check_sources(options)
    make_folder(folder)
    kept = folder / "settings.json"
    if not kept.exists() or kept.read_text("utf-8") != text:
        # a run that failed before its first shard does not block the folder
        if kept.exists() and _has_shards(folder):
            raise OutputError(f"{folder} holds an unfinished set made with other options")
        with atomic_write(kept) as temporary:
            temporary.write_text(text, "utf-8")
    shards = -(-options.count // IMAGES_PER_SHARD)
    todo = [k for k in range(shards) if not _shard_done(folder, k)]
    console, started = Console(stderr=True), time.monotonic()
    reported = started
    done, total = 0, sum(len(_rows(k, options.count)) for k in todo)
    for made in _generate(folder, options, todo, workers):
        done += made
        now = time.monotonic()
        if now - reported > _SECONDS_BETWEEN_LINES or done == total:
            left = (now - started) / max(done, 1) * (total - done) / 60
            console.print(f"synthesize: {done}/{total}, {left:.1f} min left", soft_wrap=True)
            reported = now
    _gather(folder, shards, options, text)


def take_finished(folder: Path, options: SynthesisOptions, target: Path) -> int:
    """Copy the complete shards of an unfinished set to a set of their own.

    It is the set that the same options with a smaller count would make. The unfinished set is not
    changed and can be continued.

    Parameters
    ----------
    folder : Path
        The unfinished set.
    options : SynthesisOptions
        Options of the unfinished set.
    target : Path
        Must not exist.

    Returns
    -------
    int
        Number of images.

    Raises
    ------
    InputError
        If `folder` is not an unfinished set with these options, or no shard is complete.
    OutputError
        If `target` exists or cannot be written.
    """
    kept = folder / "settings.json"
    if not kept.exists() or kept.read_text("utf-8") != options.text(default_body().sha256):
        raise InputError(f"{folder} is not an unfinished set with these options")
    shards = 0
    while _shard_done(folder, shards):
        shards += 1
    if not shards:
        raise InputError(f"{folder} has no finished shard yet")
    if target.exists():
        raise OutputError(f"{target} exists already")
    part = replace(options, count=min(shards * IMAGES_PER_SHARD, options.count))
    make_folder(target)
    for shard in range(shards):
        names = [f"images_{shard:02d}.zip", _part(folder, shard).name]
        names += [f"masks_{shard:02d}.zip"] if options.clothes else []
        for name in names:
            with atomic_write(target / name) as temporary:
                shutil.copyfile(folder / name, temporary)
    _gather(target, shards, part, part.text(default_body().sha256))
    return part.count


def _check_sources(options: SynthesisOptions) -> None:
    """Refuse named sources that are missing, before anything is written."""
    if not Path(options.data).is_dir():
        raise InputError(f"there is no folder {options.data}")
    if options.clothes and not (Path(options.clothes) / "manifest.json").is_file():
        raise InputError(f"there is no clothes folder {options.clothes}; name it with --clothes")
    if options.fits == SynthesisOptions.fits:
        return
    if not Path(options.fits).is_file():
        raise InputError(
            f"there is no file {options.fits}; correct --fits, or leave it out to use no fits"
        )
    if options.clean:
        raise UsageError("--clean uses no fits of LSPET, which are not free; leave out --fits")
    if not (Path(options.data) / "lspet").is_dir():
        raise InputError(f"--fits needs the set lspet, which is missing from {options.data}")


def _finished(folder: Path, text: str) -> bool:
    """Return True if the set is complete; `OutputError` if another set is in the folder."""
    path = folder / "labels.npz"
    if not path.exists():
        return False
    try:
        with np.load(path, allow_pickle=False) as file:
            same = str(file["settings"]) == text
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path} exists and is not a synthetic set: {error}") from error
    if not same:
        raise OutputError(f"{folder} holds a set made with other options; choose another folder")
    return True


def _rows(shard: int, count: int) -> range:
    return range(shard * IMAGES_PER_SHARD, min((shard + 1) * IMAGES_PER_SHARD, count))


def _part(folder: Path, shard: int) -> Path:
    return folder / f"part_{shard:02d}.npz"


def _shard_done(folder: Path, shard: int) -> bool:
    # the labels are written after the images
    return _part(folder, shard).exists() and (folder / f"images_{shard:02d}.zip").exists()


def _has_shards(folder: Path) -> bool:
    """Return True if a folder has any file of an unfinished set's shards."""
    return any(any(folder.glob(pattern)) for pattern in ("part_*.npz", "images_*.zip"))


def _generate(
    folder: Path, options: SynthesisOptions, todo: list[int], workers: int
) -> Iterator[int]:
    """Generate shards; yield the number of new images now and then."""
    if not todo:
        return
    if workers == 1 or len(todo) == 1:
        renderer = _open_renderer(options)
        for shard in todo:
            yield from _make_shard(renderer, folder, options, shard, _rows(shard, options.count))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        futures = [
            pool.submit(_shard_in_worker, folder, options, shard, _rows(shard, options.count))
            for shard in todo
        ]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            # shards that have not started are left for the next run
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _shard_in_worker(folder: Path, options: SynthesisOptions, shard: int, rows: range) -> int:
    return sum(_make_shard(_open_renderer(options), folder, options, shard, rows))


@lru_cache(maxsize=1)
def _open_renderer(options: SynthesisOptions) -> SampleRenderer | DressedRenderer:
    cv2.setNumThreads(1)
    data, body = Path(options.data), default_body()
    if not data.is_dir():
        raise InputError(f"there is no folder {data}")

    def existing(name: str) -> Path | None:
        folder = data / name
        return folder if folder.is_dir() else None

    fits, rows = None, None
    lspet = None if options.clean else existing("lspet")
    if lspet is not None and Path(options.fits).exists():
        people = len(read_joint_set(lspet))
        fits, rows = kept_fits(Path(options.fits), people, test=options.test)
    poses = Poses(
        body, motion=existing("mocap"), fits=fits, fit_rows=rows, test=options.test,
        clean=options.clean,
    )  # fmt: skip
    backdrops = Backdrops(
        ccp=None if options.clean else existing("ccp"), lspet=lspet, coco=existing("coco_mini"),
        test=options.test, clean=options.clean,
    )  # fmt: skip
    if options.clothes:
        from trainer.synthesis.dressed.garments import Clothes
        from trainer.synthesis.dressed.picture import DressedRenderer

        clothes = Clothes(Path(options.clothes))
        return DressedRenderer(body, clothes, poses, backdrops, options.size, test=options.test)
    return SampleRenderer(body, poses, backdrops, options.size)


def generator(options: SynthesisOptions, row: int) -> np.random.Generator:
    """Return the random generator of one image; test and training sets share none."""
    seeds = [options.seed, int(options.test), int(options.clean), row]
    return np.random.default_rng([*seeds, 1] if options.clothes else seeds)


def _make_shard(
    renderer: SampleRenderer | DressedRenderer,
    folder: Path,
    options: SynthesisOptions,
    shard: int,
    rows: range,
) -> Iterator[int]:
    """Generate one shard; yield the number of new images now and then."""
    names, truths, size, reported = [], [], 0, 0
    target = folder / f"images_{shard:02d}.zip"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for row in rows:
            image, truth = renderer.render(generator(options, row))
            settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
            made, encoded = cv2.imencode(".jpg", image[..., ::-1], settings)
            if not made:
                raise OutputError(f"image {row} cannot be encoded")
            name = f"{row:07d}.jpg"
            # a fixed date: the same options give the same bytes
            archive.writestr(zipfile.ZipInfo(name), encoded.tobytes())
            size += len(encoded)
            names.append(name)
            truths.append(truth)
            if len(names) % 20 == 0:
                yield len(names) - reported
                reported = len(names)
    if size > LARGEST_SHARD:
        raise OutputError(f"{target} would be larger than {LARGEST_SHARD >> 20} MiB; lower --size")
    with atomic_write(target) as temporary:
        temporary.write_bytes(content.getvalue())
    dressed = [truth.dressed for truth in truths if truth.dressed is not None]
    if dressed:
        with atomic_write(folder / f"masks_{shard:02d}.zip") as temporary:
            _write_masks(temporary, names, dressed)
    arrays = _arrays(names, truths, shard)
    with atomic_write(_part(folder, shard)) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    yield len(names) - reported


def _arrays(
    names: list[str], truths: list[Truth], shard: int
) -> dict[str, npt.NDArray[np.generic]]:
    def numbers(key: str) -> npt.NDArray[np.generic]:
        return np.stack([np.asarray(getattr(truth, key)) for truth in truths]).astype(np.float32)

    out = {
        "name": np.array(names),
        "shard": np.full(len(names), shard, np.int16),
        "keypoints": numbers("keypoints"),
        "visibility": np.stack([truth.visibility for truth in truths]),
        "joints_3d": numbers("joints_3d"),
        "rotations": numbers("rotations"),
        "shape": numbers("shape"),
        "camera": numbers("camera"),
        "frame_from_crop": np.stack([t.crop.frame_from_crop for t in truths]).astype(np.float32),
        "distance": numbers("distance"),
        "misfit": numbers("misfit"),
        "kind": np.array([truth.kind for truth in truths]),
        "pose": np.array([truth.pose for truth in truths]),
        "backdrop": np.array([truth.backdrop for truth in truths]),
    }
    dressed = [truth.dressed for truth in truths if truth.dressed is not None]
    if dressed:
        out["group"] = np.array([each.group for each in dressed])
        out["look"] = np.array([each.look for each in dressed])
        for key in ("focal", "principal", "translation"):
            values = [np.asarray(getattr(each, key)) for each in dressed]
            out[key] = np.stack(values).astype(np.float32)
    return out


def _write_masks(path: Path, names: list[str], dressed: Sequence[DressedTruth]) -> None:
    """Write the masks of a shard as a zip of PNG files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, truth in zip(names, dressed, strict=True):
            encoded = cv2.imencode(".png", truth.mask)[1]
            archive.writestr(zipfile.ZipInfo(f"{name[:-4]}.png"), encoded.tobytes())


def _gather(folder: Path, shards: int, options: SynthesisOptions, text: str) -> None:
    """Join the labels of the shards into one file, which completes the set."""
    parts: list[dict[str, npt.NDArray[np.generic]]] = []
    for shard in range(shards):
        path = _part(folder, shard)
        try:
            with np.load(path, allow_pickle=False) as file:
                parts.append({name: file[name] for name in file.files})
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is damaged; delete it and run the command again: {error}"
            ) from error
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    body = default_body()
    arrays |= {
        "crop_size": np.array(CROP_SIZE),
        "body_sha256": np.array(body.sha256),
        "seed": np.array(options.seed),
        "settings": np.array(text),
    }
    labels_from_arrays(arrays)
    with atomic_write(folder / "labels.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    for shard in range(shards):
        _part(folder, shard).unlink(missing_ok=True)
    (folder / "settings.json").unlink(missing_ok=True)
