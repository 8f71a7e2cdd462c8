// Package faces looks at the daemon's pages as people do: a real Chromium, a real daemon with builds that a real engine ran.
//
// All stories share one daemon and its world (world_test.go), which nobody changes in a way that others would notice: a story
// that acts has a project of its own, made with world.project. A story is a test of its own:
//
//	func TestTheQueue(t *testing.T) {
//		t.Parallel()
//		p := look(t).as(admin).open("/queue")
//		p.has("waits for one of")
//		p.click("button.approve")
//	}
//
// everyLook shows a page in both colour schemes, at the width of a desk and of a phone. Each time it fails on what axe-core
// finds, on anything the policy of the pages refused, on scripts that failed, and on a page that is wider than its window.
// With RUNNER_SCREENSHOTS=DIR it keeps a picture of each, which is what `make screenshots` does.
package faces
