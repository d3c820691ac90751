"""What the documentation site does beyond mkdocs: `folder/*` in the nav, links that leave docs/, no script from afar.

`folder/*` in the nav of mkdocs.yml stands for every page of that folder, in the order of the names, so that a new
decision needs no line there. A link from docs/ to another file of the repository (`../src/…`) works on a git host and
has no page here: it becomes a link to `repo_url` of mkdocs.yml, or plain text while there is no such address. The
script with which the search works from disk is our own copy, because a reader may have no network.
"""

import posixpath
import re
from pathlib import Path

LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_config(config):
    config["nav"] = expanded(config["nav"], Path(config["docs_dir"]))
    return config


def on_page_markdown(markdown, page, config, **_):
    # Every second part is a block of code, which has no links.
    parts = FENCE.split(markdown)
    return "".join(
        part if at % 2 else inside(part, page.file.src_uri, config["repo_url"]) for at, part in enumerate(parts)
    )


def on_post_page(output, page, **_):
    return with_own_script(output, posixpath.relpath(".", posixpath.dirname(page.url) or "."))


def on_post_template(output_content, **_):
    # 404.html, which is shown for addresses of any depth.
    return with_own_script(output_content, "")


def with_own_script(html, root):
    return html.replace("https://unpkg.com/iframe-worker/shim", f"{root}/assets/iframe-worker.js")


def expanded(nav, docs):
    """`nav` with the pages of a folder in place of `folder/*`."""
    entries = []
    for entry in nav:
        if isinstance(entry, dict):
            entries.extend({name: expanded(sub, docs) if isinstance(sub, list) else sub} for name, sub in entry.items())
        elif entry.endswith("/*"):
            entries.extend(path.relative_to(docs).as_posix() for path in sorted((docs / entry[:-2]).glob("*.md")))
        else:
            entries.append(entry)
    return entries


def inside(markdown, source, repo_url):
    """`markdown` of the page `source` without links that leave docs/, except to `repo_url`."""

    def link(match):
        text, target = match.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return match.group(0)
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), target))
        if path.startswith("docs/"):
            return match.group(0)
        return f"[{text}]({repo_url.rstrip('/')}/blob/main/{path})" if repo_url else text

    return LINK.sub(link, markdown)
