// Package history keeps what tests came to, build by build, in tests.db.
//
// # Why a file of its own
//
// The report of a large suite is megabytes, and the leases of jobs wait for state.db: a file has one writer at a time.
// What is kept here can be lost without harm to any build, and be restored by itself.
//
// # From cases to a report
//
// A report comes out of a sandbox, so its size is nobody's promise, and it is never held in memory as a whole:
//
//  1. An Intake takes the cases of one attempt as a parser hands them out. Each time a few megabytes have come together
//     they are sorted by the tests' ids and written as a run.
//  2. Commit joins the intake's runs to those of the build, reads all of them side by side, judges each test by the rules
//     of package tests and writes the outcomes, sorted by id. What the build shows is replaced in one transaction. While
//     more attempts of the build wait to be taken in, judging is left to the last: a hundred shards that end at once
//     cost one reading of their tests, not a hundred.
//  3. Finish, once the build has ended, adds its outcomes to the history of each test, and lets go of the runs.
//
// Each step can be done twice: an attempt that was taken in is not taken in again, and a build has one result in the
// history of a test.
//
// # Layout
//
//	meta    version
//	builds  project NUL number → row of a build, as JSON
//	blobs   number of a blob, number of a chunk → lines of JSON, compressed
//	loose   numbers of blobs that no row names yet; what is found there when the file is opened goes
//	trends  project → (hash of a test's id → its newest results)
package history
