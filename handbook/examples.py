"""The examples of the repository, a page for each: what its head says, and its source."""

from __future__ import annotations

from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent / "examples"
LANGUAGES = {".yaml": "yaml", ".py": "python"}
HEAD = """# Examples

`./aflow up` installs the documents; `./aflow workflow create examples/NAME.py` the classes. Run one with
`./aflow workflow run NAME --wait`.

"""


def files() -> list[Path]:
    return sorted(file for file in DIRECTORY.iterdir() if file.suffix in LANGUAGES)


def pages() -> dict[str, str]:
    """Name of the file below `examples/` -> its Markdown."""
    made = {page_of(file): _page(file) for file in files()}
    links = "\n".join(f"- [{file.name}]({page_of(file)})" for file in files())
    return {"index.md": HEAD + links + "\n", **made}


def page_of(file: Path) -> str:
    return f"{file.name.replace('.', '-')}.md"


def _page(file: Path) -> str:
    source = file.read_text(encoding="utf-8")
    return f"# {file.name}\n\n```{LANGUAGES[file.suffix]}\n{source.rstrip()}\n```\n"
