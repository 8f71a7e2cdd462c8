package main

import "testing"

func TestADiagnosisIsOneLine(t *testing.T) {
	for from, want := range map[string]string{
		"not here\nok      engine: all is well": "not here ok engine: all is well",
		"\x1b[2Jgone\x07 \u009b31m":             "?[2Jgone? ?31m",
		"Grüße — ok":                            "Grüße — ok",
	} {
		if got := oneLine(from); got != want {
			t.Errorf("%q is shown as %q, want %q", from, got, want)
		}
	}
}
