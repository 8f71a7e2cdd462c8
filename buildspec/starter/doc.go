// Package starter writes a first buildspec for a repository, from what it finds in it: the language, its version, the
// package manager, tests, programs. It is a function from a folder to text: it runs nothing, reads a bounded part of
// the folder, and what it takes over from a stranger's files into the text is checked letter by letter.
//
// What it writes runs on CodeBuild too, passes runner validate without a warning, and explains itself in comments, so
// that its reader can change it.
package starter
