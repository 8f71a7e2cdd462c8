//go:build linux

package agent

import (
	"slices"
	"strconv"

	"github.com/runner-ci/runner/runner/wire"
)

// Names of the variables from which git's helper takes what it answers.
const (
	gitUsernameVar = "RUNNER_GIT_USERNAME"
	gitTokenVar    = "RUNNER_GIT_TOKEN"
)

// gitHelper answers git's question for credentials, for which git runs it with sh.
const gitHelper = `!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$` + gitUsernameVar + `" "$` + gitTokenVar + `"; }; f`

// giveCredentials tells git, by variables that it reads like a file of configuration (2.31 and later), whom to ask
// about the one host. Entries that are there already stay: the daemon's, or the image's own.
func giveCredentials(env map[string]string, git *wire.GitCredentials) {
	if git == nil || git.URL == "" {
		return
	}
	count, err := strconv.Atoi(env["GIT_CONFIG_COUNT"])
	if err != nil || count < 0 {
		count = 0 // git itself would refuse such a count
	}
	n := strconv.Itoa(count)
	env["GIT_CONFIG_KEY_"+n] = "credential." + git.URL + ".helper"
	env["GIT_CONFIG_VALUE_"+n] = gitHelper
	env["GIT_CONFIG_COUNT"] = strconv.Itoa(count + 1)
	env[gitUsernameVar], env[gitTokenVar] = git.Username, git.Token
}

// secretsOf are the values that a job's log must not show.
func secretsOf(job *wire.Job) []string {
	if job.Git == nil || job.Git.Token == "" {
		return job.Secrets
	}
	return append(slices.Clip(job.Secrets), job.Git.Token)
}
