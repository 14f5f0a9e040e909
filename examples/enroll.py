"""Keep one voice of two: python examples/enroll.py examples/voice.flac examples/two-talkers.flac only.wav."""

import sys

import soundfile

import pse_sdk as sdk

if len(sys.argv) != 4:
    sys.exit(__doc__)
enrolment, recording, output = sys.argv[1:]
mixture, rate = soundfile.read(recording, dtype="float32")
enhancer = sdk.Enhancer(profile="quality")
enhancer.enroll(enrolment).save("me.voice")  # another time: enhancer.set_voice("me.voice")
soundfile.write(output, enhancer.enhance(mixture, rate), rate)
print(f"{len(mixture) / rate:.1f} s written to {output}; the voice is in me.voice")
