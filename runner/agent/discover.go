//go:build linux

package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/agent/sniff"
	"github.com/runner-ci/runner/runner/wire"
)

// discoverDirVar names another directory to look in, as CodeBuild has it.
const discoverDirVar = "CODEBUILD_CONFIG_AUTO_DISCOVER_DIR"

// discoverTime bounds the looking for reports. What was found by then is kept.
const discoverTime = 5 * time.Second

// errDiscoverTime ends a walk that takes too long.
var errDiscoverTime = errors.New("the time to discover reports is over")

// discoverReports looks below the source directory for files in a known format that no declared group has taken, and
// returns a group for each format.
func (p *phases) discoverReports(ctx context.Context, declared []*reportGroup) ([]*reportGroup, error) {
	values, err := p.values(ctx, "report discovery", []string{"$" + discoverVar, "$" + discoverDirVar})
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(values[discoverVar], "false") {
		return nil, nil
	}
	dir := p.job.Dir
	if sub := values[discoverDirVar]; filepath.IsAbs(sub) {
		dir = filepath.Clean(sub)
	} else {
		dir = filepath.Join(dir, sub)
	}
	p.log.say("Set report auto-discover timeout to %d seconds", int(discoverTime.Seconds()))
	d := &discovery{ctx: ctx, dir: dir, end: time.Now().Add(discoverTime), taken: map[string]bool{}, byFormat: map[string]*reportGroup{}}
	for _, group := range declared {
		for _, file := range group.files {
			d.taken[file.path] = true
		}
	}
	err = d.run()
	switch {
	case errors.Is(err, errDiscoverTime):
		p.log.say("Report auto-discovery ended after %d seconds: set %s to the directory of the reports, or declare them in the buildspec", int(discoverTime.Seconds()), discoverDirVar)
	case err != nil && context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		p.log.say("Report auto-discovery ended early: %v", err)
	}
	d.groups = append(d.groups, p.shards.goReports()...)
	if len(d.groups) == 0 {
		p.log.say("No matching auto-discover report paths found")
	}
	for _, group := range d.groups {
		p.log.say("Found %d %s file(s) by auto-discovery: report group %s", len(group.files), group.Format, group.Name)
	}
	return d.groups, nil
}

// discovery is one look for reports.
type discovery struct {
	ctx      context.Context
	dir      string
	end      time.Time
	taken    map[string]bool // files of declared groups
	byFormat map[string]*reportGroup
	groups   []*reportGroup
	buf      [sniff.Size]byte
}

func (d *discovery) run() error {
	everything, err := glob.Parse("**/*")
	if err != nil {
		return err
	}
	skip := func(dir string) bool { return undiscovered[path.Base(dir)] || time.Now().After(d.end) }
	err = glob.Walk(d.dir, []glob.Pattern{everything}, glob.Options{Skip: skip, Tolerant: true}, func(f glob.Found) error {
		if !f.Type.IsRegular() || !sniff.Candidate(f.Name) {
			return nil
		}
		if err := context.Cause(d.ctx); err != nil {
			return err
		}
		if time.Now().After(d.end) {
			return errDiscoverTime
		}
		d.look(f.Name)
		return nil
	})
	if err == nil && time.Now().After(d.end) {
		return errDiscoverTime
	}
	return err
}

// look adds one file to the group of its format, if it has one.
func (d *discovery) look(name string) {
	full := filepath.Join(d.dir, name)
	if d.taken[full] {
		return
	}
	format := sniff.Format(d.head(full))
	if format == "" {
		return
	}
	group := d.byFormat[format]
	if group == nil {
		group = &reportGroup{ReportGroup: wire.ReportGroup{Name: format + "-AutoDiscovered", Format: format, Discovered: true}}
		d.byFormat[format] = group
		d.groups = append(d.groups, group)
	}
	if len(group.files) <= wire.MaxReportFiles {
		group.files = append(group.files, packFile{path: full, name: name})
	}
}

// head reads the beginning of a file.
func (d *discovery) head(full string) []byte {
	f, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeType != 0 {
		return nil
	}
	n, err := io.ReadFull(f, d.buf[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return d.buf[:n]
}
