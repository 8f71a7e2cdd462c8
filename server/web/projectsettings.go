package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

// schedulesPage is when builds of a project are started by the clock.
type schedulesPage struct {
	projectHead
	Schedules []client.Schedule
}

func (s *Site) schedulesPage(v *visit) (*view, error) {
	h, err := s.head(v, "schedules")
	if err != nil {
		return nil, err
	}
	if h.Settings == nil {
		return nil, notTold(v)
	}
	p := schedulesPage{projectHead: h}
	if p.Schedules, err = s.Client.ProjectSchedules(v.Context(), h.Name); err != nil {
		return nil, err
	}
	return &view{Template: "schedules", Title: "Schedules of " + h.Name, Crumbs: h.crumbs("schedules"), Data: p}, nil
}

// notTold is the error of a page that needs more than the builds of a public project.
func notTold(v *visit) error {
	if v.known() {
		return &client.Error{Status: 404, Detail: "there is no project of this name that you may see", Hint: "an admin makes tokens with runner token create"}
	}
	return &client.Error{Status: 401}
}

// setting is one row of a project's settings: what it is, and the flag of runner project set that changes it.
type setting struct{ Name, Value, Flag string }

// settingGroup is settings that belong together.
type settingGroup struct {
	Title string
	Rows  []setting
}

// settingsPage is what a project is set to.
type settingsPage struct {
	projectHead
	Groups    []settingGroup
	Badge     *client.Badge
	Webhook   *client.Webhook
	MayChange bool
}

func (s *Site) settingsPage(v *visit) (*view, error) {
	h, err := s.head(v, "settings")
	if err != nil {
		return nil, err
	}
	if h.Settings == nil {
		return nil, notTold(v)
	}
	p := settingsPage{projectHead: h, Groups: settingGroups(h.Settings), MayChange: may(v.who, "admin", everywhere)}
	badge, err := s.Client.Badge(v.Context(), h.Name, "")
	if err == nil {
		p.Badge = &badge
	} else if !untold(err) {
		return nil, err
	}
	hook, err := s.Client.Webhook(v.Context(), h.Name)
	if err == nil {
		p.Webhook = &hook
	} else if !untold(err) && !isStatus(err, 503) {
		return nil, err
	}
	return &view{Template: "settings", Title: "Settings of " + h.Name, Crumbs: h.crumbs("settings"), Data: p}, nil
}

// settingGroups are all settings of a project, in words. Secrets are references here, as the API has them.
func settingGroups(p *client.Project) []settingGroup {
	return []settingGroup{
		{"Source", []setting{
			{"repository", p.URL, ""}, {"default branch", cmp.Or(p.Branch, "the remote's"), "--branch"}, {"buildspec", cmp.Or(p.Buildspec, "buildspec.yml"), "--buildspec"},
			{"history in the job's .git", depthText(p.Depth), "--depth"}, {"submodules", yesNo(p.Submodules), "--submodules"},
			{"user name", p.Username, "--username"}, {"token", p.Token, "--token"}, {"SSH key", p.SSHKey, "--ssh-key"}, {"known hosts", p.KnownHosts, "--known-hosts"},
		}},
		{"Who is trusted", []setting{
			{"protected branches and tags", cmp.Or(strings.Join(p.Protected, ", "), "the default branch"), "--protected"},
			{"pull requests that wait for approval", cmp.Or(p.Approval, "forks"), "--approval"}, {"visibility", cmp.Or(p.Visibility, "private"), "--visibility"},
			{"privileged jobs", yesNo(p.Privileged), "--privileged"}, {"network", cmp.Or(p.Network, "the daemon's"), "--network"},
			{"network of jobs that are not trusted", p.NetworkUntrusted, "--network-untrusted"},
			{"green before push", cmp.Or(p.GreenBeforePush, "off"), "--green-before-push"},
		}},
		{"Jobs", []setting{
			{"image", cmp.Or(p.Image, "the buildspec's"), "--image"}, {"pull", cmp.Or(p.Pull, "if-not-present"), "--pull"}, {"engine", cmp.Or(p.Engine, "the first"), "--engine"},
			{"cores", numberOr(p.CPUs, "the daemon's"), "--cpus"}, {"memory", bytesOr(p.MemoryBytes), "--memory"}, {"disk", bytesOr(p.DiskBytes), "--disk"},
			{"time", secondsOr(p.TimeoutSec), "--timeout"}, {"time in the queue", secondsOr(p.QueueSec), "--queue-timeout"},
			{"jobs at once", numberOr(float64(p.MaxJobs), "as many as there are slots"), "--max-jobs"}, {"priority", fmt.Sprint(p.Priority), "--priority"},
			{"retries after faults", cmp.Or(p.RetryFaults, "the daemon's"), "--retry-faults"},
		}},
		{"Variables", append(append(append(pairs(p.Env, "", `""`, "--env"), pairs(p.Parameters, "parameter ", "", "--parameter-store")...), pairs(p.Secrets, "secret ", "", "--secrets-manager")...),
			pairs(p.Push, "logs in with ", "without a login", "--push")...)},
		{"What is built", []setting{
			{"files worth a build", cmp.Or(strings.Join(p.Paths, ", "), "all"), "--paths"}, {"files that are not", strings.Join(p.PathsIgnore, ", "), "--paths-ignore"},
			{"filters", filterText(p.Filters), "--filters"}, {"superseded builds are stopped", p.CancelSuperseded, "--cancel-superseded"},
			{"concurrency group", p.Concurrency.Group, "--concurrency-group"}, {"looks at the remote", cmp.Or(p.Poll, "the daemon's"), "--poll"},
		}},
		{"What is told", []setting{
			{"forge", p.Forge, "--forge"}, {"statuses of commits", cmp.Or(p.StatusPer, "build"), "--status"}, {"their name", cmp.Or(p.StatusContext, "runner/"+p.Name), "--status-context"},
			{"comments on pull requests", cmp.Or(p.Comment, "off"), "--comment"}, {"notifications", notificationText(p.Notifications), ""},
		}},
	}
}

// Told are the rows that say something.
func (g settingGroup) Told() []setting {
	return slices.DeleteFunc(slices.Clone(g.Rows), func(r setting) bool { return r.Value == "" })
}

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func depthText(depth int) string {
	if depth == 0 {
		return "all of it"
	}
	return plural(depth, "commit")
}

func numberOr(n float64, otherwise string) string {
	if n == 0 {
		return otherwise
	}
	return fmt.Sprint(n)
}

func bytesOr(n int64) string {
	if n == 0 {
		return "the daemon's"
	}
	return size(n)
}

func secondsOr(n int64) string {
	if n == 0 {
		return "the daemon's"
	}
	return took(float64(n))
}

// pairs are names with where their values come from; empty is what is said of one that has none.
func pairs(values map[string]string, from, empty, flag string) (rows []setting) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if value := values[name]; value != "" {
			rows = append(rows, setting{name, from + value, flag})
		} else {
			rows = append(rows, setting{name, empty, flag})
		}
	}
	return rows
}

// filterText is groups of filters, as their flag takes them.
func filterText(groups [][]client.Filter) string {
	var texts []string
	for _, group := range groups {
		var one []string
		for _, f := range group {
			sign := "="
			if f.ExcludeMatchedPattern {
				sign = "!="
			}
			one = append(one, f.Type+sign+f.Pattern)
		}
		texts = append(texts, strings.Join(one, " and "))
	}
	return strings.Join(texts, ", or ")
}

func notificationText(all []client.Notification) string {
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return strings.Join(names, ", ")
}
