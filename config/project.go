package config

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

const secretHint = "write file:/path or env:NAME"

// Check tells what is wrong with a project, whoever made it: every FieldError there is, joined. It allows no
// file:// repository; CheckProject does where the configuration allows it.
func (p *Project) Check() error { return p.faults(false).join() }

// faults checks the settings of one project by themselves.
func (p *Project) faults(allowFile bool) faults {
	var f faults
	switch {
	case p.Name == "":
		f.add("name", "give the project a name: api, or web-frontend", "a project's name is missing")
	case !projectName.MatchString(p.Name):
		f.add("name", "2 to 150 letters, digits, - and _, beginning with a letter or digit", "%q is no name of a project", clip(p.Name))
	}
	if err := CheckURL(p.URL, allowFile); err != nil {
		hint := "write https://host/owner/name.git or git@host:owner/name.git"
		if errors.Is(err, errFileURL) {
			hint = "set allow-file-urls: true in runner.yml, for machines where every project is trusted"
		}
		f.err("url", hint, err)
	}
	if p.Buildspec != "" && !p.InlineBuildspec() && !relative(p.Buildspec) {
		f.add("buildspec", "write it from the repository's root, ci/buildspec.yml", "%q leads out of the repository", clip(p.Buildspec))
	}
	if p.Pull != "" {
		f.oneOf("pull", p.Pull, "always", "if-not-present", "never")
	}
	if len(p.Buildspec) > maxInline {
		f.add("buildspec", "keep it in a file of the repository", "the buildspec has %d bytes, and at most %d are taken here", len(p.Buildspec), maxInline)
	}
	if p.Approval != "" {
		f.oneOf("approval", p.Approval, ApproveForks, ApproveAll, ApproveNone)
	}
	if p.Visibility != "" {
		f.oneOf("visibility", p.Visibility, VisibilityPrivate, VisibilityPublic)
	}
	if p.RetryFaults != "" {
		f.oneOf("retry-faults", p.RetryFaults, retryFaults...)
	}
	if strings.ContainsAny(p.Image, " \t\n") || strings.HasPrefix(p.Image, "-") {
		f.add("image", "write name:tag or name@sha256:…", "%q is no image", clip(p.Image))
	}
	f.checkKeepFailed(p.KeepFailed)
	f.checkNetworks(p.Network, p.NetworkUntrusted)
	p.checkGreen(&f)
	p.checkForge(&f)
	p.checkEnv(&f)
	p.checkSealed(&f)
	p.checkPush(&f)
	p.checkAccess(&f)
	p.checkRefs(&f)
	p.checkParameters(&f)
	p.checkSchedules(&f)
	p.checkRegistryTriggers(&f)
	p.checkFilters(&f)
	p.Concurrency.check(&f)
	p.checkStatus(&f)
	f = append(f, notificationFaults(p.Notifications, false)...)
	f.atLeast("depth", int64(p.Depth), 0)
	f.atLeast("max-jobs", int64(p.MaxJobs), 0)
	if p.Priority < -100 || p.Priority > 100 {
		f.add("priority", "higher goes first; 0 is the default", "%d is not between -100 and 100", p.Priority)
	}
	return append(f, p.Limits.check().prefixed("limits")...)
}

// relative tells whether a path stays below where it starts.
func relative(p string) bool {
	clean := path.Clean(p)
	return !path.IsAbs(p) && clean != ".." && !strings.HasPrefix(clean, "../") && !strings.ContainsAny(p, "\x00\n")
}

func (p *Project) checkEnv(f *faults) {
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if checkName(f, "env", name) && strings.Contains(p.Env[name], "\x00") {
			f.add("env."+name, "", "the value has a zero byte, which no process can be given")
		}
	}
}

// checkName checks the name of a variable below a setting, and tells whether it can be one.
func checkName(f *faults, setting, name string) bool {
	switch {
	case !envName.MatchString(name):
		f.add(setting+"."+clip(name), "letters, digits and _, not beginning with a digit", "this is no name of an environment variable")
	case strings.HasPrefix(name, "CODEBUILD_"):
		f.add(setting+"."+name, "choose another name", "names with CODEBUILD_ are reserved")
	default:
		return true
	}
	return false
}

// checkSealed checks the variables whose values the secret store holds.
func (p *Project) checkSealed(f *faults) {
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		switch {
		case !checkName(f, "parameter-store", name):
		case strings.TrimSpace(p.Parameters[name]) == "":
			f.add("parameter-store."+name, "write /app/db-password", "this names no parameter")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		if checkName(f, "secrets-manager", name) {
			_, err := buildspec.ParseSecretRef(p.Secrets[name])
			f.err("secrets-manager."+name, "write app/db, app/db:password, app/db:password:AWSPREVIOUS", err)
		}
		if _, twice := p.Parameters[name]; twice {
			f.add("secrets-manager."+name, "keep one of the two", "%s stands under parameter-store, too", name)
		}
	}
}

// namedSecret is a secret setting with its key.
type namedSecret struct {
	field string
	value *Secret
}

func (p *Project) secrets() []namedSecret {
	all := []namedSecret{
		{"webhook-secret", &p.WebhookSecret}, {"token", &p.Token}, {"ssh-key", &p.SSHKey}, {"known-hosts", &p.KnownHosts},
		{"forge-token", &p.ForgeToken},
	}
	for i := range p.RegistryTriggers {
		all = append(all, namedSecret{fmt.Sprintf("registry-triggers[%d].secret", i), &p.RegistryTriggers[i].Secret})
	}
	return all
}

// checkAccess checks the secrets, and that each fits the repository's address.
func (p *Project) checkAccess(f *faults) {
	for _, s := range p.secrets() {
		f.err(s.field, secretHint, s.value.Check())
	}
	overHTTP := strings.HasPrefix(p.URL, "http://") || strings.HasPrefix(p.URL, "https://")
	if overHTTP && p.SSHKey != "" {
		f.add("ssh-key", "use token with an https address, or an ssh address", "an ssh key is of no use with an http address")
	}
	if !overHTTP && p.URL != "" && p.Token != "" {
		f.add("token", "use ssh-key, or an https address", "a token is of no use without an http address")
	}
}

func (p *Project) checkRefs(f *faults) {
	if p.Branch != "" && !plausibleRef(p.Branch) {
		f.add("branch", "write main, without refs/heads/", "%q is no name of a branch", clip(p.Branch))
	}
	for _, ref := range p.Protected {
		if !plausibleRef(strings.NewReplacer("*", "x", "?", "x", "[", "x").Replace(ref)) {
			f.add("protected", "write main, release/* or refs/tags/v*", "%q is no pattern of a branch or tag", clip(ref))
		}
	}
}

// plausibleRef applies git's rules for names of refs, as git-check-ref-format has them.
func plausibleRef(name string) bool {
	if name == "" || name == "@" || strings.HasPrefix(name, "-") || strings.HasSuffix(name, ".") ||
		strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.ContainsAny(name, " ~^:?*[\\\x7f") ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}
