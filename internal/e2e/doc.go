// Package e2e holds the stories that only the whole product can tell: the built binary as a daemon, real git over
// HTTP, signed webhooks, a real Docker engine, and processes that are killed. It has tests and nothing else.
package e2e
