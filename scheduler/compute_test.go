package scheduler

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

const gib = 1 << 30

func TestComputeTypesBecomeLimits(t *testing.T) {
	big, small := runner.Capacity{CPUs: 64, MemoryBytes: 256 * gib}, runner.Capacity{CPUs: 2, MemoryBytes: 8 * gib}
	tests := []struct {
		compute string
		limits  config.Limits
		has     runner.Capacity
		want    runner.Limits
		capped  bool
	}{
		{"", config.Limits{PIDs: 9}, small, runner.Limits{PIDs: 9}, false},
		{"", config.Limits{CPUs: 4, MemoryBytes: gib}, small, runner.Limits{CPUs: 4, MemoryBytes: gib}, false},
		{"BUILD_GENERAL1_SMALL", config.Limits{}, big, runner.Limits{CPUs: 2, MemoryBytes: 4 * gib}, false},
		{"BUILD_GENERAL1_LARGE", config.Limits{}, small, runner.Limits{CPUs: 2, MemoryBytes: 8 * gib}, true},
		{"BUILD_GENERAL1_LARGE", config.Limits{CPUs: 1, MemoryBytes: 6 * gib}, small, runner.Limits{CPUs: 1, MemoryBytes: 6 * gib}, true},
		{"BUILD_GENERAL1_LARGE", config.Limits{CPUs: 16}, big, runner.Limits{CPUs: 8, MemoryBytes: 16 * gib}, false},
		{"BUILD_GENERAL1_LARGE", config.Limits{}, runner.Capacity{}, runner.Limits{CPUs: 8, MemoryBytes: 16 * gib}, false},
		{"BUILD_GENERAL9_HUGE", config.Limits{CPUs: 3}, big, runner.Limits{CPUs: 3}, false},
	}
	for _, tt := range tests {
		got, capped := jobLimits(tt.limits, &buildspec.Job{Compute: tt.compute}, tt.has)
		if got != tt.want || capped != tt.capped {
			t.Errorf("%q within %+v on %+v: %+v, capped %t; want %+v, %t", tt.compute, tt.limits, tt.has, got, capped, tt.want, tt.capped)
		}
	}
	b := &Build{Plan: &buildspec.Plan{Jobs: []buildspec.Job{
		{Compute: "BUILD_GENERAL1_LARGE"}, {Compute: "BUILD_GENERAL1_LARGE"}, {Compute: "BUILD_GENERAL1_SMALL"}, {Compute: "BUILD_GENERAL1_XLARGE"}, {},
	}}}
	warnOfCompute(config.Limits{}, b, "local", small)
	if len(b.Warnings) != 2 || !strings.Contains(b.Warnings[0], "BUILD_GENERAL1_LARGE has 8 CPUs and 16 GiB of memory; engine local has 2 and 8 GiB") {
		t.Errorf("the warnings are %q, want one a type that does not fit", b.Warnings)
	}
}

func TestWhatCannotRunHereIsRefused(t *testing.T) {
	amd, arm := runner.Capacity{Arch: "amd64"}, runner.Capacity{Arch: "arm64"}
	may, mayNot := &Project{Project: config.Project{Name: "api", Privileged: true}}, &Project{Project: config.Project{Name: "api"}}
	tests := []struct {
		name    string
		job     buildspec.Job
		project *Project
		fork    bool
		has     runner.Capacity
		reason  string
		network runner.Network
	}{
		{"an ordinary job", buildspec.Job{EnvType: "LINUX_CONTAINER"}, mayNot, false, amd, "", ""},
		{"a privileged one that may", buildspec.Job{Privileged: true}, may, false, amd, "", ""},
		{"a privileged one that must not reach everything", buildspec.Job{Privileged: true}, may, false, amd, "network", runner.NetworkPrivate},
		{"one that reaches nothing", buildspec.Job{}, may, false, amd, "", runner.NetworkNone},
		{"a privileged one that may not", buildspec.Job{Privileged: true}, mayNot, false, amd, "privileged", ""},
		{"a privileged one of a fork", buildspec.Job{Privileged: true}, may, true, amd, "privileged", ""},
		{"ARM on ARM", buildspec.Job{EnvType: "ARM_CONTAINER"}, may, false, arm, "", ""},
		{"ARM elsewhere", buildspec.Job{EnvType: "ARM_LAMBDA_CONTAINER"}, may, false, amd, "environment_type", ""},
		{"ARM on an engine that does not say", buildspec.Job{EnvType: "ARM_CONTAINER"}, may, false, runner.Capacity{}, "", ""},
		{"LINUX_CONTAINER on ARM, whose image decides", buildspec.Job{EnvType: "LINUX_CONTAINER"}, may, false, arm, "", ""},
		{"Windows", buildspec.Job{EnvType: "WINDOWS_SERVER_2022_CONTAINER"}, may, false, amd, "environment_type", ""},
		{"a Mac", buildspec.Job{EnvType: "MAC_ARM"}, may, false, arm, "environment_type", ""},
		{"PowerShell", buildspec.Job{Shell: "PowerShell.exe"}, may, false, amd, "shell", ""},
		{"PowerShell on Windows, whose type says more", buildspec.Job{Shell: "pwsh", EnvType: "WINDOWS_EC2"}, may, false, amd, "environment_type", ""},
		{"bash", buildspec.Job{Shell: "/bin/bash", EnvType: "LINUX_EC2"}, may, false, amd, "", ""},
	}
	for _, tt := range tests {
		tt.job.Name = "build"
		reason, message := refusal(tt.project, &Build{Fork: tt.fork}, &tt.job, tt.network, "local", tt.has)
		if reason != tt.reason || (reason != "") != strings.HasPrefix(message, "build asks for ") {
			t.Errorf("%s: refused for %q: %s; want %q", tt.name, reason, message, tt.reason)
		}
	}
}

// A job that is refused fails its build's graph as any other does.
func TestARefusedJobTakesItsDependentsWithIt(t *testing.T) {
	s := open(t, statePath(t))
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	builds, err := s.planTrigger(&tr)
	if err != nil {
		t.Fatal(err)
	}
	b, plan := builds[0], graph(false, "arm", "push: arm", "x86")
	b.Plan = &plan
	jobs := newJobs(&b)
	jobs[0].end(Failed, reasonEnvironment, "arm asks for the environment type ARM_CONTAINER", time.Now())
	if err := s.queueBuild(t.Context(), b, jobs); err != nil {
		t.Fatal(err)
	}
	if got := play(t, s, b.ID()); len(got) != 1 || got[0] != "x86" {
		t.Errorf("these ran: %v", got)
	}
	got := mustBuild(t, s, b.ID())
	if got.Status != Failed || got.Reason != "environment_type" || got.Message != "arm: arm asks for the environment type ARM_CONTAINER (1 job that depends on it was not started)" {
		t.Errorf("the build is %s (%s): %s", got.Status, got.Reason, got.Message)
	}
}
