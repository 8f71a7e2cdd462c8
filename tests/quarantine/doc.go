// Package quarantine reads .runner/quarantine.yml: the tests whose failures do not count for a while, each with who
// owns it and until when. It is pure: text in, entries out, and which of them are in force on a day.
//
// A test is in quarantine so that somebody mends it while others go on. An entry without an end would be a deleted
// test, so every entry has one, and it is near.
package quarantine
