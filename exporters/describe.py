"""What an exported file says of itself: the model's description, which weights it holds, and what it must compute."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.base import Float32
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.runtimes.torch import TorchRuntime, describe
from torch import nn

from pse_sdk.errors import ModelError
from pse_sdk.models.stack import BloomStack
from pse_sdk.models.window_model import WindowModel


def describe_export(
    stack: BloomStack, name: str, precision: str, licence: str, training: Mapping[str, Any]
) -> ModelDescription:
    """The description of a file made of ``stack``, with torch's own answer to the self-test."""
    with np.errstate(over="ignore"):  # told below
        description = describe(stack, name, precision, licence, training)
    return sign(description, stack)


def sign(description: ModelDescription, model: WindowModel) -> ModelDescription:
    """The description with the fingerprint of the model's weights, and torch's answer to the self-test."""
    answers = self_test.answers(TorchRuntime(model, description))
    if not (_are_finite(model) and _fit_in_half(answers) and _fit_in_half(_projection(description))):
        raise ModelError("the weights hold, or lead to, what is no number or too large for a file: the training "
                         "diverged; export an earlier checkpoint")  # fmt: skip
    return dataclasses.replace(description, weights=fingerprint(model), self_test=self_test.encode(answers))


def _are_finite(model: WindowModel) -> bool:
    return all(bool(value.isfinite().all()) for value in model.state_dict().values())


def _projection(description: ModelDescription) -> Float32:
    with np.errstate(invalid="ignore"):
        return description.project(np.eye(description.speaker_dim, dtype=np.float32))


def _fit_in_half(values: Float32) -> bool:
    """Whether the description, which holds numbers as fp16, can say them."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(values.astype(np.float16)).all())


def fingerprint(model: WindowModel | nn.Module) -> str:
    """A sha256 over the names and values of all weights: equal for files of any kind made of the same ones."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
