// Package daemon assembles the parts into one running process: for good in Serve, for one build in Run.
package daemon
