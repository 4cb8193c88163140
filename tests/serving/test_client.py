"""The client, against the stand-in: what it keeps, when it tries again, and what it says."""

import http.server
import threading

import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.restoration.files import read_image
from gan_keras.serving import client


@pytest.fixture(scope="module")
def servers(served):
    """Return {"--grpc": address, "--url": address} of the stand-in."""
    from server_double import start_grpc, start_rest

    grpc_server, grpc_port = start_grpc(served)
    rest_server, rest_port = start_rest(served)
    yield {"--grpc": f"localhost:{grpc_port}", "--url": f"http://localhost:{rest_port}"}
    grpc_server.stop(None)
    rest_server.shutdown()
    rest_server.server_close()


def connect(servers, way):
    return {"--grpc": client.GrpcServer, "--url": client.RestServer}[way](servers[way])


WAYS = pytest.mark.parametrize("way", ["--grpc", "--url"])


@WAYS
def test_remote_does_what_enhance_does(servers, way, tmp_path, exports, restorer, smooth, capsys):
    """Folder, names, kinds of file, grey, opacity, 16 bits, EXIF, ICC: as without a server."""
    source, local, remote = (tmp_path / name for name in ("photos", "local", "remote"))
    (source / "deep").mkdir(parents=True)
    grey = Image.fromarray(smooth(31, 20)).convert("L")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 8, "a maker"
    options = {"exif": exif, "icc_profile": b"a profile"}
    Image.fromarray(smooth(20, 31)).save(source / "turned.jpg", **options)
    grey.save(source / "deep/grey.webp", lossless=True)
    Image.fromarray(np.dstack([smooth(9, 8), smooth(9, 8, 1)[..., 0]])).save(source / "alpha.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 251).save(source / "sixteen.png")
    grey.convert("CMYK").save(source / "print.tif")
    enhancer = gan_keras.Enhancer(restorer)
    names = ["turned.jpg", "deep/grey.webp", "alpha.png", "sixteen.png", "print.tif"]
    for name in names:
        enhancer.enhance_file(source / name, local / name)
    arguments = [way, servers[way], "--model", "tiny", "--out", str(remote)]
    assert main(["remote", "enhance", str(source), *arguments]) == 0
    assert "5 of 5 restored" in capsys.readouterr().out
    for name in names:
        ours, theirs = read_image(local / name), read_image(remote / name)
        assert (ours.format, ours.exif, ours.icc) == (theirs.format, theirs.exif, theirs.icc)
        assert ours.samples.dtype == theirs.samples.dtype
        tolerance = 3 if name.endswith("jpg") else 1
        difference = np.abs(ours.samples.astype(int) - theirs.samples)
        assert ours.samples.shape == theirs.samples.shape and difference.max() <= tolerance
        assert (ours.alpha is None) == (theirs.alpha is None)


@WAYS
def test_strength_is_what_it_is_without_a_server(servers, way, tmp_path, restorer, smooth, capsys):
    photo = tmp_path / "photo.png"
    Image.fromarray(smooth(20, 31)).save(photo)
    gan_keras.Enhancer(restorer, strength=0.25).enhance_file(photo, tmp_path / "local.png")
    command = ["remote", "enhance", str(photo), way, servers[way], "--model", "tiny"]
    assert main([*command, "--out", str(tmp_path / "out"), "--strength", "0.25"]) == 0
    ours, theirs, whole = (
        np.asarray(Image.open(tmp_path / name)).astype(int)
        for name in ("local.png", "out/photo.png", "photo.png")
    )
    assert np.abs(ours - theirs).max() <= 1 < np.abs(ours - whole).max()
    assert main([*command, "--out", str(tmp_path / "out"), "--strength", "2"]) == 2
    assert "--strength 2.0: a number from 0 to 1" in capsys.readouterr().err


@WAYS
def test_zeros_at_a_files_end_arrive(servers, way, smooth, encoded, monkeypatch):
    """NumPy drops them from its strings; a JPEG may be padded with them."""
    server, data = connect(servers, way), encoded(smooth(8, 8), "JPEG")
    padded = server.restore("tiny", data + bytes(40))
    assert padded == server.restore("tiny", data) and padded[1] == ""
    _, error = server.restore("tiny", bytes(3))
    assert "not a JPEG" in error


@WAYS
def test_mistakes_are_one_line(servers, way, tmp_path, smooth, capsys):
    photo = tmp_path / "photo.png"
    Image.fromarray(smooth(8, 8)).save(photo)
    (tmp_path / "words.png").write_text("these are words")
    large = tmp_path / "large.png"
    Image.new("L", (2000, 1000)).save(large)

    def run(*arguments):
        command = ["remote", "enhance", *map(str, arguments), way, servers[way]]
        status = main([*command, "--out", str(tmp_path / "out")])
        return status, capsys.readouterr().err.strip().splitlines()

    status, (line,) = run(photo, "--model", "denoyse")
    assert status == 2 and "serves no model 'denoyse'" in line
    status, (line,) = run(photo, "--model", "digits")
    assert status == 2 and "refuses" in line and "latents" in line
    status, (line,) = run(photo, "--model", "tiny", "--timeout", "0")
    assert status == 2 and "--timeout" in line
    assert not (tmp_path / "out").exists()
    status, lines = run(photo, tmp_path / "words.png", large, "--model", "tiny")
    assert status == 1 and len(lines) == 2
    assert "words.png" in lines[0] and "limit of 1,000,000 pixels" in lines[1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.png"]
    before = photo.read_bytes()
    command = ["remote", "enhance", str(photo), way, servers[way], "--out", str(tmp_path)]
    assert main(command) == 2 and photo.read_bytes() == before


@pytest.fixture
def scripted():
    """Return a function that starts an HTTP server which gives (status, content) in turn."""
    from server_double import reply

    started = []

    def start(*answers):
        answers = list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                status, content = answers.pop(0)
                if status:  # 0: hang up
                    reply(self, status, content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return client.RestServer(f"http://localhost:{server.server_port}", 5), answers

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


GOOD = 200, b'{"predictions": [{"restored_bytes": {"b64": "AAA="}, "error": ""}]}'


def test_it_tries_again_while_the_server_is_busy(scripted, monkeypatch):
    pauses = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)
    server, left = scripted((503, b'{"error": "loading"}'), (0, b""), GOOD)
    assert client.restore(server, "m", b"data") == b"\0\0"
    assert pauses == [1, 2] and left == []
    server, left = scripted(*[(503, b'{"error": "loading"}')] * 2, GOOD)
    with pytest.raises(UserError, match=r"busy \(loading\), 2 times"):
        client.restore(server, "m", b"data", retries=1)
    assert len(left) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, b'{"error": "bad\\nshape"}'), "refuses: bad shape"),
        ((500, b"<html>"), "refuses: HTTP 500"),
        ((404, b'{"error": "Servable not found"}'), "no model 'm' .Servable not found."),
        ((200, b"<html>"), "does not answer as an enhancer"),
        ((200, b'{"predictions": [[1.0]]}'), "does not answer as an enhancer"),
        ((200, b'{"predictions": []}'), "does not answer as an enhancer"),
    ],
)
def test_answers_that_another_try_would_not_mend(scripted, answer, words):
    server, left = scripted(answer, GOOD)
    with pytest.raises(UserError, match=words):
        client.restore(server, "m", b"data")
    assert left == [GOOD]


def test_a_server_that_says_nothing(monkeypatch):
    import socket

    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]
        for server in (
            client.RestServer(f"http://localhost:{port}", 0.2),
            client.GrpcServer(f"localhost:{port}", 0.2),
        ):
            with pytest.raises(UserError, match=r"no answer in 0\.2 seconds"):
                client.restore(server, "m", b"data")
    for server in (
        client.RestServer(f"http://localhost:{port}", 5),
        client.GrpcServer(f"localhost:{port}", 5),
    ):
        with pytest.raises(UserError, match=r"cannot be reached .*, 2 times: is the server up"):
            client.restore(server, "m", b"data", retries=1)


def test_addresses_and_stubs_that_are_not_there(monkeypatch):
    with pytest.raises(UserError, match="http://localhost:8501"):
        client.RestServer("localhost:8501")
    import sys

    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis.prediction_service_pb2_grpc", None)
    with pytest.raises(UserError, match=r"pip install 'gan_keras\[serve\]'"):
        client.GrpcServer("localhost:8500")


def test_rest_needs_no_tensorflow(run_python, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    code = (
        "import sys; from gan_keras.cli import main; status = main(sys.argv[1:]); "
        "print(status, {'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = ["remote", "enhance", tmp_path / "photo.png", "--out", tmp_path / "out"]
    result = run_python(code, *command, "--url", "http://localhost:1", "--retries", "0")
    assert result.stdout.strip() == "2 set()"
    assert "cannot be reached" in result.stderr and result.stderr.count("\n") == 1
