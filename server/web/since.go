package web

import "github.com/runner-ci/runner/client"

// expected is how many seconds a build like this takes, by the median of those that passed; 0 where none did.
func expected(b client.Build, builds []client.Build) float64 {
	var took []float64
	for i := range builds {
		if p := &builds[i]; p.Number != b.Number && p.Status == "SUCCEEDED" && p.Seconds > 0 && len(took) < 9 {
			took = append(took, p.Seconds)
		}
	}
	return median(took)
}

// mended is the build before one that passed, where that had failed; nil otherwise. Builds come newest first.
func mended(b client.Build, builds []client.Build) *client.Build {
	if b.Status != "SUCCEEDED" {
		return nil
	}
	for i := range builds {
		p := &builds[i]
		if p.Number >= b.Number || !client.SameLine(b, *p) || class(p.Status) != "no" && p.Status != "SUCCEEDED" {
			continue
		}
		if class(p.Status) == "no" {
			return p
		}
		return nil
	}
	return nil
}
