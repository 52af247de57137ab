"""/docs and /redoc in a real browser: they show a function, run none of its text, ask no other host."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service.functions.table import FunctionTable
from tests.browser import Page, browser
from tests.service.functions.described import function, table_of
from tests.system.docs_app import served

HOSTILE = '''
def evil(n: int = 1):
    """<img src=x onerror="window.evil = 1"> runs <script>window.evil = 1</script>

    <script>window.evil = 1</script> <iframe srcdoc="<script>parent.evil = 1</script>"></iframe>
    ![spy](http://192.0.2.1/spy.png) [go](javascript:window.evil=1) <b onclick="window.evil=1">b</b>

    Args:
        n: <svg onload="window.evil = 1"></svg> &lt;script&gt;window.evil = 1&lt;/script&gt;
    """
'''
FRIENDLY = '''
@dataclass
class Item:
    name: str
    parts: "list[Item]"

def total(n: int, item: Item | None = None) -> list[Item]:
    """Add them up.

    Args:
        n: how many there are
    """
'''
LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"  # that Redoc would show at its foot
SHOWS = "(document.body?.innerText ?? '').includes({!r})"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as tab:
        yield tab


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(functions()) as address:
        yield address


def functions() -> FunctionTable:
    return table_of([function(FRIENDLY, "total"), function(HOSTILE, "evil", path="/own/evil")])


def forget(page: Page) -> None:
    page.requests.clear()
    page.refused.clear()
    page.complaints.clear()


def assert_stays_at_home(page: Page, url: str) -> None:
    """Every request is of this server, or of the page's own data, or was refused by its policy; and no other
    complaint was made."""
    outside = [each for each in page.requests if not each.startswith((url, "data:", f"blob:{url}"))]
    assert set(outside) <= page.refused
    assert set(outside) <= {LOGO}
    assert [each for each in page.complaints if LOGO not in each] == []
    assert page.evaluate("window.evil") is None


@pytest.mark.parametrize("root", ["", "/below"])
def test_swagger_ui(page: Page, url: str, root: str) -> None:
    """The functions are there; one is tried out, and the request goes where the service is mounted."""
    forget(page)
    page.open(f"{url}{root}/docs")
    page.wait_for(SHOWS.format("/own/total"))
    page.wait_for(SHOWS.format("Add them up."))
    for name in ("total", "evil"):
        page.evaluate(f"document.querySelector('[data-path=\"/own/{name}\"]').closest('button').click()")
    page.wait_for(SHOWS.format("how many there are"))
    page.wait_for(SHOWS.format("<iframe srcdoc="))
    page.evaluate("document.querySelector('.opblock.is-open .try-out__btn').click()")
    page.wait_for("!!document.querySelector('.opblock.is-open .execute')")
    page.evaluate("document.querySelector('.opblock.is-open .execute').click()")
    page.wait_for(SHOWS.format(f'"called": "{root}/own/evil?n=1"'))
    assert_stays_at_home(page, url)


@pytest.mark.parametrize("root", ["", "/below"])
def test_redoc(page: Page, url: str, root: str) -> None:
    """The functions are there, with what is said of them."""
    forget(page)
    page.open(f"{url}{root}/redoc")
    page.wait_for(SHOWS.format("/own/total"))
    page.wait_for(SHOWS.format("how many there are"))
    page.wait_for(SHOWS.format("<iframe srcdoc="))
    assert_stays_at_home(page, url)


@pytest.mark.parametrize("policy", [True, False])
def test_the_policy_stops_what_reaches_a_page(page: Page, url: str, policy: bool) -> None:
    """Markup that was taken for such after all: a script in it runs only where the policy is switched off."""
    forget(page)
    page.heed_policy(policy)
    page.open(f"{url}/docs")
    page.wait_for(SHOWS.format("/own/total"))
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/none onerror=\"window.evil = 1\">')"
    )
    page.wait_for("document.images[document.images.length - 1].complete")
    page.evaluate("new Promise(done => setTimeout(done))")  # the events that were due have been handled
    assert page.evaluate("window.evil") == (None if policy else 1)
    assert any(re.search("inline event handler", each) for each in page.complaints) == policy
