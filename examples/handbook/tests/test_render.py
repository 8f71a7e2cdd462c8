"""What becomes of a page, and which pages are made anew."""

import subprocess
from pathlib import Path

import pytest

BIN = Path(__file__).parent.parent / "bin"


def html(text: str) -> list[str]:
    made = subprocess.run(["awk", "-f", BIN / "html.awk"], input=text, text=True, capture_output=True, check=True)
    return made.stdout.splitlines()


@pytest.mark.parametrize(
    "markdown, wanted",
    [
        ("## At short notice", '<h2 id="at-short-notice">At short notice</h2>'),
        ("See [there](on-call.md#afterwards).", 'See <a href="on-call.html#afterwards">there</a>.'),
        ("[x](https://example.com/a.md)", '<a href="https://example.com/a.md">x</a>'),
        ("run `make` *now*", "run <code>make</code> <em>now</em>"),
        ("2 * 3", "2 * 3"),
        ("<b> & co", "&lt;b&gt; &amp; co"),
    ],
)
def test_a_line(markdown, wanted):
    assert wanted in html(markdown + "\n")


def test_lines_of_a_list_are_one_list():
    assert html("- a\n- b\n\ntext\n")[2:] == ["<ul>", "<li>a</li>", "<li>b</li>", "</ul>", "<p>", "text", "</p>"]


@pytest.fixture
def render(tmp_path):
    """A function that renders two pages and says what it did."""
    (tmp_path / "pages").mkdir()
    for name in ("one", "two"):
        (tmp_path / "pages" / f"{name}.md").write_text(f"# {name}\n")

    def run() -> str:
        return subprocess.run([BIN / "render"], cwd=tmp_path, text=True, capture_output=True, check=True).stdout.strip()

    return run


def test_only_what_changed_is_made_again(render, tmp_path):
    assert render() == "rendered 2 pages, kept 0"
    (tmp_path / "pages" / "two.md").write_text("# two, and more\n")
    assert render() == "rendered 1 pages, kept 1"


def test_a_page_that_is_gone_goes(render, tmp_path):
    render()
    (tmp_path / "pages" / "two.md").unlink()
    render()
    assert [path.name for path in (tmp_path / "public").glob("*.html")] == ["one.html"]
