"""Muon (https://kellerjordan.github.io/posts/muon) where torch's own, which computes in bf16, is of no use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pse_sdk.training.precision import multiplies_bf16


class Muon(torch.optim.Muon):
    """torch's Muon, with the products of its Newton-Schulz iteration in fp32 on devices that do not multiply bf16.

    On a processor with AVX2 a step of the shipped stack's matrices takes 0.5 s so, and 22 s in bf16. Settings, state
    and checkpoints are torch's; learning rates are scaled to AdamW's update size (arXiv 2502.16982, eq. 4).
    """

    def __init__(self, matrices: list[torch.nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        super().__init__(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._step(matrix, group)
        return loss

    def _step(self, matrix: Tensor, group: dict[str, Any]) -> None:
        gradient, momentum = matrix.grad, group["momentum"]
        assert gradient is not None
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        mean = state["momentum_buffer"]
        mean.lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(mean, momentum)  # Nesterov's
        update = orthogonalised(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
        matrix.mul_(1 - group["lr"] * group["weight_decay"])
        matrix.add_(update, alpha=-0.2 * group["lr"] * max(matrix.shape) ** 0.5)


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """The nearest matrix whose singular values are all about 1, by a quintic Newton-Schulz iteration."""
    a, b, c = coefficients
    x = matrix.to(torch.bfloat16 if multiplies_bf16(matrix.device.type) else torch.float32)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
