package main

import (
	"reflect"
	"testing"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func TestFilterGroupsOnACommandLine(t *testing.T) {
	var got client.Filtering
	cmd := &cobra.Command{Use: "add", RunE: func(*cobra.Command, []string) error { return nil }}
	filterFlags(cmd, &got)
	cmd.SetArgs([]string{
		"--filters", "EVENT=PUSH, PULL_REQUEST_CREATED; HEAD_REF=^refs/heads/(a|b=c);$; FILE_PATH!=^docs/;", "--filters", " EVENT = PUSH ",
		"--paths", "src/**,go.mod", "--cancel-superseded", "false", "--concurrency-group", "deploy-{branch}", "--skip-words", "off",
	})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	want := client.Filtering{
		Filters: [][]client.Filter{
			{{Type: "EVENT", Pattern: "PUSH, PULL_REQUEST_CREATED"}, {Type: "HEAD_REF", Pattern: "^refs/heads/(a|b=c);$"}, {Type: "FILE_PATH", Pattern: "^docs/", ExcludeMatchedPattern: true}},
			{{Type: "EVENT", Pattern: "PUSH"}},
		},
		Paths: []string{"src/**", "go.mod"}, CancelSuperseded: "false", SkipWords: "off", Concurrency: client.Concurrency{Group: "deploy-{branch}"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// What is shown can be written.
	var again groupsFlag
	for _, group := range got.Filters {
		text := ""
		for _, x := range group {
			text += terminal.FilterText(x) + "; "
		}
		if err := again.Set(text); err != nil {
			t.Error(err)
		}
	}
	if !reflect.DeepEqual([][]client.Filter(again), want.Filters) {
		t.Errorf("shown and read again: %+v", again)
	}
	for _, args := range [][]string{{"--filters", "PUSH"}, {"--cancel-superseded", "yes"}} {
		cmd.SetArgs(args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
