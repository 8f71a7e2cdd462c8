// Package house holds the tests that keep the code's shape: which package may import which, what every package
// and exported name says about itself, and how long files and functions may be. It has no code of its own.
//
// A failing test here names the rule and its reason. Where the rule is wrong for a good cause, change the table in
// the test and say the cause in the same commit.
package house
