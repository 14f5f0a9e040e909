"""What native libraries print is held back, and nothing else is lost."""

import os
import tempfile
import threading
import warnings

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


def test_two_threads_at_once_leave_standard_error_where_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    first_is_in, first_may_end, second_is_in, second_may_end = (threading.Event() for _ in range(4))

    def hold(is_in: threading.Event, may_end: threading.Event) -> None:
        with hold_back("INFO"):
            is_in.set()
            may_end.wait()

    first = threading.Thread(target=hold, args=(first_is_in, first_may_end))
    second = threading.Thread(target=hold, args=(second_is_in, second_may_end))
    first.start()
    first_is_in.wait()
    second.start()
    assert not second_is_in.wait(0.05)  # it waits for the first to end
    first_may_end.set()
    first.join()
    second_is_in.wait()
    second_may_end.set()
    second.join()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_is_forked_meanwhile_waits_for_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with hold_back("unwanted"):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    threading.Timer(0.2, leave.set).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which is what this is about
        child = os.fork()  # waits until nobody holds back
    if not child:
        with hold_back("unwanted"):
            os.write(2, b"from the child\n")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    assert capfd.readouterr().err == "from the child\n"


def test_without_a_temporary_file_nothing_is_held_back(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with hold_back("INFO"):
        os.write(2, b"INFO: Created\n")
    assert capfd.readouterr().err == "INFO: Created\n"
