"""A person at the hosted pages, reduced to forms, redirects and cookies: the twin of `harness/agent.mjs`.

It knows the promised element ids (`identifier`, `password`, `submit`, `allow`) and no endpoint.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

MOST_STEPS = 16


class _Form(HTMLParser):
    """The one form of a hosted page: where it goes, its fields, and the ids of everything on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.links: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        element, name = found.get("id", ""), found.get("name", "")
        if tag == "form":
            self.action = found.get("action", "")
        elif tag == "input" and name:
            self.fields[name] = found.get("value", "")
        if element:
            self.names[element], self.values[element] = name, found.get("value", "")
            if tag == "a":
                self.links[element] = found.get("href", "")


def authorize(address: str, user: dict[str, str], stop_at: str) -> str:
    """Goes to an authorization address as `user` and answers the redirect back to the application."""
    browser = requests.Session()
    method, url, data = "GET", address, None
    for _ in range(MOST_STEPS):
        if url.startswith(stop_at):
            return url
        response = browser.request(method, url, data=data, allow_redirects=False, timeout=20)
        if response.is_redirect:
            method, url, data = "GET", urljoin(url, response.headers["location"]), None
            continue
        method, url, data = _next_step(response, user)
    raise AssertionError("signing in went round in circles")


def _next_step(response: requests.Response, user: dict[str, str]) -> tuple[str, str, dict[str, str] | None]:
    page = _Form()
    page.feed(response.text)
    if "submit" in page.links:
        return "GET", urljoin(response.url, page.links["submit"]), None
    if "allow" in page.names:
        chosen = {page.names["allow"]: page.values["allow"]}
    elif "password" in page.names:
        chosen = {page.names["identifier"]: user["email"], page.names["password"]: user["password"]}
    else:
        raise AssertionError(f"neither sign-in nor consent, but {response.status_code} at {response.url}")
    return "POST", urljoin(response.url, page.action or response.url), {**page.fields, **chosen}
