"""An app's own profile, from code or from a file: python examples/profiles.py."""

import tempfile
from pathlib import Path

import numpy as np

import pse_sdk as sdk

# From code: at most 3 blocks, 5 % of a core, and never more than 18 dB of attenuation.
meeting = sdk.Profile("meeting", max_depth=3, cpu_share=0.05, strength_db=18)
enhancer = sdk.Enhancer(meeting)
enhancer.process(np.random.default_rng(0).normal(0, 0.01, 16000).astype(np.float32))
print(f"meeting: depth {enhancer.depth}, {enhancer.stats().reason}")

# From a file, as users write it. A wrong key or value is named, with what is allowed.
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "night.toml"
    file.write_text("max_depth = 1\nstrength_db = 12\n")
    enhancer.set_profile(file)
    print(f"night: depth at most {enhancer.profile.max_depth}")
    file.write_text("max_dept = 1\n")
    try:
        enhancer.set_profile(file)
    except sdk.ProfileError as error:
        print(error)
