"""Requests that are wrong, or come when a server is to end."""

import asyncio
import json
import random
import signal
from collections import Counter
from contextlib import suppress


def request(body, path="/predict"):
    """The bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _close(writer):
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def malformed(generator):
    """The bytes of a request that is wrong somewhere."""
    body = json.dumps({"text": "a warm film"}).encode()
    match generator.randrange(8):
        case 0:  # no JSON
            return request(generator.randbytes(generator.randrange(200)))
        case 1:  # cut off
            return request(body[: generator.randrange(len(body))])
        case 2:  # something else
            return request(json.dumps(generator.choice([None, 5, [1], {"text": 3}, {"a": {}}, [[[]]], True])).encode())
        case 3:  # nested
            return request(b"[" * generator.randrange(100_000))
        case 4:  # another path or method
            return request(body, f"/{generator.randbytes(4).hex()}").replace(
                b"POST", generator.choice([b"GET", b"POST"])
            )
        case 5:  # no HTTP
            return generator.randbytes(generator.randrange(1, 300))
        case 6:  # a bit is another
            held = bytearray(request(body))
            held[generator.randrange(len(held))] ^= 1 << generator.randrange(8)
            return bytes(held)
    return request(body).replace(b"Content-Length: ", b"Content-Length: 9" + b"9" * generator.randrange(20))


async def attack(port, count, seed=3):
    """Send malformed requests, each on a connection of its own; how often each status came, and tracebacks."""
    generator, statuses, tracebacks = random.Random(seed), Counter(), 0

    async def one(content):
        nonlocal tracebacks
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(OSError, TimeoutError):
            writer.write(content)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(65536), 5)
            tracebacks += b"Traceback" in answer
            status = answer[9:12].decode("latin-1")
            statuses[status] += 1
        await _close(writer)

    for start in range(0, count, 20):
        await asyncio.gather(*(one(malformed(generator)) for _ in range(min(20, count - start))))
    return statuses, tracebacks


async def in_flight(port, process, count=20):
    """Ask, tell the server to end at once, and count the answers."""
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    content = request(json.dumps(["a warm film"] * 500).encode())
    for _, writer in lines:
        writer.write(content)
        await writer.drain()
    await asyncio.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    answers = []
    for reader, _ in lines:
        with suppress(ConnectionResetError):
            answers.append(await reader.read())
    for _, writer in lines:
        await _close(writer)
    return sum(x.startswith(b"HTTP/1.1 200") and x.endswith(b"}]") for x in answers)
