"""Tests of the network's variants: inputs of the levels, and gradients."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pydantic import ValidationError  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from trainer.ablation.variants import VARIANTS  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.encoder import Encoder, EncoderOutput  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.loss_module import ema_update  # noqa: E402


class ParameterEncoder(Encoder):
    """Encoder whose maps are parameters."""

    size, channels, summary_width = 32, 4, 6

    def __init__(self):
        super().__init__()
        self.maps = torch.nn.ParameterList(
            torch.nn.Parameter(torch.rand(1, 4, side, side)) for side in (4, 8, 16)
        )
        self.summary = torch.nn.Parameter(torch.rand(1, 6))

    def forward(self, image):
        batch = len(image)
        maps = [m.expand(batch, -1, -1, -1) for m in self.maps]
        return EncoderOutput(maps, self.summary.expand(batch, -1))


@pytest.fixture(scope="module")
def body():
    return default_body()


def network(body, **options):
    torch.manual_seed(0)
    config = NetworkConfig(point_widths=(8, 4), hidden=16, grid=5, **options)
    return PyMAF(config, body, InitialEstimate.upright(body), encoder=ParameterEncoder())


def inputs_with_gradient(model):
    """Return a flag per encoder map, and one for its summary: True if a gradient reaches it."""
    model.train()
    output = model(torch.zeros(2, 3, 32, 32))
    sum(level.camera.square().sum() for level in output.levels).backward()

    def has_gradient(parameter):
        return parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)

    encoder = model.encoder
    return [has_gradient(m) for m in encoder.maps], has_gradient(encoder.summary)


@pytest.mark.parametrize(
    ("options", "maps", "summary"),
    [
        ({}, [True, True, True], False),
        ({"features": "grid"}, [True, True, True], False),
        ({"start": "mesh"}, [True, True, True], False),
        ({"pyramid": False}, [False, False, True], False),
        ({"features": "grid", "pyramid": False}, [False, False, True], False),
        ({"features": "global"}, [False, False, False], True),
        ({"read": "dense", "auxiliary": "dense"}, [False, False, True], False),
        ({"read": "dense", "auxiliary": "parts"}, [False, False, True], False),
        ({"auxiliary": "dense"}, [True, True, True], False),
    ],
)
def test_variant_samples_its_maps(body, options, maps, summary):
    assert inputs_with_gradient(network(body, **options)) == (maps, summary)


def test_levels_sample_the_grid_or_the_mesh(body):
    points = len(body.sample_vertices)

    def counts(**options):
        model = network(body, **options)
        return [regressor.fc1.in_features for regressor in model.regressors]

    estimate = 6 * body.joint_count + body.shape_count + 3
    on_grid, on_mesh = 25 * 5 + estimate, points * 5 + estimate
    assert counts() == [on_grid, on_mesh, on_mesh]
    assert counts(start="mesh") == [on_mesh] * 3
    assert counts(features="grid") == [on_grid] * 3
    assert counts(features="global") == [6 + estimate] * 3


@pytest.mark.parametrize("options", [{"start": "mesh"}, {"features": "grid"}])
def test_one_map_has_one_regressor(body, options):
    model = network(body, pyramid=False, shared_levels=True, feature_width=8, **options)
    for parts in (model.points, model.narrow, model.regressors):
        assert len(parts) == 3
        assert len({id(part) for part in parts}) == 1
    assert inputs_with_gradient(model)[0] == [False, False, True]
    # the moving average moves a shared weight once per step
    average = copy.deepcopy(model)
    before = model.regressors[0].fc1.bias.detach().clone()
    with torch.no_grad():
        model.regressors[2].fc1.bias.add_(1.0)
    ema_update(average, model, 0.9)
    assert torch.allclose(average.regressors[1].fc1.bias, before + 0.1)


def test_the_papers_one_map_variants_start_under_the_mesh(body):
    for name, on_grid in (("mesh_single", False), ("grid_single", True)):
        config = VARIANTS[name].network(NetworkConfig(point_widths=(8, 4), hidden=16, grid=5))
        assert config.shared_levels
        assert not config.pyramid
        start = InitialEstimate.upright(body)
        assert PyMAF(config, body, start, encoder=ParameterEncoder()).on_grid == [on_grid] * 3
    with pytest.raises(ValidationError, match="shared_levels needs start"):
        NetworkConfig(shared_levels=True)


def test_auxiliary_head_runs_only_while_training_or_if_sampled(body):
    model, image = network(body, auxiliary="dense"), torch.zeros(2, 3, 32, 32)
    dense = model.train()(image).dense
    assert dense.part.shape == dense.u.shape == dense.v.shape == (2, 25, 16, 16)
    assert model.eval()(image).dense is None
    assert network(body, auxiliary="parts").train()(image).dense.u is None
    assert network(body, auxiliary="dense", read="dense").eval()(image).dense is not None
    assert network(body).train()(image).dense is None


def test_auxiliary_head_does_not_change_the_estimate(body):
    """Weights of a network without the head load into a network with it."""
    plain, supervised = network(body).eval(), network(body, auxiliary="dense").eval()
    missing, unexpected = supervised.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(name.startswith("auxiliary.") for name in missing)
    image = torch.zeros(1, 3, 32, 32)
    for one, other in zip(plain(image).levels, supervised(image).levels, strict=True):
        assert torch.equal(one.rotations, other.rotations)


@pytest.mark.parametrize(
    "options", [{"read": "dense"}, {"read": "dense", "auxiliary": "parts", "features": "global"}]
)
def test_sampling_dense_maps_needs_their_head_and_points(options):
    with pytest.raises(ValidationError, match="needs an auxiliary head"):
        NetworkConfig(**options)
