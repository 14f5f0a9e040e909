"""Sizes of a BLOOM stack: one frozen dataclass, and the presets known by name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from pse_sdk.errors import ModelError, shown

BlockKind = Literal["e3net", "convtasnet"]
NormKind = Literal["frame", "cumulative", "global"]
FeatureKind = Literal["prelu", "prelu+power"]
HeadInput = Literal["block", "sum"]
_CHOICES = {
    name: get_args(kind)
    for name, kind in (("block", BlockKind), ("norm", NormKind), ("features", FeatureKind), ("head_input", HeadInput))
}


@dataclass(frozen=True)
class StackConfig:
    """Everything that fixes the shape of a `BloomStack`.

    Parameters
    ----------
    block
        Separator block: ``"e3net"`` (LSTM and feed-forward, arXiv 2204.00771) or ``"convtasnet"``
        (depthwise-separable convolution, arXiv 1809.07454 as used in BLOOM-Net, arXiv 2111.09372).
    blocks
        L, the number of separator blocks and so the largest depth.
    filters
        Filters of the learned encoder and decoder (N in Conv-TasNet).
    channels
        Width of ``z``, what the blocks exchange (K in E3Net, B in Conv-TasNet).
    hidden
        Inner width of a block: the feed-forward layer (E3Net) or the convolution (Conv-TasNet's H).
    kernel
        Frames seen by one depthwise convolution (Conv-TasNet's P); unused by E3Net blocks.
    window, hop
        What the stack is given of the signal and how far apart, in samples; the window is a whole number of hops.
    norm
        What Conv-TasNet blocks normalise over: one frame, all frames so far, or the whole recording
        (``"global"``: the paper's, not causal, cannot stream). E3Net blocks always use one frame.
    features
        What the blocks see of the encoder: ``"prelu"`` is E3Net's; ``"prelu+power"`` adds the log power
        of each cosine/sine filter pair, which per-frame normalisation would otherwise hide.
    head_input
        What head l reads: ``"block"`` is ``z[l]`` as printed in BLOOM-Net's eq. 2, ``"sum"`` the running sum.
    lookahead
        Newest hops of the window that are only looked at: filters are as long as what is left of it, the masks are for
        its oldest part, and the blocks see the filters' output at every hop. Each costs a hop of latency.
    speaker_dim
        Size of the speaker embedding; 0 for a stack that is not personalised.
    mask_bias
        Start value of the mask's bias. 1.5 opens the masks, so that training starts from the noisy signal.
    """

    block: BlockKind = "e3net"
    blocks: int = 4
    filters: int = 512
    channels: int = 256
    hidden: int = 1024
    kernel: int = 3
    window: int = 320
    hop: int = 160
    sample_rate: int = 16000
    norm: NormKind = "frame"
    features: FeatureKind = "prelu"
    head_input: HeadInput = "sum"
    lookahead: int = 0
    speaker_dim: int = 0
    mask_bias: float = 1.5

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(allowed)}")
        if not math.isfinite(self.mask_bias):
            raise ValueError(f"mask_bias = {self.mask_bias}: must be a number")
        for name in ("blocks", "filters", "channels", "hidden", "kernel", "window", "hop", "sample_rate"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name} = {shown(getattr(self, name))}: must be a whole number, at least 1")
        if self.block == "convtasnet" and self.kernel < 2:
            raise ValueError(f"kernel = {self.kernel}: must be at least 2, a block of one frame remembers nothing")
        if self.window % self.hop:
            raise ValueError(f"window = {self.window} is not a whole number of hops of {self.hop} samples")
        if type(self.lookahead) is not int or not 0 <= self.lookahead * self.hop < self.window:
            raise ValueError(f"lookahead = {shown(self.lookahead)}: must be a whole number of hops, at least 0, that "
                             f"leaves one of the window's {self.window // self.hop}")  # fmt: skip
        if self.filters % 2:
            raise ValueError(f"filters = {self.filters}: must be even, cosine and sine filters come in pairs")
        if self.speaker_dim < 0:
            raise ValueError(f"speaker_dim = {self.speaker_dim}: must be 0 (not personalised) or more")

    @property
    def overlap(self) -> int:
        """Samples that consecutive windows share, which is also the delay of `BloomStack.step`."""
        return self.window - self.hop

    @property
    def filter_length(self) -> int:
        """Samples that one filter of the encoder or decoder spans: the window but for what is looked ahead."""
        return self.window - self.lookahead * self.hop

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop

    def replace(self, **changes: object) -> StackConfig:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def differing(self, other: StackConfig) -> list[str]:
        """The keys in which two configs differ."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [key for key in mine if mine[key] != theirs[key]]

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


def must_stream(config: StackConfig) -> None:
    """Raise `ModelError` for a stack that needs the whole recording at once."""
    if config.norm == "global":
        raise ModelError("a stack with global normalisation needs the whole recording: it cannot stream or be "
                         "exported; train it with --set 'model.norm=\"cumulative\"'")  # fmt: skip


def _e3net(blocks: int) -> StackConfig:
    return StackConfig(blocks=blocks, filters=2048, speaker_dim=128)


PRESETS: dict[str, StackConfig] = {
    # The E3Net paper's sizes (arXiv 2204.00771, table 1).
    "e3net": _e3net(4),
    "e3net-2": _e3net(2),
    "e3net-8": _e3net(8),
    # BLOOM-Net's Conv-TasNet blocks (arXiv 2111.09372, table 2): 16-sample filters, stride 8, global norm.
    "bloom-convtasnet": StackConfig(
        block="convtasnet", blocks=6, filters=512, channels=128, hidden=512, window=16, hop=8, norm="global",
        head_input="sum",  # as in the authors' code; eq. 2 has the block's own output
    ),
    # The model that ships: depth 1 costs 27 % of depth 5.
    "small": StackConfig(blocks=5, filters=384, channels=256, hidden=1024, features="prelu+power", speaker_dim=128),
    # `small` with one more block on top, looking 20 ms ahead.
    "large": StackConfig(
        blocks=6, filters=384, channels=256, hidden=1024, window=640, lookahead=2, features="prelu+power",
        speaker_dim=128,
    ),
}  # fmt: skip


def preset(name: str) -> StackConfig:
    """The preset called ``name``; raises ValueError naming the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}") from None
