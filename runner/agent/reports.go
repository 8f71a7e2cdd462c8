//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// maxGroupName bounds the name of a report group, in bytes. What is over this bound, or those of package wire, is left
// out with a line in the log.
const maxGroupName = 128

// reportGroup is one group of report files that were found.
type reportGroup struct {
	wire.ReportGroup
	files []packFile
}

// collectReports packs the files of declared report groups, and of formats that were recognised. Nothing about a
// report fails a build: what is wrong is said in the log. An error means that the job cannot go on.
func (p *phases) collectReports(ctx context.Context) error {
	groups, err := p.expectedReports(ctx)
	if err == nil {
		var found []*reportGroup
		found, err = p.discoverReports(ctx, groups)
		groups = append(groups, found[:min(len(found), wire.MaxReportGroups-len(groups))]...)
	}
	if err == nil {
		err = p.packReports(ctx, groups)
	}
	if err == nil {
		return nil
	}
	if why := context.Cause(ctx); why != nil {
		return why
	}
	p.log.say("The reports were not collected: %v", err)
	return nil
}

// declaredReports packs the files of declared report groups alone.
func (p *phases) declaredReports(ctx context.Context) error {
	groups, err := p.expectedReports(ctx)
	if err != nil {
		return err
	}
	return p.packReports(ctx, groups)
}

// expectedReports finds the files of the declared groups. A group without files is among them: that it is incomplete
// is worth knowing.
func (p *phases) expectedReports(ctx context.Context) ([]*reportGroup, error) {
	var groups []*reportGroup
	for _, spec := range p.job.Reports {
		if len(groups) == wire.MaxReportGroups {
			p.log.say("Only the first %d report groups are collected", wire.MaxReportGroups)
			break
		}
		group, err := p.expectedReport(ctx, spec)
		var client *clientError
		switch {
		case errors.As(err, &client):
			p.log.say("Report group %s is INCOMPLETE: %s", group.Name, client.message)
		case err != nil:
			return nil, err
		case len(group.files) == 0:
			p.log.say("Report group %s is INCOMPLETE: no file matches %s", group.Name, strings.Join(spec.Files, ", "))
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func (p *phases) expectedReport(ctx context.Context, spec wire.ReportSpec) (*reportGroup, error) {
	group := &reportGroup{ReportGroup: wire.ReportGroup{Name: groupName(spec.Group), Format: spec.Format}}
	what := "reports." + group.Name
	paths, err := p.expandPaths(ctx, what, wire.ArtifactSpec{
		Files: append([]string{spec.Group}, spec.Files...), BaseDirectory: spec.BaseDirectory, DiscardPaths: spec.DiscardPaths,
	})
	if err != nil {
		return group, err
	}
	name := groupName(paths.Files[0])
	paths.Files = paths.Files[1:]
	if name == "" || len(name) > maxGroupName {
		return group, mistake("its name is %q after variables were expanded, expected 1 to %d bytes", wire.Cut(name), maxGroupName)
	}
	group.Name = name
	p.log.say("Collecting report group %s (%s)", group.Name, group.Format)
	group.files, err = p.selected(ctx, what+".files", paths)
	return group, err
}

// groupName returns the name in the ARN of a report group, or the text if it is no ARN.
func groupName(text string) string {
	if _, name, ok := strings.Cut(text, ":report-group/"); ok && strings.HasPrefix(text, "arn:") {
		return name
	}
	if len(text) > 2*maxGroupName {
		return text[:2*maxGroupName]
	}
	return text
}

// packReports writes the files of all groups into one tar.
func (p *phases) packReports(ctx context.Context, groups []*reportGroup) error {
	if len(groups) == 0 {
		return nil
	}
	p.addKept(groups)
	b, err := newBundle(ctx, p.spool.dir, wire.ReportsFile, "reports")
	if err != nil {
		return err
	}
	b.limit = p.job.Limits.ReportBytes
	if b.limit <= 0 {
		b.limit = wire.DefaultReportBytes
	}
	for i, group := range groups {
		if err = p.packGroup(b, i, group); err != nil {
			break
		}
	}
	if err = b.finish(err); err != nil {
		return err
	}
	reports := &wire.Reports{File: wire.ReportsFile, Bytes: b.total}
	for _, group := range groups {
		reports.Groups = append(reports.Groups, group.ReportGroup)
	}
	p.keeps.reports = reports
	return nil
}

// packGroup writes the files of one group, and counts those that could be had.
func (p *phases) packGroup(b *bundle, index int, group *reportGroup) error {
	for _, file := range group.files {
		if b.files >= wire.MaxReportFiles {
			p.log.say("Skipping the rest of report group %s: no more than %d report files are collected", group.Name, wire.MaxReportFiles)
			return nil
		}
		if len(file.name) > maxReportName || !plainName(file.name) {
			p.log.say("Skipping report file %.200s (its name is too long, or none)", file.name)
			continue
		}
		err := b.regular(file.path, fmt.Sprintf("%d/%s", index, file.name), false)
		var client *clientError
		switch {
		case err == nil:
		case errors.Is(err, errLimit):
			p.log.say("Skipping report file %s (the reports would be larger than the limit of %d bytes)", file.name, b.limit)
			continue
		case errors.Is(err, errShrunk):
			p.log.say("Report file %s: %v", file.name, err)
		case errors.As(err, &client) && !b.broken:
			p.log.say("Skipping report file %s", client.message)
			continue
		default:
			return err
		}
		group.Files++
	}
	return nil
}

// maxReportName leaves room for the number of the group within what the artifact store takes as a name.
const maxReportName = 4000
