"""A server of published files, for the tests of downloads and of data sets."""

import http.server
import threading
from collections.abc import Iterator

import pytest


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path and notes the ranges asked for."""

    files: dict[str, bytes]
    ranges: list[str]
    honours_ranges = True
    break_after: list[int]  # bytes sent by the next connections before they break

    @property
    def url(self) -> str:
        """The address to which a file's number is appended."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        if self.path not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[self.path]
        start = int(wanted[6:-1]) if wanted and self.server.honours_ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        limit = self.server.break_after.pop(0) if self.server.break_after else len(content)
        self.wfile.write(content[start : start + limit])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def file_server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.ranges, server.break_after = {}, [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
