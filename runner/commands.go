package runner

import (
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// commandBegan takes the beginning of a command into what is told, as long as there are not too many.
func (r *recorder) commandBegan(c *wire.CommandBegan) {
	if r.commands <= 0 {
		return
	}
	r.commands--
	at := time.Now() // an older agent does not say
	if c.At > 0 {
		at = time.Unix(0, c.At)
	}
	text, _, _ := strings.Cut(c.Text, "\n")
	text = strings.ToValidUTF8(text[:min(len(text), maxCommandText)], "")
	r.progress.Commands = append(r.progress.Commands, Command{Phase: c.Phase, Index: c.Index, Finally: c.Finally, Text: text, Began: at, Offset: r.bytes})
}

// commandEnded takes the end of a command into what is told. A job that forges more ends than there are beginnings is
// held to as many.
func (r *recorder) commandEnded(c *wire.CommandEnded) {
	if r.ends > 0 {
		r.ends--
		r.progress.Commands = append(r.progress.Commands, Command{Phase: c.Phase, Index: c.Index, Ended: true, End: r.bytes, Exit: c.Exit, Took: time.Duration(c.Millis) * time.Millisecond})
	}
}
