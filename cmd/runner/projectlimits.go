package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

// limitFlags are a project's limits that are written with a unit.
type limitFlags []limitFlag

type limitFlag struct {
	name, usage string
	parse       func(text string) (int64, error)
	into        *int64
	text        string
}

func newLimitFlags(p *client.Project) limitFlags {
	return limitFlags{
		{name: "memory", usage: "memory of a job, like 4GiB", parse: config.ParseSize, into: &p.MemoryBytes},
		{name: "disk", usage: "what a job may write to the disk, like 20GiB", parse: config.ParseSize, into: &p.DiskBytes},
		{name: "log", usage: "of a job's log, like 1GiB", parse: config.ParseSize, into: &p.LogBytes},
		{name: "artifacts", usage: "of each artifact, like 8GiB", parse: config.ParseSize, into: &p.ArtifactBytes},
		{name: "cache", usage: "of the cache that a job leaves, like 10GiB", parse: config.ParseSize, into: &p.CacheBytes},
		{name: "reports", usage: "of all report files of a job, like 256MiB", parse: config.ParseSize, into: &p.ReportBytes},
		{name: "timeout", usage: "of each job, like 60m", parse: wholeSeconds, into: &p.TimeoutSec},
		{name: "queue-timeout", usage: "how long a job may wait for a slot, like 60m", parse: wholeSeconds, into: &p.QueueSec},
		{name: "green-age", usage: "how long a result counts for --green-before-push, like 7d (default)", parse: wholeSeconds, into: &p.GreenAgeSec},
	}
}

func wholeSeconds(text string) (int64, error) {
	d, err := config.ParseDuration(text)
	return int64(d / time.Second), err
}

func (l limitFlags) add(cmd *cobra.Command) {
	for i := range l {
		cmd.Flags().StringVar(&l[i].text, l[i].name, "", l[i].usage)
	}
}

// read puts what was written into the project. Its error names each flag that cannot be read.
func (l limitFlags) read() error {
	var problems []error
	for _, f := range l {
		if f.text == "" {
			continue
		}
		n, err := f.parse(f.text)
		if err != nil {
			problems = append(problems, fmt.Errorf("--%s: %w", f.name, err))
		}
		*f.into = n
	}
	return errors.Join(problems...)
}
