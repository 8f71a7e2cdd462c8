package config

import (
	"strings"
	"time"
	"unicode"
)

// Which pushes take the results of jobs that succeeded before with the same tree.
const (
	GreenOff       = "off"
	GreenUntrusted = "untrusted" // those that are not trusted; trusted ones take results of trusted builds alone
	GreenOn        = "on"        // trusted ones, too, where the submitter is named in green-from
)

// GreenAgeDefault is how long a result counts where the project does not say.
const GreenAgeDefault = 7 * 24 * time.Hour

// maxVouchers bounds who may be named.
const maxVouchers = 200

// TakesResults tells whether pushes of the project take results at all.
func (p *Project) TakesResults() bool {
	return p.GreenBeforePush != "" && p.GreenBeforePush != GreenOff
}

// ResultAge is how long a result counts.
func (p *Project) ResultAge() time.Duration {
	if p.GreenAge > 0 {
		return p.GreenAge
	}
	return GreenAgeDefault
}

func (p *Project) checkGreen(f *faults) {
	if p.GreenBeforePush != "" {
		f.oneOf("green-before-push", p.GreenBeforePush, GreenOff, GreenUntrusted, GreenOn)
	}
	if p.GreenBeforePush == GreenOn && len(p.GreenFrom) == 0 {
		f.add("green-from", "name the tokens or people who may push to protected refs: [ada-laptop, user:ben]; or write green-before-push: untrusted",
			"green-before-push: on makes submits count for trusted pushes, and nobody is named whose do")
	}
	if len(p.GreenFrom) > maxVouchers {
		f.add("green-from", "", "%d names are too many; there are at most %d", len(p.GreenFrom), maxVouchers)
	}
	for _, name := range p.GreenFrom {
		if name == "" || len(name) > 300 || strings.ContainsFunc(name, unicode.IsControl) {
			f.add("green-from", "write names as runner token ls has them, or user:NAME for who logs in", "%q is no name of a token or a person", clip(name))
		}
	}
	f.atLeast("green-age", int64(p.GreenAge), 0)
}
