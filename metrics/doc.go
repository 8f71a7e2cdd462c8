// Package metrics is what the daemon counts and measures, in the form that Prometheus reads.
//
// Counters and histograms are added to when something has happened and is stored; they begin anew with the process, as
// those of Prometheus do. Gauges are asked for at each scrape, of pictures in memory alone: a scrape reads no file system
// tree and opens no transaction. docs/metrics.md lists every metric, and a test holds the two together.
//
// Labels are bounded, whoever chooses their values. Reasons can be forged by a job, so that only those that are known here
// are labels; projects count one by one up to MaxProjects, and together as "other" from there on.
package metrics
