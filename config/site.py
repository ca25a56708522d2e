"""
Make a site of pages that are written to be read in a repository (``mkdocs.yml`` calls this while it builds).

The table of contents is ``docs/index.md``: each heading a section, each link a page. What pages link to beside
``docs/`` comes along: SECURITY.md and its neighbours as pages, other files as they are.
"""

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
#: Pages beside docs/; a file in docs/ may not have such a name.
BESIDE: Final = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
#: Beside docs/ and no page: there as it is.
AS_THEY_ARE: Final = (
    "relay.toml.example",
    "config/prometheus/alerts.yaml",
    "relay/observe/decision-record.schema.json",
)

_LINE: Final = re.compile(r"^(#{2,3}) (.+)$|^- \[([^\]]+)\]\(([^)#]+\.md)\)", re.MULTILINE)
_LINK: Final = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
#: After a fence, the words behind the language tell our tests what the block is (CONTRIBUTING.md).
_FENCE: Final = re.compile(r"^(```\w+) .*$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> None:
    """Read the table of contents."""
    config.nav = contents((Path(config.docs_dir) / "index.md").read_text("utf-8"))


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Bring along what stands beside ``docs/``."""
    for name in (*BESIDE, *AS_THEY_ARE):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Return a page as the site has it."""
    return as_on_site(markdown, page.file.src_uri)


def contents(index: str) -> list[Any]:
    """Return the sections of a table of contents, and the pages of each, as mkdocs wants them."""
    top: list[Any] = [{"Home": "index.md"}]
    inner: list[Any] = top
    section: list[Any] = top
    for mark, heading, title, target in _LINE.findall(index):
        if mark == "##":
            section = inner = []
            top.append({heading: section})
        elif mark:
            inner = []
            section.append({heading: inner})
        else:
            inner.append({title: target.removeprefix("../")})
    return top


def as_on_site(markdown: str, uri: str) -> str:
    """Return a page with the links that lead out of ``docs/``, or into it from beside, as they are on the site."""
    here = f"docs/{uri}" if uri not in BESIDE else uri
    folder = here.rpartition("/")[0]

    def lead(link: re.Match[str]) -> str:
        target = normpath(f"{folder}/{link[2]}" if folder else link[2]).removeprefix("docs/")
        return f"{link[1]}{relpath(target, uri.rpartition('/')[0] or '.')}{link[3]}"

    return _LINK.sub(lead, _FENCE.sub(r"\1", markdown))
