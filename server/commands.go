package server

import (
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// maxShownCommands bounds how many commands one build shows, of all its jobs together: a batch can have ten thousand jobs, and the
// state of a build is sent to each of its watchers whenever it changes.
const maxShownCommands = 2000

// showCommands shows the commands of an attempt, of which there may be none, as long as there is room for all of them.
func showCommands(at *scheduler.Attempt, room *int) []client.Command {
	if at == nil || len(at.Commands) == 0 || len(at.Commands) > *room {
		return nil
	}
	*room -= len(at.Commands)
	out := make([]client.Command, len(at.Commands))
	for i, c := range at.Commands {
		shown := client.Command{
			Phase: c.Phase, Index: c.Index, Finally: c.Finally, Text: c.Text, Started: c.Began, Exit: c.Exit, Offset: c.Offset,
		}
		switch ended := c.Ended || c.Exit != 0 || c.Took > 0; { // older rows do not say that one ended
		case ended:
			shown.Seconds, shown.Ended = c.Took.Seconds(), c.Began.Add(c.Took)
		case at.EndedAt.IsZero():
			shown.Seconds = max(0, time.Since(c.Began).Seconds())
		default:
			shown.Seconds = max(0, at.EndedAt.Sub(c.Began).Seconds())
		}
		out[i] = shown
	}
	return out
}
