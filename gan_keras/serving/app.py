"""The server of the page to try the models: `gan-keras app`.

Nothing is asked of any other computer: Gradio's analytics are off, fonts are the system's own, and
a policy in each answer forbids browsers whatever is not this server's.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import sys
import tempfile

from gan_keras.errors import UserError

POLICY = b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"
_SETTINGS = {  # read by Gradio, and by what it imports, when they are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def require_gradio():
    """Raise UserError where Gradio is not installed."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'gan_keras[app]'")


@contextlib.contextmanager
def bound(host, port):
    """Give a socket that is bound to host and port.

    Raises:
        UserError: There is no such address, or the port is taken.
    """
    if not 0 <= port < 2**16:
        raise UserError(f"--port {port}: a number from 0 to 65535 is wanted")
    with contextlib.ExitStack() as stack:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = stack.enter_context(socket.socket(family, kind))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(
                f"cannot listen at {host}:{port} ({reason}): choose another --port or --host"
            ) from error
        yield listener


def serve(listener, models=()):
    """Serve the page until it is stopped, and print its address.

    Args:
        listener: A `bound` socket.
        models: `.keras` files or run folders, offered beside what ships.

    Raises:
        UserError: A model cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="gan-keras-") as folder:
        os.environ.update(_SETTINGS, GRADIO_TEMP_DIR=folder)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the folder goes too
        server = _server(models)
        listener.listen()
        address, port = listener.getsockname()[:2]
        address = f"[{address}]" if ":" in address else address
        print(f"http://{address}:{port} (Ctrl-C stops it)", flush=True)
        server.run(sockets=[listener])


def _server(models):
    import gradio
    import uvicorn
    from fastapi import FastAPI

    from gan_keras.serving.page import build_page

    font = gradio.themes.Font
    bare = {"docs_url": None, "redoc_url": None, "openapi_url": None}  # they load from elsewhere
    application = gradio.mount_gradio_app(
        FastAPI(**bare),
        build_page(models),
        path="/",
        app_kwargs=bare,
        theme=gradio.themes.Default(
            font=[font("system-ui"), font("sans-serif")], font_mono=[font("monospace")]
        ),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size="300mb",
    )
    settings = {"log_level": "warning", "timeout_graceful_shutdown": 1}
    return uvicorn.Server(uvicorn.Config(fenced(application), **settings))


def fenced(application):
    """Wrap an ASGI application so that browsers ask nothing of any other server."""

    async def answer(scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"content-security-policy", POLICY)]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, send_with_policy)

    return answer
