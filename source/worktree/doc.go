// Package worktree is the laptop's half of a submit: it makes a commit of a working tree as it is, dirty files and
// untracked ones included and ignored ones left out, and packs what a daemon lacks of it.
//
// It runs the system's git, because nothing else applies a user's own clean filters, attributes and ignore rules
// exactly. It never touches the user's index, refs, or files: the commit is built through a copy of the index, and
// its objects lie unreferenced among the repository's own until git collects them. Only Patch.Apply changes files, to
// what a build made of them, when the user asks for it.
package worktree
