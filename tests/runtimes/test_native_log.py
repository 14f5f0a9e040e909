"""What native libraries print is held back, and nothing else is lost."""

import os

import pytest
from pse_sdk.runtimes.native_log import hold_back


def test_unwanted_lines_are_dropped_and_others_come_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with hold_back("INFO: Created"):
        os.write(2, b"INFO: Created a delegate\nERROR: out of memory\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "ERROR: out of memory\n"
    os.write(2, b"INFO: Created later\n")
    assert capfd.readouterr().err == "INFO: Created later\n"


def test_lines_are_printed_also_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="boom"), hold_back("INFO"):
        os.write(2, b"why\n")
        raise OSError("boom")
    assert capfd.readouterr().err == "why\n"
