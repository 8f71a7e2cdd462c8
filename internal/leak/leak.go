// Package leak looks for goroutines that tests leave behind: what outlives a test outlives its daemon's purpose, too.
package leak

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is TestMain of a package that starts goroutines and has no other TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests, and fails where they passed and left goroutines behind, of which it tells the stacks. It waits a
// little for those that are about to end.
func Run(m interface{ Run() int }) int {
	status := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if status != 0 {
		return status
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests leave goroutines behind:", err)
		return 1
	}
	return 0
}

// Tests is a testing.M, for what runs tests itself, that looks for goroutines afterwards.
type Tests struct{ M *testing.M }

// Run is Run of the tests.
func (t Tests) Run() int { return Run(t.M) }
