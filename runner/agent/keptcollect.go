//go:build linux

package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// addKept adds to each group what earlier runs of tests wrote to the files that are in it. A file that is as a later try
// left it goes under the name of what was kept of that try.
func (p *phases) addKept(groups []*reportGroup) {
	kept := p.shards.kept(p.job.Dir)
	if len(kept) == 0 {
		return
	}
	for _, group := range groups {
		n := len(group.files)
		for i, file := range group.files[:n] {
			older, now := overwritten(kept[file.path], file)
			if now.retry && roundMark.FindString(file.name) == "" {
				group.files[i].name = now.name
			}
			for _, c := range older {
				group.files = append(group.files, c.packFile)
			}
		}
		if more := len(group.files) - n; more > 0 {
			p.log.say("Report group %s has %d more file(s), of earlier runs of tests that wrote to the same name", group.Name, more)
		}
	}
}

// keptReport is the copy of a report, under a name that begins with those of its call and its run.
type keptReport struct {
	packFile
	retry bool // it is of tests that were tried again
}

// roundMark is in the name of a run that tries tests again, and of reports that are named after it.
var roundMark = regexp.MustCompile(`run-[0-9]+-retry-[0-9]+`)

// overwritten are the copies that differ from what the file is now, and the one that does not, if there is one.
func overwritten(copies []keptReport, file packFile) (older []keptReport, same keptReport) {
	now, err := os.Stat(file.path)
	for _, c := range copies {
		info, cerr := os.Lstat(c.path)
		switch {
		case cerr != nil:
		case err != nil || stampOf(info) != stampOf(now):
			older = append(older, c)
		default:
			same = c
		}
	}
	return older, same
}

// kept finds the reports that were kept between runs, by the path of the file that was written over.
func (c *shardCalls) kept(source string) map[string][]keptReport {
	if c == nil {
		return nil
	}
	kept, n := make(map[string][]keptReport), 0
	calls, _ := filepath.Glob(filepath.Join(c.reports, keptReportsDir+"*"))
	for _, dir := range calls {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil
			}
			if n++; n > wire.MaxReportFiles {
				return fs.SkipAll
			}
			call := strings.TrimPrefix(path, c.reports+"/") // kept-123/run-4-retry-9/reports/junit.xml
			run, name, ok := strings.Cut(strings.TrimPrefix(path, dir+"/"), "/")
			if ok {
				original := filepath.Join(source, name)
				kept[original] = append(kept[original], keptReport{packFile{path: path, name: call}, roundMark.MatchString(run)})
			}
			return nil
		})
	}
	return kept
}
