"""Who is the limit, the loader or the model: how fast mixtures are drawn, beside how fast a training step eats them.

    PSE_DATA=... python benchmarks/data.py [--recipe small] [--items 32] [--output data.json]

Each kind of mixture is drawn by one process, as one DataLoader worker does, and the training step of the recipe runs on
the GPU if there is one, else on one core. On a CPU both are counted in CPU time, so that other work on the machine does
not tell. Voices, where mixtures need them, are the data's own with random embeddings. Needs the [train] extra.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import torch
import typer
from torch.utils.data import default_collate

from pse_sdk.training.data import Clips, data_folder, load_clips
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.module import JointTraining
from pse_sdk.training.precision import precision_here
from pse_sdk.training.recipe import Recipe, load_recipe
from pse_sdk.training.remix import Batch, with_remixes
from pse_sdk.training.speaker.segments import cut
from pse_sdk.training.speaker.voices import Voices

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}
PLAIN = MixingRecipe()
CALLS = load_recipe("e3net").mixing
VOICES = load_recipe("personal").mixing.scene
KINDS = {
    "plain (the defaults)": PLAIN,
    f"{100 * VOICES.enrolled:.0f} % with an enrolled voice (recipe personal)": dataclasses.replace(PLAIN, scene=VOICES),
    "damaged as often as in recipe e3net": dataclasses.replace(
        PLAIN, clipping=CALLS.clipping, codec=CALLS.codec, packet_loss=CALLS.packet_loss
    ),
    "all clipped": dataclasses.replace(PLAIN, clipping=1.0),
    "all with lost packets": dataclasses.replace(PLAIN, packet_loss=1.0),
    "all coded": dataclasses.replace(PLAIN, codec=1.0),
}
ROUNDS = 3
REMIXES = 8
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main(
    recipe: Annotated[str, typer.Option(help="Whose training step the mixtures are held against.")] = "small",
    items: Annotated[int, typer.Option(min=1, help="Mixtures of each kind and round.")] = 32,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
) -> None:
    """Print the table: medians of three rounds, all kinds and the step taking turns."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*self.trainer. reference is not registered.*")
    clips = [load_clips(data_folder(data), kind, "train") for kind in ("speech", "noise", "rir")]
    voices = _random_voices(clips[0])
    chosen = load_recipe(recipe)
    step = _step(chosen, clips, voices)
    remix = _remix(chosen, clips, voices)
    rates: dict[str, list[float]] = {name: [] for name in ("step", "remixed", *KINDS)}
    for turn in range(ROUNDS):
        rates["step"].append(chosen.batch * chosen.mixing.seconds / _seconds(step))
        rates["remixed"].append(chosen.batch * REMIXES * chosen.mixing.seconds / _seconds(remix))
        for name, mixing in KINDS.items():
            mixtures = Mixtures(clips[0], clips[1], clips[2], mixing, items, seed=turn, voices=voices)
            rates[name].append(items * mixing.seconds / _seconds(lambda m=mixtures: [m[i] for i in range(items)]))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    _print(recipe, medians)
    if output:
        output.write_text(
            json.dumps({"recipe": recipe, "items": items, "seconds_per_second": medians}, indent=1) + "\n"
        )


def _random_voices(speech: Clips) -> Voices:
    segments = cut(speech, (1.0,))
    embeddings = np.random.default_rng(0).standard_normal((len(segments), 1, 128)).astype(np.float32)
    return Voices(speech, segments, embeddings / np.linalg.norm(embeddings, axis=2, keepdims=True))


def _batch(recipe: Recipe, clips: list[Clips], voices: Voices) -> Batch:
    """Mixtures that are ready, where the model is trained."""
    mixtures = Mixtures(clips[0], clips[1], clips[2], recipe.mixing, recipe.batch, seed=0, voices=voices)
    return Batch(*(x.to(DEVICE) for x in default_collate([mixtures[i] for i in range(recipe.batch)])))


def _step(recipe: Recipe, clips: list[Clips], voices: Voices) -> Callable[[], None]:
    """A training step as `pse train` does it, on mixtures that are ready; one without a change of depth."""
    batch = _batch(recipe, clips, voices)
    recipe = dataclasses.replace(recipe, switching=0)
    dtype = AUTOCAST[precision_here(recipe.precision)]
    module = JointTraining(recipe).to(DEVICE)
    (optimizer,), _ = module.configure_optimizers()

    def step() -> None:
        with torch.autocast(DEVICE, dtype, enabled=dtype is not torch.float32):
            loss = module.training_step(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.gradient_clip)
        optimizer.step()
        _wait()

    step()  # the first one also sets things up
    return step


def _remix(recipe: Recipe, clips: list[Clips], voices: Voices) -> Callable[[], None]:
    """`REMIXES` remixes of mixtures that are ready, without those themselves."""
    batch, generator = _batch(recipe, clips, voices), torch.Generator().manual_seed(0)

    def remix() -> None:
        with_remixes(batch, 1 + REMIXES, recipe.mixing, generator)
        _wait()

    remix()
    return remix


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _seconds(what: Callable[[], object]) -> float:
    clock = time.perf_counter if DEVICE == "cuda" else time.process_time
    started = clock()
    what()
    return clock() - started


def _print(recipe: str, rates: dict[str, float]) -> None:
    where = "a GPU" if DEVICE == "cuda" else "one core"
    print(f"A training step of `{recipe}` on {where} takes {rates['step']:.0f} s of audio per second; there "
          f"{rates['remixed']:.0f} are remixed.\n")  # fmt: skip
    print("| mixtures | drawn by one worker, s of audio per second | share of the time, drawn in the same process |")
    print("|---|---|---|")
    for name in KINDS:
        share = rates["step"] / (rates["step"] + rates[name])
        print(f"| {name} | {rates[name]:.0f} | {100 * share:.0f} % |")


if __name__ == "__main__":
    command.run(main)
