"""What an exported file says of itself: the model's description, which weights it holds, and what it must compute."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pse_sdk.runtimes import self_test
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
    return sign(describe(stack, name, precision, licence, training), stack)


def sign(description: ModelDescription, model: WindowModel) -> ModelDescription:
    """The description with the fingerprint of the model's weights, and torch's answer to the self-test."""
    answers = self_test.answers(TorchRuntime(model, description))
    if not np.isfinite(answers).all():
        raise ModelError("the weights hold, or lead to, what is no number: the training diverged; export an earlier "
                         "checkpoint")  # fmt: skip
    return dataclasses.replace(description, weights=fingerprint(model), self_test=self_test.encode(answers))


def fingerprint(model: WindowModel | nn.Module) -> str:
    """A sha256 over the names and values of all weights: equal for files of any kind made of the same ones."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
