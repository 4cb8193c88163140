"""Chromium, driven through its DevTools protocol: enough of it to use a page as a person would."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request

import websocket


class Browser:
    """One page in a headless Chromium.

    Attributes:
        requests: The address of each request so far.
        complaints: What the page's console holds of errors and refused requests.
    """

    def __init__(self, profile, size=(1280, 1100)):
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        assert chromium, "no browser: apt-get install chromium"
        self.requests, self.complaints, self._count = [], [], 0
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update"]
        command += ["--disable-sync", "--hide-scrollbars", f"--window-size={size[0]},{size[1]}"]
        command += ["--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        command += ["--remote-debugging-port=0", "about:blank"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        port = wait_for(lambda: _first_line(profile / "DevToolsActivePort"), 60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as reply:
            page = next(x for x in json.load(reply) if x["type"] == "page")
        address = page["webSocketDebuggerUrl"]
        self._socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def close(self):
        """End the browser."""
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        self._socket.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def call(self, method, **parameters):
        """Call a method of the protocol; note what the page does meanwhile."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer.get("method"), answer.get("params", {}))

    def _note(self, event, details):
        if event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif event == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.complaints.append(details["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(details["exceptionDetails"]["text"])

    def run(self, script):
        """Return the value of a JavaScript expression, awaited where it is a promise."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script, seconds=60):
        """Wait until an expression is true, and return its value."""
        return wait_for(lambda: self.run(script), seconds, script)

    def open(self, address):
        """Go to an address."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState == 'complete'")

    def give_file(self, selector, path):
        """Choose a file in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def middle(self, element):
        """Wait for an element to stand still, in view, and return its middle in pixels."""
        place = (
            f"(e => {{ if (!e) return null; e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect();"
            f" return [r.x + r.width / 2, r.y + r.height / 2] }})({element})"
        )
        seen = [None]

        def still():
            seen.append(self.run(place))
            return seen[-1] is not None and seen[-1] == seen[-2]

        wait_for(still, 60, element)
        return seen[-1]

    def click(self, element):
        """Click into the middle of an element, a JavaScript expression."""
        self.drag(self.middle(element))

    def drag(self, start, *stations):
        """Press the mouse at (x, y), move it to each station, and let go."""
        place, button = start, {"button": "left", "clickCount": 1}
        self._mouse("mouseMoved", place)
        self._mouse("mousePressed", place, **button)
        for place in stations:
            self._mouse("mouseMoved", place, button="left", buttons=1)
        self._mouse("mouseReleased", place, **button)

    def _mouse(self, kind, place, **options):
        self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **options)

    def type(self, element, text):
        """Replace what is in a text field, and leave the field."""
        self.run(f"(e => {{ e.focus(); e.select() }})({element})")
        self.call("Input.insertText", text=text)
        self.run(f"({element}).blur()")

    def screenshot(self, path):
        """Save what is to be seen of the page, from its top to its end, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": size["height"]}
        options = {"clip": clip, "captureBeyondViewport": True}
        data = self.call("Page.captureScreenshot", **options)["data"]
        path.write_bytes(base64.b64decode(data))
        return path


def wait_for(condition, seconds, what="it"):
    """Call a condition until it is true, and return what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} seconds")


def _first_line(path):
    return path.read_text().split("\n")[0] if path.exists() else ""
