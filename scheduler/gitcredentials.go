package scheduler

import (
	"fmt"
	"net/url"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// noGit tells why a job whose buildspec has git-credential-helper gets no credentials; "" means that it does.
func noGit(p *Project, b *Build) string {
	u, err := url.Parse(p.URL)
	switch {
	case !b.Trusted || b.Fork:
		return "the build is not trusted"
	case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
		return "the project's repository is not reached over http"
	case p.Token == "":
		return "the project has no token"
	}
	return ""
}

// warnOfGit tells, once a build, that git gets no credentials.
func warnOfGit(p *Project, b *Build) {
	for i := range b.Plan.Jobs {
		if !b.Plan.Jobs[i].GitCredentials {
			continue
		}
		if why := noGit(p, b); why != "" {
			b.Warnings = append(b.Warnings, fmt.Sprintf("git-credential-helper: git gets no credentials in this build, because %s", why))
		}
		return
	}
}

// gitCredentials are the project's own, for repositories on the host of its repository.
func gitCredentials(p *Project, b *Build, pj *buildspec.Job, token string) *wire.GitCredentials {
	if !pj.GitCredentials || noGit(p, b) != "" || token == "" {
		return nil
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil
	}
	user := p.Username
	if user == "" {
		user = "git" // as package source has it
	}
	return &wire.GitCredentials{URL: u.Scheme + "://" + u.Host, Username: user, Token: token}
}
