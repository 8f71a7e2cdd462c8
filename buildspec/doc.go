// Package buildspec turns the text of a buildspec.yml into a plan: the jobs to run, each with its image,
// environment, commands and artifacts. It does no I/O of its own and keeps no state, so the same bytes give the same
// plan on every machine.
//
// # From text to plan
//
//  1. The bytes are made into lines: UTF-8 without a byte order mark, line ends as "\n", no control characters.
//  2. The lines are cut into YAML tokens and measured. Depth, number and cost are bounded here, because the YAML
//     parser recurses and grows with each.
//  3. The tokens are parsed. Aliases, merge keys and tags are resolved into a tree of nodes that know their place
//     in the text and keep every scalar as it was written: 3.10 stays "3.10".
//  4. The tree is checked key by key against tables (tables.go) and becomes a Spec.
//  5. Spec.Plan expands it into jobs. What depends on the project, the image, the number of jobs allowed and other
//     files of the commit, is judged here and not before.
//
// # Promises
//
//   - No input makes it panic, and time and memory are bounded whatever the input is.
//   - Every complaint names file, line and column, what was found, what was expected and the fix; all of them are
//     told at once.
//   - Nothing is ignored silently. What surely goes wrong is an error; a key that nobody knows, and one that has no
//     effect here, is a warning.
//
// The language is described in docs/buildspec.md and schema.json, which Schema makes of the same tables; testdata
// holds cases that any other implementation can run. SelectRuntimes reads another language: the table of runtimes that
// CodeBuild's images carry.
package buildspec

// DefaultFile is where a project's buildspec is when its settings name no other, relative to the source's root.
const DefaultFile = "buildspec.yml"
