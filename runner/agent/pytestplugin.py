"""Tells codebuild-tests-run which tests pytest has and how each ended, and leaves out those that are not asked for.

It is written so that every pytest since 3.8 can load it. What it is asked for stands in the file that RUNNER_PYTEST names.
"""
import io
import json
import os

import pytest

_asked = os.environ.get("RUNNER_PYTEST")
_ours = dict((name, os.environ.get(name)) for name in ("RUNNER_PYTEST", "PYTEST_ADDOPTS", "PYTHONPATH"))


def _put(env):
    for name, value in env.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _restore():
    """A pytest that a test runs is not meant."""
    with io.open(_asked, encoding="utf-8") as f:
        _put(json.load(f)["env"])
    del os.environ["RUNNER_PYTEST"]


if _asked:
    _restore()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if not _asked:
        return
    inner = hasattr(config, "workerinput")  # this is one of the processes of pytest-xdist
    if not inner and config.getoption("dist", "no") != "no":
        _put(_ours)  # which it will start; no tests run here
    config.pluginmanager.register((Selection if inner else Teller)(config), "codebuild-tests-run")


class Selection(object):
    def __init__(self, config):
        with io.open(_asked, encoding="utf-8") as f:
            self.ask = json.load(f)
        self.root = str(getattr(config, "rootpath", None) or config.rootdir)
        self.files = dict((os.path.realpath(file), file) for file in self.ask["files"])
        self.wanted = dict((file, set(tests)) for file, tests in self.ask["wanted"].items())
        self.known = {}

    def place(self, nodeid):
        """The file as codebuild-tests-run calls it, and the test within it."""
        path, _, test = nodeid.partition("::")
        if path not in self.known:
            at = os.path.realpath(os.path.join(self.root, path))
            while at not in self.files and os.path.dirname(at) != at:
                at = os.path.dirname(at)
            self.known[path] = self.files.get(at)
        return self.known[path], test

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        kept, left = [], []
        for item in items:
            file, test = self.place(item.nodeid)
            wanted = self.wanted.get(file)
            (kept if wanted is None or test in wanted else left).append(item)
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = kept


class Teller(Selection):
    def __init__(self, config):
        Selection.__init__(self, config)
        self.out = io.open(self.ask["told"], "w", encoding="utf-8")
        if self.ask["list"]:
            config.option.xmlpath = None  # a report of nothing
        whole = ""
        for option in ("maxfail", "stepwise", "lf"):
            if config.getoption(option, None):
                whole = option
        self.tell(kind="begin", test=whole)

    def tell(self, **what):
        # Not "\n".join at the end: the process may die with any test.
        line = json.dumps(what)
        self.out.write(line if isinstance(line, type(u"")) else line.decode("ascii"))
        self.out.write(u"\n")
        self.out.flush()

    def told(self, kind, nodeid, **more):
        file, test = self.place(nodeid)
        if file is not None:
            self.tell(kind=kind, file=file, test=test, **more)

    def pytest_collection_finish(self, session):
        for item in session.items:
            self.told("has", item.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            file, test = self.place(report.nodeid)
            self.tell(kind="broken", file=file or "", test=test)

    def pytest_runtest_logstart(self, nodeid):
        self.told("run", nodeid)

    def pytest_runtest_logreport(self, report):
        end = "fail" if report.failed else "end" if report.when == "teardown" else "part"
        self.told(end, report.nodeid, took=getattr(report, "duration", 0))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus):
        self.tell(kind="over", exit=int(exitstatus))

    def pytest_unconfigure(self):
        self.out.close()
