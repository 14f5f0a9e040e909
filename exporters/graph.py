"""A small writer of ONNX graphs: nodes with generated names, weights in the main graph, one-level branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from pse_sdk.exporters.parity import Precision

from pse_sdk.errors import ModelError

OPSET = 17
IR_VERSION = 9  # what ONNX Runtime 1.16 and later read
FARTHEST = 2**31  # as the end of a slice: all that there is


class GraphWriter:
    """Collects nodes and initializers. Branches of an ``If`` are written by the same writer, one level deep.

    Weights always become initializers of the main graph, also when a branch uses them: ONNX Runtime then packs
    them once, at load.
    """

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.initializers: list[TensorProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._casts: list[onnx.NodeProto] = []
        self._count = 0

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [self.unique(kind) for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.op(kind, *inputs, **attributes)[0]

    def into(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """A node whose result carries the given name: an output of the graph."""
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))

    def weight(self, value: torch.Tensor, name: str) -> str:
        """A weight that computes in float; matrices are stored as fp16 unless the precision is fp32."""
        array = value.detach().float().contiguous().numpy()
        if self.precision == "fp32" or array.ndim < 2:
            return self.constant(array, name)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ModelError(f"{name}: a weight of {np.abs(array).max():.3g} is too large for fp16: --precision fp32")
        stored = self.constant(half, f"{name}.fp16")
        self._casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
        return name

    def constant(self, value: npt.ArrayLike, name: str | None = None) -> str:
        name = name or self.unique("constant")
        array = np.asarray(value)
        if array.dtype == np.int32:  # what NumPy 1 makes of Python's integers on Windows; ONNX's indices have 64 bits
            array = array.astype(np.int64)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def branch(self, condition: str, then: Callable[[], list[str]], otherwise: Callable[[], list[str]]) -> list[str]:
        """``If(condition)``: both callables write nodes and return the same number of outputs."""
        then_graph = self._subgraph(then)
        else_graph = self._subgraph(otherwise)
        count = len(then_graph.output)
        return self.op("If", condition, outputs=count, then_branch=then_graph, else_branch=else_graph)

    def graph(
        self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        return helper.make_graph(self._casts + self._nodes, name, inputs, outputs, self.initializers)

    def _subgraph(self, write: Callable[[], list[str]]) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, []
        results = write()
        # A branch may not return an outer value itself: such a result passes an Identity. Others do not, each node
        # costs about a microsecond.
        inside = {name for node in self._nodes for name in node.output}
        results = [name if name in inside else self.one("Identity", name) for name in results]
        nodes, self._nodes = self._nodes, outside
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results]
        return helper.make_graph(nodes, self.unique("branch"), [], infos)

    def unique(self, stem: str) -> str:
        self._count += 1
        return f"{stem.lower()}_{self._count}"
