"""A stream in blocks of 10 ms, as from a microphone: python examples/stream.py examples/noisy.flac."""

import sys

import numpy as np
import soundfile

import pse_sdk as sdk

if len(sys.argv) != 2:
    sys.exit(__doc__)
noisy, rate = soundfile.read(sys.argv[1], dtype="float32")
block = rate // 100
with sdk.Enhancer(profile="balanced", sample_rate=rate) as enhancer:
    print(f"latency {1000 * enhancer.latency / rate:.0f} ms")
    clean = []
    for number, start in enumerate(range(0, len(noisy), block)):
        if number == 300:
            enhancer.set_profile("battery")  # the user pulled the plug
        clean.append(enhancer.process(noisy[start : start + block]))
        if number % 100 == 99:
            stats = enhancer.stats()
            print(
                f"{number // 100 + 1} s: depth {stats.depth} ({stats.reason}), frame {stats.frame_ms_p50:.2f} ms, "
                f"{stats.misses} misses"
            )
    clean.append(enhancer.flush())
# Without the latency at its start the output is aligned with the input.
soundfile.write("stream-clean.wav", np.concatenate(clean)[enhancer.latency :], rate)
print("written to stream-clean.wav")
