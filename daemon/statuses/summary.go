package statuses

import (
	"errors"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/outbox"
)

// Summary is what there is to say of a build in one line: "passed in 41 s, 812 tests", "3 of 812 tests failed: TestParse".
func Summary(b *client.Build) string {
	_, text := ofBuild(b)
	return text
}

// Settled returns the build that show shows. One that has ended waits, not for long, until its reports are read: the error is then
// an *outbox.Later.
func Settled(show func(id string) (client.Build, error), id string) (client.Build, error) {
	b, err := show(id)
	if err == nil && !b.Ended.IsZero() && b.Tests != nil && b.Tests.Pending && time.Since(b.Ended) < reportsWait {
		return b, &outbox.Later{After: reportsPause, Alone: true, Err: errors.New("its reports are being read")}
	}
	return b, err
}
