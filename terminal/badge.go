package terminal

import "github.com/runner-ci/runner/client"

// Badge writes where a project's badge is, below its settings. Managed is the project's: it says where its settings are changed.
func Badge(o *Output, b client.Badge, managed string) {
	o.Lines("")
	switch b.Shown {
	case client.BadgeToNobody:
		o.Lines("badge     off")
	case client.BadgeToReaders:
		o.Lines("badge     "+b.State+", shown to those who may look at the project alone",
			"          for a README: "+badgeForReadme(b.Project, managed))
	default:
		o.Lines("badge     "+b.State, "          "+oneLine(b.Markdown))
	}
}

// badgeForReadme is what makes the badge of a private project one that a README can show.
func badgeForReadme(project, managed string) string {
	if managed == "file" {
		return "badge: token in runner.yml"
	}
	return "runner project set " + oneLine(project) + " --badge token"
}
