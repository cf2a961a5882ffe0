"""One process at a time: another one waits, says why, and may be told to wait no longer."""

import subprocess
import sys
import threading
import time

import pytest
from filelock import FileLock

from helpers.waiting import NOTICE, alone, listening, reason


def test_a_second_holder_waits_and_says_why_meanwhile(tmp_path, monkeypatch):
    notice, order = tmp_path / "notice", []
    monkeypatch.setenv(NOTICE, str(notice))

    def second():
        with alone(tmp_path / "lock", "another one writes"):
            order.append("second")

    with alone(tmp_path / "lock", "nobody"):
        waits = threading.Thread(target=second)
        waits.start()
        end = time.monotonic() + 120
        while reason(notice) != "another one writes":
            assert time.monotonic() < end
            time.sleep(0.01)
        order.append("first")
    waits.join()
    assert order == ["first", "second"] and reason(notice) == ""


@pytest.mark.parametrize("patience", [0, 1])
def test_who_is_told_not_to_wait_any_longer_does_not(tmp_path, patience):
    asked = []

    def waits():
        asked.append(time.monotonic())
        return len(asked) <= patience

    lock = FileLock(tmp_path / "lock")
    with lock:
        with pytest.raises(InterruptedError, match="another one writes"):
            with alone(tmp_path / "lock", "another one writes", waits=waits):
                raise AssertionError("it holds a lock that is taken")
    assert len(asked) == patience + 1
    with alone(tmp_path / "lock", "nobody", waits=lambda: False):  # free, so nobody asks
        pass


def test_a_process_that_is_killed_lets_go(tmp_path):
    script = (
        "import sys, time\nfrom helpers.waiting import alone\n"
        "with alone(sys.argv[1], 'x'):\n    print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "held"
    process.kill()
    process.wait()
    with alone(tmp_path / "lock", "the killed one", waits=lambda: False):
        pass


def held(path):
    """Hold a lock file in another thread for a moment."""
    taken, waits = threading.Event(), threading.Event()

    def hold():
        with FileLock(path):
            taken.set()
            waits.wait(60)

    threading.Thread(target=hold).start()
    taken.wait(60)
    return waits


def test_a_listener_is_told_what_is_waited_for_and_only_then(tmp_path):
    said = []
    with listening(said.append), alone(tmp_path / "lock", "another process is writing"):
        pass
    assert said == []
    waits = held(tmp_path / "lock")
    with listening(lambda why: (said.append(why), waits.set())):
        with alone(tmp_path / "lock", "another process is writing"):
            assert said == ["another process is writing"]


def test_outside_the_block_nobody_listens(tmp_path):
    said = []
    with listening(said.append):
        pass
    waits = held(tmp_path / "lock")
    threading.Timer(0.2, waits.set).start()
    with alone(tmp_path / "lock", "another process is writing"):
        assert said == []
