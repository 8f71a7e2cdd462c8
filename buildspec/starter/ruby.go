package starter

import (
	"regexp"
	"strings"
)

var (
	gemfileRuby = regexp.MustCompile(`(?m)^\s*ruby\s+["']([^"']+)["']`)
	lockedRuby  = regexp.MustCompile(`(?m)^RUBY VERSION\s*\n\s*ruby ([0-9]+\.[0-9]+\.[0-9]+)`)
)

// rubies are the versions of Ruby that images are kept for, the usual one first.
var rubies = []string{"3.4", "3.3", "3.2", "3.1", "3.0", "2.7"}

func writeRuby(f folder, r *recipe) {
	gems, lock := f.read("Gemfile"), f.read("Gemfile.lock")
	for _, name := range f.matching(func(name string) bool { return !strings.Contains(name, "/") && strings.HasSuffix(name, ".gemspec") }) {
		gems += f.read(name)
	}
	version, source := rubyVersion(f, gems, lock)
	r.title = "Installs the gems and runs the tests."
	r.use("ruby:"+version, source)
	r.install = []step{
		run("ruby --version"),
		{why: "Below the source, where the cache finds them.", command: "bundle config set --local path vendor/bundle"},
		run("bundle install --jobs 4"),
	}
	r.cache = &cache{name: "gems", lock: []string{"Gemfile"}, paths: []string{"vendor/bundle/**/*"}}
	if lock != "" {
		r.cache.lock = []string{"Gemfile.lock"}
	}
	rubyTests(f, r, gems+lock)
	for _, gem := range []string{"pg", "mysql2", "redis"} {
		if strings.Contains(lock, "\n    "+gem+" (") {
			r.notef("the gem %s needs a server: x-runner.services runs one beside the job", gem)
		}
	}
	r.onlyTold = "artifacts: with files: keeps what a job leaves, such as log/test.log."
}

func rubyVersion(f folder, gems, lock string) (version, source string) {
	if v := exact(strings.TrimPrefix(strings.TrimSpace(f.read(".ruby-version")), "ruby-")); v != "" {
		return v, ".ruby-version"
	}
	if v := exact(asdf(f, "ruby")); v != "" {
		return v, ".tool-versions"
	}
	if m := gemfileRuby.FindStringSubmatch(gems); m != nil {
		if v := exact(m[1]); v != "" {
			return v, "Gemfile"
		}
		return within(m[1], rubies...), "Gemfile"
	}
	if m := lockedRuby.FindStringSubmatch(lock); m != nil {
		return m[1], "Gemfile.lock"
	}
	return rubies[0], ""
}

func rubyTests(f folder, r *recipe, gems string) {
	specs := f.matching(func(name string) bool { return strings.HasPrefix(name, "spec/") && strings.HasSuffix(name, "_spec.rb") })
	switch {
	case strings.Contains(gems, "rspec") || f.has(".rspec"):
		command := "bundle exec rspec"
		if strings.Contains(gems, "rspec_junit_formatter") {
			command += " --format progress --format RspecJunitFormatter --out reports/rspec.xml"
			r.report = &report{"rspec", []string{"reports/rspec.xml"}}
		} else {
			r.notef("add the gem rspec_junit_formatter to see each test in the build's report")
		}
		r.foundf("%s of RSpec", plural(len(specs), "file", "files"))
		if len(specs) > 1 {
			r.shard(command, "codebuild-glob-search 'spec/**/*_spec.rb'")
			return
		}
		r.build = append(r.build, run(command))
	case f.has("bin/rails") && f.has("test/test_helper.rb"):
		r.foundf("the tests of a Rails application")
		r.variables = append(r.variables, [2]string{"RAILS_ENV", "test"})
		r.build = append(r.build, run("bin/rails test"))
	case f.has("Rakefile"):
		r.foundf("a Rakefile")
		r.build = append(r.build, run("bundle exec rake"))
	default:
		r.build = append(r.build, step{why: "Replace this by the command that runs the tests.", command: "bundle exec ruby -v"})
		r.notef("no tests were found: put the command that runs them into phases.build")
	}
}
