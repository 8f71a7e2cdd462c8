package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
	"github.com/runner-ci/runner/tests/quarantine"
)

// unnamed are the files that are judged where none is named: the quarantine beside the buildspec is one, if it is there.
func unnamed(buildspec string) []string {
	file := filepath.FromSlash(quarantine.File)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return []string{buildspec}
	}
	return []string{buildspec, file}
}

// isQuarantine tells whether a file is a quarantine by its name.
func isQuarantine(file string) bool {
	file = filepath.ToSlash(file)
	if abs, err := filepath.Abs(file); err == nil {
		file = filepath.ToSlash(abs)
	}
	return path.Join(path.Base(path.Dir(file)), path.Base(file)) == quarantine.File
}

// judgeQuarantine judges a quarantine as a build of today would read it.
func judgeQuarantine(file string, now time.Time) tree.Verdict {
	v := tree.Place(file, tree.KindQuarantine)
	text, err := tree.Read(file, nil)
	if err != nil {
		return v.Fail(err)
	}
	list, err := quarantine.Parse(file, text)
	var wrong *quarantine.Error
	switch {
	case errors.As(err, &wrong):
		v.Problems = append(v.Problems, buildspec.Problem{
			File: file, Line: max(1, wrong.Line), Column: max(1, wrong.Column), Severity: buildspec.SeverityError,
			Message: wrong.Message, Hint: wrong.Hint, Excerpt: wrong.Excerpt,
		})
		return v
	case err != nil:
		return v.Fail(err)
	}
	v.Valid = true
	for i := range list {
		e := &list[i]
		p := buildspec.Problem{File: file, Line: e.Line, Column: 1, Severity: buildspec.SeverityWarning}
		switch e.State(now) {
		case quarantine.Expired:
			p.Message, p.Hint = fmt.Sprintf("the quarantine of %s, owned by %s, ended on %s", e.Test, e.Owner, e.Until), "mend the test, and take the entry out"
		case quarantine.TooLong:
			p.Message, p.Hint = fmt.Sprintf("the quarantine of %s, owned by %s, is not in force: %s is more than %d days ahead", e.Test, e.Owner, e.Until, quarantine.MaxDays), "name an earlier day"
		default:
			continue
		}
		v.Problems = append(v.Problems, p)
	}
	return v
}
