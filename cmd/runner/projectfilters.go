package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/client"
)

// filterFlags are the flags of a project's settings that choose what is built.
func filterFlags(cmd *cobra.Command, f *client.Filtering) {
	flags := cmd.Flags()
	flags.Var((*groupsFlag)(&f.Filters), "filters",
		"one filter `GROUP`, as 'EVENT=PUSH; HEAD_REF=^refs/heads/main$; FILE_PATH!=^docs/'; may be repeated: one group has to match")
	flags.StringSliceVar(&f.Paths, "paths", nil, "files that are worth a build: src/**,go.mod (default all)")
	flags.StringSliceVar(&f.PathsIgnore, "paths-ignore", nil, "files that are not: docs/**,**/*.md")
	flags.StringVar(&f.SkipWords, "skip-words", "", "whether [skip ci] and its like in a commit's message are heeded: on (default) or off")
	flags.Var((*wordFlag)(&f.CancelSuperseded), "cancel-superseded", "whether a newer push stops the builds of an older one, but for protected branches (default true)")
	flags.StringVar(&f.Concurrency.Group, "concurrency-group", "", "builds of one group wait for each other: deploy, or deploy-{branch}")
	flags.IntVar(&f.Concurrency.Limit, "concurrency-limit", 0, "builds of the group that run at once (default 1)")
}

// groupsFlag takes a filter group each time it is given.
type groupsFlag [][]client.Filter

var _ pflag.Value = (*groupsFlag)(nil)

func (g *groupsFlag) String() string { return "" }

// Type names the value in a usage text.
func (g *groupsFlag) Type() string { return "group" }

// Set reads filters that are parted by ; with a space behind it, so that a pattern may have one of its own.
func (g *groupsFlag) Set(text string) error {
	var group []client.Filter
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(text), ";"), "; ") {
		kind, pattern, found := strings.Cut(part, "=")
		if !found {
			return fmt.Errorf("%q is no filter; write TYPE=PATTERN, or TYPE!=PATTERN to keep out what matches", part)
		}
		kind, exclude := strings.CutSuffix(strings.TrimSpace(kind), "!")
		group = append(group, client.Filter{Type: strings.TrimSpace(kind), Pattern: strings.TrimSpace(pattern), ExcludeMatchedPattern: exclude})
	}
	*g = append(*g, group)
	return nil
}

// wordFlag is a boolean that tells no from not said.
type wordFlag string

var _ pflag.Value = (*wordFlag)(nil)

func (w *wordFlag) String() string { return string(*w) }

// Type names the value in a usage text.
func (w *wordFlag) Type() string { return "true|false" }

// Set takes true or false.
func (w *wordFlag) Set(text string) error {
	if text != "true" && text != "false" {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	*w = wordFlag(text)
	return nil
}
