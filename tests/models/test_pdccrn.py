"""pDCCRN: streaming equals the whole-signal pass, nothing is heard before it happens, sizes are the paper's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.models.complex_layers import ComplexConv, ComplexTransposedConv
from pse_sdk.models.complexity import pdccrn_complexity
from pse_sdk.models.pdccrn import Pdccrn, analysis_matrix, synthesis_matrix
from pse_sdk.models.pdccrn_config import PDCCRN_PRESETS, PdccrnConfig
from tests.conftest import TINY_PDCCRN, make_pdccrn


@given(chunks=st.lists(st.integers(1, 7), min_size=1, max_size=8))
def test_streaming_in_any_chunks_equals_the_whole_signal_pass(pdccrn: Pdccrn, chunks: list[int]) -> None:
    hop, overlap = pdccrn.config.hop, pdccrn.config.overlap
    signal = torch.randn(2, sum(chunks) * hop, generator=torch.Generator().manual_seed(sum(chunks))) * 0.1
    speaker = torch.randn(2, pdccrn.config.speaker_dim, generator=torch.Generator().manual_seed(1))
    state, outputs, at = pdccrn.initial_state(2), [], 0
    with torch.inference_mode():
        for frames in chunks:
            block = signal[:, at : at + frames * hop].view(2, frames, hop)
            out, state = pdccrn.step(block, state, speaker)
            outputs.append(out.flatten(1))
            at += frames * hop
        whole = pdccrn(signal, speaker)
    torch.testing.assert_close(torch.cat(outputs, 1)[:, overlap:], whole[:, : at - overlap], atol=2e-6, rtol=1e-4)


@given(at=st.integers(40, 300))
def test_what_comes_later_does_not_change_what_was_said(pdccrn: Pdccrn, at: int) -> None:
    signal = torch.randn(1, 400, generator=torch.Generator().manual_seed(0)) * 0.1
    changed = signal.clone()
    changed[:, at:] += 1
    with torch.inference_mode():
        before, after = pdccrn(signal), pdccrn(changed)
    # A hop is said once the window that ends a hop later is full.
    settled = (at // pdccrn.config.hop - 1) * pdccrn.config.hop
    assert torch.equal(before[:, :settled], after[:, :settled])
    assert not torch.equal(before[:, at:], after[:, at:])


def test_a_step_does_not_change_the_state_it_was_given(pdccrn: Pdccrn) -> None:
    state = pdccrn.initial_state()
    pdccrn.step(torch.randn(1, 3, pdccrn.config.hop), state)
    assert not any(t.any() for t in (state.history, state.hidden, state.cell, state.overlap))


def test_the_complex_convolution_is_the_one_of_complex_numbers() -> None:
    torch.manual_seed(0)
    conv = ComplexConv(2, 3, 5).eval()
    conv.prelu.weight.data.fill_(1.0)
    x, before = torch.randn(1, 4, 6, 8), torch.randn(1, 4, 1, 8)
    y, _ = conv(x, before)
    extended = torch.cat([before, x], 2)
    as_complex = torch.complex(extended[:, :2], extended[:, 2:])
    weight = torch.complex(conv.real, conv.imaginary)
    expected = torch.nn.functional.conv2d(as_complex, weight, stride=(1, 2), padding=(0, 2))
    # Batch normalisation as it starts: mean 0, variance 1.
    torch.testing.assert_close(y * (1 + 1e-5) ** 0.5, torch.cat([expected.real, expected.imag], 1))


def test_the_transposed_convolution_is_the_one_of_complex_numbers() -> None:
    torch.manual_seed(0)
    conv = ComplexTransposedConv(2, 3, 5, last=True)
    below, skip, before = torch.randn(1, 4, 6, 8), torch.randn(1, 4, 6, 8), torch.randn(1, 8, 1, 8)
    y, _ = conv(below, skip, before)
    joined = torch.cat([before, torch.cat([below, skip], 1)], 2)
    real, imaginary = torch.cat([joined[:, :2], joined[:, 4:6]], 1), torch.cat([joined[:, 2:4], joined[:, 6:]], 1)
    # Torch's own kernel in time counts from the newest input on: tap 0 is this frame.
    weight = torch.complex(conv.real, conv.imaginary).flip(0).flatten(1, 2).permute(1, 2, 0, 3)
    both = torch.nn.functional.conv_transpose2d(
        torch.complex(real, imaginary), weight, stride=(1, 2), padding=(0, 2), output_padding=(0, 1)
    )[:, :, 1:-1]
    torch.testing.assert_close(y, torch.cat([both.real, both.imag], 1))


def test_the_transform_rebuilds_all_but_0_hz_to_110_db() -> None:
    analysis, synthesis = analysis_matrix(512).double(), synthesis_matrix(512).double()
    t = torch.arange(5120, dtype=torch.float64)
    signal = torch.sin(0.3 * t) + torch.sin(2.1 * t)
    windows = signal.unfold(0, 512, 256)
    rebuilt = torch.zeros_like(signal)
    for i, window in enumerate(windows @ analysis.t() @ synthesis.t()):
        rebuilt[i * 256 : i * 256 + 512] += window
    error = (rebuilt - signal)[256:-256]
    # A tone's windows have a little at 0 Hz; without it the error is that of float32.
    offset = torch.zeros_like(signal)
    taper = torch.sin(torch.pi * (torch.arange(512, dtype=torch.float64) + 0.5) / 512)
    for i, window in enumerate(windows):
        offset[i * 256 : i * 256 + 512] += (window * taper).mean() * taper
    error = error + offset[256:-256]
    assert 10 * torch.log10(signal.square().mean() / error.square().mean()) > 110


def test_the_untrained_model_passes_the_signal() -> None:
    torch.manual_seed(0)
    model = Pdccrn(TINY_PDCCRN.replace(window=512, hop=256)).eval()
    signal = torch.randn(1, 4000) * 0.1
    with torch.inference_mode():
        assert torch.corrcoef(torch.cat([signal, model(signal)]))[0, 1] > 0.99


def test_the_speaker_changes_the_output(pdccrn: Pdccrn) -> None:
    signal = torch.randn(1, 200) * 0.1
    speaker = pdccrn.speaker_projection(torch.randn(1, pdccrn.config.speaker_dim))
    assert not torch.allclose(pdccrn(signal), pdccrn(signal, speaker), atol=1e-6)


def test_a_model_without_a_speaker_input_runs() -> None:
    model = make_pdccrn(TINY_PDCCRN.replace(speaker_dim=0))
    assert model(torch.randn(1, 200)).shape == (1, 200)


def test_gradients_reach_every_weight() -> None:
    model = make_pdccrn(TINY_PDCCRN).train()
    model(torch.randn(2, 300)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize(("name", "millions"), [("pdccrn", 3.96), ("pdccrn-small", 1.50)])
def test_the_presets_have_the_papers_parameters_within_3_percent(name: str, millions: float) -> None:
    assert pdccrn_complexity(PDCCRN_PRESETS[name]).parameters / 1e6 == pytest.approx(millions, rel=0.03)


def test_multiplications_are_those_that_the_convolutions_do() -> None:
    # One convolution of 1 to 2 complex channels on 4 bins and its mirror, kernel 2 x 3: every complex product is four.
    config = PdccrnConfig(channels=(2,), kernel=3, lstm=5, window=8, hop=4, sample_rate=8, speaker_dim=0)
    down, up = 4 * (1 * 2) * (2 * 3) * 2, 4 * (2 * 2 * 1) * (2 * 3) * 2
    features = 2 * 2 * 2
    recurrent = 4 * 5 * (features + 5) + 5 * features
    frames_per_second = 2
    assert pdccrn_complexity(config).macs_per_second == (down + up + recurrent) * frames_per_second


@pytest.mark.parametrize(
    "wrong", [{"window": 300}, {"channels": ()}, {"kernel": 4}, {"hop": 100, "window": 200}, {"speaker_dim": -1}]
)
def test_impossible_sizes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PdccrnConfig().replace(**wrong)
