"""`chainrule playground`: a page on this machine until it is told to end, or a folder for a site."""

import json
import re
import signal
import socket
import urllib.error
import urllib.request

import pytest

from chainrule.playground import PRESETS, Run, Setup, state_of


def line_of(process):
    line = process.stdout.readline().decode()
    (address,) = re.findall(r"^(http://127\.0\.0\.1:[0-9]+/) is the playground; Ctrl-C ends it$", line)
    return address


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(start, number):
    process = start("playground", "--port", "0", "--no-browser")
    address = line_of(process)
    setup = Setup(data="circles", engine="eager")
    with urllib.request.urlopen(f"{address}state?{setup.address(step=12)}", timeout=60) as answer:
        found = json.load(answer)
    run = Run(setup)
    run.advance(12)
    assert found["state"]["weights"] == state_of(run)["weights"]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{address}state?step=x", timeout=60)
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == b""


def test_a_training_in_progress_does_not_keep_it_from_ending(start):
    process = start("playground", "--port", "0", "--no-browser")
    address = line_of(process)
    host, port = address.removeprefix("http://").removesuffix("/").split(":")
    with socket.create_connection((host, int(port))) as connection:
        query = Setup(hidden=(8, 8, 8, 8), engine="eager").address(step=10_000)
        connection.sendall(f"GET /state?{query} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert b"Traceback" not in process.stderr.read()


def test_a_table_of_ones_own(start, tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text("length,width,kind\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(30)))
    process = start("playground", path, "--label", "kind", "--port", "0", "--no-browser")
    with urllib.request.urlopen(line_of(process), timeout=60) as answer:
        page = answer.read().decode()
    assert '<option value="own" selected>' in page
    assert ">length</text>" in page
    assert "15 training points" in page


def test_what_is_refused(refused, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused("playground", "--no-browser", "--port", port)
        assert f"port {port} cannot be used: Address already in use; give another one, such as --port 0" in message
    for port in ("-1", "65536", "http", "1.5", ""):
        assert "--port must be a whole number from 0 to 65535" in refused("playground", f"--port={port}")
    assert "none.csv" in refused("playground", tmp_path / "none.csv", "--no-browser")
    assert "are about a table; name one" in refused("playground", "--label", "kind")
    assert "leave --port out" in refused("playground", "--write", tmp_path / "x", "--port", "0")
    assert "leave the table out" in refused("playground", "flowers.csv", "--write", tmp_path / "x")
    assert "--write is empty" in refused("playground", "--write", "")
    (tmp_path / "three.csv").write_text("x,y,z,label\n1,2,3,a\n2,3,4,b\n3,1,1,a\n1,1,0,b\n")
    assert "expected two columns of numbers" in refused("playground", tmp_path / "three.csv", "--no-browser")


def test_it_writes_a_folder_for_a_site(run, tmp_path):
    result = run("playground", "--write", tmp_path / "site")
    assert (result.code, result.error) == (0, "")
    assert sorted(result.out.split()) == sorted(str(path) for path in (tmp_path / "site").iterdir())
    assert len(result.out.split()) == len(PRESETS) + 1
