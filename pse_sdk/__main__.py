"""``python -m pse_sdk`` is ``pse``."""

from pse_sdk.cli.main import run

if __name__ == "__main__":
    run()
