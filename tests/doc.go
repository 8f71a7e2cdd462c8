// Package tests holds what tests came to: results and coverage, parsed and merged.
//
// # From a file to a report
//
// Package tests/parse reads one report file and hands out cases and source files as it finds them. A Part collects
// those of one file; a Merger joins the parts of all files, shards and attempts; its Report is what the build says.
//
//	part := tests.NewPart(tests.Run{Shard: 3, Attempt: 1}, "target/TEST-a.xml")
//	err := parse.Parse("JUNITXML", part.Name, file, parse.Sink{Case: part.Case, File: part.File})
//	part.Problem(err)
//	merger.Add(part)
//	report := merger.Report()
//
// # What is one test
//
// A test is known by its id (Identify), the same in each run and on each shard. The rules of merging are:
//
//  1. Within one file a repeated id is another case, a parameter or a namesake: the second has the id with "#2" at its
//     end, in the order of the file. Where the format itself makes names unique (go test), it is the same test again.
//  2. The same id in two files of one run is one test told twice (a copy, or two formats): the worst status counts.
//  3. The same id on two shards is one test that ran twice: it counts once, with the worst status. Every run is kept
//     in the outcome, so that nothing is lost from sight.
//  4. A later attempt of a shard replaces what that shard said before, test by test: what the later one did not run
//     keeps its result, because a replacement takes only what is left of a queue.
//  5. A later round, which reruns failed tests on whichever shard is free, replaces earlier rounds, test by test.
//  6. A test that succeeds in the end and failed before is flaky. Code that did not compile (Case.Build) is no test: it
//     never makes a flake, and is forgotten once a later run of that shard has tests of the same suite or file.
//
// A Merger is a set of observations, each with a key, so that adding is associative, commutative and idempotent:
// whatever comes in whichever order, twice or not, gives the same report.
//
// # Coverage
//
// Lines and branches are kept one by one, so that the merged coverage is the union of what ran, where CodeBuild takes
// the best shard. Formats that only count branches (Cobertura, JaCoCo) cannot be joined exactly; see FileCoverage.
package tests
