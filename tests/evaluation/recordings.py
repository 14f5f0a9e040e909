"""A small data folder to mix from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile


def make_data(folder: Path) -> Path:
    """Two speakers, two kinds of noise and a room, all for validation."""
    rng = np.random.default_rng(0)
    rows = ["path,kind,split,source,speaker,category"]

    def add(path: str, samples: np.ndarray, kind: str, speaker: str = "", category: str = "") -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / path, samples, 16000)
        rows.append(f"{path},{kind},valid,made,{speaker},{category}")

    for speaker, pitch in (("low", 110), ("high", 220)):
        for number in range(4):
            t = np.arange(24000) / 16000
            tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12)) * (np.sin(7 * t + number) > 0)
            add(f"speech/{speaker}{number}.wav", 0.1 * tone, "speech", speaker)
    add("noise/dog.wav", np.concatenate([np.zeros(90000), 0.1 * rng.standard_normal(1600)]), "noise", "", "dog")
    add("noise/babble.wav", 0.1 * rng.standard_normal(20000), "noise", "", "babble_8")
    room = np.exp(-np.arange(4000) / 800) * rng.standard_normal(4000) * 0.2
    room[10] = 1
    add("rir/room.wav", room, "rir")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    words = ["the cat sat down", "a dog ran far away", "we walk home now", "who is there tonight"]
    lines = [f"speech/{speaker}{n}.wav\t{words[n]}" for speaker in ("low", "high") for n in range(4)]
    (folder / "transcripts.tsv").write_text("\n".join(lines) + "\n")
    return folder
