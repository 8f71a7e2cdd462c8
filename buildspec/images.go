package buildspec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Image is one image that is built of the workspace once POST_BUILD has succeeded (x-runner.images). Paths are relative to
// the source's root.
type Image struct {
	Name       string   `json:"name"`
	Dockerfile string   `json:"dockerfile"`
	Context    string   `json:"context"`
	Target     string   `json:"target,omitempty"`
	Args       []Var    `json:"args,omitempty"`
	Secrets    []string `json:"secrets,omitempty"` // variables from parameter-store or secrets-manager
	Labels     []Var    `json:"labels,omitempty"`
	Push       string   `json:"push,omitempty"` // registry and repository; "": it is built, and that is all
	Tags       []string `json:"tags,omitempty"` // templates, see ImageTags
	NoCache    bool     `json:"noCache,omitempty"`
}

// Variable is the name of the variable by which later jobs know the image's digest.
func (i Image) Variable() string {
	return "RUNNER_IMAGE_" + strings.ToUpper(strings.ReplaceAll(i.Name, "-", "_")) + "_DIGEST"
}

// mostImages and mostTags bound what one job builds, and under how many names it is pushed.
const (
	mostImages = 16
	mostTags   = 32
)

// The tag of an image that names none, and the file that it is built by.
const (
	usualTag        = "{commit}"
	usualDockerfile = "Dockerfile"
)

// repositoryName is an image's name without a tag or digest: perhaps a host with a port, then small letters, digits and
// single separators between them.
var repositoryName = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// stageName is a stage of a Dockerfile, by name or number.
var stageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// images is the block x-runner.images.
func (c *checker) images(e entry) {
	n, ok := c.block(e, runnerSection.path("images"))
	if !ok {
		return
	}
	if len(n.entries) > mostImages {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("there are %d images, and a job may build %d", len(n.entries), mostImages),
			hint:    "split them by a batch, with a file each",
		})
		return
	}
	for _, one := range n.entries {
		c.imageBuilt(one)
	}
	c.places[runnerSection.path("images")] = e.at
}

func (c *checker) imageBuilt(e entry) {
	if !serviceName.MatchString(e.key) {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%q cannot be the name of an image: variables and the log have it", shorten(e.key)),
			hint:    "use small letters, digits and hyphens, at most 63, for example api; the name in the registry stands under push",
		})
		return
	}
	s := imageSection.named(runnerSection.path("images") + "." + e.key)
	to := Image{Name: e.key, Dockerfile: usualDockerfile, Context: "."}
	n, ok := c.block(e, s.name)
	if !ok && e.value.kind != null {
		return
	}
	if ok {
		var named bool // the file
		c.section(s, n, map[string]func(entry){
			"dockerfile": func(e entry) { named = c.inside(e, s.path(e.key), &to.Dockerfile) },
			"context":    func(e entry) { c.inside(e, s.path(e.key), &to.Context) },
			"target":     func(e entry) { to.Target = c.stage(e, s.path(e.key)) },
			"args":       func(e entry) { to.Args = c.variables(e, s.path(e.key)) },
			"secrets":    func(e entry) { to.Secrets = c.secretNames(e, s.path(e.key)) },
			"labels":     func(e entry) { to.Labels = c.labels(e, s.path(e.key)) },
			"push":       func(e entry) { to.Push = c.repository(e, s.path(e.key)) },
			"tags":       func(e entry) { to.Tags = c.tags(e, s.path(e.key)) },
			"cache":      func(e entry) { to.NoCache = e.value.kind != null && !c.flag(e, s.path(e.key)) },
		})
		if !named {
			to.Dockerfile = path.Join(to.Context, usualDockerfile)
		}
	}
	switch {
	case to.Push == "" && len(to.Tags) > 0:
		c.fail(e.at, complaint{
			message: s.name + " has tags and is not pushed: an image reaches the outside by a push alone",
			hint:    "add push: with the registry and the repository, for example push: registry.example.com/team/" + e.key,
		})
	case to.Push != "" && len(to.Tags) == 0:
		to.Tags = []string{usualTag}
	}
	c.spec.Images = append(c.spec.Images, to)
}

// inside reads a path that stays within the source, and tells whether there was one.
func (c *checker) inside(e entry, what string, to *string) bool {
	text, ok := c.text(e, what)
	if !ok {
		return false
	}
	clean := path.Clean(text)
	if text == "" || path.IsAbs(text) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(text, "\\$\x00\n") {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a path within the source, but this is %s", what, e.value.found()),
			hint:    "write it from the root of the repository, without variables: services/api",
		})
		return false
	}
	*to = clean
	return true
}

func (c *checker) stage(e entry, what string) string {
	text, ok := c.text(e, what)
	if ok && !stageName.MatchString(text) {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a stage of the Dockerfile, but this is %s", what, e.value.found()),
			hint:    "write the word that stands behind AS: FROM golang AS build",
		})
	}
	return text
}

// secretNames are names of variables. Whether their values are secrets is seen with the project's settings.
func (c *checker) secretNames(e entry, what string) (names []string) {
	for _, name := range c.texts(e, what) {
		switch {
		case !shellName.MatchString(name):
			c.fail(e.at, complaint{
				message: fmt.Sprintf("%s: %q is no name of a variable", what, shorten(name)),
				hint:    "name a variable of env.secrets-manager or env.parameter-store; RUN --mount=type=secret,id=NAME has its value",
			})
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names
}

// labels are names with texts. Names are not those of variables: they have dots.
func (c *checker) labels(e entry, what string) (all []Var) {
	n, ok := c.block(e, what)
	if !ok {
		return nil
	}
	for _, one := range n.entries {
		text, _ := c.text(one, what+"."+one.key)
		if one.key == "" || strings.ContainsAny(one.key, "= \t\n\x00") || strings.ContainsAny(text, "\x00\n") {
			c.fail(one.at, complaint{
				message: fmt.Sprintf("%s: %q is no label: names have no = and no white space, values one line", what, shorten(one.key)),
				hint:    "write name: value, for example org.opencontainers.image.licenses: MIT",
			})
			continue
		}
		all = append(all, Var{one.key, text})
	}
	return all
}

func (c *checker) repository(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok {
		return ""
	}
	if len(text) > 255 || !repositoryName.MatchString(text) {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a registry and a repository without a tag, but this is %s", what, e.value.found()),
			hint:    "write registry.example.com/team/name in small letters; tags stand under tags",
		})
		return ""
	}
	return text
}

func (c *checker) tags(e entry, what string) (all []string) {
	for _, n := range c.items(e, what) {
		if n.kind != scalar {
			c.wrong(n, "an item of "+what, "text")
			continue
		}
		text := n.text
		if err := checkTemplate(text); err != "" {
			c.fail(n.at, complaint{
				message: fmt.Sprintf("%s: %q %s", what, shorten(text), err),
				hint:    "write for example {commit.short}, {branch}, {semver.major}.{semver.minor}; known are " + strings.Join(tagWords, ", "),
			})
			continue
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) > mostTags {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%s are %d, and an image may have %d", what, len(all), mostTags),
			hint:    "remove those that nobody pulls",
		})
	}
	return all
}

// withoutShards refuses images that each shard of a fanout would build.
func (c *checker) withoutShards() {
	if b := c.spec.Batch; b != nil && b.Fanout != nil && len(c.spec.Images) > 0 {
		c.fail(c.places[runnerSection.path("images")], complaint{
			message: "x-runner.images beside batch.build-fanout: each shard would build and push the same images",
			hint:    "build them in a job of a build-graph that depends on the tests",
		})
	}
}
