"""Train the speaker encoder: towards the teacher's embedding of the clean voice, and apart from other speakers."""

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
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from pse_sdk.files import write_atomically
from pse_sdk.models.checkpoint import save_speaker_encoder
from pse_sdk.models.speaker_encoder import SpeakerEncoder, SpeakerEncoderConfig
from pse_sdk.training.augment import Samples
from pse_sdk.training.data import SAMPLE_RATE, Clips, data_folder, load_clips
from pse_sdk.training.speaker.damage import Damage, DamageRecipe, crop
from pse_sdk.training.speaker.segments import Segment, by_voice, cut
from pse_sdk.training.speaker.teacher import Reduction, start_from_teacher, teacher_embeddings


@dataclass(frozen=True)
class EncoderRecipe:
    """How the speaker encoder is trained.

    Parameters
    ----------
    model, damage : sizes, and what is done to the voices; the teacher hears them undamaged
    seconds : range of the length of a batch's items
    speeds : each voice is also played faster and slower, as another voice
    labelled : sources whose speakers the index names: these also train the classifier
    source_weights : how often each source is drawn
    teacher_weight : of 1 - cosine to the teacher, beside the classifier's loss
    margin, scale : of the classifier (`margin_softmax`)
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
    labelled: tuple[str, ...] = ()
    source_weights: dict[str, float] = field(default_factory=dict)
    teacher_weight: float = 10.0
    margin: float = 0.2
    scale: float = 30.0

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


class DamagedVoices(Dataset[tuple[Samples, Samples, int]]):
    """(audio as a poor microphone hears it, the teacher's embedding of the clean voice, speaker or -1).

    Item i depends on the seed and i alone; items of one batch have one length.
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
        self.labels = np.full(len(segments), -1)
        unlabelled = sorted(set(sources) - set(recipe.labelled))
        named = {v: n for v, n in by_voice(speech, segments, unlabelled).items() if v[0] in recipe.labelled}
        for label, numbers in enumerate(named.values()):
            self.labels[numbers] = label
        self.speakers = len(named)
        usable = np.any(targets != 0, axis=1)
        weights = recipe.source_weights or dict.fromkeys(sources, 1.0)
        self.by_source = {source: np.flatnonzero(usable & (np.array(sources) == source)) for source in sorted(weights)}
        total = sum(weights.values())
        self.source_p = [weights[source] / total for source in self.by_source]

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch

    def __getitem__(self, index: int) -> tuple[Samples, Samples, int]:
        recipe = self.recipe
        seconds = np.random.default_rng([recipe.seed, index // recipe.batch, 0]).uniform(*recipe.seconds)
        rng = np.random.default_rng([recipe.seed, index, 1])
        source = list(self.by_source)[rng.choice(len(self.by_source), p=self.source_p)]
        number = int(rng.choice(self.by_source[source]))
        x = crop(rng, self.segments[number].read(self.speech), int(seconds * SAMPLE_RATE))
        return self.damage.apply(rng, x), self.targets[number], int(self.labels[number])


class EncoderTraining(lightning.LightningModule):
    """Cosine distance to the teacher's embedding, and additive angular margin softmax over the labelled speakers."""

    def __init__(self, recipe: EncoderRecipe, speakers: int) -> None:
        super().__init__()
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.encoder = SpeakerEncoder(recipe.model)
        self.centres = nn.Parameter(F.normalize(torch.randn(speakers, recipe.model.dim), dim=1))

    def configure_optimizers(self) -> Any:
        r = self.recipe
        optimizer = torch.optim.AdamW(self.parameters(), r.learning_rate, weight_decay=r.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, r.learning_rate, r.steps, pct_start=min(1.0, r.warmup_steps / r.steps), cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        audio, target, speaker = batch
        embedding = self.encoder(audio)
        distance: Tensor = 1 - (embedding * target).sum(1).mean()
        self.log("train/distance", distance.detach(), prog_bar=True)
        named = speaker >= 0
        if not named.any():
            return self.recipe.teacher_weight * distance
        cosines = embedding[named] @ F.normalize(self.centres, dim=1).t()
        classified = margin_softmax(cosines, speaker[named], self.recipe.margin, self.recipe.scale)
        self.log("train/classified", classified.detach(), prog_bar=True)
        return self.recipe.teacher_weight * distance + classified


def margin_softmax(cosines: Tensor, labels: Tensor, margin: float, scale: float) -> Tensor:
    """Cross-entropy with the true class's angle enlarged by ``margin`` (arXiv 1801.07698, eq. 3).

    Cosines [batch, classes], labels [batch] -> scalar.
    """
    true = F.one_hot(labels, cosines.shape[1]).bool()
    angles = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
    return F.cross_entropy(scale * torch.where(true, torch.cos(angles + margin), cosines), labels)


def train_encoder(recipe: EncoderRecipe, data: Path | None, output: Path) -> Path:
    """Train, and return ``output/encoder.safetensors``. The teacher's embeddings are kept in ``output`` as well."""
    folder = data_folder(data)
    output.mkdir(parents=True, exist_ok=True)
    speech, noise, rooms = (load_clips(folder, kind, "train") for kind in ("speech", "noise", "rir"))
    segments = cut(speech, recipe.speeds)
    teacher = _teacher(speech, segments, output)
    reduction = Reduction.fit(teacher, recipe.model.dim)
    damage = Damage(noise, rooms, recipe.damage)
    voices = DamagedVoices(speech, damage, segments, reduction.apply(teacher), recipe)
    module = EncoderTraining(recipe, voices.speakers)
    start_from_teacher(module.encoder, reduction)
    trainer = lightning.Trainer(
        accelerator="auto", devices=1, precision="bf16-mixed", max_steps=recipe.steps, gradient_clip_val=5.0,
        logger=False, enable_checkpointing=False,
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
