//go:build linux

package agent

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestGitIsGivenCredentialsForItsHost asks git itself, for the host and for another.
func TestGitIsGivenCredentialsForItsHost(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	inEveryShell(t, func(t *testing.T, s *sandbox, shell string) {
		const ask = "git credential fill | sed -n 's/^password=//p' | wc -c"
		job := s.job(
			"printf 'protocol=https\\nhost=git.example.com\\npath=a/b.git\\n\\n' | git credential fill",
			"printf 'protocol=https\\nhost=git.example.com\\n\\n' | "+ask,
			"printf 'protocol=https\\nhost=elsewhere.example.com\\n\\n' | GIT_TERMINAL_PROMPT=0 "+ask+" 2>/dev/null",
			"git config safe.directory; exit 0",
			"printf 'protocol=https\\nhost=git.example.com\\n\\n' | "+ask,
		)
		job.Shell = shell
		job.Git = &wire.GitCredentials{URL: "https://git.example.com", Username: "x-access-token", Token: "s3cr3t-t0ken%s"}
		job.Env = []wire.Var{{Name: "GIT_CONFIG_COUNT", Value: "1"}, {Name: "GIT_CONFIG_KEY_0", Value: "safe.directory"}, {Name: "GIT_CONFIG_VALUE_0", Value: "*"}}
		res := s.run(job)
		got := strings.ReplaceAll(res.output(), "fatal: could not read Username for 'https://elsewhere.example.com': terminal prompts disabled\n", "")
		if !strings.Contains(got, "username=x-access-token\npassword=***\n") || !strings.HasSuffix(got, "15\n0\n*\n15\n") {
			t.Errorf("printed %q", got)
		}
		if strings.Contains(res.log, "s3cr3t") {
			t.Error("the token is in the log")
		}
	})
}
