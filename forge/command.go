package forge

import (
	"fmt"
	"strings"
)

// The commands that a comment on a pull request can give.
const (
	CommandBuild = "build" // build the head of the pull request
	CommandRetry = "retry" // build again what failed in its newest build
)

// remark is a comment on a pull request.
type remark struct {
	number int
	ref    string // where the pull request's head can be fetched from
	text   string
	member bool // the forge tells that the author belongs to the repository
	// asked is what the forge tells of the pull request beside its number; nil where it tells nothing.
	asked *request
}

// event fills in the event of a comment. One without a command is ignored.
func (r remark) event(e Event) (Event, error) {
	e.Kind = Other
	line, _, _ := strings.Cut(strings.TrimSpace(r.text), "\n")
	words := strings.Fields(line)
	if len(words) == 3 && words[1] == CommandBuild && shortID(strings.ToLower(words[2])) {
		e.Meant, words = strings.ToLower(words[2]), words[:2]
	}
	switch {
	case len(words) == 0 || words[0] != "/runner":
		e.Ignore = "the comment's first line is no command: /runner build, /runner retry"
		return e, nil
	case len(words) != 2 || (words[1] != CommandBuild && words[1] != CommandRetry):
		e.Ignore = fmt.Sprintf("there is no command %q: /runner build, /runner build COMMIT, /runner retry", clip(line))
		return e, nil
	}
	if r.number < 1 {
		return e, fmt.Errorf("the pull request's number is %d, which is none", r.number)
	}
	if err := checkRef(r.ref); err != nil {
		return e, err
	}
	if r.asked != nil {
		asked := *r.asked
		// It is no action on the pull request: a head that is not told is looked for by whoever acts on the command.
		asked.number, asked.ref, asked.tip, asked.webhook = r.number, r.ref, true, requestUpdated
		filled, err := asked.event(e)
		if err != nil {
			return e, err
		}
		e = filled
	} else {
		e.Fork = true // until it can be told
	}
	e.Kind, e.Command, e.Member = Comment, words[1], r.member
	e.PullRequest, e.Ref, e.Webhook = r.number, r.ref, requestUpdated
	return e, nil
}
