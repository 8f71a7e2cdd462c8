package terminal

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestAPushSaysWhoseResultsItTook(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada := client.Proof{Build: "api#41", Kind: "submit", By: "ada", At: now.Add(-12 * time.Minute)}
	earlier := ada
	earlier.At = now.Add(-time.Hour)
	ben := client.Proof{Build: "api#39", Kind: "push", By: "ben\x1b[2J", At: now.Add(-3 * time.Hour)}
	b := client.Build{Jobs: []client.Job{
		{Name: "lint", Proof: &earlier}, {Name: "test", Proof: &ada}, {Name: "docs", Proof: &ben}, {Name: "deploy"},
	}}
	got := strings.Join(proofLines(&Output{}, b, now), "\n")
	for _, want := range []string{"lint, test taken from api#41, submitted by ada 12 min ago", "docs taken from api#39, pushed by ben"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, "deploy") {
		t.Errorf("it says %q", got)
	}
}

func TestASubmitSaysWhatAPushWillComeTo(t *testing.T) {
	at := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	for trusted, want := range map[bool]string{
		true:  "a push of this tree will be green at once, until ",
		false: "a push of this tree to a branch that is not protected will be green at once, until ",
	} {
		got := strings.Join(next(&Output{}, client.Build{PushProof: &client.PushProof{Trusted: trusted, Until: at}}, nil), "\n")
		if !strings.Contains(got, want) {
			t.Errorf("trusted %t: %q", trusted, got)
		}
	}
	if got := pushLine(nil); got != "" {
		t.Errorf("of a build without proof it says %q", got)
	}
}
