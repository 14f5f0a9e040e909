import pytest
import torch
from torch import nn

from pse_sdk.models.activation import PReLU


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_torchs_prelu(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x, upstream = torch.randn(2, 3, 5, 7, generator=generator, dtype=dtype).unbind()
    results = []
    for kind in (nn.PReLU, PReLU):
        module, samples = kind(init=0.1).to(dtype), x.clone().requires_grad_()
        y = module(samples)
        y.backward(upstream)
        results.append((y, samples.grad, module.weight.grad))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
