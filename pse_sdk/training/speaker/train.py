"""Train the speaker encoder: towards the teacher's embedding of the clean voice."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pse_sdk.errors import UsageError
from pse_sdk.files import write_atomically
from pse_sdk.models.checkpoint import save_speaker_encoder
from pse_sdk.models.speaker_encoder import SpeakerEncoder, SpeakerEncoderConfig
from pse_sdk.training.augment import Samples
from pse_sdk.training.data import SAMPLE_RATE, Clips, data_folder, load_clips
from pse_sdk.training.precision import precision_here
from pse_sdk.training.quiet import quiet
from pse_sdk.training.ranges import check_least, check_ranges, check_weights
from pse_sdk.training.sources import check_sources
from pse_sdk.training.speaker.damage import Damage, DamageRecipe, crop
from pse_sdk.training.speaker.segments import Segment, cut
from pse_sdk.training.speaker.teacher import Reduction, start_from_teacher, teacher_embeddings

# What training starts from (`start_from_teacher`): its layers have these sizes, and no others fit.
TEACHERS = {"sample_rate": SAMPLE_RATE, "mels": 40, "hidden": 256, "layers": 3}


@dataclass(frozen=True)
class EncoderRecipe:
    """How the speaker encoder is trained.

    Parameters
    ----------
    model, damage : sizes, and what is done to the voices; the teacher hears them undamaged
    seconds : range of the length of a batch's items
    speeds : each voice is also played faster and slower, as another voice
    source_weights : how often each source is drawn; empty for all alike
    """

    name: str
    model: SpeakerEncoderConfig = field(default_factory=SpeakerEncoderConfig)
    damage: DamageRecipe = field(default_factory=DamageRecipe)
    seed: int = 0
    steps: int = 300
    batch: int = 64
    learning_rate: float = 3e-4
    warmup_steps: int = 30
    weight_decay: float = 0.0
    seconds: tuple[float, float] = (1.6, 3.2)
    speeds: tuple[float, ...] = (1.0, 0.9, 1.1)
    source_weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_least(self, 1, ("batch",))
        check_least(self, 0, ("seed", "learning_rate", "weight_decay"))
        check_ranges(self, ("seconds",))
        check_weights("source_weights", self.source_weights)
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise ValueError(f"speeds = {list(self.speeds)}: one or more, from 0.5 to 2")
        if not 2 <= self.warmup_steps < self.steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps}: must be from 2 to less than steps = {self.steps}")
        shortest = self.model.shortest / SAMPLE_RATE
        if self.seconds[0] < shortest:
            raise ValueError(f"seconds = {list(self.seconds)}: a range that begins at {shortest:.2f} or more")
        for name, size in TEACHERS.items():
            if getattr(self.model, name) != size:
                raise ValueError(f"model.{name} = {getattr(self.model, name)}: must be the teacher's, {size}")
        if self.model.dim > self.model.hidden:
            raise ValueError(f"model.dim = {self.model.dim}: must be at most the teacher's, {self.model.hidden}")

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


class DamagedVoices(Dataset[tuple[Samples, Samples]]):
    """(audio as a poor microphone hears it, the teacher's embedding of the clean voice).

    Item i depends on the seed and i alone; items of one batch have one length. Sources that are silent are left out.
    """

    def __init__(
        self,
        speech: Clips,
        damage: Damage,
        segments: Sequence[Segment],
        targets: npt.NDArray[np.float32],
        recipe: EncoderRecipe,
    ) -> None:
        self.speech, self.damage, self.recipe = speech, damage, recipe
        self.segments, self.targets = segments, targets
        sources = [speech.clips[s.clip].source for s in segments]
        usable = np.any(targets != 0, axis=1)
        weights = recipe.source_weights or dict.fromkeys(sources, 1.0)
        numbers = {source: np.flatnonzero(usable & (np.array(sources) == source)) for source in sorted(weights)}
        self.by_source = {source: found for source, found in numbers.items() if len(found)}
        total = sum(weights[source] for source in self.by_source)
        if not total:
            raise UsageError("no recording holds a voice: source_weights names sources that are silent, or all are")
        self.source_p = [weights[source] / total for source in self.by_source]

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch

    def __getitem__(self, index: int) -> tuple[Samples, Samples]:
        recipe = self.recipe
        seconds = np.random.default_rng([recipe.seed, index // recipe.batch, 0]).uniform(*recipe.seconds)
        rng = np.random.default_rng([recipe.seed, index, 1])
        source = list(self.by_source)[rng.choice(len(self.by_source), p=self.source_p)]
        number = int(rng.choice(self.by_source[source]))
        x = crop(rng, self.segments[number].read(self.speech), int(seconds * SAMPLE_RATE))
        return self.damage.apply(rng, x), self.targets[number]


class EncoderTraining(lightning.LightningModule):
    """Cosine distance to the teacher's embedding."""

    def __init__(self, recipe: EncoderRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.encoder = SpeakerEncoder(recipe.model)

    def configure_optimizers(self) -> Any:
        r = self.recipe
        optimizer = torch.optim.AdamW(self.parameters(), r.learning_rate, weight_decay=r.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, r.learning_rate, r.steps, pct_start=r.warmup_steps / r.steps, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        audio, target = batch
        distance: Tensor = 1 - (self.encoder(audio) * target).sum(1).mean()
        self.log("train/distance", distance.detach(), prog_bar=True)
        # Tenfold, for the gradient clipping of the run that ships: it sees the gradient of this, not of the distance.
        return 10 * distance


def train_encoder(recipe: EncoderRecipe, data: Path | None, output: Path) -> Path:
    """Train, and return ``output/encoder.safetensors``. The teacher's embeddings are kept in ``output`` as well."""
    folder = data_folder(data)
    output.mkdir(parents=True, exist_ok=True)
    speech, noise = (load_clips(folder, kind, "train") for kind in ("speech", "noise"))
    rooms = load_clips(folder, "rir", "train", without="--set damage.room=0") if recipe.damage.room else Clips.none()
    if recipe.source_weights:
        check_sources(recipe.source_weights, speech.by_source, "source_weights")
    segments = cut(speech, recipe.speeds)
    teacher = _teacher(speech, segments, output)
    reduction = Reduction.fit(teacher, recipe.model.dim)
    damage = Damage(noise, rooms, recipe.damage)
    voices = DamagedVoices(speech, damage, segments, reduction.apply(teacher), recipe)
    module = EncoderTraining(recipe)
    start_from_teacher(module.encoder, reduction)
    with quiet():
        trainer = lightning.Trainer(
            accelerator="auto", devices=1, precision=precision_here("auto"), max_steps=recipe.steps,
            gradient_clip_val=5.0, logger=False, enable_checkpointing=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, DataLoader(voices, recipe.batch, num_workers=1))
    path = output / "encoder.safetensors"
    save_speaker_encoder(module.encoder, path, {"recipe": recipe.to_dict()})
    return path


def _teacher(speech: Clips, segments: Sequence[Segment], output: Path) -> npt.NDArray[np.float32]:
    """The teacher's embeddings of all segments, kept under a name that says which segments they are of."""
    asked = repr([(speech.clips[s.clip].path, s.start, s.length, s.speed) for s in segments])
    cache = output / f"teacher-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.npy"
    if cache.exists():
        kept: npt.NDArray[np.float32] = np.load(cache, allow_pickle=False)
        return kept
    embeddings = teacher_embeddings((segment.read(speech) for segment in segments), len(segments))
    with write_atomically(cache) as temporary:
        np.save(temporary, embeddings)
    return embeddings
