"""More mixtures from those that were drawn, on the device that trains: the noises of a batch change places.

Drawing a mixture (reading, resampling, rooms, filters) is work for CPU cores; scaling and adding is done here, so that
a few cores keep a GPU busy. What every draw may have (SNR, level) is drawn anew.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pse_sdk.training.mixing import MixingRecipe

# As `pse_sdk.training.augment` has them: below, a sound counts as silence.
SILENT_POWER, SILENT_RMS = 1e-10, 1e-6


class Batch(NamedTuple):
    """Mixtures as a loader collates them: embedding [batch, dim], enrolled [batch], the rest [batch, samples].

    ``noise`` is the part of ``noisy`` that may be exchanged for another item's; where nothing may, it is silent.
    """

    noisy: Tensor
    target: Tensor
    embedding: Tensor
    enrolled: Tensor
    noise: Tensor


def with_remixes(batch: Batch, times: int, recipe: MixingRecipe, generator: torch.Generator) -> Batch:
    """``times`` as many mixtures: those that were drawn, and ``times - 1`` remixes of each.

    ``generator`` is the CPU's, so that the same is drawn on every device.
    """
    batches = [batch, *(_remix(batch, recipe, generator) for _ in range(times - 1))]
    return Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))


def _remix(batch: Batch, recipe: MixingRecipe, generator: torch.Generator) -> Batch:
    """Every noise with another item's speech, at a new SNR and level; items without a noise to exchange stay.

    The SNR is against all that is wanted: of two who talk to each other, against both, not against one as drawn.
    """
    device = batch.noisy.device
    chosen = batch.noise.any(dim=1).nonzero()[:, 0]
    order = torch.randperm(len(chosen), generator=generator).to(device)
    snr_db, level_dbfs = (
        torch.empty(len(chosen), 1).uniform_(*limits, generator=generator).to(device)
        for limits in (recipe.snr_db, recipe.level_dbfs)
    )
    target, speech = batch.target[chosen], batch.noisy[chosen] - batch.noise[chosen]
    noise = batch.noise[chosen[order]]
    noisy = speech + noise * _gain_for_snr(torch.where(target.any(dim=1, keepdim=True), target, speech), noise, snr_db)
    gain = _gain_to_level(noisy, level_dbfs)
    return batch._replace(
        noisy=batch.noisy.index_copy(0, chosen, (gain * noisy).clamp(-1, 1)),
        target=batch.target.index_copy(0, chosen, gain * target),
    )


def _gain_for_snr(signal: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Gain [items, 1] of the noise; 1 where there is no signal to measure it against."""
    wanted, given = (x.square().mean(dim=1, keepdim=True) for x in (signal, noise))
    gain = (wanted / given.clamp_min(SILENT_POWER)).sqrt() * 10 ** (-snr_db / 20)
    return torch.where(wanted > SILENT_POWER, gain, torch.ones_like(gain))


def _gain_to_level(x: Tensor, level_dbfs: Tensor) -> Tensor:
    rms = x.square().mean(dim=1, keepdim=True).sqrt()
    return torch.where(rms > SILENT_RMS, 10 ** (level_dbfs / 20) / rms.clamp_min(SILENT_RMS), torch.ones_like(rms))
