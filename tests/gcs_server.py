"""As much of the JSON protocol of Google Cloud Storage as a few files need; a process of its own.

Not a thread: pyarrow lets go of a file of GCS while it holds the lock of the interpreter.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "bucket"
objects: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def answer(self, status: int, body: object = "", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path.rpartition("/o/")[2]), parse_qs(parts.query)

    def do_GET(self) -> None:
        name, query = self.asked()
        if f"/b/{BUCKET}" not in self.path:
            self.answer(404, {"error": {"code": 404, "message": "There is no such bucket."}})
        elif "/o/" in self.path:
            self.give(name, query)
        elif "/o?" in self.path:
            begins = query.get("prefix", [""])[0]
            found = [described(name) for name in sorted(objects) if name.startswith(begins)]
            self.answer(200, {"kind": "storage#objects", "items": found})
        else:
            self.answer(200, {"kind": "storage#bucket", "name": BUCKET})

    def give(self, name: str, query: dict[str, list[str]]) -> None:
        if name not in objects:
            self.answer(404, {"error": {"code": 404, "message": "There is no such object."}})
        elif query.get("alt") != ["media"]:
            self.answer(200, described(name))
        else:
            data = objects[name]
            wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
            first, _, last = wanted.partition("-")
            part = data[int(first) : int(last or len(data) - 1) + 1]
            end = int(first) + len(part) - 1
            self.answer(206, part, Content_Range=f"bytes {first}-{end}/{len(data)}")

    def do_POST(self) -> None:
        _, query = self.asked()
        name = query["name"][0]
        place = f"http://{self.headers['Host']}/upload/o/{name}"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, Location=place)

    def do_PUT(self) -> None:
        name, _ = self.asked()
        objects[name] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, described(name))

    def do_DELETE(self) -> None:
        objects.pop(self.asked()[0], None)
        self.answer(204)


def described(name: str) -> dict[str, str]:
    size = str(len(objects[name]))
    return {"kind": "storage#object", "name": name, "bucket": BUCKET, "size": size}


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        objects[f"set/{file.name}"] = file.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
