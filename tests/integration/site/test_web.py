"""The pages that Django renders: the application's shell, sign-in, sign-out, errors."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.test import Client

from aflow_site.web.assets import APP, PAGES, assets_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MANIFEST = {
    APP: {
        "file": "assets/main-1.js",
        "isEntry": True,
        "imports": ["_shared.js"],
        "css": ["assets/main-1.css"],
        "dynamicImports": ["src/Page.tsx"],
    },
    "_shared.js": {
        "file": "assets/shared-1.js",
        "imports": ["_deep.js", "_shared.js"],
        "css": ["assets/shared-1.css"],
    },
    "_deep.js": {"file": "assets/deep-1.js"},
    "src/Page.tsx": {"file": "assets/page-1.js", "isDynamicEntry": True},
    PAGES: {"file": "assets/pages-1.css", "isEntry": True},
}


@pytest.fixture
def build(settings: Any, tmp_path: Path) -> Path:
    """A build of the web application, as far as Django looks at it: the manifest."""
    settings.FRONTEND_DIST = tmp_path
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


@pytest.fixture
def person() -> Client:
    get_user_model().objects.create_user("ada", password="a long enough password")
    client = Client()
    assert client.login(username="ada", password="a long enough password")
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


def test_assets_are_those_of_the_manifest_each_once(build: Path) -> None:
    app = assets_of(APP)
    assert app is not None
    assert app.script == "/static/assets/main-1.js"
    assert app.styles == ("/static/assets/shared-1.css", "/static/assets/main-1.css")
    assert app.preloads == ("/static/assets/shared-1.js", "/static/assets/deep-1.js")
    pages = assets_of(PAGES)
    assert pages is not None
    assert (pages.script, pages.styles) == (None, ("/static/assets/pages-1.css",))
    assert assets_of("src/other.tsx") is None


def test_a_new_build_is_seen_without_a_restart(build: Path) -> None:
    assert assets_of(PAGES) is not None
    manifest = build / ".vite" / "manifest.json"
    manifest.write_text(json.dumps({PAGES: {"file": "assets/pages-2.css"}}))
    later = manifest.stat().st_mtime + 5
    os.utime(manifest, (later, later))
    pages = assets_of(PAGES)
    assert pages is not None
    assert pages.styles == ("/static/assets/pages-2.css",)


@pytest.mark.parametrize("path", ["/", "/workflows", "/workflows/my-flow?step=a", "/runs/01a2", "/settings"])
def test_every_page_needs_a_login_and_comes_back_to_where_one_was(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/?next=/")


def test_the_shell_loads_the_application(person: Client, build: Path) -> None:
    response = person.get("/workflows/my-flow")
    page = text(response)
    assert response.status_code == 200
    assert '<script type="module" src="/static/assets/main-1.js" data-app>' in page
    assert '<link rel="stylesheet" href="/static/assets/main-1.css" data-app>' in page
    assert '<link rel="modulepreload" href="/static/assets/deep-1.js">' in page
    assert '<div id="root">' in page
    assert "csrftoken" in response.cookies  # the application sends it back with every change
    assert "no-store" in response.headers["Cache-Control"]


def test_without_a_build_the_shell_says_what_to_do(person: Client, settings: Any, tmp_path: Path) -> None:
    settings.FRONTEND_DIST = tmp_path / "nothing"
    page = text(person.get("/workflows"))
    assert "./aflow up" in page
    assert "<script type" not in page


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/static/nothing.js", "/ws/nothing/"])
def test_the_shell_is_not_shown_where_others_live(person: Client, path: str) -> None:
    assert person.get(path).status_code == 404


def test_login_by_its_form() -> None:
    get_user_model().objects.create_user("ada", password="a long enough password")
    browser = Client(enforce_csrf_checks=True)
    page = text(browser.get("/login/?next=/pools"))
    assert re.search(r'<label for="id_username">Username</label>', page)
    assert re.search(r'<label for="id_password">Password</label>', page)
    assert re.search(r"<button[^>]*>Log in</button>", page)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = {"username": "ada", "password": "a long enough password", "next": "/pools"}
    refused = browser.post("/login/", form)
    assert refused.status_code == 403
    assert "This form has expired" in text(refused)
    entered = browser.post("/login/", {**form, "csrfmiddlewaretoken": token[1]})
    assert (entered.status_code, entered.headers["Location"]) == (302, "/pools")
    again = browser.get("/login/")
    assert again.status_code == 302  # who is signed in does not need the form


def test_a_wrong_password_is_told_and_the_name_is_kept() -> None:
    response = Client().post("/login/", {"username": 'ada"><b>', "password": "wrong"})
    page = text(response)
    assert response.status_code == 200
    assert 'role="alert"' in page
    assert 'value="ada&quot;&gt;&lt;b&gt;"' in page


def test_login_does_not_lead_to_other_sites() -> None:
    get_user_model().objects.create_user("ada", password="a long enough password")
    form = {"username": "ada", "password": "a long enough password", "next": "https://elsewhere.example/"}
    assert Client().post("/login/", form).headers["Location"] == "/"


def test_logging_out_is_a_post(person: Client) -> None:
    assert person.get("/logout/").status_code == 405
    assert person.post("/logout/").headers["Location"] == "/login/"
    assert person.get("/workflows").status_code == 302


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "404.html", "500.html"])
def test_error_pages_need_no_context(name: str, build: Path) -> None:
    page = render_to_string(name)
    assert "<h1" in page
    assert "/static/assets/pages-1.css" in page


# --- the documentation -------------------------------------------------------------------------------------


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Path:
    """A built documentation site, as far as it is served: a page, one below, a script."""
    settings.DOCUMENTATION = tmp_path / "site"
    (settings.DOCUMENTATION / "howto").mkdir(parents=True)
    (settings.DOCUMENTATION / "index.html").write_text("<h1>Start</h1>")
    (settings.DOCUMENTATION / "howto" / "map.html").write_text("<h1>Map</h1>")
    (settings.DOCUMENTATION / "search.js").write_text("1")
    (tmp_path / "secret.txt").write_text("of this machine")
    return tmp_path


def test_the_documentation_is_served_to_everybody(site: Path, client: Client) -> None:
    assert text(client.get("/docs/")) == "<h1>Start</h1>"
    assert text(client.get("/docs/howto/map.html")) == "<h1>Map</h1>"
    assert client.get("/docs/search.js").headers["Content-Type"] == "text/javascript"
    assert client.get("/docs").headers["Location"] == "/docs/"
    assert client.post("/docs/").status_code == 405


@pytest.mark.parametrize(
    "path", ["nothing.html", "howto/", "../secret.txt", "%2e%2e/secret.txt", "howto/../../secret.txt"]
)
def test_nothing_else_is_served_beside_it(site: Path, client: Client, path: str) -> None:
    answer = client.get(f"/docs/{path}")

    assert answer.status_code == 404
    assert "of this machine" not in text(answer)


def test_documentation_that_is_not_built_says_how(settings: Any, tmp_path: Path, client: Client) -> None:
    settings.DOCUMENTATION = tmp_path

    answer = client.get("/docs/howto/map.html")

    assert answer.status_code == 404
    assert "./aflow docs" in text(answer)
