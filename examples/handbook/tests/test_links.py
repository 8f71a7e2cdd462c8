"""Which links are told to be broken."""

import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).parent.parent / "bin" / "check-links"


@pytest.mark.parametrize(
    "link, said",
    [
        ("b.html", None),
        ("b.html#end", None),
        ("#top", None),
        ("c.html", "a.html: c.html is no page"),
        ("b.html#middle", "a.html: b.html has no heading middle"),
        ("http://127.0.0.1:9/", "a.html: http://127.0.0.1:9/ does not answer"),
    ],
)
def test_a_link(tmp_path, link, said):
    (tmp_path / "a.html").write_text(f'<h1 id="top">A</h1><a href="{link}">x</a>')
    (tmp_path / "b.html").write_text('<h1 id="end">B</h1>')
    done = subprocess.run([CHECK, tmp_path], text=True, capture_output=True)
    assert done.returncode == (1 if said else 0), done.stdout
    assert (said or "1 links, 0 broken") in done.stdout
