package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/drone/go-scm/scm"
)

// State is how far a check of a commit has come, in the words that all forges can be told.
type State string

// The states. A forge that has no word for one is told the nearest that it has: none of Failure, Error and Canceled ever
// counts as a success.
const (
	StatePending  State = "pending" // it waits
	StateRunning  State = "running"
	StateSuccess  State = "success"
	StateFailure  State = "failure"  // of what was checked
	StateError    State = "error"    // of the machine that checks
	StateCanceled State = "canceled" // somebody stopped it
)

// Status is one check of a commit. A later one with the same context takes its place.
type Status struct {
	Commit      string // full id
	Context     string // the check's name
	State       State
	Description string // one line
	URL         string // where people can read more
	// Ref is the branch or tag that was checked, for GitLab, which keeps statuses by ref: main, v1.2, refs/merge-requests/7/head.
	Ref string
}

// ErrNoStatuses is of a forge that keeps no statuses of commits.
var ErrNoStatuses = errors.New("Gogs keeps no statuses of commits")

// statusLimits are how many characters of a context and of a description a forge takes.
var statusLimits = map[string]struct{ context, description int }{
	NameGitHub:          {255, 140},
	NameGitLab:          {255, 255},
	NameGitea:           {255, 255},
	NameForgejo:         {255, 255},
	NameBitbucket:       {40, 255},
	NameBitbucketServer: {255, 255},
}

// SetStatus tells the forge of a check. To tell it twice changes nothing.
func (a *API) SetStatus(ctx context.Context, repository string, s Status) error {
	limits, ok := statusLimits[a.Forge]
	if !ok {
		return ErrNoStatuses
	}
	whole := s.Context
	s.Context, s.Description = shortName(s.Context, limits.context), shorten(s.Description, limits.description)
	if a.Forge == NameGitLab {
		return a.setGitLabStatus(ctx, repository, s)
	}
	_, resp, err := a.scm.Repositories.CreateStatus(ctx, repository, s.Commit, &scm.StatusInput{
		State: scmStates[s.State], Label: s.Context, Title: shorten(whole, 255), Desc: s.Description, Target: s.URL,
	})
	return a.failed("setting a status", resp, err)
}

var scmStates = map[State]scm.State{
	StatePending: scm.StatePending, StateRunning: scm.StateRunning, StateSuccess: scm.StateSuccess,
	StateFailure: scm.StateFailure, StateError: scm.StateError, StateCanceled: scm.StateCanceled,
}

var gitlabStates = map[State]string{
	StatePending: "pending", StateRunning: "running", StateSuccess: "success",
	StateFailure: "failed", StateError: "failed", StateCanceled: "canceled",
}

// setGitLabStatus is our own request: go-scm's leaves out the description and the ref, without which GitLab does not show a
// status at the merge request. A status goes only forwards there; one that is where it shall be is refused, which is success.
func (a *API) setGitLabStatus(ctx context.Context, repository string, s Status) error {
	path := "api/v4/projects/" + url.PathEscape(repository) + "/statuses/" + s.Commit
	err := a.ask(ctx, "setting a status", http.MethodPost, path, struct {
		State       string `json:"state"`
		Name        string `json:"name"`
		Description string `json:"description"`
		TargetURL   string `json:"target_url,omitempty"`
		Ref         string `json:"ref,omitempty"`
	}{gitlabStates[s.State], s.Context, s.Description, s.URL, s.Ref}, nil)
	var answered *APIError
	if errors.As(err, &answered) && answered.Status == http.StatusBadRequest && strings.Contains(answered.Message, "Cannot transition status") {
		return nil
	}
	return err
}

// shorten cuts a text to a number of characters.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// shortName cuts a name to a number of characters, so that names which differ stay different.
func shortName(name string, most int) string {
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "~" + hex.EncodeToString(sum[:4])
	return string([]rune(name)[:most-len(tail)]) + tail
}

// Scopes say what a token must be allowed, for statuses and for comments, in the forge's own words.
func Scopes(forge string) (statuses, comments string) {
	switch forge {
	case NameGitHub:
		return "Commit statuses: write (fine-grained), or repo:status (classic)", "Pull requests: write (fine-grained), or repo (classic)"
	case NameGitLab:
		return "api, with the role Developer", "api, with the role Reporter"
	case NameGitea, NameForgejo:
		return "write:repository", "write:issue"
	case NameBitbucket:
		return "repository", "pullrequest"
	case NameBitbucketServer:
		return "repository read", "repository read"
	}
	return "write access to the repository", "write access to the repository"
}
