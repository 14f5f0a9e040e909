"""BloomStack: encoder, bottleneck, L separator blocks, and one head per block (BLOOM-Net, arXiv 2111.09372)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.blocks import ConvTasNetBlock, E3NetBlock
from pse_sdk.models.config import StackConfig, must_stream
from pse_sdk.models.encoder import Bottleneck, Encoder
from pse_sdk.models.head import Head


@dataclass(frozen=True)
class StackState:
    """All that a stream carries from one step to the next; batch first except in the stacked block states.

    history [batch, overlap]: the samples before the next hop. hidden, cell [blocks, batch, size]: the blocks'
    states. overlap [batch, overlap]: output samples that the next windows still add to.
    """

    history: Tensor
    hidden: Tensor
    cell: Tensor
    overlap: Tensor


class BloomStack(nn.Module):
    """A stack that is a working model at every depth 1..L.

    ``z[l] = Sep_l(zbar[l-1])``, ``zbar[l] = z[l] + zbar[l-1]`` (eq. 1); ``s_l = Dec_l(Mas_l(.) * h)`` (eq. 2).
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.config = config
        make = E3NetBlock if config.block == "e3net" else ConvTasNetBlock
        self.encoder = Encoder(config)
        self.bottleneck = Bottleneck(config)
        self.blocks = nn.ModuleList(make(config) for _ in range(config.blocks))
        self.heads = nn.ModuleList(Head(config) for _ in range(config.blocks))

    def initial_state(self, batch: int = 1) -> StackState:
        like = self.encoder.weight
        block = self.blocks[0]
        return StackState(
            history=like.new_zeros(batch, self.config.overlap),
            hidden=like.new_zeros(self.config.blocks, batch, int(block.hidden_size)),  # type: ignore[arg-type]
            cell=like.new_zeros(self.config.blocks, batch, int(block.cell_size)),  # type: ignore[arg-type]
            overlap=like.new_zeros(batch, self.config.overlap),
        )

    def forward(self, signal: Tensor, depth: int, speaker: Tensor | None = None) -> Tensor:
        """The whole signal at one depth: [batch, samples] -> [batch, samples], aligned with the input."""
        return self.forward_depths(signal, [depth], speaker)[0]

    def forward_depths(self, signal: Tensor, depths: Sequence[int], speaker: Tensor | None = None) -> list[Tensor]:
        """The whole signal through the heads of several depths, the blocks run once.

        Parameters
        ----------
        signal : [batch, samples]
        depths : each from 1 to L
        speaker : [batch, channels], what `Bottleneck.speaker_projection` made of the embedding, or None

        Returns
        -------
        One [batch, samples] per depth.
        """
        samples = signal.shape[1]
        hops = -(-(samples + self.config.overlap) // self.config.hop)
        padded = F.pad(signal, (0, hops * self.config.hop - samples))
        outputs, _ = self._run(padded, self.initial_state(signal.shape[0]), max(depths), depths, speaker)
        return [output[:, self.config.overlap :][:, :samples] for output in outputs]

    def forward_switch(
        self, signal: Tensor, before: int, after: int, wake: int, heard: int, speaker: Tensor | None = None
    ) -> Tensor:
        """The whole signal with a rise in depth on the way: [batch, samples] -> [batch, samples], aligned.

        Parameters
        ----------
        before, after : depths, 1 <= before < after <= L
        wake : frame at which the blocks above ``before`` start, from zero states
        heard : frame, at or after ``wake``, from which the head of ``after`` speaks
        """
        samples = signal.shape[1]
        hops = -(-(samples + self.config.overlap) // self.config.hop)
        padded = F.pad(signal, (self.config.overlap, hops * self.config.hop - samples))
        h, ahead = self.encoder(padded.unfold(1, self.config.window, self.config.hop))
        state = self.initial_state(signal.shape[0])
        zbar = self.bottleneck(h, ahead, speaker)
        outputs = []
        for i in range(after):
            if i == before:
                zbar = zbar[:, wake:]
            z, _, _ = self.blocks[i](zbar, state.hidden[i], state.cell[i])
            zbar = zbar + z
            read = zbar if self.config.head_input == "sum" else z
            if i + 1 == before:
                outputs.append(self.heads[i](read[:, :heard], h[:, :heard]).float())
        outputs.append(self.heads[after - 1](read[:, heard - wake :], h[:, heard:]).float())
        added, _ = overlap_add(torch.cat(outputs, 1), state.overlap, self.config.hop)
        return added[:, self.config.overlap :][:, :samples]

    def step(
        self, frames: Tensor, state: StackState, depth: int, speaker: Tensor | None = None, head: int | None = None
    ) -> tuple[Tensor, StackState]:
        """Advance a stream by one or more hops.

        Parameters
        ----------
        frames : [batch, frames, hop], the next samples
        depth : how many blocks run, 1..L. The states of the other blocks stay as they are
        head : whose output is returned, 1..depth; the deepest that runs unless given. A shallower one lets
            blocks that just woke up settle unheard

        Returns
        -------
        [batch, frames, hop] samples, ``config.overlap`` samples behind the input, and the next state.

        Raises
        ------
        ModelError
            For a stack that cannot stream.
        """
        must_stream(self.config)
        heads = [depth if head is None else head]
        (output,), state = self._run(frames.flatten(1), state, depth, heads, speaker)
        return output.view(frames.shape), state

    def step_windows(
        self,
        windows: Tensor,
        hidden: Tensor,
        cell: Tensor,
        depth: int,
        heads: Sequence[int],
        speaker: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """What an exported model computes: windows in, windows to overlap-add out, states handed through.

        Parameters
        ----------
        windows : [batch, frames, window]
        hidden, cell : [blocks, batch, size]
        depth : how many blocks run, 1..L
        heads : whose outputs are returned, each 1..depth
        """
        if not 1 <= min(heads) <= max(heads) <= depth <= self.config.blocks:
            raise ValueError(f"depth must be between 1 and {self.config.blocks}, and no head above it")
        h, ahead = self.encoder(windows)
        zbar = self.bottleneck(h, ahead, speaker)
        hiddens, cells = list(hidden.unbind()), list(cell.unbind())
        outputs: dict[int, Tensor] = {}
        for i in range(depth):
            z, hiddens[i], cells[i] = self.blocks[i](zbar, hiddens[i], cells[i])
            zbar = zbar + z
            if i + 1 in heads:
                outputs[i + 1] = self.heads[i](zbar if self.config.head_input == "sum" else z, h).float()
        # Under autocast a block that ran gives bf16 and one that did not hands on fp32.
        hidden = torch.stack([x.to(hidden.dtype) for x in hiddens])
        cell = torch.stack([x.to(cell.dtype) for x in cells])
        return [outputs[head] for head in heads], hidden, cell

    def _run(
        self, samples: Tensor, state: StackState, depth: int, heads: Sequence[int], speaker: Tensor | None
    ) -> tuple[list[Tensor], StackState]:
        extended = torch.cat([state.history, samples], 1)
        windows = extended.unfold(1, self.config.window, self.config.hop)
        outputs, hidden, cell = self.step_windows(windows, state.hidden, state.cell, depth, heads, speaker)
        added = [overlap_add(output, state.overlap, self.config.hop) for output in outputs]
        history = extended[:, extended.shape[1] - self.config.overlap :]
        return [done for done, _ in added], StackState(history, hidden, cell, added[-1][1])


def overlap_add(windows: Tensor, before: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """Add windows [batch, frames, window] onto ``before`` [batch, window - hop].

    Returns the finished samples [batch, frames * hop] and those still open [batch, window - hop].
    """
    batch, frames, window = windows.shape
    total = F.pad(before, (0, frames * hop + window - hop - before.shape[1]))
    for j, piece in enumerate(windows.chunk(window // hop, dim=2)):
        total = total + F.pad(piece.reshape(batch, frames * hop), (j * hop, window - (j + 1) * hop))
    return total[:, : frames * hop], total[:, frames * hop :]
