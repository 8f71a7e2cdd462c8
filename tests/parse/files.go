package parse

import (
	"errors"
	"fmt"

	"github.com/runner-ci/runner/tests"
)

// Bounds of coverage, which is joined by source file before it is handed out.
const (
	// MaxFiles is how many source files one report may name.
	MaxFiles = 200_000
	// maxKept is how many bytes the coverage of one report may take in memory, about.
	maxKept = 48 << 20
)

// errKept tells that a coverage report is too large.
var errKept = fmt.Errorf("the coverage takes more than %d MiB in memory: report on fewer files, or split the report", maxKept>>20)

// file is the coverage of a source file, to be added to.
func (in *input) file(path string) (*tests.FileCoverage, error) {
	path = tests.SourcePath(in.root, tests.Cut(path, tests.MaxName))
	if f := in.files[path]; f != nil {
		return f, nil
	}
	if path == "" {
		return nil, errors.New("found coverage without the name of a source file")
	}
	if len(in.files) >= MaxFiles {
		return nil, fmt.Errorf("the coverage names more than %d source files", MaxFiles)
	}
	if in.kept += 200 + len(path); in.kept > maxKept {
		return nil, errKept
	}
	f := &tests.FileCoverage{Path: path}
	in.files[path] = f
	in.order = append(in.order, f)
	return f, nil
}

// line notes that a line of f can run, and whether it did.
func (in *input) line(f *tests.FileCoverage, line int, hit bool) error {
	if line < 1 || line > tests.MaxLine {
		return nil
	}
	if err := in.keep(2 * 8 * max(0, line/64+1-len(f.Known))); err != nil {
		return err
	}
	f.Line(line, hit)
	return nil
}

// branch notes one way of a branch, and whether it was taken.
func (in *input) branch(f *tests.FileCoverage, line int, arm string, taken bool) error {
	if line < 1 || line > tests.MaxLine {
		return nil
	}
	before := len(f.Arms)
	f.Branch(line, tests.Cut(arm, 200), taken)
	return in.keep((len(f.Arms) - before) * (64 + len(arm)))
}

// counted notes how many branches of a line were taken.
func (in *input) counted(f *tests.FileCoverage, line int, c tests.Count) error {
	if line < 1 || line > tests.MaxLine {
		return nil
	}
	before := len(f.Counts)
	f.Counted(line, c)
	return in.keep((len(f.Counts) - before) * 64)
}

func (in *input) keep(bytes int) error {
	if in.kept += bytes; in.kept > maxKept {
		return errKept
	}
	return nil
}

// flush hands all coverage out, in the order of the report.
func (in *input) flush() error {
	for _, f := range in.order {
		if in.sink.File == nil || in.sinkErr != nil {
			break
		}
		if err := in.sink.File(f); err != nil {
			in.sinkErr = err
			return errSink
		}
	}
	in.order, in.files = nil, map[string]*tests.FileCoverage{}
	return nil
}
