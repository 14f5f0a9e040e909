"""Sizes of a `Pdccrn`: one frozen dataclass, and the two of the E3Net paper by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class PdccrnConfig:
    """Everything that fixes the shape of a `Pdccrn`.

    Parameters
    ----------
    channels
        Complex channels of the encoder's convolutions, from the input on; the decoder mirrors them. Each convolution
        halves the number of frequencies.
    kernel
        Frequencies that a convolution sees; in time it sees this frame and the one before (DCCRN's kernel 5 x 2,
        stride 2 x 1).
    lstm
        Hidden size of the LSTM, which reads real and imaginary parts side by side.
    window, hop
        Samples; the window is a whole number of hops (32 and 16 ms at 16 kHz).
    speaker_dim
        Size of the speaker embedding that joins the LSTM's input; 0 for a model that is not personalised.
    mask_bias
        Start value of the mask's real part. 1.5 lets 91 % of the noisy spectrum through, so that training starts from
        the noisy signal.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128, 144, 152)
    kernel: int = 5
    lstm: int = 128
    window: int = 512
    hop: int = 256
    sample_rate: int = 16000
    speaker_dim: int = 128
    mask_bias: float = 1.5

    def __post_init__(self) -> None:
        for name in ("kernel", "lstm", "window", "hop", "sample_rate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels = {self.channels}: one positive number per convolution")
        if self.window != 2 * self.hop:
            raise ValueError(f"window = {self.window}: must be two hops of {self.hop}, or frames do not add up")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel}: must be odd, or convolutions would move the frequencies")
        if self.hop % 2 ** len(self.channels):
            raise ValueError(f"hop = {self.hop}: {len(self.channels)} convolutions cannot halve {self.hop} frequencies")
        if self.speaker_dim < 0:
            raise ValueError(f"speaker_dim = {self.speaker_dim}: must be 0 (not personalised) or more")

    @property
    def blocks(self) -> int:
        """A pDCCRN has one depth."""
        return 1

    @property
    def overlap(self) -> int:
        """Samples that consecutive windows share, which is also the delay of `Pdccrn.step`."""
        return self.window - self.hop

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop

    @property
    def bins(self) -> int:
        """Frequencies that the network sees: those of the transform but the lowest, 0 Hz, as in DCCRN."""
        return self.window // 2

    @property
    def lowest_bins(self) -> int:
        """Frequencies left after the last convolution of the encoder."""
        return self.bins >> len(self.channels)

    def replace(self, **changes: object) -> PdccrnConfig:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


# Of the E3Net paper's two (arXiv 2204.00771) we know the parameters, 3.96 M and 1.50 M. These begin as DCCRN does
# (16, 32, 64, 128 complex channels) and are widened at the end until the large one has 3.98 M; the small one keeps the
# first three and is narrowed after them to 1.48 M, which is half of the large one's multiplications, as the paper's
# real-time factors are 0.094 and 0.195.
PDCCRN_PRESETS: dict[str, PdccrnConfig] = {
    "pdccrn": PdccrnConfig(),
    "pdccrn-small": PdccrnConfig(channels=(16, 32, 64, 72, 72, 64)),
}
