"""A stand-in for S3 on this computer: moto's server, with answers put before it where a test wants trouble."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen


def _answer(status, code, text):
    return status, f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()


BUSY = _answer("503 Slow Down", "SlowDown", "Please reduce your request rate.")
REFUSED = _answer("403 Forbidden", "AccessDenied", "Access Denied")
UNKNOWN_KEY = _answer("403 Forbidden", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.")


class StandIn:
    """The server.

    Attributes:
        url: Its address.
        requests: What it was asked, as "GET /bucket/key".
        trouble: Is asked before each request, with that text; gives (status, body) to answer that instead, a number of
            bytes after which the answer is cut, or None.
    """

    def __init__(self):
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.requests: list[str] = []
        self.trouble: Callable = lambda _: None
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ, start):
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query}"
        self.requests.append(text)
        trouble = self.trouble(text)
        if isinstance(trouble, tuple):
            status, body = trouble
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
        answer = self._app(environ, start)
        if trouble is None:
            return answer
        return [b"".join(answer)[:trouble]]  # the length that was announced is that of the whole

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def stand_in(patch, *buckets: str) -> Iterator[StandIn]:
    """A stand-in with these buckets, to which the environment leads."""
    import boto3

    server = StandIn()
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "AKIASTANDIN",
        "AWS_SECRET_ACCESS_KEY": "tell/nobody+this",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        patch.setenv(name, value)
    try:
        urlopen(
            Request(f"{server.url}/moto-api/reset", method="POST")
        ).close()  # what an earlier one in this process held
        client = boto3.client("s3")
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield server
    finally:
        server.close()
