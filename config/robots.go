package config

import "regexp"

const (
	// RobotsDisallow asks search engines to keep away from public pages, RobotsAllow lets them index those.
	RobotsDisallow, RobotsAllow = "disallow", "allow"
	// BadgeOff shows nobody a project's badge; BadgeToken shows it to whoever knows the badge's own token, too, also that of
	// a private project. With a word behind it, as in token:2, the token is another one.
	BadgeOff, BadgeToken = "off", "token"
)

var badge = regexp.MustCompile(`^(off|token(:[A-Za-z0-9_-]{1,32})?)$`)

// Indexed tells whether search engines may index the pages of a project; of is the daemon's own setting.
func (p *Project) Indexed(of string) bool {
	return p.Visibility == VisibilityPublic && or(p.Robots, of) == RobotsAllow
}

// BadgeWithToken tells whether a project's badge is shown to whoever knows its token.
func (p *Project) BadgeWithToken() bool { return p.Badge != "" && p.Badge != BadgeOff }

func (p *Project) checkShown(f *faults) {
	if p.Robots != "" {
		f.oneOf("robots", p.Robots, RobotsDisallow, RobotsAllow)
	}
	if p.Badge != "" && !badge.MatchString(p.Badge) {
		f.add("badge", "write off, token, or token:WORD for another token", "%q is not known", clip(p.Badge))
	}
}
