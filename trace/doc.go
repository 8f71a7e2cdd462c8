// Package trace makes a build's stored rows an OpenTelemetry trace, and brings it to a collector.
//
// A build is one trace: trigger, build, jobs, attempts, phases, commands. Nothing is held while it runs. What has ended is a
// row in the state, committed with the end; it is read, exported by OTLP and then dropped, so that each part gets to the
// collector at least once, with the same ids each time. A collector that does not answer delays nothing but its own rows,
// of which there is a bound.
package trace
