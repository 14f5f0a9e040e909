"""A `BloomStack` as one ONNX file that runs at any depth.

Inputs: windows [frames, window], depth [], head [] (int64), speaker [channels], hidden [blocks, hidden_size],
cell [blocks, cell_size]. Outputs: windows [frames, window] to overlap-add, and the two states.
Block l stands under ``If(depth >= l)``, head l under ``If(head == l)``; what does not run hands its input through.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from pse_sdk.exporters import layers
from pse_sdk.exporters.describe import describe_export
from pse_sdk.exporters.graph import IR_VERSION, OPSET, GraphWriter
from pse_sdk.exporters.parity import Precision, write_checked
from pse_sdk.runtimes.description import ModelDescription

from pse_sdk.models.blocks import ConvTasNetBlock, E3NetBlock
from pse_sdk.models.config import must_stream
from pse_sdk.models.head import Head
from pse_sdk.models.stack import BloomStack


def export_onnx(
    stack: BloomStack,
    path: Path,
    *,
    name: str,
    precision: Precision = "fp16",
    licence: str = "Apache-2.0",
    training: Mapping[str, Any] | None = None,
) -> ModelDescription:
    """Write ``stack`` to ``path`` after checking it against torch at every depth and for random depth changes.

    Raises `ModelError`, and writes nothing, if the exported graph does not compute what torch computes.
    """
    description = describe_export(stack, name, precision, licence, training or {})
    write_checked(build(stack, description, precision).SerializeToString(), stack, path, precision)
    return description


def build(
    stack: BloomStack, description: ModelDescription, precision: Precision, fixed_depth: int | None = None
) -> onnx.ModelProto:
    """The graph of a stack, with its description in the metadata; nothing is checked yet.

    ``fixed_depth`` writes that depth without branches, whatever ``depth`` and ``head`` say when it runs: what a
    model per depth would cost, for benchmarks to compare with.
    """
    must_stream(stack.config)
    g = GraphWriter(precision)
    blocks = stack.config.blocks
    hops = 1 + stack.config.lookahead
    encoded = layers.write_encoder(g, stack.encoder, "windows")
    zbar = layers.write_bottleneck(g, stack.bottleneck, encoded, hops, "speaker")
    h = layers.split_hops(g, encoded, hops)[0]
    split = g.constant([1] * blocks)
    hidden = g.op("Split", "hidden", split, outputs=blocks, axis=0)
    cell = g.op("Split", "cell", split, outputs=blocks, axis=0)
    output = "windows"
    sums = stack.config.head_input == "sum"
    for i in range(fixed_depth or blocks):
        run = partial(_write_block, g, stack, i, zbar, hidden[i], cell[i])
        passed_on = [zbar, hidden[i], cell[i]] if sums else [zbar, hidden[i], cell[i], zbar]
        if fixed_depth is None:
            active = g.one("GreaterOrEqual", "depth", g.constant(i + 1))
            written = g.branch(active, run, partial(list, passed_on))
        else:
            written = run()
        zbar, hidden[i], cell[i] = written[:3]
        speak = partial(_write_head, g, stack, i, zbar if sums else written[3], h)
        if fixed_depth is None:
            # Where another head speaks, the output so far is handed on.
            chosen = g.one("Equal", "head", g.constant(i + 1))
            output = g.branch(chosen, speak, partial(list, [output]))[0]
        elif i + 1 == fixed_depth:
            output = speak()[0]
    g.into("Identity", [output], "enhanced")
    g.into("Concat", hidden, "hidden_out", axis=0)
    g.into("Concat", cell, "cell_out", axis=0)
    return finish(g, description)


def _write_block(g: GraphWriter, stack: BloomStack, i: int, zbar: str, hidden: str, cell: str) -> list[str]:
    """Block i + 1: the names of zbar, hidden and cell, and of z if the heads read that."""
    block = stack.blocks[i]
    if isinstance(block, E3NetBlock):
        z, h, c = layers.write_e3net_block(g, block, zbar, hidden, cell, f"block{i + 1}")
    else:
        assert isinstance(block, ConvTasNetBlock)
        z, h, c = layers.write_convtasnet_block(g, block, zbar, hidden, cell, f"block{i + 1}")
    written = [g.one("Add", zbar, z), h, c]
    return written if stack.config.head_input == "sum" else [*written, z]


def _write_head(g: GraphWriter, stack: BloomStack, i: int, z: str, h: str) -> list[str]:
    head = stack.heads[i]
    assert isinstance(head, Head)
    return [layers.write_head(g, head, z, h, f"head{i + 1}")]


def finish(g: GraphWriter, d: ModelDescription) -> onnx.ModelProto:
    """The graph with the inputs and outputs that the format asks for, and the description in its metadata."""

    def floats(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    states = [("hidden", d.hidden_size), ("cell", d.cell_size)]
    graph = g.graph(
        d.name,
        [
            floats("windows", "frames", d.window),
            helper.make_tensor_value_info("depth", TensorProto.INT64, []),
            helper.make_tensor_value_info("head", TensorProto.INT64, []),
            floats("speaker", d.channels),
            *(floats(name, d.blocks, size) for name, size in states),
        ],
        [floats("enhanced", "frames", d.window), *(floats(f"{name}_out", d.blocks, size) for name, size in states)],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(layers.MICROSOFT, 1)],
        ir_version=IR_VERSION,
        producer_name="pse-sdk",
    )
    helper.set_model_props(model, d.to_metadata())
    onnx.checker.check_model(model)
    return model
