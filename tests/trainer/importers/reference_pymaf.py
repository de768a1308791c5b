"""Reference implementation of the published network in plain functions.

Written from the paper and the layers of the checkpoint, without code of the trainer: tensors have
the names of the checkpoint, the body is skinned joint by joint along its tree, and the full mesh is
computed before it is reduced to the sampled points.
"""

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

BLOCKS = (3, 4, 6, 3)


def norm(w, name, x):
    at = (None, slice(None), None, None)
    scale = w[f"{name}.weight"] / torch.sqrt(w[f"{name}.running_var"] + 1e-5)
    return (x - w[f"{name}.running_mean"][at]) * scale[at] + w[f"{name}.bias"][at]


def bottleneck(w, name, x, stride):
    y = F.relu(norm(w, f"{name}.bn1", F.conv2d(x, w[f"{name}.conv1.weight"])))
    y = F.conv2d(y, w[f"{name}.conv2.weight"], stride=stride, padding=1)
    y = F.relu(norm(w, f"{name}.bn2", y))
    y = norm(w, f"{name}.bn3", F.conv2d(y, w[f"{name}.conv3.weight"]))
    if f"{name}.downsample.0.weight" in w:
        x = F.conv2d(x, w[f"{name}.downsample.0.weight"], stride=stride)
        x = norm(w, f"{name}.downsample.1", x)
    return F.relu(x + y)


def pyramid(w, image):
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[None, :, None, None]
    x = F.conv2d((image - mean) / deviation, w["feature_extractor.conv1.weight"], None, 2, 3)
    x = F.max_pool2d(F.relu(norm(w, "feature_extractor.bn1", x)), 3, 2, 1)
    for layer, blocks in enumerate(BLOCKS, start=1):
        for block in range(blocks):
            stride = 2 if layer > 1 and block == 0 else 1
            x = bottleneck(w, f"feature_extractor.layer{layer}.{block}", x, stride)
    maps = []
    for block in range(3):
        x = F.conv_transpose2d(x, w[f"deconv_layers.{3 * block}.weight"], None, 2, 1)
        x = F.relu(norm(w, f"deconv_layers.{3 * block + 1}", x))
        maps.append(x)
    return maps


def point_features(w, level, feature_map, points):
    sampled = F.grid_sample(feature_map, points[:, :, None], align_corners=True)[..., 0]
    x = sampled
    for layer in range(3):
        name = f"maf_extractor.{level}.conv{layer}"
        x = x if layer == 0 else torch.cat([x, sampled], 1)
        x = torch.einsum("oc,bcn->bon", w[f"{name}.weight"][..., 0], x)
        x = x + w[f"{name}.bias"][None, :, None]
        x = F.leaky_relu(x, 0.01) if layer < 2 else F.relu(x)
    return x.reshape(len(x), -1)


def rotations_of(six):
    """Return rotations (B, J, 3, 3) from six numbers per joint (B, 6 J).

    Six numbers are a (3, 2) matrix, whose columns are made orthonormal.
    """
    columns = six.reshape(len(six), -1, 3, 2)
    a, b = columns[..., 0], columns[..., 1]
    first = a / a.norm(dim=-1, keepdim=True)
    second = b - (first * b).sum(-1, keepdim=True) * first
    second = second / second.norm(dim=-1, keepdim=True)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def mesh(smpl, rotations, shape):
    """Return the vertices (B, V, 3) by SMPL's definition, one body and one joint at a time."""
    bodies = []
    v, s = (
        torch.tensor(np.asarray(smpl[k]), dtype=torch.float64) for k in ("v_template", "shapedirs")
    )
    posed = torch.tensor(np.asarray(smpl["posedirs"]), dtype=torch.float64)
    weights = torch.tensor(smpl["weights"], dtype=torch.float64)
    regressor = torch.tensor(smpl["J_regressor"].toarray())
    parents = smpl["kintree_table"][0].astype(np.int64)
    for turns, betas in zip(rotations.double(), shape.double(), strict=True):
        shaped = v + s[..., : len(betas)] @ betas
        joints = regressor @ shaped
        deformed = shaped + posed @ (turns[1:] - torch.eye(3)).reshape(-1)
        transforms = []
        for joint in range(len(joints)):
            local = torch.eye(4, dtype=torch.float64)
            local[:3, :3] = turns[joint]
            if joint == 0:
                local[:3, 3] = joints[0]
                transforms.append(local)
            else:
                parent = parents[joint]
                local[:3, 3] = joints[joint] - joints[parent]
                transforms.append(transforms[parent] @ local)
        skinned = torch.zeros_like(deformed)
        for joint, transform in enumerate(transforms):
            transformed = (deformed - joints[joint]) @ transform[:3, :3].T + transform[:3, 3]
            skinned += weights[:, joint, None] * transformed
        bodies.append(skinned)
    return torch.stack(bodies).float()


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def forward(w, smpl, image, grid=21):
    """Return the rotations, shape and camera of each level."""
    maps = pyramid(w, image)
    batch = len(image)
    line = torch.linspace(-1, 1, grid)
    points = torch.stack([line.repeat_interleave(grid), line.repeat(grid)], -1)
    points = points[None].repeat(batch, 1, 1)
    pose, shape, camera = (
        w[f"regressor.0.{name}"].repeat(batch, 1)
        for name in ("init_pose", "init_shape", "init_cam")
    )
    levels = []
    for level in range(3):
        if level:
            vertices = mesh(smpl, rotations_of(pose), shape)
            reduced = w[f"maf_extractor.{level}.Dmap"] @ vertices
            scale, tx, ty = camera.T[..., None]
            depth = reduced[..., 2] + 2 * 5000 / (224 * scale + 1e-9)
            x = 5000 * (reduced[..., 0] + tx) / depth / 112
            y = 5000 * (reduced[..., 1] + ty) / depth / 112
            points = torch.stack([x, y], -1)
        features = point_features(w, level, maps[level], points)
        name = f"regressor.{level}"
        x = torch.cat([features, pose, shape, camera], 1)
        x = linear(w, f"{name}.fc2", linear(w, f"{name}.fc1", x))
        pose = pose + linear(w, f"{name}.decpose", x)
        shape = shape + linear(w, f"{name}.decshape", x)
        camera = camera + linear(w, f"{name}.deccam", x)
        levels.append((rotations_of(pose), shape, camera))
    return levels


def _add_encoder(weight, batch_norm):
    """Add the ResNet encoder's tensors by `weight(name, *shape)` and `batch_norm(name, width)`."""
    weight("feature_extractor.conv1", 64, 3, 7, 7)
    batch_norm("feature_extractor.bn1", 64)
    inputs = 64
    for layer, blocks in enumerate(BLOCKS, start=1):
        width = 32 * 2**layer
        for block in range(blocks):
            name = f"feature_extractor.layer{layer}.{block}"
            sizes = ((width, inputs, 1), (width, width, 3), (4 * width, width, 1))
            for k, (out, into, side) in enumerate(sizes, start=1):
                weight(f"{name}.conv{k}", out, into, side, side, gain=0.7)
                batch_norm(f"{name}.bn{k}", out)
            if block == 0:
                weight(f"{name}.downsample.0", 4 * width, inputs, 1, 1, gain=0.7)
                batch_norm(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width


def fake_checkpoint(smpl, points=24, hidden=1024, seed=0):
    """Return random tensors with the published names and, except for the mesh, shapes."""
    random = torch.Generator().manual_seed(seed)
    vertices, joints = len(smpl["v_template"]), len(smpl["weights"][0])
    w = {}

    def weight(name, *shape, gain=1.0, bias=False):
        fan = int(np.prod(shape[1:]))
        w[f"{name}.weight"] = torch.randn(*shape, generator=random) * gain * (2 / fan) ** 0.5
        if bias:
            w[f"{name}.bias"] = torch.randn(shape[0], generator=random) * 0.01

    def batch_norm(name, width):
        w[f"{name}.weight"] = 0.5 + torch.rand(width, generator=random)
        w[f"{name}.bias"] = 0.1 * torch.randn(width, generator=random)
        w[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=random)
        w[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=random)
        w[f"{name}.num_batches_tracked"] = torch.tensor(7)

    _add_encoder(weight, batch_norm)
    for k, width in enumerate((2048, 256, 256)):
        weight(f"deconv_layers.{3 * k}", width, 256, 4, 4, gain=0.5)
        batch_norm(f"deconv_layers.{3 * k + 1}", 256)
    line = torch.linspace(-1, 1, 21)
    w["points_grid"] = torch.stack([line.repeat_interleave(21), line.repeat(21)])[None]
    reduction = torch.rand(points, vertices, generator=random) ** 20
    reduction /= reduction.sum(1, keepdim=True)
    start = {
        "init_pose": torch.eye(3)[:, :2].reshape(1, 6).repeat(1, joints),
        "init_shape": 0.1 * torch.randn(1, 10, generator=random),
        "init_cam": torch.tensor([[0.9, 0.05, 0.1]]),
    }
    start["init_pose"][0, 2:6] *= -1  # the root turned upright, y down
    for level in range(3):
        name = f"maf_extractor.{level}"
        for k, (out, into) in enumerate(((128, 256), (64, 384), (5, 320))):
            weight(f"{name}.conv{k}", out, into, 1, bias=True)
        w[f"{name}.Dmap"] = reduction.clone()
        name = f"regressor.{level}"
        features = 5 * (21 * 21 if level == 0 else points)
        weight(f"{name}.fc1", hidden, features + 6 * joints + 13, gain=0.5, bias=True)
        weight(f"{name}.fc2", hidden, hidden, gain=0.5, bias=True)
        for head, out in (("decpose", 6 * joints), ("decshape", 10), ("deccam", 3)):
            weight(f"{name}.{head}", out, hidden, gain=0.05, bias=True)
        w |= {f"{name}.{key}": value.clone() for key, value in start.items()}
        w[f"{name}.smpl.v_template"] = torch.tensor(smpl["v_template"], dtype=torch.float32)
        w[f"{name}.smpl.faces_tensor"] = torch.tensor(smpl["f"].astype(np.int64))
    for head, out in (("u", 25), ("v", 25), ("uv_index", 25), ("ann_index", 15)):
        weight(f"dp_head.predict_{head}", out, 256, 3, 3, bias=True)
    return w
