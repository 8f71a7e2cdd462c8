// Package compare finds what makes two builds differ: the first line at which their logs go apart, what their jobs were
// given, and how their tests ended.
//
// A log is compared without what differs from run to run (see Normal), and without regard to the order of lines, as far as
// a line that is gone in one place comes in another. Logs are read as streams, twice: once for the sum of each line, by
// which the lines are matched, and once more up to the lines that are shown. So a log of 100 MB takes some tens of
// megabytes, whatever its lines are.
//
// The package is pure: who reads logs and records, and from where, is known further up.
package compare
