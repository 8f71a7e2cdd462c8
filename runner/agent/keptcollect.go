//go:build linux

package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// addKept adds to each group what earlier batches wrote to the files that are in it.
func (p *phases) addKept(groups []*reportGroup) {
	kept := p.shards.kept(p.job.Dir)
	if len(kept) == 0 {
		return
	}
	for _, group := range groups {
		n := len(group.files)
		for _, file := range group.files[:n] {
			group.files = append(group.files, overwritten(kept[file.path], file)...)
		}
		if more := len(group.files) - n; more > 0 {
			p.log.say("Report group %s has %d more file(s), of earlier batches of tests that wrote to the same name", group.Name, more)
		}
	}
}

// overwritten are the copies that differ from what the file is now.
func overwritten(copies []packFile, file packFile) (out []packFile) {
	now, err := os.Stat(file.path)
	for _, c := range copies {
		info, cerr := os.Lstat(c.path)
		if cerr == nil && (err != nil || stampOf(info) != stampOf(now)) {
			out = append(out, c)
		}
	}
	return out
}

// kept finds the reports that were kept between batches, by the path of the file that was written over.
func (c *shardCalls) kept(source string) map[string][]packFile {
	if c == nil {
		return nil
	}
	kept, n := make(map[string][]packFile), 0
	calls, _ := filepath.Glob(filepath.Join(c.reports, keptReportsDir+"*"))
	for _, dir := range calls {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil
			}
			if n++; n > wire.MaxReportFiles {
				return fs.SkipAll
			}
			call := strings.TrimPrefix(path, c.reports+"/") // kept-123/2/reports/junit.xml
			batch := strings.TrimPrefix(path, dir+"/")      // 2/reports/junit.xml
			if _, name, ok := strings.Cut(batch, "/"); ok {
				original := filepath.Join(source, name)
				kept[original] = append(kept[original], packFile{path: path, name: call})
			}
			return nil
		})
	}
	return kept
}
