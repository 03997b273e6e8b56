"""Nobody but the page itself gets an answer."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from openclap.serving.guard import Guard, new_token

TOKEN = "a-secret"
OWN = f"/{TOKEN}/"


@pytest.fixture
def client() -> TestClient:
    """A client of a guarded app that answers with the path it sees."""

    def path(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    inner = Starlette(routes=[Route("/{rest:path}", path, methods=["GET", "POST"])])
    return TestClient(Guard(inner, TOKEN), base_url="http://127.0.0.1:8000", follow_redirects=False)


def test_the_app_sees_paths_without_the_token(client: TestClient) -> None:
    assert client.get(OWN + "api/x").text == "/api/x"


@pytest.mark.parametrize("path", ["/", "/api/x", "/a-secre/api/x", "/a-secret-/api/x", "//a-secret/x", "/é/"])
def test_without_the_token_nothing_is_answered(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1:8000", ""])
def test_a_foreign_name_that_points_here_is_refused(client: TestClient, host: str) -> None:
    assert client.get(OWN, headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "localhost", "[::1]:8000"])
def test_names_of_this_machine_are_taken_with_any_port(client: TestClient, host: str) -> None:
    assert client.get(OWN, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8001"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_web_sites_are_refused_though_they_know_the_token(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get(OWN, headers=headers).status_code == 403


def test_a_request_of_the_page_itself_is_answered(client: TestClient) -> None:
    headers = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert client.post(OWN, headers=headers, json={}).status_code == 200


def test_changes_are_json_of_a_bounded_length(client: TestClient) -> None:
    assert client.post(OWN, content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    json = {"content-type": "application/json"}
    assert client.post(OWN, content=b" " * ((1 << 20) + 1), headers=json).status_code == 413
    assert client.post(OWN, content=iter([b"{}"]), headers=json).status_code == 411


def test_the_address_without_its_last_slash_leads_to_the_page(client: TestClient) -> None:
    answer = client.get(f"/{TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (308, OWN)


@pytest.mark.parametrize("path", [OWN, "/wrong/"])
def test_every_answer_forbids_foreign_scripts_and_frames(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"  # or a link in a page would tell the token


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32
