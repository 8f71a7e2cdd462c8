package server

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Requests without a token, for what is public, are bounded, so that a crawler cannot hurt builds. A page with all that it
// shows is about five of them.
const (
	strangerBurst, strangerEvery = 300, 200 * time.Millisecond
	// Badges are cheap, and a forge's proxy asks for those of many readers from few addresses.
	badgeBurst, badgeEvery = 3000, 20 * time.Millisecond
	// streamsOfOne and streamsOfAll bound the logs, archives and events that strangers read at once: from one address, from all.
	streamsOfOne, streamsOfAll = 16, 256
	// previewsOfOne and previewsOfAll bound the files of reports: what one loads of its own has no session, whoever looks at it,
	// and browsers ask for a hundred files at once.
	previewsOfOne, previewsOfAll = 128, 512
)

// dear are the patterns of what costs more than a look at a few rows, or lasts. Robots never get it.
var dear = map[string]bool{
	"GET " + buildPath + "/log": true, "GET " + buildPath + "/events": true, "GET " + buildPath + "/artifacts/file": true,
	"GET " + buildPath + "/artifacts/archive": true, "GET " + buildPath + "/tests": true, "GET " + buildPath + "/coverage": true,
	"GET " + buildPath + "/explain": true, "GET /api/v1/projects/{name}/stats": true, // each looks at thousands of rows
}

// isDear tells whether a request of a stranger's is dear: one of the list, one that lasts, or a page with a search.
func (a *api) isDear(pattern string, r *http.Request) bool {
	deeper := strings.HasPrefix(pattern, "GET "+buildPath+"/log") || a.pages[pattern] && strings.Contains(pattern, "/builds/{number}/")
	searches := pattern == "GET /api/v1/builds" && (r.URL.Query().Has("q") || r.URL.Query().Has("author"))
	return dear[pattern] || deeper || searches || lasts(r) || a.pages[pattern] && r.URL.RawQuery != ""
}

// strangers counts what is read without a token.
type strangers struct {
	asked, badges     *limiter
	streams, previews *atOnce
}

func newStrangers() *strangers {
	return &strangers{
		asked: newLimiter(strangerBurst, strangerEvery), badges: newLimiter(badgeBurst, badgeEvery),
		streams: newAtOnce(streamsOfOne, streamsOfAll), previews: newAtOnce(previewsOfOne, previewsOfAll),
	}
}

// atOnce bounds how many answers go on at a time: from one address, from all.
type atOnce struct {
	mostOfOne, mostOfAll int

	mu   sync.Mutex
	all  int
	from map[netip.Prefix]int
}

func newAtOnce(ofOne, ofAll int) *atOnce {
	return &atOnce{mostOfOne: ofOne, mostOfAll: ofAll, from: map[netip.Prefix]int{}}
}

// stranger lets a request without a token in, or says why not. The caller calls leave when it is answered.
func (a *api) stranger(w http.ResponseWriter, r *http.Request, pattern string, address netip.Addr) (leave func(), p *Problem) {
	leave = func() {}
	if strings.HasPrefix(pattern, "GET /assets/") {
		return leave, nil
	}
	pause, left := a.strangers.asked.spend(address)
	tellRate(w, pause, left)
	if pause > 0 {
		return leave, tooMany(w, pause, "this address asks for more than strangers may")
	}
	places := a.strangers.streams
	switch {
	case strings.HasPrefix(pattern, "GET "+previewPath):
		places = a.strangers.previews
	case !a.isDear(pattern, r):
		return leave, nil
	}
	if isRobot(r.UserAgent()) {
		return leave, problem(http.StatusForbidden, "robots may not read this", "GET /robots.txt says what they may; programs that are none send a token")
	}
	if leave = places.enter(networkOf(address)); leave == nil {
		return func() {}, tooMany(w, 5*time.Second, "strangers read as many logs, archives and events at once as they may")
	}
	return leave, nil
}

// enter takes one of the places that there are; nil: there is none left.
func (s *atOnce) enter(network netip.Prefix) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.mostOfAll || s.from[network] >= s.mostOfOne {
		return nil
	}
	s.all++
	s.from[network]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.from[network]--; s.from[network] == 0 {
			delete(s.from, network)
		}
	}
}

// tellRate says how much more may be asked for, as draft-ietf-httpapi-ratelimit-headers has it.
func tellRate(w http.ResponseWriter, pause time.Duration, left int) {
	whole := int(strangerBurst * strangerEvery / time.Second)
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"strangers";q=%d;w=%d`, strangerBurst, whole))
	w.Header().Set("RateLimit", fmt.Sprintf(`"strangers";r=%d;t=%d`, left, int(math.Ceil(pause.Seconds()))))
}

// tooMany tells to come back later, or with a token.
func tooMany(w http.ResponseWriter, pause time.Duration, why string) *Problem {
	seconds := max(1, int(math.Ceil(pause.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return problem(http.StatusTooManyRequests, why, fmt.Sprintf("come back in %d s, or log in: whoever has a token is not limited", seconds))
}

// robotWords are in the names of programs that read the web for others, in small letters.
var robotWords = []string{"bot", "crawl", "spider", "slurp", "archiver", "indexer", "scrapy"}

// isRobot tells whether a program says of itself that it is a robot.
func isRobot(agent string) bool {
	agent = strings.ReplaceAll(strings.ToLower(clip(agent, 500)), "cubot", "") // a maker of phones
	for _, word := range robotWords {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}
