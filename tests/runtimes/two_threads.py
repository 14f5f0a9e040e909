"""What every runtime has to stand: streams of it in two threads at once, as `asyncio.to_thread` makes them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pse_sdk.runtimes.base import Runtime


def check_two_threads(runtime: Runtime) -> None:
    """Two streams side by side give what each gives alone."""
    windows = 0.1 * np.random.default_rng(0).standard_normal((2, 200, runtime.description.window)).astype(np.float32)

    def enhance(number: int) -> np.ndarray:
        stream = runtime.open_stream()
        return np.stack([stream.step(windows[number, i : i + 1], 1 + i % 3, 1).copy() for i in range(200)])

    alone = [enhance(number) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(enhance, range(2)))
    np.testing.assert_array_equal(together, alone)
