"""Textured z-buffer, shading and shadow maps, compiled by Numba: some milliseconds a person.

OpenCV's rasterizer has no textures and no opacity, and OpenGL without a GPU takes longer to read
back a picture than this takes to draw it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Ints
from trainer.rendering.mipmaps import Mipmaps

NEAREST = 0.04
"""Metres; triangles with a corner nearer than this are not drawn."""

KEEP, RECOLOUR = 0, 1
"""Ways to colour a texture: multiply it, or give its brightness another colour."""

Floats = npt.NDArray[np.float32]

_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_NO_PATTERN = np.zeros((1, 1, 1), np.float32)


@dataclass(frozen=True)
class Dye:
    """Colours of a part's textures; D dyes, chosen per triangle."""

    mode: npt.NDArray[np.uint8]
    """(D,) `KEEP` or `RECOLOUR`."""
    first: Floats
    """(D, 3) linear; a factor for `KEEP`."""
    second: Floats
    """(D, 3) linear, where the pattern is 1."""
    median: Floats
    """(D,) brightness 0..1 of the texture that becomes the dye's own colour."""
    scale: Floats
    """(D,) pattern tiles a metre; 0 = plain."""
    pattern: Floats
    """(D, T, T) 0..1"""

    @classmethod
    def factor(cls, colour: Floats | float) -> Dye:
        """Return one dye that multiplies the texture by a linear colour (3,)."""
        first = np.broadcast_to(np.asarray(colour, np.float32), (1, 3)).copy()
        zero = np.zeros(1, np.float32)
        return cls(np.zeros(1, np.uint8), first, first, zero + 1, zero, _NO_PATTERN)


@dataclass(frozen=True)
class Part:
    """A textured mesh in the camera frame; V vertices, F triangles, U texture places."""

    vertices: Floats
    """(V, 3) m, x right, y down, z away."""
    normals: Floats
    """(V, 3)"""
    place: Floats
    """(V, 3) m at rest: across and up on the cloth, distance from the body's middle."""
    faces: Ints
    """(F, 3)"""
    uv: Floats
    """(U, 2)"""
    face_uv: Ints
    """(F, 3)"""
    face_dye: npt.NDArray[np.uint8]
    """(F,)"""
    texture: Mipmaps
    dye: Dye
    owner: int
    """Number of the person, 0 for furniture."""
    gloss: float = 0.0
    both_sides: bool = True
    opacity: bool = False
    """The texture's fourth channel is an opacity, otherwise ambient light."""
    bias: float = 0.0
    """Metres by which the part is drawn nearer than it is."""
    hems: tuple[float, float] = (-1e9, 1e9)
    """Metres at rest: cloth lower than the first or farther out than the second is cut off."""


class Canvas:
    """G-buffer of `size` (width, height) samples."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self.depth = np.full((height, width), np.inf, np.float32)
        self.owner = np.full((height, width), -1, np.int16)
        self.albedo = np.zeros((height, width, 3), np.float32)
        self.normal = np.zeros((height, width, 3), np.float32)
        self.surface = np.zeros((height, width, 2), np.float32)
        """Ambient light 0..1 and gloss."""

    def draw(self, part: Part, flat: Floats) -> None:
        """Draw a part whose vertices project to samples `flat` (V, 2)."""
        dye, texture = part.dye, part.texture
        _draw(
            flat, part.vertices[:, 2], part.normals, part.place, part.faces, part.uv, part.face_uv,
            part.face_dye, texture.texels, texture.starts, texture.sizes, _LINEAR, dye.mode,
            dye.first, dye.second, dye.median, dye.scale, dye.pattern, part.owner, part.gloss,
            part.both_sides, part.opacity, part.bias, part.hems[0], part.hems[1], self.depth,
            self.owner, self.albedo, self.normal, self.surface,
        )  # fmt: skip


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _level(uv, i, j, k, width, height, area, levels):  # type: ignore[no-untyped-def]
    """Return the mipmap whose texels are about as large as the samples of a triangle."""
    texels = abs(
        (uv[j, 0] - uv[i, 0]) * (uv[k, 1] - uv[i, 1])
        - (uv[k, 0] - uv[i, 0]) * (uv[j, 1] - uv[i, 1])
    )
    texels *= width * height
    if texels <= area:
        return 0
    return min(int(0.5 * np.log2(texels / area) + 0.3), levels - 1)


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _wrapped(place, size):  # type: ignore[no-untyped-def]
    """Return a place modulo a size; faster than a division where textures seldom repeat."""
    if 0 <= place < size:
        return place
    return place % size


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _texel(texels, start, w, h, u, v):  # type: ignore[no-untyped-def]
    """Return the four channels at a place of a mipmap, bilinearly."""
    tx, ty = u * w - 0.5, (1.0 - v) * h - 0.5
    left, top = int(np.floor(tx)), int(np.floor(ty))
    ax, ay = tx - left, ty - top
    left, top = _wrapped(left, w), _wrapped(top, h)
    right, below = (left + 1 if left + 1 < w else 0), (top + 1 if top + 1 < h else 0)
    r, g, b, a = 0.0, 0.0, 0.0, 0.0
    for dy in range(2):
        row = start + (below if dy else top) * w
        wy = ay if dy else 1.0 - ay
        for dx in range(2):
            share = wy * (ax if dx else 1.0 - ax)
            t = row + (right if dx else left)
            r += share * texels[t, 0]
            g += share * texels[t, 1]
            b += share * texels[t, 2]
            a += share * texels[t, 3]
    return r, g, b, a


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _dye(  # type: ignore[no-untyped-def]
    r, g, b, across, up, d, linear, mode, first, second, median, scale, pattern, y, x, out
):
    """Write the linear colour of a texel under dye d to `out` (H, W, 3) at a sample."""
    # slices of arrays would count references: whole arrays and indices are twice as fast
    if mode[d] == KEEP:
        out[y, x, 0] = linear[min(255, int(r + 0.5))] * first[d, 0]
        out[y, x, 1] = linear[min(255, int(g + 0.5))] * first[d, 1]
        out[y, x, 2] = linear[min(255, int(b + 0.5))] * first[d, 2]
        return
    shade = (0.3 * r + 0.6 * g + 0.1 * b) / (255.0 * median[d])
    shade = min(max(shade, 0.15), 1.6) ** 2.2
    share = 0.0
    if scale[d] > 0:
        tile = pattern.shape[1]
        column = int(np.floor(across * scale[d] * tile)) % tile
        share = pattern[d, int(np.floor(up * scale[d] * tile)) % tile, column]
    for c in range(3):
        out[y, x, c] = min((first[d, c] + (second[d, c] - first[d, c]) * share) * shade, 1.0)


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _unit(i, j, k, wi, wj, wk, normals, flip, y, x, out):  # type: ignore[no-untyped-def]
    """Write the unit normal inside a triangle, turned to the camera, to `out` at a sample."""
    nx = wi * normals[i, 0] + wj * normals[j, 0] + wk * normals[k, 0]
    ny = wi * normals[i, 1] + wj * normals[j, 1] + wk * normals[k, 1]
    nz = wi * normals[i, 2] + wj * normals[j, 2] + wk * normals[k, 2]
    length = flip / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    out[y, x, 0], out[y, x, 1], out[y, x, 2] = nx * length, ny * length, nz * length


@numba.njit(cache=True, fastmath=True, nogil=True)
def _draw(  # type: ignore[no-untyped-def]
    flat, z, normals, place, faces, uv, face_uv, face_dye, texels, starts, sizes, linear, mode,
    first, second, median, scale, pattern, owner, gloss, both_sides, opacity, bias, lowest, widest,
    depth_out, owner_out, albedo_out, normal_out, surface_out,
):  # fmt: skip
    height, width = depth_out.shape
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if min(z[i], z[j], z[k]) < NEAREST:
            continue
        xi, yi, xj, yj, xk, yk = (
            flat[i, 0], flat[i, 1], flat[j, 0], flat[j, 1], flat[k, 0], flat[k, 1],
        )  # fmt: skip
        area = (xj - xi) * (yk - yi) - (xk - xi) * (yj - yi)
        if abs(area) < 1e-9 or (area > 0 and not both_sides):
            continue
        x0 = max(0, int(np.ceil(min(xi, xj, xk))))
        x1 = min(width - 1, int(np.floor(max(xi, xj, xk))))
        y0 = max(0, int(np.ceil(min(yi, yj, yk))))
        y1 = min(height - 1, int(np.floor(max(yi, yj, yk))))
        if x0 > x1 or y0 > y1:
            continue
        flip = -1.0 if area > 0 else 1.0
        ui, uj, uk = face_uv[f, 0], face_uv[f, 1], face_uv[f, 2]
        level = _level(uv, ui, uj, uk, sizes[0, 0], sizes[0, 1], abs(area), len(starts))
        start, w, h = starts[level], sizes[level, 0], sizes[level, 1]
        d = face_dye[f]
        inverse = 1.0 / area
        ii, ij, ik = 1.0 / z[i], 1.0 / z[j], 1.0 / z[k]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                bj = ((x - xi) * (yk - yi) - (xk - xi) * (y - yi)) * inverse
                bk = ((xj - xi) * (y - yi) - (x - xi) * (yj - yi)) * inverse
                bi = 1.0 - bj - bk
                if bi < -1e-5 or bj < -1e-5 or bk < -1e-5:
                    continue
                near = 1.0 / (bi * ii + bj * ij + bk * ik)
                if near - bias >= depth_out[y, x]:
                    continue
                wi, wj, wk = bi * ii * near, bj * ij * near, bk * ik * near
                up = wi * place[i, 1] + wj * place[j, 1] + wk * place[k, 1]
                out = wi * place[i, 2] + wj * place[j, 2] + wk * place[k, 2]
                if up < lowest or out > widest:
                    continue
                u = wi * uv[ui, 0] + wj * uv[uj, 0] + wk * uv[uk, 0]
                v = wi * uv[ui, 1] + wj * uv[uj, 1] + wk * uv[uk, 1]
                r, g, b, a = _texel(texels, start, w, h, u, v)
                # alpha to coverage: the samples of a pixel have thresholds of their own
                if opacity and a < 38.0 + 50.0 * ((x & 1) * 2 + ((x + y) & 1)):
                    continue
                depth_out[y, x] = near - bias
                owner_out[y, x] = owner
                across = wi * place[i, 0] + wj * place[j, 0] + wk * place[k, 0]
                _dye(
                    r, g, b, across, up, d, linear, mode, first, second, median, scale, pattern,
                    y, x, albedo_out,
                )  # fmt: skip
                _unit(i, j, k, wi, wj, wk, normals, flip, y, x, normal_out)
                surface_out[y, x, 0] = 1.0 if opacity else a / 255.0
                surface_out[y, x, 1] = gloss


@numba.njit(cache=True, fastmath=True, nogil=True)
def draw_depth(flat, z, faces, depth_out):  # type: ignore[no-untyped-def]
    """Draw parallel depths: of a shadow map."""
    height, width = depth_out.shape
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        xi, yi, xj, yj, xk, yk = (
            flat[i, 0], flat[i, 1], flat[j, 0], flat[j, 1], flat[k, 0], flat[k, 1],
        )  # fmt: skip
        area = (xj - xi) * (yk - yi) - (xk - xi) * (yj - yi)
        if abs(area) < 1e-12:
            continue
        x0 = max(0, int(np.ceil(min(xi, xj, xk))))
        x1 = min(width - 1, int(np.floor(max(xi, xj, xk))))
        y0 = max(0, int(np.ceil(min(yi, yj, yk))))
        y1 = min(height - 1, int(np.floor(max(yi, yj, yk))))
        inverse = 1.0 / area
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                bj = ((x - xi) * (yk - yi) - (xk - xi) * (y - yi)) * inverse
                bk = ((xj - xi) * (y - yi) - (x - xi) * (yj - yi)) * inverse
                bi = 1.0 - bj - bk
                if bi < -1e-5 or bj < -1e-5 or bk < -1e-5:
                    continue
                near = bi * z[i] + bj * z[j] + bk * z[k]
                if near < depth_out[y, x]:
                    depth_out[y, x] = near


@numba.njit(cache=True, fastmath=True, nogil=True)
def vertex_normals(vertices, faces, weld):  # type: ignore[no-untyped-def]
    """Return smooth normals (V, 3) of a mesh whose vertices at one place share a number `weld`."""
    count = 0
    for v in range(len(weld)):
        count = max(count, weld[v] + 1)
    total = np.zeros((count, 3), np.float32)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = (
            vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1],
            vertices[j, 2] - vertices[i, 2],
        )  # fmt: skip
        bx, by, bz = (
            vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1],
            vertices[k, 2] - vertices[i, 2],
        )  # fmt: skip
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in (i, j, k):
            w = weld[corner]
            total[w, 0] += nx
            total[w, 1] += ny
            total[w, 2] += nz
    out = np.empty((len(vertices), 3), np.float32)
    for v in range(len(vertices)):
        w = weld[v]
        length = np.sqrt(total[w, 0] ** 2 + total[w, 1] ** 2 + total[w, 2] ** 2) + 1e-20
        for c in range(3):
            out[v, c] = total[w, c] / length
    return out


@numba.njit(cache=True, fastmath=True, nogil=True)
def shade_samples(  # type: ignore[no-untyped-def]
    depth, albedo, normal, surface, occlusion, focal, centre, to_sun, sun, sky, ground, up, to_fill,
    fill, axes, corner, step, sun_depth, out,
):  # fmt: skip
    """Light the drawn samples: premultiplied linear colour and coverage (H, W, 4) into `out`."""
    height, width = depth.shape
    rows, columns = sun_depth.shape
    for y in range(height):
        for x in range(width):
            z = depth[y, x]
            if not z < 1e9:
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = out[y, x, 3] = 0.0
                continue
            px, py = (x - centre[0]) / focal * z, (y - centre[1]) / focal * z
            nx, ny, nz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            facing = nx * to_sun[0] + ny * to_sun[1] + nz * to_sun[2]
            lit = (facing + 0.12) / 1.12
            if lit > 0:
                qx, qy, qz = px + 0.012 * nx, py + 0.012 * ny, z + 0.012 * nz
                sx = (qx * axes[0, 0] + qy * axes[0, 1] + qz * axes[0, 2] - corner[0]) / step
                sy = (qx * axes[1, 0] + qy * axes[1, 1] + qz * axes[1, 2] - corner[1]) / step
                sz = qx * axes[2, 0] + qy * axes[2, 1] + qz * axes[2, 2] - 0.02
                open_taps = 0.0
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        c, r = int(sx + 0.5) + dx, int(sy + 0.5) + dy
                        if c < 0 or r < 0 or c >= columns or r >= rows or sz < sun_depth[r, c]:
                            open_taps += 1.0
                lit *= open_taps / 9.0
            else:
                lit = 0.0
            ambient = (surface[y, x, 0] * 0.75 + 0.25) * occlusion[y, x]
            rise = 0.5 + 0.5 * (nx * up[0] + ny * up[1] + nz * up[2])
            soft = max(0.0, 0.25 + 0.75 * (nx * to_fill[0] + ny * to_fill[1] + nz * to_fill[2]))
            shine = 0.0
            gloss = surface[y, x, 1]
            if gloss > 0 and lit > 0:
                length = np.sqrt(px * px + py * py + z * z)
                hx, hy, hz = (
                    to_sun[0] - px / length, to_sun[1] - py / length, to_sun[2] - z / length,
                )  # fmt: skip
                half = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
                shine = gloss * max(half, 0.0) ** 24 * lit
            for c in range(3):
                light = (ground[c] + (sky[c] - ground[c]) * rise) * ambient
                light += sun[c] * lit + fill[c] * soft * ambient
                out[y, x, c] = albedo[y, x, c] * light + sun[c] * shine
            out[y, x, 3] = 1.0
