package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSchedulesAreDueWhenTheirTimeZoneSaysSo(t *testing.T) {
	for _, c := range []struct{ cron, zone, after, want string }{
		{"30 2 * * 1-5", "Europe/Berlin", "2026-06-05T12:00:00Z", "2026-06-08 02:30 CEST, 2026-06-09 02:30 CEST"}, // after a weekend
		{"30 2 * * 1-5", "", "2026-06-05T12:00:00Z", "2026-06-08 02:30 UTC, 2026-06-09 02:30 UTC"},
		{"@daily", "America/New_York", "2026-01-01T12:00:00Z", "2026-01-02 00:00 EST, 2026-01-03 00:00 EST"},
		{"0 9 * * MON", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-05 09:00 IST, 2026-01-12 09:00 IST"},
		{"0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29 00:00 UTC, 2032-02-29 00:00 UTC"},
		// Left out: 2026-03-29, 02:00 to 03:00. What is named for it is due the moment after, once.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29 03:00 CEST, 2026-03-30 02:30 CEST"},
		{"10,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29 03:00 CEST, 2026-03-30 02:10 CEST"},
		{"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29 03:00 CEST, 2026-03-30 03:00 CEST"},
		// Twice: 2026-10-25, 02:00 to 03:00. It is due at the first.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25 02:30 CEST, 2026-10-26 02:30 CET"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-26 02:30 CET, 2026-10-27 02:30 CET"},
		// Every hour goes by the hours that there are.
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29 01:30 CET, 2026-03-29 03:30 CEST"},
		{"0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29 03:00 CEST, 2026-03-29 04:00 CEST"},
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25 02:30 CEST, 2026-10-25 02:30 CET"},
		{"@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25 02:00 CEST, 2026-10-25 02:00 CET"},
		{"*/20 * * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-25 02:00 CET, 2026-10-25 02:20 CET"},
		// Midnight is left out, and half an hour comes twice.
		{"0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06 01:00 -03, 2026-09-07 00:00 -03"},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05 01:45 +11, 2026-04-06 01:45 +1030"},
		// A whole day is left out.
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29 12:00 -10, 2011-12-31 00:00 +14"},
	} {
		times, err := Schedule{Cron: c.cron, Timezone: c.zone}.Times()
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		const form = "2006-01-02 15:04 MST"
		first := times.Next(after)
		if got := first.Format(form) + ", " + times.Next(first).Format(form); got != c.want {
			t.Errorf("%s in %q after %s: %s, want %s", c.cron, c.zone, c.after, got, c.want)
		}
	}
}

// TestTheNextTimeIsAlwaysLaterAndLeavesNoneOut goes through years of clocks that change.
func TestTheNextTimeIsAlwaysLaterAndLeavesNoneOut(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"} {
		for _, spec := range []string{"0 */3 * * *", "15 0-5 * * *", "30 2 * * *", "*/45 1,2 * * 0"} {
			times, err := Schedule{Cron: spec, Timezone: zone}.Times()
			if err != nil {
				t.Fatal(err)
			}
			begin, runs := farBack, 0
			for at := times.Next(begin); at.Before(begin.AddDate(2, 0, 0)); runs++ {
				next := times.Next(at)
				if between := times.Next(at.Add(next.Sub(at) / 2)); !next.After(at) || !between.Equal(next) {
					t.Fatalf("%s in %s: after %s comes %s, and from half-way %s", spec, zone, at, next, between)
				}
				at = next
			}
			if runs < 100 {
				t.Errorf("%s in %s: only %d runs in two years", spec, zone, runs)
			}
		}
	}
}

func TestScheduleSettingsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{name: n, cron: "30 2 * *"}`:                                `schedules[0].cron: "30 2 * *" cannot be read`,
		`{name: n, cron: "0 0 * * 7"}`:                               "(0 is Sunday)",
		`{name: n, cron: "0 0 30 2 *"}`:                              "no day of the calendar ever fits it",
		`{name: n, cron: "TZ=Europe/Berlin 0 0 * * *"}`:              "the time zone has a setting of its own, timezone",
		`{name: n, cron: "@every 1h"}`:                               "@every counts from the start of a process",
		`{name: n, cron: "@fortnightly"}`:                            `"@fortnightly" cannot be read`,
		`{name: n}`:                                                  `cron: "" cannot be read: it is empty`,
		`{name: n, cron: "@daily", timezone: Europe/Bern}`:           `schedules[0].timezone: there is no time zone "Europe/Bern"`,
		`{name: n, cron: "@daily", timezone: Local}`:                 `there is no time zone "Local"`,
		`{name: n, cron: "*/5 * * * *", jitter: 5m}`:                 "5m0s is not less than 5m0s, the least time between two runs",
		`{name: n, cron: "@weekly", jitter: 25h}`:                    "25h0m0s is not between 0 and 24h0m0s",
		`{name: n, cron: "@daily", missed: once}`:                    `"once" is not known`,
		`{name: n, cron: "@daily", ref: refs/pull/7/head}`:           `"refs/pull/7/head" is no branch or tag`,
		`{name: n, cron: "@daily", ref: "a b"}`:                      `"a b" is no branch or tag`,
		`{name: "a b", cron: "@daily"}`:                              `"a b" is no name of a schedule`,
		`{name: n, cron: "@daily"}, {name: n, cron: "@daily"}`:       `schedules[1].name: schedule "n" is there already`,
		`{name: n, cron: "@daily", parameters: {size: big}}`:         `schedules[0].parameters: parameters.size: "big" is no value of it`,
		`{name: n, cron: "0 3 1 * *", parameters: {size: 3}}`:        "",
		`{name: n, cron: "@daily", ref: release/2, jitter: 10m}`:     "",
		`{name: n, cron: "@monthly", missed: all, ref: refs/tags/v}`: "",
	} {
		text = fmt.Sprintf("projects:\n  - {name: api, url: \"https://example.com/a.git\", parameters: {size: {type: number}}, schedules: [%s]}\n", text)
		_, err := Parse("runner.yml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n%v\nwant %q", text, err, want)
		}
	}
}

// FuzzCron reads what an admin of a project writes, by the API too.
func FuzzCron(f *testing.F) {
	for _, seed := range []string{"30 2 * * 1-5", "@daily", "*/5 0-23/2 1,15 JAN-DEC ?", "TZ=UTC 0 0 * * *", "0 0 31 2 *", "@every 1s", "  "} {
		f.Add(seed, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, spec, zone string) {
		times, err := Schedule{Cron: spec, Timezone: zone}.Times()
		if err != nil {
			return
		}
		at := farBack
		for range 3 {
			next := times.Next(at)
			if !next.IsZero() && !next.After(at) {
				t.Fatalf("%q in %q: after %s comes %s", spec, zone, at, next)
			}
			at = next
		}
	})
}
