"""The threads in which requests are worked on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from aflow_site.api.threads import Gate, InThread, Threads, by_path, on_its_own
from tests.fakes.pools import until


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads(kept=2)
    yield threads
    threads.close()


def alive(threads: Iterable[threading.Thread]) -> int:
    return sum(thread.is_alive() for thread in threads)


async def request(threads: Threads, view: Callable[[], Any]) -> None:
    """One whose view it is."""

    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        await sync_to_async(view)()

    await threads.around(application)({}, None, None)


async def test_a_thread_is_used_again(threads: Threads) -> None:
    seen: list[int] = []
    for _ in range(20):
        await request(threads, lambda: seen.append(threading.get_ident()))
        await asyncio.sleep(0.01)  # its last work is after the answer
    assert len(set(seen)) == 1


async def test_requests_at_the_same_time_have_threads_of_their_own(threads: Threads) -> None:
    together = threading.Barrier(5)
    await asyncio.gather(*(request(threads, lambda: together.wait(10)) for _ in range(5)))


async def test_no_more_are_kept_than_said(threads: Threads) -> None:
    together, used = threading.Barrier(5), []

    def view() -> None:
        used.append(threading.current_thread())
        together.wait(10)

    await asyncio.gather(*(request(threads, view) for _ in range(5)))
    await until(lambda: alive(used) == 2)
    threads.close()
    assert alive(used) == 0


async def test_who_hangs_up_leaves_the_thread_to_the_view_until_it_ends(threads: Threads) -> None:
    begun, may_end, order = threading.Event(), threading.Event(), []

    def slow() -> None:
        begun.set()
        may_end.wait(10)
        order.append(threading.get_ident())

    asking = asyncio.ensure_future(request(threads, slow))
    await asyncio.to_thread(begun.wait, 10)
    asking.cancel()
    await request(threads, lambda: order.append(threading.get_ident()))
    assert not asking.done(), "the loop is there as long as the view works"
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    beside, slow_one = order
    assert beside != slow_one


async def test_of_a_crowd_few_begin_at_once_in_their_order() -> None:
    threads = Threads(gate=Gate(at_once=2, just=3600))
    begun: list[int] = []
    ends = [threading.Event() for _ in range(4)]

    def view(number: int) -> None:
        begun.append(number)
        ends[number].wait(10)

    tasks = [
        asyncio.create_task(request(threads, lambda number=number: view(number)))  # type: ignore[misc]
        for number in range(4)
    ]
    await until(lambda: sorted(begun) == [0, 1])
    await asyncio.sleep(0.05)
    assert sorted(begun) == [0, 1]
    tasks[2].cancel()  # who hangs up in the queue takes nobody's place
    ends[0].set()
    await until(lambda: sorted(begun) == [0, 1, 3])
    for end in ends:
        end.set()
    assert [type(found) for found in await asyncio.gather(*tasks, return_exceptions=True)] == [
        type(None),
        type(None),
        asyncio.CancelledError,
        type(None),
    ]
    threads.close()


async def test_who_takes_long_holds_up_nobody() -> None:
    threads = Threads(gate=Gate(at_once=1, just=0.01))
    together = threading.Barrier(5)
    await asyncio.gather(*(request(threads, lambda: together.wait(10)) for _ in range(5)))
    threads.close()


async def test_after_a_burst_no_thread_is_kept() -> None:
    threads = Threads(kept=2, burst=4)
    for at_once, left in ((4, 2), (5, 0)):
        together = threading.Barrier(at_once)
        used: set[threading.Thread] = set()

        def view(together: threading.Barrier = together, used: set[threading.Thread] = used) -> None:
            used.add(threading.current_thread())
            together.wait(10)

        await asyncio.gather(*(request(threads, view) for _ in range(at_once)))
        await until(lambda used=used, left=left: alive(used) == left)  # type: ignore[misc]


async def test_a_request_is_not_worked_on_in_the_thread_of_the_one_that_began_it(threads: Threads) -> None:
    """A server may begin the next request of a connection in the middle of the end of the last."""
    seen: list[int] = []
    ended = asyncio.Event()

    async def inner(_scope: Any, _receive: Any, _send: Any) -> None:
        await ended.wait()
        async with ThreadSensitiveContext():
            await sync_to_async(lambda: seen.append(threading.get_ident()))()

    async def outer(_scope: Any, _receive: Any, _send: Any) -> None:
        await sync_to_async(lambda: seen.append(threading.get_ident()))()
        following.append(asyncio.create_task(on_its_own(inner)({}, None, None)))

    following: list[asyncio.Task[None]] = []
    await threads.around(outer)({}, None, None)
    ended.set()
    await following[0]
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/agent/x/", "", "agents"),
        ("/agent", "", "others"),
        ("/api/agent/x", "", "others"),
        ("/below/agent/x", "/below", "agents"),
        ("/healthz", "/elsewhere", "others"),
    ],
)
async def test_what_the_proxy_answers(path: str, root: str, expected: str) -> None:
    asked: list[str] = []

    def noting(name: str) -> Any:
        async def application(_scope: Any, _receive: Any, _send: Any) -> None:
            asked.append(name)

        return application

    await by_path(noting("agents"), noting("others"))({"path": path, "root_path": root}, None, None)
    assert asked == [expected]


@pytest.mark.parametrize(("handler", "walks"), [(InThread, 1), (ASGIHandler, 4)])
async def test_middleware_and_view_are_reached_without_the_loop(
    settings: Any, handler: type[ASGIHandler], walks: int
) -> None:
    """Django's own handler goes to a thread for each of the middleware, and once more for the view."""
    settings.MIDDLEWARE = [f"{__name__}.Telling"] * 3
    settings.ROOT_URLCONF = __name__
    with counting() as calls:
        answer = await handler().get_response_async(RequestFactory().get("/"))
    assert answer.status_code == 200
    assert calls() == walks


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """How often something went from the loop to a thread."""
    with patch.object(
        SyncToAsync, "thread_handler", autospec=True, side_effect=SyncToAsync.thread_handler
    ) as seen:
        yield lambda: seen.call_count


class Telling(MiddlewareMixin):
    def process_request(self, _request: HttpRequest) -> None: ...


def view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("", view)]
