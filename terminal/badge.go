package terminal

import "github.com/runner-ci/runner/client"

// Badge writes where a project's badge is, below its settings.
func Badge(o *Output, b client.Badge) {
	o.Lines("")
	switch b.Shown {
	case client.BadgeToNobody:
		o.Lines("badge     off")
	case client.BadgeToReaders:
		o.Lines("badge     "+b.State+", shown to those who may look at the project alone",
			"          for a README: let its setting badge be token; runner project set "+oneLine(b.Project)+" --badge token, or in runner.yml")
	default:
		o.Lines("badge     "+b.State, "          "+oneLine(b.Markdown))
	}
}
