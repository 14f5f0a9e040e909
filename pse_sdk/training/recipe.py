"""A training recipe: one TOML file that, with the data and a seed, fixes a training run.

Its key ``base`` may name a bundled recipe: it then says only in what it differs.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from pse_sdk.errors import ProfileError
from pse_sdk.models.config import StackConfig
from pse_sdk.models.speaker_encoder import SpeakerEncoderConfig
from pse_sdk.training.data import SAMPLE_RATE
from pse_sdk.training.mixing import MixingRecipe
from pse_sdk.training.precision import Precision
from pse_sdk.training.ranges import check_least, check_probabilities
from pse_sdk.training.scenes import SceneRecipe
from pse_sdk.training.speaker.damage import DamageRecipe
from pse_sdk.training.speaker.train import EncoderRecipe
from pse_sdk.training.typed_table import build

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Bundled recipes of `pse train-encoder`; the others are those of `pse train`.
ENCODERS = {"speaker-encoder"}

Schedule = Literal["linear", "cosine", "plateau"]
_NOT_NEGATIVE = (
    "seed", "learning_rate", "warmup_steps", "decay_steps", "plateau_patience", "patience", "weight_decay",
    "gradient_clip", "distillation", "snr_weight", "spectral_weight", "over_suppression", "perceptual_weight",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What is trained, on which mixtures, and how long.

    Parameters
    ----------
    model, mixing : sizes of the stack, and the distribution of its training mixtures
    seed : of the weights and the mixtures
    steps : optimiser steps in all
    batch : mixtures drawn per step and process
    remixes : mixtures made of each that was drawn, itself among them (`pse_sdk.training.remix`): a step trains on
        ``batch * remixes``
    learning_rate, warmup_steps, weight_decay, gradient_clip : AdamW
    schedule : of the learning rate after the warm-up. ``"linear"``: constant, falling to zero over the last
        ``decay_steps``, so that a run can be made longer by raising ``steps`` before its decay; ``"cosine"``: to zero
        over all steps; ``"plateau"``: halved when ``plateau_patience`` validations and one more brought no gain
    patience : validations without a gain after which the run ends; 0 to go on to the last step
    precision : ``"auto"``: bf16 on CPUs and GPUs that multiply it, else fp32; ``"bf16-mixed"``; ``"16-mixed"``, for
        GPUs without bf16; ``"32-true"``
    ema : decay of the averaged weights, which are those that are validated and exported
    heads : losses per step: the deepest head and ``heads - 1`` others drawn at random
    head_weights : weight of each depth's loss among those of its step; all alike unless given
    distillation : weight of a second loss of the shallower heads, towards the deepest head's output
    snr_weight : weight of the waveform loss, per dB, beside the compressed spectral loss
    spectral_weight : weight of the compressed spectral loss
    over_suppression : weight of the asymmetric term that counts only what is missing of the target
    perceptual_weight : weight of PESQ's disturbance, per point of its score (`pse_sdk.training.perceptual`)
    switching : part of the steps that train a change of depth in the middle of a recording
    frozen_blocks : the first blocks, their heads, encoder and bottleneck stay as ``--start-from`` brought them,
        and only what stands above is trained
    """

    name: str
    model: StackConfig
    mixing: MixingRecipe = field(default_factory=MixingRecipe)
    seed: int = 0
    steps: int = 1000
    batch: int = 10
    remixes: int = 1
    learning_rate: float = 1e-3
    warmup_steps: int = 300
    schedule: Schedule = "linear"
    decay_steps: int = 300
    plateau_patience: int = 4
    patience: int = 0
    precision: Precision = "auto"
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    ema: float = 0.999
    heads: int = 2
    head_weights: tuple[float, ...] = ()
    distillation: float = 0.0
    snr_weight: float = 0.05
    spectral_weight: float = 1.0
    over_suppression: float = 0.0
    perceptual_weight: float = 0.0
    switching: float = 0.0
    frozen_blocks: int = 0
    validate_every: int = 500

    def __post_init__(self) -> None:
        for name, allowed in (("schedule", get_args(Schedule)), ("precision", get_args(Precision))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(allowed)}")
        check_least(self, 1, ("steps", "batch", "remixes", "heads", "validate_every"))
        check_least(self, 0, _NOT_NEGATIVE)
        check_probabilities(self, ("switching",))
        if not 0 <= self.frozen_blocks < self.model.blocks:
            raise ValueError(f"frozen_blocks = {self.frozen_blocks}: must leave one of {self.model.blocks} blocks")
        if self.head_weights and len(self.head_weights) != self.model.blocks:
            raise ValueError(f"head_weights: {len(self.head_weights)} given for {self.model.blocks} blocks")
        weights = self.head_weights
        if weights and not (min(weights) >= 0 and weights[-1] > 0 and max(weights) < math.inf):
            raise ValueError(f"head_weights = {self.head_weights}: none may be negative, nor the deepest head's 0")
        if self.seed >= 2**63:
            raise ValueError(f"seed = {self.seed}: must be below 2^63")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema = {self.ema}: must be at least 0 and below 1")
        if self.model.sample_rate != SAMPLE_RATE:
            raise ValueError(
                f"model.sample_rate = {self.model.sample_rate}: recordings are trained on at {SAMPLE_RATE}"
            )
        if not (self.snr_weight or self.spectral_weight or self.perceptual_weight):
            raise ValueError("snr_weight, spectral_weight and perceptual_weight are all 0: nothing to learn")
        if self.over_suppression and not self.spectral_weight:
            raise ValueError("over_suppression is a part of the spectral loss, and spectral_weight is 0")
        if self.distillation and self.heads < 2:
            raise ValueError("distillation needs the loss of a shallower head beside the deepest one's: heads = 2")
        if self.distillation and self.model.blocks - self.frozen_blocks < 2:
            raise ValueError(
                "distillation needs two blocks that are trained: a shallower one to learn from the deepest"
            )
        if self.switching and self.model.blocks < 2:
            raise ValueError("switching: a model of one block has no other depth to switch to")
        if self.switching and self.model.norm == "global":
            raise ValueError("switching: a model with global normalisation cannot stream, and has no depth to change")

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A bundled recipe by name, or a file by path; ``settings`` are ``key=value``, as in ``model.blocks=3``."""
    recipe: Recipe = _load(Recipe, name, settings, {"model": StackConfig, "mixing": MixingRecipe, "scene": SceneRecipe})
    return recipe


def load_encoder_recipe(name: str, settings: Sequence[str] = ()) -> EncoderRecipe:
    """As `load_recipe`, for the speaker encoder."""
    nested = {"model": SpeakerEncoderConfig, "damage": DamageRecipe}
    recipe: EncoderRecipe = _load(EncoderRecipe, name, settings, nested)
    return recipe


def _load(kind: Any, name: str, settings: Sequence[str], nested: dict[str, Any]) -> Any:
    tables = _tables(name, kind is EncoderRecipe)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ProfileError(f"setting {setting!r}: must be key=value, as in model.blocks=3")
        *on_the_way, last = _path(key, setting)
        table = tables
        for part in on_the_way:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ProfileError(f"setting {setting!r}: {part} is a value, not a table")
        table[last] = _value(value, setting)
    return build(kind, {"name": Path(name).stem, **tables}, name, nested)


def _tables(name: str, of_encoder: bool) -> dict[str, Any]:
    """What a recipe says, laid over what the bundled one says that it names as its ``base``."""
    tables = _parse(_read(name, of_encoder), f"recipe {name}")
    base = tables.pop("base", None)
    if base is None:
        return tables
    bundled = _bundled(of_encoder)
    if base not in bundled:
        raise ProfileError(f"recipe {name}: base = {base!r}: must be one of {', '.join(sorted(bundled))}")
    return _laid_over(_tables(base, of_encoder), tables)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both tables, and where both have a value the upper one's; tables in them likewise, but for those of weights.

    Weights name what is there: those of other data would be of no use, and an error.
    """
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict) and not key.endswith("_weights"):
            merged[key] = _laid_over(below[key], above[key])
    return merged


def _bundled(of_encoder: bool) -> set[str]:
    """Names of the recipes that came with the package for `pse train`, or for `pse train-encoder`."""
    entries = resources.files("pse_sdk.training").joinpath("recipes").iterdir()
    names = {entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")}
    return names & ENCODERS if of_encoder else names - ENCODERS


def _read(name: str, of_encoder: bool) -> str:
    if Path(name).suffix == ".toml":
        try:
            return Path(name).read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"recipe {name}: cannot be read ({error})") from error
    asked = _bundled(of_encoder)
    if name in _bundled(not of_encoder):
        raise ProfileError(f"recipe {name!r} is one of `pse {'train' if of_encoder else 'train-encoder'}`")
    if name not in asked:
        raise ProfileError(f"unknown recipe {name!r}: give a .toml file, or one of {', '.join(sorted(asked))}")
    return resources.files("pse_sdk.training").joinpath("recipes").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _path(key: str, setting: str) -> list[str]:
    """The keys on the way to a value, as TOML reads them: ``mixing.speech_weights."my-corpus"`` are three."""
    found, path = _parse(f"{key} = 0", f"setting {setting!r}"), []
    while isinstance(found, dict):
        if len(found) != 1:
            raise ProfileError(f"setting {setting!r}: must be key=value, as in model.blocks=3")
        ((name, found),) = found.items()
        path.append(name)
    return path


def _value(text: str, setting: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        key, word = setting.partition("=")[0], text.strip()
        hint = f"; text needs quotes: --set '{key}=\"{word}\"'" if word.isidentifier() else ""
        raise ProfileError(f"setting {setting!r}: not a value of TOML ({error}){hint}") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{where}: not valid TOML: {error}") from error
    return tables
