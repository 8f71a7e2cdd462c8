import time

import pytest

from calc import div


def test_passes():
    time.sleep(0.02)
    assert div(6, 3) == 2


def test_fails():
    print("printed before the failure")
    assert "a\nb <&> \u00fc" == "a\nc ]]> \u00fc"


@pytest.fixture
def broken():
    raise RuntimeError("set-up fails")


def test_errors(broken):
    pass


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


@pytest.mark.xfail(reason="known")
def test_expected():
    assert False


@pytest.mark.parametrize("value", [1, "größer", "a b", object()])
def test_parameters(value):
    assert value


class TestNested:
    class TestInner:
        def test_deep(self):
            pass
