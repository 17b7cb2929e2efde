"""Tasks: results, errors and progress on the owner's thread; cancelled and awaited on exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from plumbline.core.errors import InputError, RefusedError
from plumbline.core.feedback import Feedback
from plumbline.services import tasks
from plumbline.services.notifier import Notifier, Severity
from plumbline.services.tasks import Task, TaskRunner, TaskState


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
def runner(notifier: Notifier) -> Iterator[TaskRunner]:
    runner = TaskRunner(notifier=notifier)
    yield runner
    assert runner.close(10)


def until_cancelled(started: threading.Event) -> Callable[[Feedback], None]:
    def work(feedback: Feedback) -> None:
        started.set()
        while True:
            feedback.step(0, 1)
            time.sleep(0.001)

    return work


def test_a_result_comes_on_the_owners_thread(runner: TaskRunner) -> None:
    threads: list[int] = []
    results: list[int] = []

    def work(_feedback: Feedback) -> int:
        threads.append(threading.get_ident())
        return 42

    def done(result: int) -> None:
        threads.append(threading.get_ident())
        results.append(result)

    task = runner.submit("Answer", work, done)
    assert runner.tasks == [task]
    assert results == []
    assert runner.wait(10)
    assert results == [42]
    assert threads[0] != threads[1] == threading.get_ident()
    assert (task.state, task.fraction, task.result) == (TaskState.DONE, 1.0, None)
    assert task.elapsed >= 0
    assert runner.tasks == []


def test_events_tell_the_life_of_a_task(runner: TaskRunner) -> None:
    told: list[tuple[str, Task[None]]] = []
    runner.task_added.connect(lambda task: told.append(("added", task)))
    runner.task_finished.connect(lambda task: told.append((task.state.value, task)))
    task = runner.submit("Work", lambda _feedback: None)
    runner.wait(10)
    assert told == [("added", task), ("done", task)]


def test_what_the_user_can_mend_goes_to_failed_or_to_the_notifier(
    runner: TaskRunner, notifier: Notifier
) -> None:
    error = InputError("“a.laz” is empty.", "Copy it again.")
    caught: list[Exception] = []

    def work(_feedback: Feedback) -> None:
        raise error

    runner.submit("Load", work, failed=caught.append)
    runner.wait(10)
    assert caught == [error]
    assert notifier.notifications == []
    runner.submit("Load", work)
    runner.wait(10)
    (told,) = notifier.notifications
    assert (told.severity, told.message, told.hint) == (
        Severity.ERROR,
        "“a.laz” is empty.",
        "Copy it again.",
    )


def test_a_defect_is_told_with_its_traceback_and_to_failed(
    runner: TaskRunner, notifier: Notifier
) -> None:
    caught: list[Exception] = []

    def work(_feedback: Feedback) -> None:
        raise ZeroDivisionError("deep inside")

    task = runner.submit("Compute", work, failed=caught.append)
    runner.wait(10)
    assert task.state is TaskState.FAILED
    assert isinstance(caught[0], ZeroDivisionError)
    (told,) = notifier.notifications
    assert told.severity is Severity.DEFECT
    assert "in work" in told.details
    assert "deep inside" in told.details


def test_cancelling_a_running_task(runner: TaskRunner, notifier: Notifier) -> None:
    started, ended = threading.Event(), []
    task = runner.submit(
        "Endless",
        until_cancelled(started),
        lambda _result: ended.append("done"),
        lambda _error: ended.append("failed"),
        lambda: ended.append("cancelled"),
    )
    assert started.wait(10)
    task.cancel()
    assert task.cancelling or task.finished
    assert runner.wait(10)
    assert ended == ["cancelled"]
    assert task.state is TaskState.CANCELLED
    assert not task.cancelling
    assert notifier.notifications == []


def test_a_waiting_task_that_is_cancelled_never_starts(notifier: Notifier) -> None:
    runner = TaskRunner(notifier=notifier, threads=1)
    started = threading.Event()
    first = runner.submit("First", until_cancelled(started))
    ran: list[int] = []
    second = runner.submit("Second", lambda _feedback: ran.append(1))
    assert started.wait(10)
    assert second.state is TaskState.WAITING
    assert second.elapsed == 0
    second.cancel()
    first.cancel()
    assert runner.wait(10)
    assert ran == []
    assert second.state is TaskState.CANCELLED
    runner.close()


def test_progress_is_throttled_and_never_lost_from_the_task(
    runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PROGRESS_EVERY", 0.05)
    threads: set[int] = set()
    seen: list[float] = []

    def progress(task: Task[None]) -> None:
        threads.add(threading.get_ident())
        seen.append(task.fraction)

    def work(feedback: Feedback) -> None:
        for n in range(20_000):
            feedback.step(n, 40_000, f"{n}")
        time.sleep(0.06)
        feedback.step(3, 4, "end")
        time.sleep(0.06)

    runner.task_progress.connect(progress)
    task = runner.submit("Count", work)
    runner.wait(30)
    assert threads == {threading.get_ident()}
    assert 1 <= len(seen) < 1000
    assert seen == sorted(seen)
    assert task.text == "end"


def test_closing_cancels_awaits_and_calls_nobody(notifier: Notifier) -> None:
    runner = TaskRunner(notifier=notifier, threads=2)
    called: list[str] = []
    started = [threading.Event() for _ in range(2)]
    stopped: list[int] = []

    def work(index: int) -> Callable[[Feedback], None]:
        def run(feedback: Feedback) -> None:
            try:
                until_cancelled(started[index])(feedback)
            finally:
                stopped.append(index)

        return run

    for index in range(2):
        runner.submit(
            "Work",
            work(index),
            lambda _result: called.append("done"),
            lambda _error: called.append("failed"),
            lambda: called.append("cancelled"),
        )
    runner.submit("Waiting", lambda _feedback: called.append("ran"))
    assert all(event.wait(10) for event in started)
    assert runner.close(10)
    assert sorted(stopped) == [0, 1]
    runner.process()
    assert called == []
    with pytest.raises(RuntimeError, match="closed"):
        runner.submit("Late", lambda _feedback: None)


def test_closing_says_when_a_task_does_not_stop(notifier: Notifier) -> None:
    runner = TaskRunner(notifier=notifier)
    release = threading.Event()
    runner.submit("Deaf", lambda _feedback: release.wait(30))
    assert not runner.close(0.05)
    release.set()


def test_a_post_hook_carries_everything_to_the_owner(notifier: Notifier) -> None:
    posted: list[Callable[[], None]] = []
    arrived = threading.Event()

    def post(function: Callable[[], None]) -> None:
        posted.append(function)
        arrived.set()

    runner = TaskRunner(post, notifier=notifier)
    results: list[str] = []
    runner.submit("Work", lambda _feedback: "x", results.append)
    assert arrived.wait(10)
    assert results == []
    for function in posted:
        function()
    assert results == ["x"]
    with pytest.raises(RuntimeError, match="event loop"):
        runner.wait()
    assert runner.close(10)


def test_waiting_has_an_end(runner: TaskRunner) -> None:
    started = threading.Event()
    task = runner.submit("Endless", until_cancelled(started))
    assert not runner.wait(0.05)
    task.cancel()
    assert runner.wait(10)


def test_a_callback_that_submits_again_is_waited_for(runner: TaskRunner) -> None:
    order: list[str] = []

    def again(_result: None) -> None:
        order.append("first")
        runner.submit("Second", lambda _feedback: None, lambda _r: order.append("second"))

    runner.submit("First", lambda _feedback: None, again)
    assert runner.wait(10)
    assert order == ["first", "second"]


def test_a_refusal_keeps_its_class(runner: TaskRunner) -> None:
    caught: list[Exception] = []

    def work(_feedback: Feedback) -> None:
        raise RefusedError("No CRS.")

    runner.submit("Sun", work, failed=caught.append)
    runner.wait(10)
    assert isinstance(caught[0], RefusedError)
