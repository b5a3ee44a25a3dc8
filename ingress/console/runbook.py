"""The runbook as a page: Markdown in, HTML out. Pure. No HTML of the text gets through, and no style of ours comes in.

Only the runbook is served: links to the other documents become plain text, as these are not here.
"""

import functools
import re
from collections import Counter

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

OWN_NAME = "runbook.md"


@functools.lru_cache(maxsize=2)
def rendered(text: str) -> Markup:
    """The HTML of a document, with an anchor for each heading as GitHub makes them: `### `cannot_map`` is `#cannot_map`."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    seen: Counter[str] = Counter()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            name = anchor(tokens[at + 1].content)
            token.attrSet("id", f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        # How a column is aligned would be an inline style, which the browser refuses.
        token.attrs.pop("style", None)
        token.children = _kept(token.children) if token.children else token.children
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(html)  # noqa: S704 # raw HTML is off: the renderer has escaped the text


def anchor(heading: str) -> str:
    """What a link to a heading ends in."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _kept(children: list[Token]) -> list[Token]:
    """Without the links that lead nowhere from here."""
    kept: list[Token] = []
    leads = True
    for token in children:
        if token.type == "link_open":
            address = str(token.attrs["href"]).removeprefix(OWN_NAME) or "#"
            leads = address.startswith(("#", "https://"))
            token.attrs["href"] = address
        if leads or token.type not in ("link_open", "link_close"):
            kept.append(token)
    return kept
