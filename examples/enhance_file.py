"""Enhance a recording: python examples/enhance_file.py examples/noisy.flac clean.wav."""

import sys

import soundfile

import pse_sdk as sdk

if len(sys.argv) != 3:
    sys.exit(__doc__)
noisy, rate = soundfile.read(sys.argv[1], dtype="float32")
enhancer = sdk.Enhancer(profile="quality")
clean = enhancer.enhance(noisy, sample_rate=rate, warm_start=True)
soundfile.write(sys.argv[2], clean, rate)
print(f"{len(noisy) / rate:.1f} s enhanced at depth {enhancer.max_depth}, written to {sys.argv[2]}")
