//go:build linux

package agent

import (
	"path/filepath"

	"github.com/runner-ci/runner/runner/wire"
)

// introduce writes the lines that stand before the first phase in CodeBuild's logs, as far as they are true here.
func (p *phases) introduce() {
	p.log.say("Waiting for agent ping")
	p.log.say("Waiting for DOWNLOAD_SOURCE")
	p.log.say("Phase is DOWNLOAD_SOURCE")
	p.log.say("CODEBUILD_SRC_DIR=%s", p.job.Dir)
	if p.job.Buildspec != "" {
		p.log.say("YAML location is %s", filepath.Join(p.job.Dir, p.job.Buildspec))
	}
	p.log.say("Processing environment variables")
	p.log.say("Moving to directory %s", p.job.Dir)
	var found []wire.Phase
	for _, phase := range p.job.Phases {
		if len(phase.Commands)+len(phase.Finally) > 0 {
			found = append(found, phase)
		}
	}
	p.log.say("Phases found in YAML: %d", len(found))
	for _, phase := range found {
		p.log.say(" %s: %d commands", phase.Name, len(phase.Commands)+len(phase.Finally))
	}
}
