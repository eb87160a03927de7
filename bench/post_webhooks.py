"""Posts signed webhooks with 8 clients, for so many seconds: `post_webhooks.py URL SECONDS RATE SECRET`; a rate of 0 is the most.

Prints the times of the answers, in milliseconds, as a JSON list.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

_CLIENTS = 8
_BODY = b'{"name": "Ada Lovelace", "email": "ada@example.com"}'


def post(url: str, seconds: float, rate: float, secret: bytes) -> list[float]:
    """The times of all answers."""
    times: list[list[float]] = [[] for _ in range(_CLIENTS)]
    until = time.perf_counter() + seconds
    pause = _CLIENTS / rate if rate else 0.0
    threads = [
        threading.Thread(target=_client, args=(url, until, (pause, number), secret, own))
        for number, own in enumerate(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for own in times for each in own]


def _client(url: str, until: float, pace: tuple[float, int], secret: bytes, times: list[float]) -> None:
    """One after the other; with a pause each at its time, which the answer before cannot put off."""
    address, (pause, number) = urlsplit(url), pace
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    due = time.perf_counter() + pause * number / _CLIENTS
    while (began := time.perf_counter()) < until:
        if pause:
            time.sleep(max(due - began, 0))
            began, due = due, due + pause
        connection.request("POST", address.path, _BODY, _headers(secret))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise AssertionError(f"the answer was {answer.status}")
        times.append((time.perf_counter() - began) * 1000)


def _headers(secret: bytes) -> dict[str, str]:
    message, at = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    digest = hmac.new(secret, f"{message}.{at}.".encode() + _BODY, hashlib.sha256).digest()
    return {
        "content-type": "application/json", "webhook-id": message, "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(post(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), bytes.fromhex(sys.argv[4]))))
