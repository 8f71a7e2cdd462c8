// Package runner runs one job, from snapshot to result. It knows what a sandbox is, how to bind an attempt to
// one, and in which order effects become durable; what makes sandboxes is an Executor.
package runner
