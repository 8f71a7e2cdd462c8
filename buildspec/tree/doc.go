// Package tree reads the buildspecs of a working tree on disk: one file judged alone, or a file expanded together
// with those that its batch names.
//
// What a batch names is read beneath the root of the repository and nowhere else: no path and no symbolic link leads
// out of it, as none would in a build.
package tree
