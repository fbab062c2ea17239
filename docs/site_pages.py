"""Pages of the documentation site that stand elsewhere in the checkout: the README is its first page."""

import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT: Final = Path(__file__).parents[1]
_PAGES: Final = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "examples/README.md": "examples.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for source, page in _PAGES.items():
        text = (_ROOT / source).read_text().replace("](docs/", "](").replace('"docs/', '"')
        text = text.replace("](examples/README.md)", "](examples.md)")
        files.append(File.generated(config, page, content=text + _code(text) if page == "examples.md" else text))
    return files


def _code(text: str) -> str:
    """Return the code of each example that a table links to, below headings of their own."""
    found = dict.fromkeys(re.findall(r"\]\(([\w/]+\.py)\)", text))
    return "".join(f"\n## {name}\n\n```python\n{(_ROOT / 'examples' / name).read_text()}```\n" for name in found)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to them lead to the pages."""
    if page.file.src_uri == "examples.md":
        return re.sub(r"\[([\w./]+)\]\(([\w/]+)\.py\)", lambda found: f"[{found[1]}](#{_anchor(found[2])})", markdown)
    return re.sub(r"\]\(\.\./([\w/]+\.md)", lambda found: f"]({_PAGES[found[1]]}", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Set the examples of the commands' help apart, as the terminal does."""
    return re.sub(r"<p>Example:\s*(.*?)</p>", _example, html, flags=re.DOTALL)


def _example(found: re.Match[str]) -> str:
    lines = "\n".join(line.strip() for line in found[1].splitlines())
    return f"<p>Example:</p><pre><code>{lines}</code></pre>"


def _anchor(module: str) -> str:
    return module.replace("/", "") + "py"
