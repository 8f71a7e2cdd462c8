package buildspec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bounds and defaults of services. One that is not ready after about a minute is given up.
const (
	mostServices = 16
	maxRetries   = 1_000
	maxWait      = time.Hour

	healthInterval = 2
	healthTimeout  = 5
	healthRetries  = 30
)

// networks are what x-runner.network can narrow the job's network to.
var networks = []string{"private", "none"}

// serviceName is a DNS label, by which the job reaches the service.
var serviceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// runner is the block of extensions, x-runner.
func (c *checker) runner(e entry) {
	if n, ok := c.block(e, runnerSection.name); ok {
		c.section(runnerSection, n, map[string]func(entry){
			"services": c.services,
			"images":   c.images,
			"network":  func(e entry) { c.spec.Network = c.word(e, runnerSection.path(e.key), networks) },
			"sharding": func(e entry) { c.spec.Sharding = c.sharding(e, runnerSection.path(e.key)) },
			"patch":    func(e entry) { c.spec.Patch = c.patch(e) },
			"shards":   func(e entry) { c.spec.Shards = c.shards(e, runnerSection.path(e.key)) },
			"tests":    c.tests,
		})
		c.withoutQueue(e)
	}
}

func (c *checker) services(e entry) {
	n, ok := c.block(e, runnerSection.path("services"))
	if !ok {
		return
	}
	if len(n.entries) > mostServices {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("there are %d services, and a job may have %d", len(n.entries), mostServices),
			hint:    "split the jobs that need them by a batch, with a file each",
		})
		return
	}
	for _, one := range n.entries {
		c.service(one)
	}
}

func (c *checker) service(e entry) {
	if !serviceName.MatchString(e.key) || e.key == "localhost" {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%q cannot be the name of a service: the job reaches it by this name", shorten(e.key)),
			hint:    "use small letters, digits and hyphens, at most 63, for example postgres",
		})
		return
	}
	s := serviceSection.named(runnerSection.path("services") + "." + e.key)
	n, ok := c.block(e, s.name)
	if !ok && e.value.kind != null {
		return
	}
	to := Service{Name: e.key}
	before := c.counts[SeverityError]
	if ok {
		c.section(s, n, map[string]func(entry){
			"image":      func(e entry) { to.Image = c.image(e, s.path("image"), "the service cannot be started") },
			"command":    func(e entry) { to.Command = c.argv(e, s.path("command")) },
			"entrypoint": func(e entry) { to.Entrypoint = c.argv(e, s.path("entrypoint")) },
			"variables":  func(e entry) { to.Env = c.variables(e, s.path("variables")) },
			"health":     func(e entry) { to.Health = c.health(e, s.path("health")) },
		})
	}
	if to.Image == "" && c.counts[SeverityError] == before {
		c.fail(e.at, complaint{message: s.name + " names no image", hint: "add image:, for example image: postgres:17"})
	}
	c.spec.Services = append(c.spec.Services, to)
}

// argv is a command as the engine takes it: a text is for sh, a list is taken word by word.
func (c *checker) argv(e entry, what string) []string {
	if e.value.kind == scalar {
		return []string{"sh", "-c", e.value.text}
	}
	return c.texts(e, what)
}

func (c *checker) health(e entry, what string) *Health {
	n, ok := c.block(e, what)
	if !ok {
		return nil
	}
	h := &Health{Interval: healthInterval, Timeout: healthTimeout, Retries: healthRetries}
	s := healthSection.named(what)
	before := c.counts[SeverityError]
	c.section(s, n, map[string]func(entry){
		"command":      func(e entry) { h.Command, _ = c.text(e, s.path("command")) },
		"interval":     func(e entry) { c.seconds(e, s.path("interval"), 1, &h.Interval) },
		"timeout":      func(e entry) { c.seconds(e, s.path("timeout"), 1, &h.Timeout) },
		"start-period": func(e entry) { c.seconds(e, s.path("start-period"), 0, &h.StartPeriod) },
		"retries":      func(e entry) { c.retries(e, s.path("retries"), &h.Retries) },
	})
	if strings.TrimSpace(h.Command) == "" && c.counts[SeverityError] == before {
		c.fail(e.at, complaint{
			message: what + " has no command",
			hint:    "add command:, for example command: pg_isready -U postgres",
		})
	}
	return h
}

// seconds reads a time: a whole number of seconds, or one with a unit like 90s or 1m30s.
func (c *checker) seconds(e entry, what string, least int, to *int) {
	text, ok := c.text(e, what)
	if !ok {
		return
	}
	if isNumber(text) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Second != 0 || d < time.Duration(least)*time.Second || d > maxWait {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a time from %ds to %s in whole seconds, but this is %s", what, least, "1h", e.value.found()),
			hint:    "write seconds, or a number with its unit: 10s, 2m",
		})
		return
	}
	*to = int(d / time.Second)
}

func (c *checker) retries(e entry, what string, to *int) {
	text, ok := c.text(e, what)
	if !ok {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxRetries {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a whole number from 1 to %d, but this is %s", what, maxRetries, e.value.found()),
			hint:    "say how many tries in a row must fail, for example retries: 30",
		})
		return
	}
	*to = n
}
