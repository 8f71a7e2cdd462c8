package scheduler

// unasked tells why nothing is built of an event that no filter asks for and that is nothing to build by itself: what it is
// about was built before, or is, by another event.
func unasked(t *Trigger) string {
	switch t.Event {
	case "PULL_REQUEST_MERGED":
		return "a pull request that was merged builds nothing; the push of the merge does"
	case "PULL_REQUEST_CLOSED":
		return "a pull request that was closed builds nothing"
	case "RELEASED", "PRERELEASED":
		return "a release builds nothing; the push of its tag does"
	}
	return ""
}
