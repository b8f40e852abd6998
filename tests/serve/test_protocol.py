"""While too many wait, requests are rejected from their bytes, and others go on."""

import asyncio
import re

import pytest

from chainrule.models import Model
from chainrule.serve.protocol import is_whole, protocol
from tests.serve.asking import SAVED, Request, serving
from tests.serve.attacks import request
from tests.serve.test_application import Slow

PLAIN = request(b'"good"')


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (PLAIN, True),
        (request(b'["good"]', "/predict/batch?top=2"), True),
        (PLAIN.replace(b"Content-Length", b"content-length"), True),
        (PLAIN[:-1], False),
        (PLAIN + PLAIN, False),
        (PLAIN.partition(b"\r\n\r\n")[0], False),
        (request(b'"good"', "/predicted"), False),
        (request(b'"good"', "/health"), False),
        (PLAIN.replace(b"POST", b"PUT"), False),
        (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (PLAIN.replace(b"Content-Length: 6", b"Content-Length: 6\r\nContent-Length: 6"), False),
        (PLAIN.replace(b"Content-Length: 6", b"Content-Length: 6\r\nContent-Length: six"), False),
        (PLAIN.replace(b"Content-Length: 6", b"Content-Length: 6, 6"), False),
        *(
            (PLAIN.replace(b"Host", header + b": x\r\nHost"), False)
            for header in (b"Connection", b"EXPECT", b"transfer-encoding ", b"Upgrade")
        ),
    ],
)
def test_what_is_one_whole_request(data, whole):
    assert is_whole(data) is whole


class Server:
    """uvicorn's protocol on sockets, without its signals; it counts what the application is called for."""

    def __init__(self, application):
        import uvicorn
        from uvicorn.server import ServerState

        self.calls = 0

        async def called(scope, receive, send):
            self.calls += 1
            await application(scope, receive, send)

        self.config = uvicorn.Config(called, http=protocol(application.owner), lifespan="off", log_config=None)
        self.config.load()
        self.state = ServerState()

    def connection(self):
        return self.config.http_protocol_class(config=self.config, server_state=self.state, app_state={})

    async def __aenter__(self):
        self.server = await asyncio.get_running_loop().create_server(self.connection, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error):
        self.server.close()
        await self.server.wait_closed()


async def answer(reader):
    """The status, headers and body of the next answer on a connection."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode()
    headers = dict(re.findall(r"(?m)^([a-z-]+): (.*?)\r$", head.lower()))
    return int(head[9:12]), headers, await reader.readexactly(int(headers["content-length"]))


def test_requests_are_rejected_from_their_bytes_as_the_application_does():
    model = Slow(Model.load(SAVED))
    model.go.set()

    async def crowd(application):
        async with Server(application) as server:
            port = server.port
            waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            (reader, writer), (other, pieces) = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            for _, each in waiting:
                each.write(PLAIN)
            while not application.owner.full:
                await asyncio.sleep(0.001)
            told = await Request("good").to(application)
            found = []
            for data in (PLAIN, request(b'["good"]', "/predict/batch")):
                writer.write(data)
                found.append(await answer(reader))
            assert server.calls == 3  # for what waits
            pieces.write(PLAIN[:30])
            await asyncio.sleep(0.05)
            pieces.write(PLAIN[30:] + PLAIN + PLAIN)
            found += [await answer(other) for _ in range(3)]
            assert server.calls == 6
            rejected = application.owner.rejected
            model.go.set()
            answers = [await answer(each) for each, _ in waiting]
            writer.write(PLAIN)
            pieces.write(PLAIN)
            later = [await answer(reader), await answer(other)]
            for _, each in (*waiting, (reader, writer), (other, pieces)):
                each.close()
            return told, found, rejected, answers, later

    with serving(model, waiting=3) as application:
        model.go.clear()
        try:
            told, found, rejected, answers, later = asyncio.run(asyncio.wait_for(crowd(application), 60))
        finally:
            model.go.set()
    assert told.status == 503
    for status, headers, body in found:
        assert (status, body) == (503, told.body)
        assert {name: headers[name] for name in told.headers} == told.headers
    assert rejected == 6
    assert [status for status, _, _ in answers + later] == [200] * 5
