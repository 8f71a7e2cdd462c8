// Package parse reads report files of test tools and coverage tools, whichever dialect they write, into the model of
// package tests.
//
// Files come out of a sandbox, so they are hostile. A parser reads its input once, front to back, in bounded memory
// however long the input is; it expands no entity, follows no reference, and goes no deeper than MaxDepth. Text that
// is not UTF-8 is read as what its declaration or byte order mark says it is (UTF-16, Latin-1, Windows-1252), and
// what is still no character becomes U+FFFD.
//
// A parser hands out what it finds as soon as it is complete. When it returns an error, all that came before the
// error has been handed out: a file that was cut off tells what it can.
//
// # Formats
//
//	JUNITXML         surefire, gradle, gotestsum, pytest, jest-junit, mocha, rspec, phpunit, ctest, dotnet
//	CUCUMBERJSON     cucumber's json formatter; a scenario is a case
//	NUNITXML         NUnit 2's test-results
//	NUNIT3XML        NUnit 3's test-run
//	TESTNGXML        testng-results.xml
//	VISUALSTUDIOTRX  dotnet test --logger trx
//	GOTESTJSON       go test -json (test2json)
//	TAP              versions 12, 13 and 14, with subtests
//	CLOVERXML COBERTURAXML JACOCOXML SIMPLECOV LCOV GOCOVER
//
// The names are those of a buildspec's file-format; GOTESTJSON, TAP and GOCOVER are ours.
package parse
